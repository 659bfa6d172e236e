"""The same but for last digits, which depend on the order of sums: of numbers, and of trees of them."""

from __future__ import annotations

import math
from typing import Any


def near(first: float | None, second: float | None) -> bool:
    """The same but for the last digits."""
    if first is None or second is None:
        return first is second
    if math.isnan(first) and math.isnan(second):
        return True
    return math.isclose(first, second, rel_tol=1e-6, abs_tol=1e-12)


def alike(first: Any, second: Any) -> bool:
    """Equal all the way down, floats but for their last digits."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(alike(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return near(first, second)
    return bool(first == second)
