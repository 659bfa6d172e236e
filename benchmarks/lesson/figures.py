"""Figures of the lesson as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .models import Equality, Tensor


def loss(value: float) -> str:
    """Six digits after the point, or four digits and an exponent where that would show too few or too many."""
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.6f}" if 1e-2 <= abs(value) < 1e4 else f"{value:.3e}"


def small(value: float) -> str:
    """Two digits and an exponent."""
    return f"{value:.1e}" if math.isfinite(value) else "diverged"


def vector(values: Sequence[float], form: str = "+.6f") -> str:
    """Numbers in brackets."""
    return "[" + ", ".join(f"{value:{form}}" for value in values) + "]"


def pair(first: str, last: str) -> str:
    """Two figures in the columns of a cell."""
    return f"{first:>9} {last:>9}"


def tensors(arrays: Sequence[Tensor], form: str = "+.6f") -> str:
    """Each tensor's own name, shape and values."""
    return "\n".join(f"{named_shape(tensor)}\n  {vector(tensor.values, form)}" for tensor in arrays)


def named_shape(tensor: Tensor) -> str:
    """The name and the shape of a tensor: `0.weight (1,2)`."""
    return f"{tensor.name} {tensor.shape}".replace(", ", ",")


def difference(equality: Equality) -> str:
    """How near two sets of parameters are, in words."""
    if equality.bit_for_bit:
        return "equal bit for bit"
    return (
        f"differ by {equality.ulps:.0f} ULP" if math.isfinite(equality.ulps) else "not comparable: diverged"
    )
