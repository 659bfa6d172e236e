"""docs/record.md: its examples run, its tables list every field of the models, its limits are those in force.

And docs/record.schema.json is the schema of the models, which real records obey.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from samestep.benchmarks import record as records
from samestep.benchmarks.accuracy import learning_curve
from samestep.benchmarks.measure import efforts as effort
from samestep.benchmarks.measure import environment
from samestep.benchmarks.measure import task_files as work
from samestep.benchmarks.record import SCHEMA_VERSION, Record, schema
from samestep.benchmarks.record import bounded_json as document
from samestep.benchmarks.record import consistency as sound
from samestep.benchmarks.record import proof as verdicts
from samestep.benchmarks.record.files import load
from samestep.benchmarks.verify import remake as limits
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
JSON = re.compile(r"```json (\w+)\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)


def model(name: str) -> type[BaseModel]:
    """A model by its name; a record's Failure is meant, not a certificate's."""
    found = (
        getattr(module, name, None)
        for module in (records, work, effort, environment, verdicts, learning_curve)
    )
    return next(each for each in found if each)


def test_the_python_blocks_print_what_stands_below_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    blocks = PYTHON.findall(PAGE)
    assert len(blocks) == 3
    for code, wanted in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/record.md", "exec"), names)
        assert printed.getvalue() == wanted


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
    told = {name for name, _ in SECTION.findall(PAGE)}
    own = {
        name for name, kind in vars(records).items() if isinstance(kind, type) and issubclass(kind, BaseModel)
    }
    assert own - told == {"Comparison", "Accuracy", "Facts", "Pool"}


def test_links_resolve() -> None:
    places = {place.lower() for place in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, place = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert not place or place in places, target


def test_the_limits_are_those_in_force() -> None:
    for words in (
        f"| {document.MOST_BYTES >> 20} MiB | a file",
        f"| {document.MOST_VALUES:,} | values",
        f"| {sound.MOST_LANES} and {sound.MOST_ROWS:,} | lanes",
        f"more than {limits.MOST_VALUES:,} values",
        f"more than {limits.MOST_ORDERED:,} rows",
        f"{limits.MOST_PARAMETERS:,} parameters",
        f"The current one is {SCHEMA_VERSION}.",
    ):
        assert words in PAGE.replace("\n", " "), words


# --- the schema -----------------------------------------------------------------------------------------------


def test_the_schema_says_what_it_is() -> None:
    made = schema.schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["$id"].endswith(f":{SCHEMA_VERSION}")
    assert made["version"] == SCHEMA_VERSION == made["properties"]["schema_version"]["const"]
    assert made["description"] == Record.__doc__
    assert "One timed slice" in made["$defs"]["Slice"]["description"]


def test_the_only_value_that_is_written_another_way_is_a_losss_options() -> None:
    """Its schema is said by hand, since a function that writes a value says no type."""
    defs = schema.schema()["$defs"]
    untyped = [
        f"{name}.{field}"
        for name, each in defs.items()
        for field, kind in each.get("properties", {}).items()
        if kind.get("type") == "object" and "additionalProperties" not in kind
    ]
    assert untyped == ["Loss.options"]


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema.schema())
    return kind(schema.schema())


@pytest.mark.parametrize(
    "path",
    [
        *sorted(ROOT.glob("results/*/benchmark.json")),
        *sorted((ROOT / "tests" / "data").glob("record-*.json")),
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_committed_records_obey_the_schema(path: Path) -> None:
    assert list(validator().iter_errors(json.loads(path.read_text())["samestep"])) == []


def test_what_is_written_obeys_the_schema_infinities_too(smoke: Any) -> None:
    checks = validator()
    record = load(smoke[0])
    certified = [each.model_copy(update={"accuracy": None}) for each in record.certified]
    first = record.blocks[0].slices[0].model_copy(update={"apart": float("inf")})
    block = record.blocks[0].model_copy(update={"slices": (first,)})
    record = record.model_copy(update={"blocks": (block,), "certified": tuple(certified)})
    assert '"Infinity"' in record.model_dump_json()
    assert list(checks.iter_errors(json.loads(record.model_dump_json()))) == []


@pytest.mark.parametrize("change", ["repeats", "lane", "surprise", "kind"])
def test_what_is_no_record_does_not_obey_the_schema(change: str) -> None:
    found = json.loads((ROOT / "tests" / "data" / "record-1.json").read_text())["samestep"]
    broken = copy.deepcopy(found)
    piece = broken["blocks"][0]["slices"][0]
    piece.update(
        {"repeats": {"repeats": 0}, "surprise": {"surprise": 1}, "kind": {"kind": "walk"}}.get(change, {})
    )
    if change == "lane":
        del piece["lane"]
    assert list(validator().iter_errors(broken))
