"""Texts, objects and lists that are too long for any record: one line, at once."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from samestep.backends.strict_model import LONGEST_NAME, LONGEST_TEXT
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record.bounded_json import MOST_KEYS
from samestep.benchmarks.record.files import open_document
from samestep.benchmarks.record.schema import schema
from samestep.benchmarks.verify.times import BenchmarkDocument
from tests.helpers.paths import DATA

REAL = json.loads((DATA / "record-1.json").read_bytes())
LONG = "x" * 10_000_000
MANY = {f"name-{number}": "x" for number in range(MOST_KEYS + 1)}
PLAIN_READS = 20  # as long as so many readings of the same text as plain JSON, and a second


def strings(part: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every text that the schema allows, with its place."""
    if isinstance(part, dict):
        if part.get("type") == "string":
            yield place, part
        for key, inner in part.items():
            yield from strings(inner, f"{place}/{key}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from strings(inner, f"{place}/{number}")


def test_every_text_of_a_record_has_a_bound() -> None:
    bounded = {"maxLength", "enum", "const", "pattern"}
    allowed = dict(strings(schema()))
    assert len(allowed) > 100
    assert not [place for place, text in allowed.items() if not bounded & text.keys()]


def failure(reason: str) -> dict[str, str]:
    plan = REAL["samestep"]["plan"]
    return {
        "task": plan["works"][0]["task"]["name"],
        "lane": plan["lanes"][0],
        "phase": "race",
        "reason": reason,
    }


Change = Callable[[dict[str, Any]], object]
TOO_LONG: dict[str, tuple[Change, str]] = {
    "reason": (lambda r: r.update(failures=[failure(LONG)]), "reason: String should have at most"),
    "version": (lambda r: r["arms"][0]["versions"].update(numpy=LONG), "at most 10000 characters"),
    "key": (lambda r: r["arms"][0]["versions"].update({LONG: "1"}), "at most 10000 characters"),
    "unknown key": (lambda r: r.update({LONG: 1}), "Extra inputs are not permitted"),
    "date": (lambda r: r["plan"].update(created=LONG), "created: "),
    "lane": (lambda r: r["plan"]["lanes"].append(LONG), "at most 2000 characters"),
    "missing lane": (lambda r: r["plan"].update(missing={LONG: "why"}), "at most 2000 characters"),
    "task": (lambda r: r["plan"]["works"][0]["task"].update(name=LONG), "at most 2000 characters"),
    "digest": (lambda r: r["certified"][0]["certificate"].update(order=LONG), "order: "),
    "array": (
        lambda r: r["certified"][0]["certificate"]["evidence"][0]["judgement"]["kept"][0]["arrays"].update(
            loss=LONG
        ),
        "at most 1400000 characters",
    ),
    "packages": (lambda r: r["plan"]["environment"].update(packages=MANY), "more than 10,000 keys"),
    "settings": (lambda r: r["plan"].update(settings=MANY), "more than 10,000 keys"),
    "unknown fields": (lambda r: r.update(MANY), "more than 10,000 keys"),
    "notes": (
        lambda r: r["plan"].update(missing=dict.fromkeys(list(MANY)[:1_001], "why")),
        "missing: Dictionary should have at most 1000 items",
    ),
    "failures": (lambda r: r.update(failures=[failure("why")] * 100_001), "at most 100000 items"),
    "blocks": (lambda r: r.update(blocks=r["blocks"][:1] * 10_001), "at most 10000 items"),
    "layers": (
        lambda r: r["plan"]["works"][0]["task"].update(layers=[{"kind": "relu"}] * 1_001),
        "layers: Tuple should have at most 1000 items",
    ),
}


@pytest.mark.parametrize("what", TOO_LONG)
def test_what_is_too_long_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    document = copy.deepcopy(REAL)
    change, line = TOO_LONG[what]
    change(document["samestep"])
    refused(document, tmp_path, line)


def test_pytest_benchmarks_part_has_bounds_too(tmp_path: Path) -> None:
    for change, line in (
        ({"benchmarks": [{"name": LONG}]}, "name: String should have at most 10000 characters"),
        ({"benchmarks": [{"extra_info": {"lane": LONG}}]}, "at most 10000 characters"),
        ({"benchmarks": [{"name": "x"}] * 2_001}, "at most 2000 items"),
        ({"version": LONG}, "version: String should have at most 10000 characters"),
        ({"machine_info": {"system": LONG}}, "at most 10000 characters"),
    ):
        refused(REAL | change, tmp_path, line)


def refused(document: dict[str, Any], folder: Path, expected: str) -> None:
    path = folder / "long.json"
    text = json.dumps(document)
    path.write_text(text)
    begin = time.process_time()
    json.loads(text)
    allowed = 1.0 + PLAIN_READS * (time.process_time() - begin)
    begin = time.process_time()
    with pytest.raises(InputError) as error:
        open_document(path, BenchmarkDocument)
    assert time.process_time() - begin < allowed
    line = str(error.value)
    assert expected in line
    assert len(line) < len(str(path)) + 300
    assert line.count("\n") == 0


def test_what_is_as_long_as_allowed_is_read(tmp_path: Path) -> None:
    document = copy.deepcopy(REAL)
    record = document["samestep"]
    record["failures"] = [failure("x" * LONGEST_TEXT)]
    record["plan"]["missing"] = {"x" * LONGEST_NAME: "why"}
    path = tmp_path / "long.json"
    path.write_text(json.dumps(document))
    assert len(open_document(path, BenchmarkDocument).samestep.failures[0].reason) == LONGEST_TEXT
