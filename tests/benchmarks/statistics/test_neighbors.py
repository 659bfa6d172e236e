"""Effects of arms on machines whose speed is made up, so that what must come out is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from samestep.benchmarks.statistics.neighbors import SMOOTH, arm_effects
from samestep.benchmarks.statistics.williams import williams

TRUE = {"a": 0.0, "b": 0.02, "c": -1.5, "d": 0.7, "e": 0.0}
ROUNDS = 10


def places(rounds: int = ROUNDS, arms: Sequence[str] = tuple(TRUE)) -> list[str]:
    """Arms in the order of measuring."""
    square = williams(len(arms))
    return [arms[place] for number in range(rounds) for place in square[number % len(square)]]


def logs_of(order: Sequence[str], speed: np.ndarray) -> list[float]:
    return [TRUE[arm] + slower for arm, slower in zip(order, speed, strict=True)]


def two_speeds(rng: np.random.Generator, count: int, *, stays: float) -> np.ndarray:
    """A core that shares its parts with a neighbor, now and then: 1 or 1.65 times the time, each for a while."""
    changes = rng.random(count) > stays
    return np.log(1.65) * (np.cumsum(changes) % 2) + rng.normal(0, 0.005, count)


def test_a_machine_that_changes_its_speed_at_once_changes_no_effect() -> None:
    order = places()
    speed = np.zeros(len(order))
    speed[7:] += 0.5
    speed[19:] -= 0.8
    speed[41:] += 0.4
    found = arm_effects(order, logs_of(order, speed))
    # a change moves an arm by no more than SMOOTH, as the other errors are none
    assert found == pytest.approx(TRUE, abs=SMOOTH)


def test_it_is_surer_than_the_median_of_rounds_where_the_host_has_two_speeds() -> None:
    rng, order, near, over_rounds = np.random.default_rng(3), places(), [], []
    for _ in range(200):
        logs = logs_of(order, two_speeds(rng, len(order), stays=0.85))
        found = arm_effects(order, logs)
        near.append(found["b"] - found["a"])
        rounds = [
            dict(zip(order[at : at + 5], logs[at : at + 5], strict=True)) for at in range(0, len(order), 5)
        ]
        over_rounds.append(median(each["b"] - each["a"] for each in rounds))
    assert np.std(near) < 0.5 * np.std(over_rounds)
    assert np.mean(near) == pytest.approx(0.02, abs=4 * np.std(near) / np.sqrt(200))


def test_steady_drift_moves_no_effect_by_more_than_a_step_of_it() -> None:
    order = places()
    found = arm_effects(order, logs_of(order, np.linspace(0, 0.1, len(order))))
    assert found == pytest.approx(TRUE, abs=0.1 / len(order))


def test_what_an_arm_does_to_its_successor_counts_by_half() -> None:
    """The limit of the method, as its docs say."""
    order = places(rounds=10 * ROUNDS)
    after_c = [0.0, *(0.04 * (before == "c") for before, _ in pairwise(order))]
    rng = np.random.default_rng(0)
    found = arm_effects(order, logs_of(order, after_c + rng.normal(0, 0.02, len(order))))
    assert found["c"] - found["d"] == pytest.approx(TRUE["c"] - TRUE["d"] - 0.02, abs=0.008)
    assert found["b"] - found["a"] == pytest.approx(0.02, abs=0.008)


runs = st.lists(
    st.tuples(st.sampled_from("abcd"), st.floats(-0.5, 0.5, allow_nan=False)), min_size=2, max_size=40
)


@settings(max_examples=50)
@given(runs)
def test_no_other_effects_have_clearly_smaller_errors(run: list[tuple[str, float]]) -> None:
    """sum |e| of the smooth solution is at most the least one and SMOOTH for each difference."""
    arms, logs = zip(*run, strict=True)
    found = arm_effects(arms, logs)
    names = list(found)
    design = np.array([[(b == n) - (a == n) for n in names] for a, b in pairwise(arms)], float)
    changes = np.diff(logs)
    errors = np.abs(design @ [found[name] for name in names] - changes).sum()
    count, size = design.shape
    one = np.eye(count)
    least = linprog(  # |e| as two inequalities
        [*[0.0] * size, *[1.0] * count],
        A_ub=np.block([[design, -one], [-design, -one]]),
        b_ub=[*changes, *-changes],
        bounds=[(None, None)] * size + [(0, None)] * count,
    )
    assert errors <= least.fun + SMOOTH * count + 1e-6


@settings(max_examples=50)
@given(runs, st.floats(-3, 3), st.floats(-3, 3))
def test_effects_follow_the_times(run: list[tuple[str, float]], all_longer: float, longer: float) -> None:
    """A machine that is slower throughout changes nothing, and an arm that is slower is so by just that."""
    arms, logs = zip(*run, strict=True)
    found = arm_effects(arms, logs)
    last = arms[-1]
    moved = [log + all_longer + longer * (arm == last) for arm, log in run]
    again = arm_effects(arms, moved)
    if last != arms[0]:
        found[last] += longer
    else:
        found = {arm: effect - longer * (arm != last) for arm, effect in found.items()}
    assert again == pytest.approx(found, abs=1e-5)


def test_one_arm_or_none_has_nothing_to_be_compared_with() -> None:
    assert arm_effects([], []) == {}
    assert arm_effects(["a"], [1.0]) == {"a": 0.0}
    assert arm_effects(["a", "a"], [1.0, 2.0]) == {"a": 0.0}
