"""Rows recomputed from records made by hand, against arithmetic done by hand."""

from __future__ import annotations

import math

import pytest

from samestep.benchmarks.analysis import LaneAnalysis, RecordAnalysis, Row
from samestep.benchmarks.record import Failure, Record, RooflineLimits
from samestep.benchmarks.report.columns import COLUMNS
from samestep.benchmarks.report.tables import speed
from tests.helpers.records import piece, record

RATIOS = [0.5, 0.501, 0.499, 0.5, 0.502, 0.498]


def lane_of(made: Record, lane: str = "jax", baseline: str | None = None) -> LaneAnalysis:
    return RecordAnalysis(made, baseline)["lesson", lane]


def row(made: Record, lane: str = "jax", baseline: str | None = None) -> Row:
    return lane_of(made, lane, baseline).row


def with_limits(made: Record, read: float, peak: float | None) -> Record:
    rates = {"read_rate": read, "copy_rate": 1.0, "blas_rate": 1.0, "peak_rate": peak}
    limits = RooflineLimits(task="lesson", working_set=1, **rates)  # type: ignore[arg-type]
    return made.model_copy(update={"ceilings": (limits,)})


def test_time_ratio_and_throughput() -> None:
    found = row(record({"jax": RATIOS}))
    assert found.time is not None
    assert found.verdict.ratio is not None
    assert found.time.value == pytest.approx(0.5 * 0.01 / 100, rel=1e-3)  # half of 10 ms over 100 steps
    assert found.verdict.ratio.value == pytest.approx(0.5, rel=1e-3)
    assert found.samples_per_second == pytest.approx(10 / found.time.value)  # batches of ten
    assert found.cpu_per_wall == 1.0
    assert found.blank == ""


def test_a_barred_lane_shows_its_reason_and_no_times() -> None:
    failure = Failure(task="lesson", lane="jax", phase="slice", reason="hung")
    found = row(record({"jax": RATIOS}, failures=[failure], cold={"jax": 1.0}))
    assert (found.time, found.first_call_s, found.break_even, found.samples_per_second) == (None,) * 4
    assert found.blank == "slice: hung"


def test_break_even_is_where_the_two_lines_meet() -> None:
    # torch: 0.1 s first, 100 us a step; jax: 2.05 s first, of which a steady run of 5 ms, 50 us a step
    made = record({"jax": RATIOS}, cold={"torch": 0.11, "jax": 2.105})
    found = row(made).break_even
    assert found is not None
    assert found.steps is not None
    assert found.steps.value == pytest.approx((2.1 - 0.1) / 50e-6, rel=1e-2)
    assert found.steps.low < found.steps.value < found.steps.high


@pytest.mark.parametrize(
    ("ratio", "first", "reason"),
    [
        (0.5, 0.05, "from the first step"),
        (2.0, 9.0, "never: no faster for each step"),
        (2.0, 0.01, "never: cheaper to start, slower for each step"),
    ],
)
def test_break_even_says_when_the_lines_do_not_meet(ratio: float, first: float, reason: str) -> None:
    made = record({"jax": [2 * ratio * each for each in RATIOS]}, cold={"torch": 0.11, "jax": first})
    found = row(made).break_even
    assert found is not None
    assert (found.steps, found.reason) == (None, reason)


def test_break_even_may_never_come_for_all_that_is_known() -> None:
    made = record({"jax": [0.8, 1.1, 0.9, 1.05, 0.85, 1.0]}, cold={"torch": 0.1, "jax": 1.0})
    found = row(made).break_even
    assert found is not None
    assert found.steps is not None
    assert found.steps.high == math.inf
    assert row(record({"jax": RATIOS})).break_even is None  # no first call


def test_break_even_of_too_few_blocks_is_not_claimed() -> None:
    found = row(record({"jax": RATIOS[:3]}, cold={"torch": 0.11, "jax": 2.105})).break_even
    assert found is not None
    assert (found.steps, found.reason, found.kind) == (None, "no claim: too few blocks", "no claim")


@pytest.mark.parametrize(
    ("scale", "first", "reason"),
    [
        (1.0, 0.05, "no claim: the interval of the ratio holds 1"),  # it is cheaper to start
        (1.1, 0.05, "no claim: the interval of the ratio holds 1"),
        (1.1, 1.0, "perhaps never: the interval of the ratio reaches 1"),
    ],
)
def test_break_even_says_no_more_than_the_interval_of_the_ratio(
    scale: float, first: float, reason: str
) -> None:
    ratios = [scale * each for each in (0.8, 1.1, 0.9, 1.05, 0.85, 1.0)]
    analyzed = row(record({"jax": ratios}, cold={"torch": 0.11, "jax": first}))
    assert analyzed.ratio is not None
    assert analyzed.ratio.low < 1 < analyzed.ratio.high
    assert analyzed.break_even is not None
    assert (analyzed.break_even.steps, analyzed.break_even.reason) == (None, reason)


def test_the_floor_is_the_slower_of_memory_and_arithmetic() -> None:
    made = record({"jax": RATIOS})
    assert row(made).no_floor == "the machine's limits were not measured"
    for read, peak, floor in ((120e6, 1e12, 1e-6), (1e12, 80e6, 1e-6)):  # 10 rows of 12 bytes; 80 operations
        known = with_limits(made, read, peak)
        assert lane_of(known).floor == pytest.approx(floor)
        assert row(known).above_floor == pytest.approx(50, rel=1e-2)
        assert row(known).no_floor == ""
        assert not any("floor" in note for note in row(known).notes)


def test_a_time_below_the_floor_tells_that_the_floor_is_wrong() -> None:
    found = row(with_limits(record({"jax": RATIOS}), 1e12, 1e6))
    assert found.above_floor is not None
    assert found.above_floor < 1
    assert any(note.startswith("below the floor, which no step can be") for note in found.notes)


def test_rates_that_hold_calls_make_no_floor() -> None:
    found = lane_of(with_limits(record({"jax": RATIOS}), 132e6, None))
    assert (found.floor, found.row.above_floor) == (None, None)
    assert COLUMNS["above_floor"].cell(found).why == "the rates of this record hold the cost of calls"
    notes = speed([found, found.baseline]).notes  # type: ignore[list-item]
    assert notes.count("no floor: the rates of this record hold the cost of calls") == 1


def test_times_over_the_fastest_lane_of_a_task() -> None:
    made = record({"jax": RATIOS, "numpy": [2.0] * 6})
    ratios = {lane: row(made, lane).over_fastest for lane in ("jax", "torch", "numpy")}
    assert ratios == {
        "jax": 1.0,
        "torch": pytest.approx(2, rel=1e-2),
        "numpy": pytest.approx(4, rel=1e-2),
    }
    failure = Failure(task="lesson", lane="jax", phase="slice", reason="hung")
    without = record({"jax": RATIOS, "numpy": [2.0] * 6}, failures=[failure])
    assert row(without, "torch").over_fastest is None  # jax did the work, and may be faster
    assert row(without).over_fastest is None
    few = record({"jax": RATIOS[:3], "numpy": [2.0] * 3})
    assert row(few, "numpy").over_fastest is None  # of three blocks nothing is claimed
    assert COLUMNS["over_fastest"].cell(lane_of(without, "torch")).why == "fastest unknown"
    assert COLUMNS["over_fastest"].cell(lane_of(without)).why == "failed"


def test_controls_are_set_against_the_race_of_their_own_block() -> None:
    made = record({"jax": RATIOS}, noise=0.3)
    for factor, noted in ((1.005, False), (1.2, True)):
        blocks = []
        for block in made.blocks:
            first = next(s for s in block.slices if s.lane == "jax")
            run = factor * first.elapsed_ns / first.repeats
            extra = piece("jax", False, run, 0, 1, {}, "alone")
            blocks.append(block.model_copy(update={"slices": (*block.slices, extra)}))
        changed = made.model_copy(update={"blocks": tuple(blocks)})
        found = lane_of(changed).control("alone")
        assert found is not None
        assert found.value == pytest.approx(factor, rel=1e-3)
        assert any(note.startswith("run alone") for note in row(changed).notes) == noted
    assert lane_of(made).control("gc") is None


def test_a_shared_core_and_missing_blocks_are_noted() -> None:
    made = record(
        {"jax": RATIOS}, blocks=12, change=lambda lane, b, r: {"cpu_ns": 10**7, "outside_cpu_ns": 10**7}
    )
    notes = " / ".join(row(made).notes)
    assert "had the CPU for only" in notes
    assert "6 of 12 blocks" in notes


def test_the_baseline_can_be_chosen_afterwards() -> None:
    made = record({"jax": RATIOS}, cold={"torch": 0.11, "jax": 2.1})
    found = row(made, "torch", baseline="jax")
    assert found.verdict.exploratory
    assert found.break_even is not None
    assert found.break_even.steps is None
