"""The statistics against simulation, and against what they must do at their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep.benchmarks.statistics.inference import (
    ALPHA,
    MARGIN,
    POWER,
    Sample,
    claims,
    detectable,
    drift,
    holm,
    interval,
)


def samples(truth: float, sd: float, blocks: int, many: int = 2000) -> list[Sample]:
    rng = np.random.default_rng(7)
    return [Sample.of(rng.normal(truth, sd, blocks).tolist()) for _ in range(many)]


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    found = [interval(rng.normal(0.1, 0.02, 6).tolist()) for _ in range(2000)]
    covered = share([one.low <= math.exp(0.1) <= one.high for one in found])
    # binomial standard error at 2000 draws: sqrt(.95 .05 / 2000) = 0.5%; three of them
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("truth", "claim"), [(-MARGIN, "faster"), (MARGIN, "slower")])
def test_a_difference_at_the_margin_is_claimed_no_more_often_than_alpha(truth: float, claim: str) -> None:
    wrong = share([getattr(claims(one), claim) <= ALPHA for one in samples(truth, 0.01, 6)])
    assert wrong == pytest.approx(ALPHA / 2, abs=0.0105)  # exact there; three standard errors of 2000 draws


def test_equivalence_at_the_margin_is_claimed_no_more_often_than_alpha() -> None:
    wrong = share([claims(one).equivalent <= ALPHA for one in samples(MARGIN, 0.005, 6)])
    assert wrong == pytest.approx(ALPHA, abs=0.015)  # exact where the noise is far within the margin


def test_small_noise_decides_both_ways() -> None:
    assert all(claims(one).equivalent < 1e-3 for one in samples(0.0, 0.002, 12, 50))
    assert all(claims(one).slower < 1e-3 for one in samples(0.05, 0.002, 12, 50))
    assert all(claims(one).faster < 1e-3 for one in samples(-0.05, 0.002, 12, 50))


def test_the_detectable_difference_is_detected_with_the_stated_power() -> None:
    sd, blocks, family = 0.01, 6, 3
    # a sample whose standard error is exactly the one that the simulation has
    reference = Sample(0.0, sd / math.sqrt(blocks), blocks - 1)
    least = math.log(detectable(reference, level=ALPHA / family))
    seen = share([claims(one).slower <= ALPHA / family for one in samples(least, sd, blocks)])
    assert seen == pytest.approx(POWER, abs=0.035)


def test_holm_against_the_worked_definition() -> None:
    assert holm([0.01, 0.04, 0.03], family=3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, 0.02], family=10) == pytest.approx([0.10, 0.18])
    assert holm([], family=3) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_and_keeps_their_order(p: list[float]) -> None:
    adjusted = holm(p, family=len(p))
    assert all(before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    ordered = [adjusted[i] for i in sorted(range(len(p)), key=p.__getitem__)]
    assert ordered == sorted(ordered)


def test_drift_is_what_the_halves_moved_at_least() -> None:
    rng = np.random.default_rng(1)
    still = [drift(rng.normal(0, 0.01, 12).tolist()) for _ in range(3000)]
    # a 99% interval: Welch's is a little wide for six values a side; three standard errors of 3000 draws
    assert share([one > 0 for one in still]) == pytest.approx(0.01, abs=0.006)
    moved = [0.0, 0.001, -0.001, 0.0, 0.1, 0.101, 0.099, 0.1]
    assert 0.09 < drift(moved) < 0.1
    assert drift([0.0, 0.0, 0.0, 0.3, 0.3, 0.3]) == pytest.approx(0.3)
    assert drift([0.0, 0.5]) == drift([0.0, 0.1, 0.5]) == drift([]) == 0.0


def test_identical_values_and_single_ones_stay_finite() -> None:
    sample = Sample.of([0.0, 0.0, 0.0])
    assert claims(sample).equivalent < 1e-6
    assert detectable(sample, level=ALPHA / 4) == pytest.approx(1.02, abs=1e-3)
    assert detectable(Sample.of([0.0, 1.0]), level=ALPHA / 100) > 1.02
    assert interval([math.log(2)], scale=3.0).value == pytest.approx(6.0)
