"""The order of the arms in a round: Williams squares, balanced for position and for predecessor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count


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


def permutation(n: int, key: str) -> list[int]:
    """The numbers below n in an order that follows from a key, by its SHA-256: the same on every machine."""
    return sorted(range(n), key=lambda number: hashlib.sha256(f"{key}/{number}".encode()).digest())


def orders(n: int, key: str) -> Iterator[tuple[int, ...]]:
    """Rounds without end: whole squares one after another, each with its arms renamed and its rows shuffled."""
    square = williams(n)
    for number in count():
        names = permutation(n, f"{key}/names/{number}")
        for row in permutation(len(square), f"{key}/rows/{number}"):
            yield tuple(names[arm] for arm in square[row])
