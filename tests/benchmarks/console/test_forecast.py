"""The time left: right where stages take what was expected, and corrected by what they took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep.benchmarks.console.forecast import FASTEST, SLOWEST, Forecast, about

SECONDS = st.floats(10, 10_000)


@given(st.lists(SECONDS, min_size=1, max_size=4), st.floats(FASTEST, SLOWEST), st.integers(1, 20))
def test_stages_that_all_keep_one_pace_are_told_rightly_from_the_second_on(
    expected: list[float], pace: float, parts: int
) -> None:
    forecast = Forecast({str(number): seconds for number, seconds in enumerate(expected)})
    now, whole = 0.0, pace * sum(expected)
    for number, seconds in enumerate(expected):
        for done in range(parts + 1):
            at = now + pace * seconds * done / parts
            left = forecast.left(at, str(number), done, parts)
            if number:
                assert left == pytest.approx(whole - at, rel=1e-6, abs=1e-6)
        now += pace * seconds


def test_a_stage_that_was_partly_done_before_counts_its_own_parts_alone() -> None:
    forecast = Forecast({"race": 100.0})
    forecast.left(0.0, "race", 50, 100)
    assert forecast.left(20.0, "race", 60, 100) == pytest.approx(80.0)


def test_nothing_is_told_of_a_stage_without_an_expectation() -> None:
    forecast = Forecast({"race": 100.0})
    assert forecast.left(0.0, "prepare", 1, 2) is None
    assert forecast.left(0.0, "race", 0, 0) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "10 s"), (44, "40 s"), (89, "90 s"), (91, "2 min"), (600, "10 min"), (4800, "1 h 20 min")],
)
def test_durations_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert about(seconds) == text
