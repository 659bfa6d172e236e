"""One lane at work on the lesson's data: what every part of the walk uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Batch, Host, State
from samestep.backends.spec import Task

from ..accuracy.scores import accuracy
from ..datasets import Split
from .models import Equality, Tensor, TrainingRun

Params = dict[str, Host]


@dataclass(frozen=True)
class LessonLane:
    """A backend with the data on its device; `task` is the lesson and `start` the shared initial values."""

    backend: Backend
    task: Task
    split: Split
    start: Params
    data: Batch

    @property
    def rows(self) -> int:
        return len(self.split.x)

    def states(
        self,
        task: Task,
        *,
        learning_rates: Host | None = None,
        start: Mapping[str, Host] | None = None,
        first_epoch: int = 0,
    ) -> Iterator[State]:
        """The loop: the State after every epoch; read it before the next is drawn, which consumes it.

        `learning_rates` (steps,) serve every epoch; the task's own unless given. They are data: runs that differ
        in nothing else share one compiled program.
        """
        state = self.backend.init(task, start or self.start)
        if learning_rates is None:
            learning_rates = task.learning_rates(self.rows)[0]
        learning_rates = learning_rates.astype(task.dtype)
        for epoch in range(first_epoch, first_epoch + task.epochs):
            row_order = task.row_order(self.rows, epoch)
            with np.errstate(all="ignore"):  # a run that diverges is a result, and shown as one
                state, _ = self.backend.epoch(state, self.data, row_order, task.batch_size, learning_rates)
            yield state

    def train(self, task: Task, **options: Any) -> list[Params]:
        """Parameters after every epoch; options as in `states`."""
        return [self.backend.params(state) for state in self.states(task, **options)]

    def constant(self, task: Task, learning_rate: float) -> Host:
        """One learning rate for every step of an epoch, (steps,)."""
        return np.full(task.steps(self.rows), learning_rate)

    def loss(self, state: State) -> float:
        """The task's loss on all rows, as this lane computes it."""
        return float(self.backend.get(self.backend.forward_backward(state, self.data)[0]))

    def first_batch(self, row_order: Host) -> Batch:
        return next(iter(self.backend.batches(self.data, row_order, self.task.batch_size)))

    def run(
        self, name: str, task: Task, learning_rate: float | None, epochs: Sequence[Params]
    ) -> TrainingRun:
        """A run in figures: the squared error over all rows as a sum and as a mean, and above the best."""
        scores = [accuracy(self.task, self.split, params) for params in epochs]
        return TrainingRun(
            name=name,
            loss=task.loss.name,
            reduction=task.loss.reduction,
            learning_rate=learning_rate,
            batch_size=task.batch_size,
            sums=tuple(score.loss * self.rows for score in scores),
            means=tuple(score.loss for score in scores),
            above_best=tuple(nan_if_none(score.excess) for score in scores),
        )

    def tensors(self, state: State, values: Mapping[str, Host]) -> tuple[Tensor, ...]:
        """Parameters or gradients in the framework's own names and shapes, weight before bias."""
        native = sorted(self.backend.native(state).items(), key=lambda item: _place(item[0], len(item[1])))
        canonical = sorted(values.items(), key=lambda item: _place(item[0], item[1].ndim))
        tensors = []
        for (name, shape), (_, value) in zip(native, canonical, strict=True):
            oriented = value if value.shape == shape else value.T  # torch keeps (out, in)
            tensors.append(Tensor(name=name, shape=shape, values=numbers(oriented.reshape(shape))))
        return tuple(tensors)


def nan_if_none(value: float | None) -> float:
    """The value, or NaN where there is none."""
    return float("nan") if value is None else value


def _place(name: str, dims: int) -> tuple[int, int]:
    """Where a parameter is listed: by its layer, the first number in its name, and there the weight first."""
    layer = re.search(r"\d+", name)
    return int(layer.group()) if layer else 0, -dims


def numbers(array: Host) -> tuple[float, ...]:
    """The values of an array, row by row."""
    return tuple(float(value) for value in array.reshape(-1))


def equality(left: str, right: str, a: Mapping[str, Host], b: Mapping[str, Host]) -> Equality:
    """How near two sets of parameters are, by their farthest component."""
    with np.errstate(invalid="ignore"):
        ulps = float(np.max([np.max(_ulps(a[name], b[name])) for name in a]))
    same = all(a[name].tobytes() == b[name].tobytes() for name in a)
    return Equality(left=left, right=right, bit_for_bit=same, ulps=ulps)


def _ulps(a: Host, b: Host) -> Host:
    """|a - b| over the gap between numbers at the larger of the two; NaN where either is not finite."""
    gap = np.spacing(np.maximum(np.abs(a), np.abs(b))).astype(np.float64)
    return np.abs(a.astype(np.float64) - b.astype(np.float64)) / gap
