"""The order of the arms in a round: Williams squares, balanced for position and for predecessor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def williams(n: int) -> tuple[tuple[int, ...], ...]:
    """Orders of n arms in which every arm takes every place, and follows every other arm, equally often.

    n rows if n is even, 2n (a square and its mirror image) if n is odd.
    Source: E. J. Williams, "Experimental designs balanced for the estimation of residual effects of
    treatments", Australian Journal of Scientific Research A 2 (1949).
    """
    first = [0] + [(k + 1) // 2 if k % 2 else n - k // 2 for k in range(1, n)]  # 0, 1, n-1, 2, n-2, ...
    rows = [tuple((arm + shift) % n for arm in first) for shift in range(n)]
    if n % 2:
        rows += [row[::-1] for row in rows]
    return tuple(rows)


def orders(n: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Rounds without end: whole squares one after another, each with its arms renamed and its rows shuffled."""
    square = williams(n)
    while True:
        names = rng.permutation(n)
        for row in rng.permutation(len(square)):
            yield tuple(int(names[arm]) for arm in square[row])
