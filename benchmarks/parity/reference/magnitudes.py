"""The absolute values of a reference step, worked out once for all analyzes of it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .arithmetic import Array, narrow
from .step import Arrays, Step


class Sizes:
    """What every analysis of a step shares: absolute values, what flushing takes away, and counts of terms.

    `before` are the parameters that the step started from, `tiny` is the smallest normal number.
    """

    def __init__(self, step: Step, before: Arrays, tiny: float) -> None:
        self.values, self.deltas = (
            [abs(narrow(array)) for array in arrays] for arrays in (step.values, step.deltas)
        )
        self.params = {name: abs(narrow(theta)) for name, theta in before.items()}
        self.lost_input = flushed(self.values[0], tiny)
        self.lost = {name: flushed(size, tiny) for name, size in self.params.items()}

    @cached_property
    def terms(self) -> tuple[int, int]:
        """The most non-zero entries in a row and in a column of the data."""
        filled = self.values[0] != 0
        return int(filled.sum(axis=1).max()), int(filled.sum(axis=0).max())

    @cached_property
    def first(self) -> Array:
        """|X| |W| of the first layer."""
        return self.values[0] @ self.params["0.weight"]


def flushed(size: Array, tiny: float) -> Array:
    """What is lost where subnormal inputs are read as zero; one zero where nothing is."""
    small = size < tiny
    return np.where(small, size, 0.0) if size[small].any() else np.zeros((1,) * size.ndim)
