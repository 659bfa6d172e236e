"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from samestep.benchmarks.measure import environment
from samestep.benchmarks.report import formatting as figures
from samestep.benchmarks.statistics.inference import Interval


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.50 s"), (0.0314159, "31.4 ms"), (7.2e-6, "7.20 us"), (3e-10, "0.300 ns"), (None, "")],
)
def test_durations_have_a_fitting_unit(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


def test_digits_follow_the_interval() -> None:
    wide, narrow = (
        Interval(value=1.2346e-5, low=1.2346e-5 - h, high=1.2346e-5 + h) for h in (4.9e-7, 1.2e-8)
    )
    assert figures.timing(wide) == "12.3 us ±4.0%"
    assert figures.timing(narrow) == "12.35 us ±0.1%"


def test_too_few_blocks_have_no_interval() -> None:
    alone = Interval(value=0.5, low=0.0, high=math.inf)
    assert figures.timing(alone) == "500 ms ±?"
    assert figures.between(alone) == "0.5 [too few blocks]"


def test_however_wide_an_interval_is_the_value_keeps_a_digit() -> None:
    wide = Interval(value=0.06, low=1e-4, high=3.2)
    assert figures.between(wide) == "0.06 [0.00, 3.20]"
    assert figures.timing(wide) == "60 ms ±>1000%"


@given(st.floats(1e-12, 1e6), st.floats(1e-9, 1.0))
def test_any_ratio_and_time_can_be_written(value: float, width: float) -> None:
    span = Interval(value=value, low=value * (1 - width / 2), high=value * (1 + width / 2))
    shown = float(figures.ratio_parts(span).value)
    assert shown == pytest.approx(value, rel=max(5.1e-3, width / 2))
    assert figures.timing(span)


@pytest.mark.parametrize(("value", "text"), [(1234567, "1.23 M"), (99, "99"), (2.5e9, "2.5 G"), (None, "")])
def test_counts_have_metric_suffixes(value: float | None, text: str) -> None:
    assert figures.count(value) == text


def test_an_estimate_keeps_its_zeros() -> None:
    span = Interval(value=98e3, low=95.3e3, high=math.inf)
    assert figures.steps(span) == "98.0 k [95.3 k to never]"
    assert (figures.times(9.0), figures.small(54.0), figures.small(0.0)) == ("9.00x", "54.00", "0")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0123, "1.2%"), (0.36, "36%"), (9.99, "999%"), (2e14, ">1000%"), (math.inf, ">1000%"), (None, "")],
)
def test_a_share_far_beyond_its_bound_is_not_counted_out(share: float | None, text: str) -> None:
    assert figures.percent(share) == text


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("2026-11-24T20:05:18+00:00", "2026-11-24 20:05 UTC"),
        ("2026-11-24T20:05:18+02:00", "2026-11-24 18:05 UTC"),
        ("2026-11-24T20:05:18", "2026-11-24 20:05 UTC"),
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_moment_is_to_the_minute(when: str, text: str) -> None:
    assert figures.moment(when) == text


@given(st.floats(1e-9, 1e9), st.floats(1e-4, 0.9))
@example(0.015625, 0.000126)
def test_digits_follow_the_width_of_the_interval(value: float, half: float) -> None:
    span = Interval(value=value, low=value * (1 - half), high=value * (1 + half))
    shown = float(figures.ratio_parts(span).value)
    fourth = 10.0 ** (math.floor(math.log10(value)) - 3)  # digits end there, however narrow the interval is
    assert abs(shown - value) <= max(half * value, fourth / 2) * (1 + 1e-9)  # a tie may round either way
    rounded = figures.rounded(value, 2 * half * value)
    assert abs(float(rounded) - value) <= max(half * value, 0.5 * 10 ** math.floor(math.log10(value)))
    assert len(rounded.replace(".", "").strip("0")) <= 4


@pytest.mark.parametrize(
    ("cores", "logical", "allowed", "text"),
    [
        (2, 2, 2, "2 cores"),
        (1, 1, 1, "1 core"),
        (4, 8, 8, "4 cores"),
        (2, 2, 1, "1 of 2 CPUs"),
        (None, 3, 3, "3 cores"),
    ],
)
def test_cores_are_those_that_the_run_was_allowed(
    cores: int | None, logical: int, allowed: int, text: str
) -> None:
    machine = environment.read().model_copy(
        update={"cores": cores, "logical_cpus": logical, "allowed_cpus": allowed}
    )
    assert figures.processors(machine) == text


def test_a_ratio_in_words_says_which_way_it_goes() -> None:
    assert figures.speedup(Interval(value=0.0625, low=0.0600, high=0.0650)) == "16.0 times as fast"
    assert figures.speedup(Interval(value=1.66, low=1.60, high=1.72)) == "1.66 times as long"
    assert figures.speedup(Interval(value=0.25, low=0.0, high=math.inf)) == "4 times as fast"
    assert figures.speedup(None) == ""
    turned = figures.inverse(Interval(value=0.5, low=0.4, high=0.8))
    assert (turned.value, turned.low, turned.high) == (2.0, 1.25, 2.5)
    unknown = figures.inverse(Interval(value=0.5, low=0.0, high=math.inf))
    assert (unknown.low, unknown.high) == (0.0, math.inf)


def test_the_page_has_a_micro_sign_and_keeps_numbers_with_their_units() -> None:
    assert figures.typeset("2.8 us ±4.5%, 5 s and 12 ms") == "2.8\u00a0µs ±4.5%, 5\u00a0s and 12\u00a0ms"
    assert figures.typeset("us, 2 steps, v2 used") == "us, 2 steps, v2 used"
