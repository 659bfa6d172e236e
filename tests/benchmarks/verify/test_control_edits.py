"""Records without their A/A controls or control slices, or with a place twice or not at all.

Of every kind: a race and a sweep of today, made here, and both of version 1. `verify` finds each edit, and says
in one line what is wrong.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Record, Record1
from samestep.benchmarks.record.files import load
from samestep.benchmarks.verify.findings import Findings
from samestep.benchmarks.verify.slices import check_slices
from tests.helpers.paths import DATA

pytestmark = pytest.mark.slow  # for the runs that they edit
Json = dict[str, Any]
KINDS = ("race", "sweep", "version 1", "sweep of version 1")


class Made(NamedTuple):
    """A record as JSON, with a lane, a block with control slices and a task of it."""

    document: Json
    lane: str
    block: int
    task: str


@pytest.fixture(scope="module")
def records(raced: str, swept: tuple[Path, object]) -> dict[str, Made]:
    sweep = json.loads(load(swept[0]).model_dump_json())
    former = json.loads(load(DATA / "record-1.json").model_dump_json())
    former_sweep = json.loads(load(DATA / "sweep-1.json").model_dump_json())
    return {
        "race": Made(json.loads(raced), "numpy", 0, "two"),
        "sweep": Made(sweep, "numpy:tuned", 2, "b8-f2"),
        "version 1": Made(former, "numpy", 0, "lesson"),
        "sweep of version 1": Made(former_sweep, "numpy", 0, "b8-f64"),
    }


def faults(document: Json) -> list[str]:
    """What is wrong with the slices of a record."""
    kind = Record1 if document["schema_version"] == 1 else Record
    findings = Findings()
    check_slices(findings, RecordAnalysis(kind.model_validate_json(json.dumps(document))))
    return findings.wrong


def without(where: Callable[[Made, Json, int], bool]) -> Callable[[Made, Json], None]:
    """Only the slices of which something does not hold, which gets the index of their block."""

    def edit(made: Made, document: Json) -> None:
        for block in document["blocks"]:
            block["slices"] = [s for s in block["slices"] if not where(made, s, block["index"])]

    return edit


def is_control(piece: Json) -> bool:
    return piece["kind"] != "race"


def of_first(made: Made, document: Json) -> list[Json]:
    """The slices of the race of the chosen block and task."""
    slices = document["blocks"][made.block]["slices"]
    return [piece for piece in slices if piece["task"] == made.task and not is_control(piece)]


def a_position_twice(made: Made, document: Json) -> None:
    first, second, *_ = of_first(made, document)
    second["position"] = first["position"]


def a_position_skipped(made: Made, document: Json) -> None:
    of_first(made, document)[-1]["position"] += 1


def a_round_skipped(made: Made, document: Json) -> None:
    last = of_first(made, document)[-1]["round"]
    for piece in of_first(made, document):
        piece["round"] += piece["round"] == last


def a_round_less(made: Made, document: Json) -> None:
    last = of_first(made, document)[-1]["round"]
    without(lambda _, s, block: (s["round"], s["kind"], s["task"]) == (last, "race", made.task))(
        made, document
    )


def a_round_more(made: Made, document: Json) -> None:
    last = of_first(made, document)[-1]["round"]
    more = [s | {"round": last + 1} for s in of_first(made, document) if s["round"] == last]
    document["blocks"][made.block]["slices"] += copy.deepcopy(more)


def another_predecessor(made: Made, document: Json) -> None:
    first, second, *_ = of_first(made, document)
    second["predecessor"] = first["predecessor"]


def two_places_exchanged(made: Made, document: Json) -> None:
    slices = document["blocks"][made.block]["slices"]
    slices[0], slices[1] = slices[1], slices[0]


def another_twin(made: Made, document: Json) -> None:
    for piece in document["blocks"][made.block]["slices"]:
        piece["twin"] = False if piece["twin"] else piece["twin"]
    document["blocks"][made.block]["twin"] = "nobody"


def a_gap_of_blocks(made: Made, document: Json) -> None:
    document["blocks"][-1]["index"] += 1


def a_first_block_less(made: Made, document: Json) -> None:
    del document["blocks"][0]
    for number, block in enumerate(document["blocks"]):
        block["index"] = number


def a_block_too_many(made: Made, document: Json) -> None:
    blocks, planned = document["blocks"], document["plan"]["effort"]["blocks"]
    blocks += [copy.deepcopy(blocks[-1]) | {"index": index} for index in range(len(blocks), planned + 1)]


EDITS: dict[str, tuple[Callable[[Made, Json], None], str]] = {
    "all A/A controls": (without(lambda m, s, b: s["twin"]), "missing: "),
    "the A/A controls of a lane": (without(lambda m, s, b: s["twin"] and s["lane"] == m.lane), "of twin of "),
    "the A/A controls of a block": (without(lambda m, s, b: s["twin"] and b == m.block), "of twin of "),
    "the A/A controls of a task": (without(lambda m, s, b: s["twin"] and s["task"] == m.task), "of twin of "),
    "one slice of an A/A control": (
        without(lambda m, s, b: (s["twin"], s["task"], s["round"], b) == (True, m.task, 0, m.block)),
        "missing: 1 of twin of ",
    ),
    "all control slices": (without(lambda m, s, b: is_control(s)), "(gc)"),
    "the control slices of a lane": (
        without(lambda m, s, b: is_control(s) and s["lane"] == m.lane),
        "missing: 1 of {lane} on ",
    ),
    "the control slices of a block": (without(lambda m, s, b: is_control(s) and b == m.block), "(alone)"),
    "the control slices of a task": (
        without(lambda m, s, b: is_control(s) and s["task"] == m.task),
        "on {task} (gc)",
    ),
    "control slices of one kind": (without(lambda m, s, b: s["kind"] == "alone"), "(alone)"),
    "a position twice": (a_position_twice, "stands at place "),
    "a position skipped": (a_position_skipped, "stands at place "),
    "a round skipped": (a_round_skipped, "not planned: "),
    "a round less": (a_round_less, "missing: "),
    "a round more": (a_round_more, "not planned: "),
    "another predecessor": (another_predecessor, "stands at place 1 of race 0, after nothing"),
    "two places exchanged": (two_places_exchanged, "stands at place "),
    "another twin": (another_twin, "other workers than planned"),
    "a gap of blocks": (a_gap_of_blocks, "the blocks are numbered "),
    "the first block": (a_first_block_less, "other workers than planned"),
    "a block too many": (a_block_too_many, "blocks "),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_as_it_was_made_has_all_its_slices(kind: str, records: dict[str, Made]) -> None:
    assert faults(records[kind].document) == []


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_is_found(name: str, kind: str, records: dict[str, Made]) -> None:
    made, (edit, fault) = records[kind], EDITS[name]
    document = copy.deepcopy(made.document)
    edit(made, document)
    assert document != made.document
    wrong = faults(document)
    said = fault.format(lane=made.lane, task=made.task)
    assert any(said in line and "\n" not in line for line in wrong), wrong


# --- what failed in version 1 leaves gaps, and nothing else does ---------------------------------------------


def failure(made: Made) -> Json:
    return {"task": made.task, "lane": made.lane, "phase": "slice", "reason": "it hung"}


def test_of_a_lane_that_failed_in_version_1_slices_may_be_missing_and_of_no_other(
    records: dict[str, Made],
) -> None:
    made = records["sweep of version 1"]
    document = copy.deepcopy(made.document)
    for place in (document, document["blocks"][-1]):
        place["failures"].append(failure(made))
    without(lambda m, s, b: (s["lane"], s["task"], b) == (m.lane, m.task, 2) and s["round"] > 0)(
        made, document
    )
    assert faults(document) == []
    without(lambda m, s, b: (s["lane"], s["task"], b) == ("torch", m.task, 2))(made, document)
    assert any("of torch on" in line for line in faults(document))


def test_a_lane_that_failed_in_version_1_races_no_more(records: dict[str, Made]) -> None:
    made = records["sweep of version 1"]
    document = copy.deepcopy(made.document)
    for place in (document, document["blocks"][0]):
        place["failures"].append(failure(made))
    assert any("not planned: " in line and f"of {made.lane} on" in line for line in faults(document))
