"""What the doctor is shown: the steps around the first failure, and how to play a step again otherwise.

A variation is one ingredient changed: a step is played again with it, and what comes of it is compared with what
was recorded. For that all tensors of a step are laid end to end, in the order of the task's parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from samestep.backends.interface import Host, RowOrder

from ...record.proof import Cause
from ..reference import Arithmetic, Array, Arrays, Reference, ReferenceStep, StepStart
from ..workload import Workload

UNITS = 64  # unit roundoffs that a fitted or predicted number may always be off by
MOST_PLAYED = 200_000  # numbers of x: the reference is slow in long double


@dataclass(frozen=True, eq=False)
class StepSnapshot:
    """One judged step: where it began, what it recorded, its bounds, and what was outside them.

    `recorded` and `bounds` are {quantity: {tensor: array}}, the loss under the name "". Arrays are wide. `wrong`
    are pairs of quantity and tensor.
    """

    number: int
    rows: RowOrder
    learning_rate: float
    start: StepStart
    recorded: dict[str, Arrays] = field(default_factory=dict)
    bounds: dict[str, Arrays] = field(default_factory=dict)
    wrong: frozenset[tuple[str, str]] = frozenset()

    def has_wrong(self, quantity: str) -> bool:
        """Whether a tensor of this quantity was outside its bound."""
        return any(name == quantity for name, _ in self.wrong)


class Outcome(NamedTuple):
    """What a step that was played again gives: the loss, and all gradients end to end."""

    loss: Any
    gradient: Array


Play: TypeAlias = Callable[[StepSnapshot], Outcome | None]  # None where the step cannot be played so


@dataclass(frozen=True, eq=False)
class Variation:
    """A step with one ingredient changed; `description` completes "the gradient is that of ..."."""

    cause: Cause
    description: str
    play: Play


class Case:
    """A failed run: its work, and the snapshots of its steps, in order."""

    def __init__(
        self,
        workload: Workload,
        reference: Reference,
        arithmetic: Arithmetic,
        snapshots: Sequence[StepSnapshot],
    ) -> None:
        self.workload, self.reference, self.arithmetic = workload, reference, arithmetic
        self.snapshots = list(snapshots)
        self.exact_steps: dict[int, ReferenceStep] = {}

    @cached_property
    def failing(self) -> list[StepSnapshot]:
        """The steps in which something is outside its bound."""
        return [snapshot for snapshot in self.snapshots if snapshot.wrong]

    @property
    def batch_size(self) -> int:
        """The nominal batch size."""
        return self.workload.task.batch_size

    def position(self, snapshot: StepSnapshot) -> tuple[int, int]:
        """Epoch of a step and its position in it, both from 0."""
        return divmod(snapshot.number - 1, self.workload.steps_per_epoch)

    @property
    def partial_was_right(self) -> bool:
        """Whether a partial batch came before the first wrong step."""
        has_partial = bool(len(self.workload.x) % self.batch_size)
        return has_partial and self.failing[0].number > self.workload.steps_per_epoch

    def row_order(self, snapshot: StepSnapshot) -> RowOrder:
        """The row order of a step's epoch."""
        return self.workload.orders[self.position(snapshot)[0]]

    def is_partial(self, snapshot: StepSnapshot) -> bool:
        """Whether a step's batch is a partial one."""
        return len(snapshot.rows) < min(self.batch_size, len(self.workload.x))

    def previous(self, snapshot: StepSnapshot) -> StepSnapshot | None:
        """The step before, where there is a snapshot of it."""
        return next((other for other in self.snapshots if other.number == snapshot.number - 1), None)

    def exact(self, snapshot: StepSnapshot) -> ReferenceStep:
        """The reference's step."""
        if snapshot.number not in self.exact_steps:
            self.exact_steps[snapshot.number] = self.play_step(snapshot, *self.batch(snapshot))
        return self.exact_steps[snapshot.number]

    def batch(self, snapshot: StepSnapshot) -> tuple[Host, Host]:
        """The x and y of a step's rows."""
        return self.workload.x[snapshot.rows], self.workload.y[snapshot.rows]

    def play_step(
        self,
        snapshot: StepSnapshot,
        x: Host,
        y: Host,
        *,
        reference: Reference | None = None,
        params: Arrays | None = None,
    ) -> ReferenceStep:
        """A step from this snapshot's start, on other data, by another reference, or from other parameters."""
        start, player = snapshot.start, reference or self.reference
        begin = start.params if params is None else params
        with np.errstate(all="ignore"):
            return player.step(begin, start.buffers, x, y, snapshot.learning_rate, first=start.first)

    def play(
        self, snapshot: StepSnapshot, x: Host, y: Host, *, params: Arrays | None = None
    ) -> Outcome | None:
        """What a step on other arrays, or from other parameters, gives; None on far more rows than a batch."""
        if x.size > max(MOST_PLAYED, self.workload.x[snapshot.rows].size):
            return None
        return outcome(self.play_step(snapshot, x, y, params=params))

    def when(self, snapshots: Sequence[StepSnapshot]) -> str:
        """Which of the case's steps these are, as the end of a sentence; nothing where they are all."""
        numbers, all_numbers = [s.number for s in snapshots], [s.number for s in self.snapshots]
        if numbers == all_numbers:
            return ""
        partial = [snapshot.number for snapshot in self.snapshots if self.is_partial(snapshot)]
        if numbers == partial and not self.partial_was_right:
            return " on the partial batch"
        epoch, position = self.position(snapshots[0])
        if numbers == [n for n in all_numbers if n >= numbers[0]] and epoch and not position:
            return f" from epoch {epoch + 1} on"
        if len(snapshots) > 1 and all(self.position(snapshot)[1] == 0 for snapshot in snapshots):
            return " at the first step of an epoch"
        if len(numbers) > 1 and numbers == [n for n in all_numbers if n >= numbers[0]]:
            return f" from step {numbers[0]} on"
        return f" at step {numbers[0]}" + (f" and {len(numbers) - 1} more" if len(numbers) > 1 else "")


def outcome(step: ReferenceStep) -> Outcome:
    """Loss and gradients of a step."""
    return Outcome(step.loss, flat(step.gradients))


def flat(arrays: Arrays) -> Array:
    """All tensors end to end."""
    return np.concatenate([np.asarray(array).ravel() for array in arrays.values()])


def split_tensors(values: Array, shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """The tensors of a flat array, by name."""
    tensors, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        tensors[name] = values[start : start + size].reshape(shape)
        start += size
    return tensors
