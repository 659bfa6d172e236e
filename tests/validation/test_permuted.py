"""Copies under other labels and at other true ratios: what is said of them, and the figures that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samestep.benchmarks.statistics.inference import ALPHA, MARGIN
from tests.helpers.paths import ROOT
from tests.helpers.records import record
from validation import goals, packed, permuted, store

QUICK, _, UNTIL = permuted.DESIGNS


def test_differences_are_medians_over_rounds() -> None:
    made = record({"one": [1.1, 1.2], "other": [0.5, 0.4]}, noise=0.3)
    found = permuted.differences_of(made, made.blocks)
    assert found.shape == (2, 3, 3)
    assert found[:, 1, 0] == pytest.approx(np.log([1.1, 1.2]), abs=1e-6)
    assert found[:, 1, 2] == pytest.approx(np.log([1.1 / 0.5, 1.2 / 0.4]), abs=1e-6)
    assert found == pytest.approx(-found.transpose(0, 2, 1))


def test_a_permutation_is_another_order_of_the_arms_in_each_block() -> None:
    """With times 2^k of arm k every ratio tells its two arms; in a block all have the same arm below."""
    logs = np.arange(4) * np.log(2)
    differences = np.tile(logs[:, None] - logs[None], (50, 1, 1))
    ratios = permuted.permuted(differences, np.random.default_rng(1)) / np.log(2)
    assert ratios.shape == (3, 50)
    for of_block in ratios.T:
        below = 0 - min(0.0, of_block.min())  # the arm with the least time is arm 0
        assert sorted([below, *(of_block + below)]) == pytest.approx([0, 1, 2, 3])
    assert len({tuple(of_block.round()) for of_block in ratios.T}) > 10


def test_what_is_decided_is_counted_and_what_is_wrong_of_it() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.001, (3, 24))
    slower = noise + np.array([[0.0], [0.0], [0.1]])
    same = ["EQUIVALENT"] * 3
    assert permuted.judged(noise[:, :6], QUICK) == same
    assert permuted.judged(slower[:, :6], QUICK) == [*same[:2], "SLOWER"]
    late = np.where(np.arange(24) < 12, noise, 1.0)  # nobody looks at what comes after the session has ended
    assert permuted.judged(late, UNTIL) == same
    by_truth = {row["truth"]: row for row in permuted.counts([slower[:, :6]] * 2, QUICK)}
    assert by_truth[goals.IDENTICAL] == {
        "truth": goals.IDENTICAL,
        "families": 2,
        "families_decided": 2,
        "decided": 6,
        "false": 2,
        "families_wrong": 2,
    }


def test_with_every_arm_as_the_baseline_each_ratio_comes_twice() -> None:
    """Once the one way, once the other, and no arm beside itself."""
    logs = np.array([[0.0, 1.0, 3.0], [0.0, 2.0, 5.0]])  # of two blocks
    families = list(permuted.with_each_baseline(logs[:, :, None] - logs[:, None, :]))
    assert [family.tolist() for family in families] == [
        [[1, 2], [3, 5]],
        [[-1, -2], [2, 3]],
        [[-3, -5], [-2, -3]],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("design", permuted.DESIGNS, ids=lambda design: design.name)
def test_a_family_with_one_baseline_has_a_wrong_word_in_five_percent_at_most(design: permuted.Design) -> None:
    """At the margin, where the level binds. Lanes share the noise of their baseline: the correlation is a half.

    For Holm's steps with three claims no proof is known to us there; half a percent is allowed for that.
    """
    rng, families = np.random.default_rng(7), 2000
    arms = rng.normal(0, 0.003, (families, 8, design.blocks))
    ratios = [each[1:] - each[:1] for each in arms]
    rates = {row["truth"]: row["families_wrong"] / families for row in permuted.counts(ratios, design)}
    assert rates.pop(goals.IDENTICAL) < 0.001
    most = ALPHA + 0.005 + 3 * np.sqrt(ALPHA * (1 - ALPHA) / families)
    assert max(rates.values()) < most, rates
    assert max(rates.values()) > 0.01  # and it does bind


@pytest.mark.slow
def test_two_comparisons_that_are_left_are_wrong_a_little_more_often() -> None:
    """One lane just beyond each end of a margin that is wide beside the noise, and a baseline of both.

    Each is called equivalent in 2.5% by the first of Holm's steps; where the other one is decided rightly it has
    5% of its own. Without Holm, so with half the level for each whatever the other's word, it would be 5%.
    """
    rng, families, design = np.random.default_rng(8), 20_000, permuted.DESIGNS[1]
    arms = rng.normal(0, 0.003, (families, 3, design.blocks))
    beyond = np.array([[MARGIN], [-MARGIN]]) * (1 + 1e-9)
    words = [permuted.judged(each[1:] - each[:1] + beyond, design) for each in arms]
    wrong = sum("EQUIVALENT" in of_family for of_family in words) / families
    assert wrong == pytest.approx(0.053, abs=0.005)  # three standard errors of such a share


@pytest.mark.slow
def test_the_kept_figures_follow_from_the_kept_samples() -> None:
    """Of the first framework: its draws do not depend on the others."""
    committed = store.read("permuted", ROOT)
    first = {"jax": packed.read(ROOT / store.TRUST / permuted.SAMPLES[0] / "jax")}
    rows = [{"samples": permuted.SAMPLES[0]} | row for row in permuted.summary(first, permuted.DRAWS)]
    assert rows == committed["rows"][: len(rows)]
    assert committed["draws"] == permuted.DRAWS
    assert permuted.faults(committed) == goals.unmet(goals.permuted(committed["rows"]))


def test_goals_fail_when_they_should() -> None:
    row: dict[str, Any] = {
        "samples": "aa",
        "design": "quick",
        "truth": goals.IDENTICAL,
        "decided": 1999,
        "false": 1,
    }
    counts = {"families": 100, "families_decided": 7, "families_wrong": 5}
    beyond: dict[str, Any] = {"samples": "aa", "design": "quick", "truth": "just above 1.02"} | counts

    def words(*rows: goals.Row) -> list[str]:
        return [goal.word for goal in goals.permuted(rows)]

    assert words(row) == ["met"]
    assert words(row, row | {"decided": 0}) == ["not met"]
    assert words(row | {"decided": 999}) == ["not met"]
    assert words(row | {"decided": 999, "false": 0}) == ["open"]
    assert words(row, row | {"samples": "aa-former", "false": 3}) == ["met", "not met"]  # nothing is pooled
    assert words(row, beyond) == ["met", "met"]
    assert words(beyond | {"families_wrong": 6}) == ["not met", "not met"]  # no copies at all
