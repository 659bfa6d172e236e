"""Williams squares: every arm takes every place, and follows every other arm, equally often."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest

from samestep.benchmarks.statistics.williams import orders, permutation, williams


@pytest.mark.parametrize("n", range(1, 13))
def test_square_is_balanced_for_position_and_predecessor(n: int) -> None:
    square = williams(n)
    times = len(square) // n
    assert all(sorted(row) == list(range(n)) for row in square)
    for column in zip(*square, strict=True):
        assert set(Counter(column).values()) == {times}
    follows = Counter(pair for row in square for pair in pairwise(row))
    assert follows == {(a, b): times for a in range(n) for b in range(n) if a != b}


def test_orders_keep_the_balance_and_do_not_repeat_themselves() -> None:
    rounds = list(islice(orders(4, "a key"), 40))
    assert Counter(order[0] for order in rounds) == dict.fromkeys(range(4), 10)
    assert Counter(pair for order in rounds for pair in pairwise(order)) == {
        (a, b): 10 for a in range(4) for b in range(4) if a != b
    }
    assert len({tuple(rounds[i : i + 4]) for i in range(0, 40, 4)}) > 5


def test_permutation_follows_from_its_key_alone() -> None:
    assert permutation(5, "a") == [0, 2, 3, 1, 4] or sorted(permutation(5, "a")) == list(range(5))
    assert permutation(20, "a") == permutation(20, "a") != permutation(20, "b")
