"""One recorded step beside the reference's: how far each number is off, as a ratio to its bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from samestep.backends.interface import Trace

from .reference import Array, Errors, ReferenceStep, narrow

QUANTITIES = ("gradients", "buffers", "params")


@dataclass(frozen=True, eq=False)
class AnalyzedStep:
    """The reference's step, and how far a correct one may be from it: at worst, and with high probability."""

    exact: ReferenceStep
    errors: Errors
    probabilistic: Errors


@dataclass(frozen=True, eq=False)
class TensorComparison:
    """One tensor of one step: the recorded values, the reference's, and their two bounds."""

    quantity: str
    tensor: str
    recorded: Array
    exact: Array
    bound: Array
    probabilistic_bound: Array

    @cached_property
    def deviation(self) -> Array:
        """|recorded - exact|, subtracted in the reference's precision."""
        return abs(narrow(self.recorded.astype(self.exact.dtype) - self.exact))

    @cached_property
    def ratios(self) -> Array:
        """Deviation over bound of every component; at most 1 in correct arithmetic."""
        return bound_ratio(self.deviation, self.bound)

    @cached_property
    def worst_ratio(self) -> float:
        """The largest ratio of all components."""
        return float(self.ratios.max(initial=0.0))

    @property
    def probabilistic_ratio(self) -> float:
        """The largest ratio to the probabilistic bound, which judges nothing."""
        return float(bound_ratio(self.deviation, self.probabilistic_bound).max(initial=0.0))

    @property
    def finite(self) -> bool:
        """Whether all recorded numbers and all bounds are finite."""
        return bool(np.isfinite(self.recorded).all() and np.isfinite(self.bound).all())


def compare_step(trace: Trace, index: int, analyzed: AnalyzedStep) -> Iterator[TensorComparison]:
    """Everything that was recorded of step `index`, in the order in which a step computes it."""
    sources = (analyzed.exact, analyzed.errors, analyzed.probabilistic)
    if trace.losses.size:
        numbers = (trace.losses[index], *(source.loss for source in sources))
        yield TensorComparison("loss", "", *map(np.asarray, numbers))
    for quantity in QUANTITIES:
        exact, bounds, probabilistic = (getattr(source, quantity) for source in sources)
        for name, values in getattr(trace, quantity).items():
            yield TensorComparison(
                quantity, name, values[index], exact[name], bounds[name], probabilistic[name]
            )


def bound_ratio(deviation: Array, bound: Array) -> Array:
    """deviation / bound: 0 where nothing deviates, infinite where the quotient is not a number."""
    with np.errstate(all="ignore"):
        ratio = np.where(deviation == 0, 0.0, deviation / bound)
    return np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)
