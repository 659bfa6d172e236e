"""Integers that float64 cannot hold: beyond 2^53 two of them can become one number, without a word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal

LARGEST_EXACT = 2**53  # every integer up to it is a float64
WRITTEN_AS_INTEGER = re.compile(r"[+-]?\d+(\.0*)?")


def rounded_by_float64(values: Iterable[int | str | Decimal]) -> list[int]:
    """The positions of integers, as numbers or as text, that are not what float64 makes of them.

    An integer counts as held where float64 has it exactly, or where it is the shortest text of its float64: so
    do other programs write a large float without an exponent.
    """
    return [position for position, value in enumerate(values) if _is_rounded(value)]


def _is_rounded(value: int | str | Decimal) -> bool:
    if isinstance(value, str) and not WRITTEN_AS_INTEGER.fullmatch(value.strip()):
        return False
    exact, nearest = Decimal(value), float(value)
    if not math.isfinite(nearest) or exact != exact.to_integral_value():
        return False
    return Decimal(nearest) != exact != Decimal(repr(nearest))
