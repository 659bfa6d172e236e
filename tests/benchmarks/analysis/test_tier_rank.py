"""Who leads a tier, and who is level with it."""

from __future__ import annotations

from samestep.benchmarks.analysis import RecordAnalysis
from tests.helpers.records import record


def test_marks_name_the_fastest_of_a_tier_and_those_level_with_it() -> None:
    wobble = [1.0, 1.003, 0.998, 1.001, 0.999, 1.002]
    made = record(
        {"a": [0.5 * w for w in wobble], "b": [0.502 * w for w in reversed(wobble)], "c": [0.9] * 6}
    )
    assert RecordAnalysis(made).tier_ranks == {("lesson", "a"): "fastest", ("lesson", "b"): "level"}
    assert RecordAnalysis(record({"torch": wobble})).tier_ranks == {}


def test_a_tier_with_a_lane_that_cannot_be_judged_has_no_mark() -> None:
    """The least of the times that are there is no lead: the lane without one may be faster."""
    ratios = {"a": [0.5] * 6, "b": [0.7] * 6}
    assert RecordAnalysis(record(ratios)).tier_ranks == {("lesson", "a"): "fastest"}
    assert RecordAnalysis(record(ratios, status={"b": "fail"})).tier_ranks == {}
    drifting = ratios | {"b": [0.7] * 3 + [0.9] * 3}
    assert RecordAnalysis(record(drifting)).tier_ranks == {}
    one_block = {lane: times[:1] for lane, times in ratios.items()}
    assert RecordAnalysis(record(one_block, blocks=6)).tier_ranks == {}
