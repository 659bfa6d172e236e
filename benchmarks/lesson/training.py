"""One lane at work on the lesson's data: what every part of the walk uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Batch, Host, State
from samestep.backends.spec import Task

from ..accuracy.scores import accuracy
from ..datasets import Split
from .models import Equality, Run, Tensor

Params = dict[str, Host]


@dataclass(frozen=True)
class Session:
    """A lane with the data on its device; `task` is the lesson and `start` the shared initial values."""

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
        rates: Host | None = None,
        start: Mapping[str, Host] | None = None,
        first_epoch: int = 0,
    ) -> Iterator[State]:
        """The loop: the State after every epoch; read it before the next is drawn, which consumes it.

        `rates` are the learning rates (steps,) of every epoch, the task's own unless given. They are data: runs
        that differ in nothing else share one compiled program.
        """
        state = self.backend.init(task, start or self.start)
        rates = task.learning_rates(self.rows)[0] if rates is None else rates.astype(task.dtype)
        for epoch in range(first_epoch, first_epoch + task.epochs):
            order = task.row_order(self.rows, epoch)
            with np.errstate(all="ignore"):  # a run that diverges is a result, and shown as one
                state, _ = self.backend.epoch(state, self.data, order, task.batch_size, rates)
            yield state

    def train(self, task: Task, **options: Any) -> list[Params]:
        """Parameters after every epoch; options as in `states`."""
        return [self.backend.params(state) for state in self.states(task, **options)]

    def constant(self, task: Task, rate: float) -> Host:
        """One learning rate for every step of an epoch."""
        return np.full(task.steps(self.rows), rate)

    def run(self, name: str, task: Task, rate: float | None, params: list[Params]) -> Run:
        """A run in figures: the squared error over all rows as a sum and as a mean, and above the best."""
        judged = [accuracy(self.task, self.split, after) for after in params]
        return Run(
            name=name,
            loss=task.loss.name,
            reduction=task.loss.reduction,
            learning_rate=rate,
            batch_size=task.batch_size,
            sums=tuple(each.loss * self.rows for each in judged),
            means=tuple(each.loss for each in judged),
            above_best=tuple(figure(each.excess) for each in judged),
        )

    def tensors(self, state: State, values: Mapping[str, Host]) -> tuple[Tensor, ...]:
        """Parameters or gradients in the framework's own names and shapes, weight before bias."""
        own = sorted(self.backend.native(state).items(), key=lambda item: _place(item[0], len(item[1])))
        ours = sorted(values.items(), key=lambda item: _place(item[0], item[1].ndim))
        found = []
        for (name, shape), (_, value) in zip(own, ours, strict=True):
            oriented = value if value.shape == shape else value.T  # torch keeps (out, in)
            found.append(Tensor(name=name, shape=shape, values=numbers(oriented.reshape(shape))))
        return tuple(found)


def figure(value: float | None) -> float:
    return float("nan") if value is None else value


def _place(name: str, dims: int) -> tuple[int, int]:
    """Where a parameter stands: by its layer, the first number in its name, and there the weight first."""
    found = re.search(r"\d+", name)
    return int(found.group()) if found else 0, -dims


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
