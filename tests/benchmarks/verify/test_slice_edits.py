"""Edits of the blocks of real small runs, one in each row: `verify` finds each."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samestep.benchmarks.record.files import open_document
from samestep.benchmarks.record.layout import LOST
from samestep.benchmarks.verify import BenchmarkDocument, verify
from tests.helpers.dying_lanes import DYING

pytestmark = pytest.mark.slow  # for the runs that they edit
Json = dict[str, Any]
Edit = Callable[[Json], object]


def faults(document: Json, folder: Path) -> list[str]:
    """What `verify` finds, but for pytest-benchmark's part, which these records have not."""
    path = folder / "benchmark.json"
    path.write_text(json.dumps(document))
    wrong = verify(open_document(path, BenchmarkDocument)).wrong
    return [line for line in wrong if not line.endswith("has a time and no benchmark")]


@pytest.fixture(scope="module")
def untouched(raced: str, tmp_path_factory: pytest.TempPathFactory) -> Json:
    folder = tmp_path_factory.mktemp("raced")
    document = {"samestep": json.loads(raced)}
    assert faults(document, folder) == []
    return document


@pytest.fixture(scope="module")
def mended(one_death: tuple[Path, str]) -> Json:
    """A run with one death, which one more block makes up for."""
    return {"samestep": json.loads(one_death[1])}


def blocks(document: Json) -> list[Json]:
    return document["samestep"]["blocks"]


def slices(document: Json, block: int = 0) -> list[Json]:
    return blocks(document)[block]["slices"]


def all_slices(document: Json) -> list[Json]:
    return [piece for block in blocks(document) for piece in block["slices"]]


def put(number: int, **fields: Any) -> Edit:
    return lambda document: slices(document)[number].update(fields)


def audited(document: Json) -> Json:
    return next(piece for piece in all_slices(document) if piece["audit"])


def put_audit(**fields: Any) -> Edit:
    return lambda document: audited(document)["audit"].update(fields)


def keep(where: Callable[[Json], bool]) -> Edit:
    """Only the slices of every block for which something holds."""

    def edit(document: Json) -> None:
        for block in blocks(document):
            block["slices"] = [piece for piece in block["slices"] if where(piece)]

    return edit


def keep_in(block: int, where: Callable[[Json], bool]) -> Edit:
    """Only the slices of one block for which something holds."""

    def edit(document: Json) -> None:
        blocks(document)[block]["slices"] = [piece for piece in slices(document, block) if where(piece)]

    return edit


def without_block(index: int, *, renumbered: bool) -> Edit:
    def edit(document: Json) -> None:
        del blocks(document)[index]
        for number, block in enumerate(blocks(document) if renumbered else []):
            block["index"] = number

    return edit


def copied(document: Json) -> None:
    blocks(document)[1] = copy.deepcopy(blocks(document)[0]) | {"index": 1}


def added_block(document: Json) -> None:
    blocks(document).append(copy.deepcopy(blocks(document)[0]) | {"index": 3})


def swapped(document: Json) -> None:
    first = slices(document)
    first[0], first[1] = first[1], first[0]


def exchanged(document: Json) -> None:
    """The control and its lane in one round."""
    arms = [p for p in slices(document) if (p["lane"], p["round"], p["kind"]) == ("numpy:tuned", 0, "race")]
    for piece in arms:
        piece["twin"] = not piece["twin"]


def slower_half(document: Json) -> None:
    """Of every arm the slower round of each block is dropped, and the other becomes the first."""
    for block in blocks(document):
        best: dict[tuple[Any, ...], Json] = {}
        for piece in block["slices"]:
            key = piece["task"], piece["lane"], piece["twin"], piece["kind"]
            if key not in best or piece["elapsed_ns"] < best[key]["elapsed_ns"]:
                best[key] = piece
        block["slices"] = [piece | {"round": 0} for piece in best.values()]


def extra(document: Json) -> None:
    slices(document).append(copy.deepcopy(slices(document)[0]) | {"round": 2})


def added_failure(**fields: Any) -> Edit:
    """A failure of numpy on the first task, in the first block and in the record's list."""

    def edit(document: Json) -> None:
        failure = {"task": "two", "lane": "numpy", "phase": "slice", "reason": "it hung", "block": 0}
        for place in (blocks(document)[0], document["samestep"]):
            place["failures"].append(failure | fields)

    return edit


def without_audit(document: Json) -> None:
    audited(document)["audit"] = None


def second_audit(document: Json) -> None:
    piece = audited(document)
    key = piece["task"], piece["lane"], piece["twin"]
    pieces = [p for p in slices(document) if (p["task"], p["lane"], p["twin"]) == key]
    next(p for p in pieces if not p["audit"])["audit"] = piece["audit"]


def no_cold_audit(document: Json) -> None:
    document["samestep"]["colds"][0]["audit"] = None


def calibration(**fields: Any) -> Edit:
    return lambda document: document["samestep"]["calibrations"][0].update(fields)


def other_repeats(document: Json) -> None:
    """A calibration and all slices of its lane say another number of runs."""
    first = document["samestep"]["calibrations"][0]
    first["repeats"] += 1
    for piece in all_slices(document):
        if (piece["task"], piece["lane"]) == (first["task"], first["lane"]):
            piece["repeats"] += 1


def stranger(document: Json) -> None:
    """A lane that is not proven, and calibrated all the same."""
    proof = document["samestep"]["certified"][0]
    proof["certificate"]["status"] = "fail"


LAID_OUT = "its slices are not those of the plan, in its order"
FOUND: dict[str, tuple[Edit, str]] = {
    # which slices there are, and where
    "the slower rounds": (slower_half, LAID_OUT),
    "the last round": (keep(lambda p: p["kind"] != "race" or p["round"] == 0), LAID_OUT),
    "a slice": (lambda d: slices(d).pop(3), LAID_OUT),
    "slices of one arm": (keep(lambda p: p["lane"] != "numpy"), LAID_OUT),
    "slices of a task": (keep(lambda p: p["task"] != "two"), LAID_OUT),
    "A/A controls": (keep(lambda p: not p["twin"]), LAID_OUT),
    "control slices": (keep(lambda p: p["kind"] == "race"), LAID_OUT),
    "control slices of one kind": (keep(lambda p: p["kind"] != "gc"), LAID_OUT),
    "A/A controls of a lane": (
        keep(lambda p: not (p["twin"] and p["lane"] == "numpy")),
        "of twin of numpy on",
    ),
    "A/A controls of a task": (keep(lambda p: not (p["twin"] and p["task"] == "two")), "on two (race)"),
    "A/A controls of a block": (keep_in(0, lambda p: not p["twin"]), "missing: "),
    "control slices of a lane": (
        keep(lambda p: p["kind"] == "race" or p["lane"] != "numpy"),
        "missing: 1 of numpy on",
    ),
    "control slices of a task": (keep(lambda p: p["kind"] == "race" or p["task"] != "two"), "on two (gc)"),
    "control slices of a block": (keep_in(2, lambda p: p["kind"] == "race"), "block 2: its slices are not"),
    "one slice more": (extra, LAID_OUT),
    "order of slices": (swapped, LAID_OUT),
    "a position": (put(0, position=1), LAID_OUT),
    "a round": (put(0, round=5), LAID_OUT),
    "a predecessor": (put(1, predecessor=None), LAID_OUT),
    "a kind": (put(0, kind="gc"), LAID_OUT),
    "the lane of a slice": (exchanged, LAID_OUT),
    "the seed": (lambda d: d["samestep"]["plan"].update(seed=2), LAID_OUT),
    "rounds of the plan": (lambda d: d["samestep"]["plan"]["effort"].update(rounds=[3, 3]), LAID_OUT),
    "controls of the plan": (lambda d: d["samestep"]["plan"]["effort"].update(controls=1), LAID_OUT),
    "the twin": (
        lambda d: blocks(d)[0].update(
            twin={"numpy": "numpy:tuned", "numpy:tuned": "numpy"}[blocks(d)[0]["twin"]]
        ),
        "other workers than planned",
    ),
    "the order of starting": (lambda d: blocks(d)[0]["started"].reverse(), "other workers than planned"),
    # blocks
    "the first block": (without_block(0, renumbered=False), "the blocks are numbered [1, 2]"),
    "the middle block": (without_block(1, renumbered=False), "the blocks are numbered [0, 2]"),
    "the first block, renumbered": (without_block(0, renumbered=True), "block 0: its slices are not"),
    "the middle block, renumbered": (without_block(1, renumbered=True), "block 1: its slices are not"),
    "a block that is a copy": (copied, "its seeds are those of another slice"),
    "a block more": (added_block, "block 3: 3 blocks follow from the plan"),
    "fewer blocks planned": (
        lambda d: d["samestep"]["plan"]["effort"].update(blocks=2),
        "block 2: 2 blocks follow",
    ),
    "the order of blocks": (lambda d: blocks(d).reverse(), "the blocks are numbered [2, 1, 0]"),
    "a CPU of nobody's turn": (lambda d: blocks(d)[0].update(cpus=[999]), "CPUs, and"),
    "two CPUs": (lambda d: blocks(d)[0].update(cpus=[0, 1]), "it raced on 2 CPUs under --threads one"),
    # failures
    "a failure that never was": (added_failure(place=0, died=True), LAID_OUT),
    "a failure at the end": (added_failure(place=999), "a failure where there can be none"),
    "a failure before the race": (added_failure(place=None, phase="first call"), LAID_OUT),
    "a failure in the list alone": (
        lambda d: d["samestep"]["failures"].append(
            {"task": "two", "lane": "numpy", "phase": "slice", "reason": "no", "block": 1, "place": 3}
        ),
        "the failures are not those of the blocks",
    ),
    # audits
    "an audit": (without_audit, "0 slices were audited, not 1"),
    "an audit more": (second_audit, "2 slices were audited, not 1"),
    "run of an audit": (put_audit(epoch=10**6), "run 1000001 of"),
    "steps of an audit": (put_audit(steps=9), "9 steps of 10 were judged"),
    "steps beyond the run": (put_audit(steps=11), "11 steps of 10 were judged"),
    "no steps of an audit": (put_audit(steps=0), "0 steps of 10 were judged"),
    "ratio of an audit": (put_audit(ratio=1.5), "it is not sound, and no reason is given"),
    "ratio that is none": (put_audit(ratio="NaN"), "it is not sound, and no reason is given"),
    "another end": (put_audit(equal=False, distance=1.0), "it is not sound, and no reason is given"),
    "a distance of equal ends": (put_audit(distance=1.0), "equal ends, and a distance"),
    "audit of a first call": (no_cold_audit, "it was not done once more"),
    "steps of a first call": (
        lambda d: d["samestep"]["colds"][0]["audit"].update(steps=3),
        "the first call 0 of numpy on two: 3 steps of 10",
    ),
    # seeds and readings
    "a start twice": (
        lambda d: put(0, start_seed=slices(d)[1]["start_seed"])(d),
        "are those of another slice",
    ),
    "orders twice": (
        lambda d: put(0, order_seed=slices(d, 2)[1]["order_seed"])(d),
        "are those of another slice",
    ),
    "fetch": (lambda d: put(0, fetch_ns=slices(d)[0]["elapsed_ns"] + 1)(d), "its fetches took longer"),
    "charge": (lambda d: put(0, charged_ns=slices(d)[0]["elapsed_ns"])(d), "its fetches took longer"),
    "span": (put(0, span_ns=1), "its span is shorter"),
    "warm-ups": (put(0, warmups=99), "99 runs warmed it up"),
    # calibrations
    "runs of a slice": (put(0, repeats=10**6), "slices of 1,000,000 runs, calibrated to"),
    "time of a calibrated run": (calibration(run_ns=10**9), "of 1000000000 ns they are 1"),
    "all runs": (other_repeats, "calibrated to"),
    "least work of a slice": (
        lambda d: d["samestep"]["plan"]["effort"].update(slice_ms=900.0),
        "ns they are",
    ),
    "a calibration": (lambda d: d["samestep"]["calibrations"].pop(), "cannot be laid out"),
    "a calibration of a lane that is not proven": (stranger, "calibrated, and could not race"),
    "a cold call that was not planned": (
        lambda d: d["samestep"]["colds"].append(d["samestep"]["colds"][0] | {"repeat": 7}),
        "1 cold call missing",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_an_edit_is_found(name: str, untouched: Json, tmp_path: Path) -> None:
    edit, fault = FOUND[name]
    document = copy.deepcopy(untouched)
    edit(document)
    assert document != untouched
    wrong = faults(document, tmp_path)
    assert any(fault in line for line in wrong), wrong


def test_a_block_that_is_missing_at_the_end_is_said(untouched: Json, tmp_path: Path) -> None:
    document = copy.deepcopy(untouched)
    del blocks(document)[-1]
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(document))
    assert (
        "what an interrupted run has still to measure"
        in verify(open_document(path, BenchmarkDocument)).unchecked
    )


# --- a death that was made up for -----------------------------------------------------------------------------


def everywhere(document: Json, change: Callable[[Json], Any]) -> None:
    """Change the one death in its block and in the record's list."""
    for place in (document["samestep"], *blocks(document)):
        for failure in place["failures"]:
            change(failure)


def without_death(document: Json) -> None:
    for place in (document["samestep"], *blocks(document)):
        place["failures"].clear()


def without_extra_block(document: Json) -> None:
    without_death(document)
    del blocks(document)[-1]


DEATHS: dict[str, tuple[Edit, str]] = {
    "a death": (without_death, LAID_OUT),
    "a death with the block that makes up for it": (without_extra_block, LAID_OUT),
    "the block of a death": (
        lambda d: everywhere(d, lambda f: f.update(block=1)),
        "a failure where there can be none",
    ),
    "the place of a death": (
        lambda d: everywhere(d, lambda f: f.update(place=999)),
        "a failure where there can be none",
    ),
    "an error instead of a death": (
        lambda d: everywhere(d, lambda f: f.update(died=False)),
        "block 1: its slices are not those of the plan",
    ),
    "the phase of a death": (
        lambda d: everywhere(d, lambda f: f.update(phase="audit")),
        "a failure where there can be none",
    ),
    "a death beside nothing": (
        lambda d: everywhere(d, lambda f: f.update(phase=LOST)),
        "a failure where there can be none",
    ),
    "the control's death": (
        lambda d: everywhere(d, lambda f: f.update(twin=not f["twin"])),
        "a failure where there can be none",
    ),
    "its certificate": (lambda d: d["samestep"]["certified"].pop(0), "certificate missing"),
    "its cold call": (lambda d: d["samestep"]["colds"].pop(0), "1 cold call missing"),
    "its accuracy": (lambda d: d["samestep"]["certified"][0].update(accuracy=None), "accuracy missing"),
    "its calibration": (
        lambda d: d["samestep"].update(
            calibrations=[c for c in d["samestep"]["calibrations"] if c["lane"] != DYING]
        ),
        "cannot be laid out",
    ),
}


def test_a_run_with_a_death_is_verified(mended: Json, tmp_path: Path) -> None:
    assert len(blocks(mended)) == 3  # one more than planned
    assert faults(mended, tmp_path) == []


@pytest.mark.parametrize("name", DEATHS)
def test_an_edit_of_a_death_is_found(name: str, mended: Json, tmp_path: Path) -> None:
    edit, fault = DEATHS[name]
    document = copy.deepcopy(mended)
    edit(document)
    wrong = faults(document, tmp_path)
    assert document != mended
    assert any(fault in line for line in wrong), wrong
