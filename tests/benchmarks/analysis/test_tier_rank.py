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
