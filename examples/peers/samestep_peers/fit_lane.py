"""What lanes share whose library trains on NumPy arrays by calls of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np

from samestep.backends import spec
from samestep.backends.interface import Arrays, Backend, Batch, Host, LossResult, RowOrder, StateT, Tier
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import Task


class FitLane(Backend[StateT]):
    """A library on the CPU that takes arrays of NumPy; it has plain SGD, without buffers."""

    tier: ClassVar[Tier] = "documented"
    packages: ClassVar[tuple[str, ...]]  # what does this lane's work, by the names that pip takes

    @classmethod
    def missing(cls) -> str | None:
        absent = [name for name in cls.packages if not installed(name)]
        return f"{' and '.join(absent)} not installed: pip install {' '.join(absent)}" if absent else None

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return ("cpu",)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {name: version(name) for name in (*cls.packages, "numpy")}

    # --- data

    def put(self, array: Host) -> Host:
        return np.array(array)

    def get(self, value: Any) -> Host:
        return np.array(value)

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for begin in range(0, len(row_order), batch_size):
            rows = row_order[begin : begin + batch_size]
            yield x[rows], y[rows]

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        row_order = np.random.default_rng(seed).permutation(len(data[0]))
        yield from self.batches(data, row_order, batch_size)

    # --- training step

    def buffers(self, state: StateT) -> dict[str, Host]:
        return {}

    def loss_and_gradient(self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]) -> LossResult:
        raise NotImplementedError(f"{self.framework} has no losses by themselves here")

    def sync(self, value: Any) -> None:
        """What they call has ended when it returns."""


def installed(package: str) -> bool:
    """Whether a package is installed; nothing is imported."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def start_of(task: Task, params: Arrays | None) -> dict[str, Host]:
    """The given values, copied; without any those that the lane `numpy` draws."""
    values = params or NumpyBackend().params(NumpyBackend().init(task))
    return {name: np.array(values[name]) for name in task.parameters}


def more_than_plain(options: spec.SGD, library: str) -> str | None:
    """What an optimizer asks for beyond theta -= learning_rate gradient, with one rate; None if nothing."""
    if options.momentum:
        return f"{library} multiplies the learning rate into its momentum buffers, which are not torch's then"
    if options.schedule.kind != "constant":
        return f"{library} takes a schedule as a part of the program: the learning rates here are data"
    if options.weight_decay or options.maximize:
        return f"{library} has no weight decay in the gradient, and does not maximize"
    return None


def one_rate(learning_rates: Host) -> float:
    """The learning rate of a fit.

    Raises:
        ValueError: there are several.
    """
    first, *others = learning_rates.tolist()
    if any(rate != first for rate in others):
        raise ValueError("one fit has one learning rate")
    return float(first)
