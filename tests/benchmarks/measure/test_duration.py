"""What is told of a run before it starts grows with the work, and knows every lane."""

from __future__ import annotations

from dataclasses import replace

from samestep.benchmarks.measure import duration
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.request import resolve


def test_more_of_anything_takes_longer() -> None:
    request = resolve(Options(task=["lesson"], lane=["numpy", "numpy:tuned"], baseline="numpy"))
    least = duration.expected(request)
    assert list(least) == ["certify", "ceilings", "race"]
    assert min(least.values()) > 0
    longer = replace(request, effort=EFFORTS["standard"])
    assert duration.expected(longer)["race"] > 2 * least["race"]
    assert duration.expected(replace(request, phases=True))["phases"] > 0
    two = resolve(Options(task=["lesson", "lesson-huber"], lane=["numpy", "numpy:tuned"], baseline="numpy"))
    assert duration.expected(two)["certify"] == 2 * least["certify"]


def test_a_lane_that_is_not_here_has_an_expectation_too() -> None:
    request = resolve(Options(task=["lesson"], lane=["numpy"], baseline="numpy"))
    elsewhere = replace(request, lanes=("numpy", "no.such:Lane"))
    assert sum(duration.expected(elsewhere).values()) > sum(duration.expected(request).values())
