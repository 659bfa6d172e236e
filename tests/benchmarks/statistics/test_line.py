"""The line through times that span decades, against draws whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep.benchmarks.statistics.line import fit_line

POSITIVE = st.floats(1e-9, 1e3)


WORK = np.geomspace(32, 1.6e7, 25)


@given(st.floats(1e-7, 1e-2), st.floats(1e6, 1e12))
def test_overhead_and_rate_are_recovered(overhead: float, rate: float) -> None:
    """Exactly where both can be seen: neither is more than a thousand times the other's at every size."""
    seconds = overhead + WORK / rate
    line = fit_line(WORK.tolist(), seconds.tolist())
    if WORK[-1] / rate > 1e-3 * overhead and WORK[0] / rate < 1e3 * overhead:
        assert line.a == pytest.approx(overhead, rel=1e-4)
        assert 1 / line.b == pytest.approx(rate, rel=1e-4)
    assert line.r_squared == pytest.approx(1, abs=1e-6) or np.ptp(np.log(seconds)) < 1e-3


def test_the_standard_errors_are_right() -> None:
    """Over 300 draws with 10% noise an interval of two standard errors holds the truth in about 95%."""
    rng, truth, inside = np.random.default_rng(3), np.array([1e-4, 1 / 8e9]), np.zeros(2)
    for _ in range(300):
        seconds = (truth[0] + truth[1] * WORK) * np.exp(rng.normal(0, 0.1, len(WORK)))
        line = fit_line(WORK.tolist(), seconds.tolist())
        assert line.typical == pytest.approx(0.1, abs=0.07)
        assert line.a_error is not None
        assert line.b_error is not None
        errors = np.array([line.a_error, line.b_error])
        inside += abs(np.array([line.a, line.b]) - truth) < 2.07 * errors  # t with 23 degrees of freedom
    assert ((inside / 300 > 0.91) & (inside / 300 < 0.98)).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**9), POSITIVE), min_size=3, max_size=30, unique_by=lambda p: p[0])
)
def test_the_line_is_the_best_there_is(points: list[tuple[int, float]]) -> None:
    """Whatever the times: neither number is negative, and no line nearby has smaller squares."""
    work, seconds = map(list, zip(*points, strict=True))
    line = fit_line(work, seconds)
    assert min(line.a, line.b) >= 0
    assert -1e-9 <= line.r_squared <= 1 + 1e-9

    def squares(a: float, b: float) -> float:
        return sum(math.log(t / (a + b * w)) ** 2 for w, t in points)

    best, unit = squares(line.a, line.b), 1e-3 * np.median(seconds)
    for a in (line.a * 0.99, line.a, line.a * 1.01 + unit):
        for b in (line.b * 0.99, line.b, line.b * 1.01 + unit / np.median(work)):
            assert squares(a, b) >= best - 1e-6 * (1 + best)


def test_the_edges_have_one_number_and_no_error_of_the_other() -> None:
    proportional = fit_line(WORK.tolist(), (WORK / 8e9).tolist())
    assert (proportional.a, proportional.a_error) == (0, None)
    assert 1 / proportional.b == pytest.approx(8e9)
    shrinking = fit_line(WORK.tolist(), (1e-4 - 1e-12 * WORK).tolist())
    assert (shrinking.b, shrinking.b_error) == (0, None)
