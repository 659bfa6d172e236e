"""docs/record.md lists every field of the models, and the limits in force; real records obey the schema."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from samestep.benchmarks import record as records
from samestep.benchmarks.accuracy import learning_curve
from samestep.benchmarks.measure import efforts, environment, task_files
from samestep.benchmarks.measure.audit import refused
from samestep.benchmarks.record import (
    SCHEMA_VERSION,
    Record,
    bounded_json,
    consistency,
    proof,
    schema,
    version_1,
)
from samestep.benchmarks.record.files import load
from samestep.benchmarks.verify import remake
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
JSON = re.compile(r"```json (\w+)\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)


def model(name: str) -> type[BaseModel]:
    """A model by its name; a record's Failure is meant, not a certificate's."""
    rooms = (records, version_1, task_files, efforts, environment, proof, learning_curve)
    return next(kind for room in rooms if (kind := getattr(room, name, None)))


def test_the_json_blocks_are_of_their_models() -> None:
    blocks = JSON.findall(PAGE)
    assert len(blocks) >= 3
    for name, text in blocks:
        made = model(name).model_validate_json(text)
        assert json.loads(made.model_dump_json()) == json.loads(text)


@pytest.mark.parametrize(
    ("name", "text"), SECTION.findall(PAGE), ids=lambda value: value.partition("\n")[0][:20]
)
def test_every_table_lists_the_fields_of_its_model(name: str, text: str) -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(model(name).model_fields)


def test_every_model_of_the_record_has_a_table_or_is_of_a_few_words() -> None:
    described = {name for name, _ in SECTION.findall(PAGE)}
    models = {
        name for name, kind in vars(records).items() if isinstance(kind, type) and issubclass(kind, BaseModel)
    }
    in_words = {"Comparison", "Accuracy", "Facts", "Pool"}
    shared = {"MeasuredBlock", "TimedSlice", "Record1", "Block1"}  # of both versions, or of version 1
    assert models - described == in_words | shared


def section(title: str) -> str:
    """The text below a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_limits_are_those_in_force() -> None:
    limits = (
        bounded_json.MOST_BYTES >> 20,
        bounded_json.MOST_VALUES,
        consistency.MOST_LANES,
        consistency.MOST_ROWS,
        remake.MOST_VALUES,
        remake.MOST_ORDERED,
        remake.MOST_PARAMETERS,
    )
    numbers = re.findall(r"\d[\d,]*", section("Limits"))
    assert {f"{limit:,}" for limit in limits} <= set(numbers)
    assert str(SCHEMA_VERSION) in re.findall(r"\d+", section("Versions"))


# --- the schema -----------------------------------------------------------------------------------------------


def test_the_schema_says_what_it_is() -> None:
    made = schema.schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["$id"].endswith(f":{SCHEMA_VERSION}")
    assert made["version"] == SCHEMA_VERSION == made["properties"]["schema_version"]["const"]
    assert made["description"] == Record.__doc__
    assert made["$defs"]["Slice"]["description"] == inspect.getdoc(records.Slice)


def test_the_only_value_that_is_written_another_way_is_a_losss_options() -> None:
    """Its schema is written by hand, since a function that writes a value declares no type."""
    defs = schema.schema()["$defs"]
    untyped = [
        f"{name}.{field}"
        for name, model in defs.items()
        for field, kind in model.get("properties", {}).items()
        if kind.get("type") == "object" and "additionalProperties" not in kind
    ]
    assert untyped == ["Loss.options"]


def validator(version: int = SCHEMA_VERSION) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema.schema(version))
    return kind(schema.schema(version))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        *sorted(ROOT.glob("results/*/benchmark.json")),
        *sorted((ROOT / "tests" / "data").glob("record-*.json")),
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_committed_records_obey_the_schema(path: Path) -> None:
    record = json.loads(path.read_text())["samestep"]
    checks = validator(record["schema_version"])
    assert list(checks.iter_errors(record)) == []


def test_what_is_written_obeys_the_schema_infinities_too(smoke: Any) -> None:
    checks = validator()
    record = load(smoke[0])
    certified = [entry.model_copy(update={"accuracy": None}) for entry in record.certified]
    first = (
        record.blocks[0]
        .slices[0]
        .model_copy(update={"audit": refused("no").model_copy(update={"distance": float("inf")})})
    )
    block = record.blocks[0].model_copy(update={"slices": (first,)})
    record = record.model_copy(update={"blocks": (block,), "certified": tuple(certified)})
    assert '"Infinity"' in record.model_dump_json()
    assert list(checks.iter_errors(json.loads(record.model_dump_json()))) == []


@pytest.mark.parametrize("change", ["repeats", "lane", "surprise", "kind"])
def test_what_is_no_record_does_not_obey_the_schema(change: str) -> None:
    broken = json.loads((ROOT / "tests" / "data" / "record-2.json").read_text())["samestep"]
    piece = broken["blocks"][0]["slices"][0]
    piece.update(
        {"repeats": {"repeats": 0}, "surprise": {"surprise": 1}, "kind": {"kind": "walk"}}.get(change, {})
    )
    if change == "lane":
        del piece["lane"]
    assert list(validator().iter_errors(broken))
