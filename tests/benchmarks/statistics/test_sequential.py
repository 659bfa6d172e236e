"""Looks before the end: what they spend, and how often they claim what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, Sample, claims
from samestep.benchmarks.statistics.sequential import MOST_LEVEL, ONLY, Look, spent

LOOKS, PLANNED = (12, 18), 24
AT = [Look.at(blocks, LOOKS, PLANNED) for blocks in (*LOOKS, PLANNED)]
RUNS = 2000
ERROR = 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)  # three standard errors of a rate of 5%: 1.5%


def test_what_looks_spend_is_what_was_planned() -> None:
    """z of 2.5% is 1.960: after half the blocks 2 Phi(-1.960 / sqrt(1/2)) = 0.0056, after 18 of them 0.0236."""
    assert [look.level(ALPHA) for look in AT] == pytest.approx([0.00557, 0.01806, 0.02637], abs=2e-5)
    assert sum(look.level(ALPHA) for look in AT) == pytest.approx(ALPHA)
    assert spent(ALPHA, 1.0) == pytest.approx(ALPHA)
    assert spent(ALPHA, 0.0) == 0.0


def test_a_run_without_looks_is_tested_as_ever() -> None:
    assert (ONLY.level(0.03), ONLY.adjusted(0.7), ONLY.adjusted(0.0)) == (0.03, 0.7, 0.0)
    assert Look.at(24, (), 24) == ONLY


@settings(deadline=None)  # SciPy's root finder is imported in the first
@given(st.floats(1e-12, 0.99 * MOST_LEVEL), st.sampled_from(AT))
def test_an_adjusted_p_is_the_level_at_which_the_look_rejects(alpha: float, look: Look) -> None:
    assert look.adjusted(look.level(alpha)) == pytest.approx(alpha, rel=1e-6)


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_an_adjusted_p_keeps_the_order_and_is_never_smaller(blocks: int, one: float, other: float) -> None:
    look = Look.at(blocks, LOOKS, PLANNED)
    low, high = sorted((one, other))
    assert low <= look.adjusted(low) * (1 + 1e-5)
    assert look.adjusted(low) <= look.adjusted(high) * (1 + 1e-5)
    assert look.adjusted(high) <= 1


def test_a_run_that_was_broken_off_spends_for_what_it_showed() -> None:
    """Seen after 15 blocks, it has less left after 18; of all looks together the level stays."""
    seen = (*LOOKS, 15)
    parts = [Look.at(blocks, seen, PLANNED).level(ALPHA) for blocks in (12, 15, 18, 24)]
    assert sum(parts) == pytest.approx(ALPHA)
    assert Look.at(18, seen, PLANNED).level(ALPHA) < AT[1].level(ALPHA)
    assert Look.at(26, LOOKS, PLANNED) == AT[2]  # blocks that make up for deaths


# --- simulated runs, judged at every look ---------------------------------------------------------


def normal(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(0, 0.01, PLANNED)


def heavy_tails(rng: np.random.Generator) -> NDArray[np.float64]:
    """Student's t with 3 degrees of freedom: now and then a block is far off."""
    return 0.01 * rng.standard_t(3, PLANNED)


def bursts(rng: np.random.Generator) -> NDArray[np.float64]:
    """Three blocks in a row, somewhere, are five times as noisy."""
    noise, begin = rng.normal(0, 0.01, PLANNED), int(rng.integers(PLANNED - 2))
    noise[begin : begin + 3] *= 5
    return noise


NOISE = (normal, heavy_tails, bursts)


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(("claim", "level"), [("slower", ALPHA / 2), ("equivalent", ALPHA)])
def test_a_claim_at_the_margin_keeps_its_level_over_all_looks(
    claim: str, level: float, noise: Callable[..., NDArray[np.float64]]
) -> None:
    """The worst case of each claim. A difference has half the level, since two sides could be claimed."""
    rng, wrong, naive = np.random.default_rng(13), 0, 0
    for _ in range(RUNS):
        values = (MARGIN + 0.2 * noise(rng)).tolist()
        found = [getattr(claims(Sample.of(values[:blocks])), claim) for blocks in (12, 18, 24)]
        wrong += any(p <= look.level(ALPHA) for p, look in zip(found, AT, strict=True))
        naive += min(found) <= ALPHA
    assert 0.1 * level < wrong / RUNS <= level + ERROR
    if noise is normal:
        assert naive / RUNS > level + ERROR  # what looking three times would do without spending


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
def test_the_intervals_of_all_looks_together_hold_the_truth(
    noise: Callable[..., NDArray[np.float64]],
) -> None:
    rng, held = np.random.default_rng(17), 0
    for _ in range(RUNS):
        values = noise(rng)
        ends = [
            Sample.of(values[:blocks].tolist()).ends(1 - look.level(ALPHA))
            for look, blocks in zip(AT, (12, 18, 24), strict=True)
        ]
        held += all(low <= 0.0 <= high for low, high in ends)
    assert held / RUNS >= 1 - ALPHA - ERROR
