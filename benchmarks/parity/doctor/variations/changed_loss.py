"""A reference whose loss has other values, derivatives or divisors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from samestep.backends import spec

from ...reference import Array, Reference
from ...reference.reference_loss import Terms

Change: TypeAlias = Callable[
    [Reference, Array, Array, Terms], Terms
]  # reference, prediction, target, right terms

EPSILONS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)  # those that people add or clip by


class ChangedLoss(Reference):
    """A reference whose loss has other values, derivatives or divisors."""

    def __init__(self, task: spec.Task, change: Change) -> None:
        super().__init__(task)
        self.change = change

    def terms(self, prediction: Array, target: Array) -> Terms:
        """The changed terms."""
        return self.change(self, prediction, target, self.loss.terms(prediction, target))


def elementwise(value: Callable[..., Array], derivative: Callable[..., Array]) -> Change:
    """Another value and derivative of each element, with the right divisor."""
    return lambda reference, x, t, right: Terms(
        value(reference, x, t), derivative(reference, x, t), right.divisor, right.roundings
    )
