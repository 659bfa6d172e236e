"""Permuted copies: an exact null, whatever the copies are, and the figures that are kept of it."""

from __future__ import annotations

import numpy as np
import pytest

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
    assert permuted.judged(noise[:, :6], QUICK) == (3, 3, 0)
    assert permuted.judged(slower[:, :6], QUICK) == (3, 3, 1)
    late = np.where(np.arange(24) < 12, noise, 1.0)  # nobody looks at what comes after the session has ended
    assert permuted.judged(late, UNTIL) == (3, 3, 0)


@pytest.mark.slow
def test_the_kept_figures_follow_from_the_kept_samples() -> None:
    """Of the first framework: its draws do not depend on the others."""
    committed = store.read("permuted", ROOT)
    first = {"jax": packed.read(ROOT / store.TRUST / "aa" / "jax")}
    rows = list(permuted.summary(first, permuted.DRAWS))
    assert rows == committed["rows"][: len(rows)]
    assert committed["draws"] == permuted.DRAWS
    assert permuted.faults(committed) == []


def test_goals_fail_when_they_should() -> None:
    row = {"design": "quick", "decided": 1999, "false": 1}
    assert [goal.met for goal in goals.permuted([row])] == [True]
    assert [goal.met for goal in goals.permuted([row, row | {"decided": 0}])] == [False]
