"""What the doctor is shown: the steps around the first failure, and the tools to play a step again otherwise.

Everything is flat here: the tensors of a step are laid end to end, in the order of the task's parameters, so that
a hypothesis is compared with what was recorded in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...record.proof import Cause
from ..reference.arithmetic import Arithmetic, Array, narrow
from ..reference.step import Arrays, Reference, ReferenceStep
from ..workload import Host, Workload

Finding: TypeAlias = tuple[Cause, str]  # the doctor's word, and its sentence

SLACK = 16  # a varied step's bound is taken to be at most so many times the correct one's, for its size
FLOOR = 64  # unit roundoffs of a prediction that are never held against it


@dataclass(frozen=True, eq=False)
class Moment:
    """One judged step: where it began, what it recorded, how far correct arithmetic may be off, what was wrong.

    `recorded` and `bounds` are {quantity: {tensor: array}}, the loss under the name "". All arrays are wide.
    """

    number: int
    rows: NDArray[np.int64]
    learning_rate: float
    before: Arrays
    buffers: Arrays
    first: bool
    recorded: dict[str, Arrays] = field(default_factory=dict)
    bounds: dict[str, Arrays] = field(default_factory=dict)
    wrong: frozenset[tuple[str, str]] = frozenset()

    def has_wrong(self, quantity: str) -> bool:
        return any(name == quantity for name, _ in self.wrong)


@dataclass(frozen=True, eq=False)
class Seen:
    """A flat observation of one step, with the tolerance of each number."""

    moment: Moment
    values: Array
    tolerance: NDArray[np.float64]


class Case:
    """A failed run: its work, and the moments that were kept, in order."""

    def __init__(
        self, workload: Workload, reference: Reference, arithmetic: Arithmetic, moments: Sequence[Moment]
    ) -> None:
        self.workload, self.reference, self.arithmetic = workload, reference, arithmetic
        self.moments = list(moments)
        self.steps: dict[int, ReferenceStep] = {}

    @cached_property
    def failing(self) -> list[Moment]:
        return [moment for moment in self.moments if moment.wrong]

    @property
    def resolution(self) -> float:
        """How near to 1 a fitted factor can be told from it: some roundings of the task's dtype."""
        return FLOOR * self.arithmetic.unit

    @property
    def batch_size(self) -> int:
        return self.workload.task.batch_size

    def place(self, moment: Moment) -> tuple[int, int]:
        """Epoch and position in it, both from 0."""
        return divmod(moment.number - 1, len(self.workload.learning_rates[0]))

    def partial(self, moment: Moment) -> bool:
        return len(moment.rows) < min(self.batch_size, len(self.workload.x))

    def before(self, moment: Moment) -> Moment | None:
        """The step before, where it was kept."""
        return next((other for other in self.moments if other.number == moment.number - 1), None)

    def exact(self, moment: Moment) -> ReferenceStep:
        """The reference's step."""
        if moment.number not in self.steps:
            x, y = self.workload.x[moment.rows], self.workload.y[moment.rows]
            self.steps[moment.number] = self.play(moment, x, y)
        return self.steps[moment.number]

    def play(
        self,
        moment: Moment,
        x: Host,
        y: Host,
        *,
        reference: Reference | None = None,
        before: Arrays | None = None,
    ) -> ReferenceStep:
        """A step from this moment's state, on other data, by another reference, or from other parameters."""
        actor = reference or self.reference
        start = moment.before if before is None else before
        with np.errstate(all="ignore"):
            return actor.step(start, moment.buffers, x, y, moment.learning_rate, first=moment.first)

    # --- observations -----------------------------------------------------------------------------------------

    def seen(self, quantity: str, moments: Sequence[Moment]) -> list[Seen]:
        """What was recorded of a quantity at some steps."""
        return [
            Seen(moment, flat(moment.recorded[quantity]), flat_tolerance(moment.bounds[quantity]))
            for moment in moments
            if quantity in moment.recorded
        ]

    def directions(self, moments: Sequence[Moment]) -> list[Seen]:
        """(before - after) / learning rate: what the learning rate multiplied."""
        found = []
        for moment in moments:
            rate = moment.learning_rate
            if not rate:
                continue
            moved = flat(moment.before) - flat(moment.recorded["params"])
            found.append(Seen(moment, moved / rate, flat_tolerance(moment.bounds["params"]) / abs(rate)))
        return found

    def buffers(self, moment: Moment) -> Arrays | None:
        """The momentum that a step began with; None where it is not known.

        Where buffers were not recorded it is what the step before did: without Nesterov a step is the rate times
        its buffer.
        """
        if moment.first or not self.reference.sgd.momentum:
            return {name: theta * 0 for name, theta in moment.before.items()}
        if "buffers" in moment.recorded or self.reference.sgd.nesterov:
            return moment.buffers
        previous = self.before(moment)
        if previous is None or not previous.learning_rate:
            return None
        after, rate = previous.recorded["params"], previous.learning_rate
        return {name: (theta - after[name]) / rate for name, theta in previous.before.items()}

    def gradients_behind(self, moments: Sequence[Moment]) -> list[Seen]:
        """The gradients that the optimizer must have been given, from what it did with them."""
        sgd, found = self.reference.sgd, []
        use_buffers = any(moment.has_wrong("buffers") for moment in moments)
        for one in self.seen("buffers", moments) if use_buffers else self.directions(moments):
            moment, buffers = one.moment, self.buffers(one.moment)
            if buffers is None:
                continue
            gain = 1.0 if moment.first or not sgd.momentum else 1 - sgd.dampening
            kept = sgd.momentum * flat(buffers)
            if not use_buffers and sgd.nesterov:
                gain, kept = gain + sgd.momentum, kept * sgd.momentum
            gradient = sgd.sign * ((one.values - kept) / gain - sgd.weight_decay * flat(moment.before))
            found.append(Seen(moment, gradient, 2 * one.tolerance / abs(float(gain))))
        return found

    def share(self, seen: Seen, predicted: Array, like: Array) -> float:
        """How far a prediction is from an observation, in tolerances; `like`: the correct value, for its size."""
        size = float(abs(predicted).max(initial=0.0))
        correct = float(abs(like).max(initial=0.0))
        ratio = max(1.0, size / correct) if correct else 1.0
        allowed = SLACK * seen.tolerance * ratio + FLOOR * self.arithmetic.unit * size
        with np.errstate(all="ignore"):
            off = narrow(abs(seen.values - predicted)) / (allowed + self.arithmetic.tiny)
        return float(np.nan_to_num(off, nan=np.inf).max(initial=0.0))

    # --- words ------------------------------------------------------------------------------------------------

    def when(self, moments: Sequence[Moment]) -> str:
        """Which of the kept steps these are, in words; nothing where they are all."""
        numbers, kept = [m.number for m in moments], [m.number for m in self.moments]
        if numbers == kept:
            return ""
        if all(self.partial(m) for m in moments):
            return " on the partial batch"
        if len(moments) > 1 and all(self.place(m)[1] == 0 for m in moments):
            return " at the first step of an epoch"
        if len(numbers) > 1 and numbers == [n for n in kept if n >= numbers[0]]:
            return f" from step {numbers[0]} on"
        return f" at step {numbers[0]}" + (f" and {len(numbers) - 1} more" if len(numbers) > 1 else "")


def flat(arrays: Arrays) -> Array:
    """All tensors end to end."""
    return np.concatenate([np.asarray(array).ravel() for array in arrays.values()])


def flat_tolerance(arrays: Arrays) -> NDArray[np.float64]:
    """Each tensor's largest bound for all of it: a wrong program's numbers may be large elsewhere."""
    sizes = [(narrow(array).max(initial=0.0), array.size) for array in map(np.asarray, arrays.values())]
    return np.concatenate([np.full(size, largest) for largest, size in sizes])


def split(values: Array, shapes: dict[str, Any]) -> Arrays:
    """The tensors of a flat array."""
    found, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = values[start : start + size].reshape(shape)
        start += size
    return found
