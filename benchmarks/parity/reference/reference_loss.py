"""What a loss is to the reference and its bounds: values, derivatives, and how far rounding can move both.

Every loss here is a convex function of the prediction, so that over an interval of predictions the value and the
derivative move farthest at its two ends: kinks and saturated parts need no case of their own. A derivative is
what one element contributes before the reduction's divisor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .arithmetic import Array, Sum, narrow

Round: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True)
class Terms:
    """A loss before its reduction: values, derivatives by prediction, and what both are divided by.

    `roundings` are those of the divisor and of dividing by it, once as 1/divisor and once as a product.
    """

    value: Array
    derivative: Array
    divisor: Any
    roundings: int


class ReferenceLoss(ABC):
    """One loss with its options; coefficients pass through `round_`, to the task's dtype and back."""

    def __init__(self, options: Mapping[str, Any], round_: Round) -> None:
        self.reduction = options["reduction"]
        self.options = options
        self.round = round_

    def weight(self, key: str = "weight") -> Any:
        """An array of weights as the dtype holds it, or 1."""
        given = self.options.get(key)
        return self.round(1.0 if given is None else given)

    @abstractmethod
    def terms(self, x: Array, t: Array) -> Terms:
        """Values and derivatives at the predictions x (n, m), wide."""

    @abstractmethod
    def errors(self, x: Sum, t: Array) -> tuple[Array, Array]:
        """Bounds of the errors of values and derivatives, float64, given the error of the predictions."""

    def largest(self, x: Array, t: Array) -> Array:
        """What the formula as documented meets on its way that is larger than its value."""
        return np.zeros(1)


def spread(f: Callable[[Array], Array], a: Array, error: Array) -> Array:
    """How far a monotone or convex f moves over [a - error, a + error]."""
    center = f(a)
    return narrow(np.maximum(abs(f(a + error) - center), abs(f(a - error) - center)))


class ElementwiseLoss(ReferenceLoss):
    """f(x - offset) for every element by itself; `roundings` are those of one value and one derivative."""

    roundings = (6, 1)

    def offset(self, t: Array) -> Any:
        """What is subtracted from the prediction first, or None."""
        return None

    @abstractmethod
    def value(self, a: Array, t: Array) -> Array: ...

    @abstractmethod
    def derivative(self, a: Array, t: Array) -> Array: ...

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        """Sums of the absolute values of the terms that make up value and derivative."""
        return abs(self.value(a, t)), abs(self.derivative(a, t))

    def divisor(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return (int(np.prod(shape)), 2) if self.reduction == "mean" else (1, 0)

    def terms(self, x: Array, t: Array) -> Terms:
        a = x if (shift := self.offset(t)) is None else x - shift
        w = self.weight()
        return Terms(w * self.value(a, t), w * self.derivative(a, t), *self.divisor(x.shape))

    def errors(self, x: Sum, t: Array) -> tuple[Array, Array]:
        a = x if (shift := self.offset(t)) is None else x.minus(shift)
        w, error = narrow(self.weight()), a.error
        bounds = []
        for f, size, n in zip(
            (self.value, self.derivative), self.magnitudes(a.value, t), self.roundings, strict=True
        ):
            moved = spread(partial(f, t=t), a.value, error)
            bounds.append(w * (moved + x.arithmetic.rounding(n, narrow(size) + moved)))
        return bounds[0], bounds[1]
