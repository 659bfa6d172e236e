"""What a certificate is about: data, initial parameters, row orders and learning rates of a task in one dtype."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from samestep.backends import losses, spec
from samestep.backends.interface import Host, MatmulPrecision, RowOrder
from samestep.backends.spec import Task

from ..console.errors import InputError
from ..record.plan import MOST_STEPS

PARAMETER_STREAM = 0x5747  # beside the seed: another generator than that of the row orders, [seed, epoch]


class Data(Protocol):
    """The part of `benchmarks.datasets.Split` that is needed here; anything with these two methods will do."""

    def rounded(self, dtype: str) -> tuple[Host, Host]:
        """x and y in a dtype."""
        ...

    def digest(self) -> str:
        """SHA-256 of the data."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Data of your own: x (n, k), and y (n, m) floating or (n,) integer classes.

    Raises:
        InputError: one is no NumPy array of finite real numbers, there is no row, or x and y differ in rows.
    """

    x: Host
    y: Host

    def __post_init__(self) -> None:
        for name, array in (("x", self.x), ("y", self.y)):
            if fault := unusable(array):
                raise InputError(f"{name} {fault}")
        if len(self.x) != len(self.y):
            raise InputError(f"x has {len(self.x)} rows and y has {len(self.y)}: give one y for each x")

    def rounded(self, dtype: str) -> tuple[Host, Host]:
        """x and a floating y in a dtype; classes stay as they are.

        Raises:
            InputError: a value lies beyond the largest number of the dtype.
        """
        with np.errstate(over="ignore"):
            x, y = self.x.astype(dtype), self.y.astype(dtype) if self.y.dtype.kind == "f" else self.y.copy()
        for name, values in (("x", x), ("y", y)):
            if not np.isfinite(values).all():
                raise InputError(f"{name} has values too large for {dtype}; use float64 or smaller numbers")
        return x, y

    def digest(self) -> str:
        """SHA-256 of both arrays."""
        return digest({"x": self.x, "y": self.y})


def unusable(array: object) -> str | None:
    """Why something is not an array of finite real numbers with a first axis of rows; None where it is."""
    if isinstance(array, np.ma.MaskedArray):
        return "is a masked array; leave the masked rows out, and give a plain array"
    if not isinstance(array, np.ndarray) or isinstance(array, np.matrix):
        how = "its method toarray()" if hasattr(array, "toarray") else "numpy.asarray"
        return f"is of type {type(array).__name__}, not a NumPy array; convert it with {how}"
    if array.dtype.kind not in "fiu":
        return f"holds {array.dtype}, not real numbers; give float64, or int64 for classes"
    if array.ndim == 0 or not array.size:
        return f"has shape {array.shape}: there is no number in it to train on"
    if wrong := len(array) - np.isfinite(array.reshape(len(array), -1)).all(axis=1).sum():
        return f"holds NaN or infinity in {wrong} of {len(array)} rows; leave them out"
    return None


@dataclass(frozen=True, eq=False)
class ScheduledBatch:
    """What one step takes in: row numbers, the x and y of those rows, and the learning rate."""

    rows: RowOrder
    x: Host
    y: Host
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Workload:
    """All that a run takes in: x (n, k), y, one row order (n,) and one row of learning rates for each epoch.

    `matmul_precision`: to what the lane has declared that it rounds the inputs of its matrix products.
    `max_kept_steps`: how many of its steps stay in its certificate, at most.
    """

    task: Task
    x: Host
    y: Host
    orders: tuple[RowOrder, ...]
    learning_rates: Host
    start: dict[str, Host]
    matmul_precision: MatmulPrecision = "full"
    max_kept_steps: int = MOST_STEPS

    @classmethod
    def of(
        cls,
        task: Task,
        data: Data,
        matmul_precision: MatmulPrecision = "full",
        max_kept_steps: int = MOST_STEPS,
    ) -> Workload:
        """The work of a task on its data, everything rounded to the task's dtype.

        Raises:
            InputError: a value is too large for the dtype, or layers and loss do not take these arrays.
        """
        x, y = data.rounded(task.dtype)
        check_data(task, x, y)
        orders = tuple(task.row_order(len(x), epoch) for epoch in range(task.epochs))
        learning_rates, start = task.learning_rates(len(x)), initial_parameters(task)
        return cls(task, x, y, orders, learning_rates, start, matmul_precision, max_kept_steps)

    def batches(self) -> Iterator[ScheduledBatch]:
        """Every step of the run, in order; the last batch of an epoch may be partial."""
        return (self.batch(number) for number in range(1, self.steps + 1))

    def batch(self, number: int) -> ScheduledBatch:
        """One step of the run, counted from 1.

        Raises:
            ValueError: the run has no such step.
        """
        if not 1 <= number <= self.steps:
            raise ValueError(f"step {number} is none of the {self.steps} steps")
        epoch, index = divmod(number - 1, self.steps_per_epoch)
        size = self.task.batch_size
        rows = self.orders[epoch][index * size : (index + 1) * size]
        return ScheduledBatch(rows, self.x[rows], self.y[rows], float(self.learning_rates[epoch, index]))

    @property
    def steps(self) -> int:
        """The number of steps of the whole run."""
        return int(self.learning_rates.size)

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps of one epoch, the partial batch among them."""
        return int(self.learning_rates.shape[1])


def check_data(task: Task, x: Host, y: Host) -> None:
    """Check that both are finite, the layers take x and the loss takes y, where frameworks may say nothing.

    Raises:
        InputError: they do not.
    """
    for name, array in (("x", x), ("y", y)):
        if fault := unusable(array):
            raise InputError(f"task {task.name!r}: {name} {fault}")
    inputs, *_ = next(iter(task.parameters.values()))
    (outputs,) = next(reversed(task.parameters.values()))
    if x.ndim != 2 or x.shape[1] != inputs:
        raise InputError(
            f"task {task.name!r}: x is {x.shape}, not (rows, {inputs}) as the first layer takes it"
        )
    try:
        losses.get(task.loss.name).check([np.full((len(x), outputs), 0.5, x.dtype), y], task.loss.arguments)
    except ValueError as error:
        raise InputError(f"task {task.name!r}, on targets {y.shape}: {error}") from error


def initial_parameters(task: Task) -> dict[str, Host]:
    """The initial parameters that every lane shares: one draw from the task's distributions and seed.

    Drawn once in float64 and rounded once to the task's dtype, so that the float32 parameters are the float64
    ones, rounded. The default is torch's for Linear: U(+-1/sqrt(in)) for weight and bias.
    """
    rng = np.random.default_rng([task.seed, PARAMETER_STREAM])
    values, fan_in = {}, 1
    for name, shape in task.parameters.items():
        is_weight = name.endswith("weight")
        fan_in = shape[0] if is_weight else fan_in
        distribution = task.init.weight if is_weight else task.init.bias
        values[name] = draw(distribution, shape, fan_in, rng).astype(task.dtype)
    return values


def draw(
    distribution: spec.Initializer, shape: tuple[int, ...], fan_in: int, rng: np.random.Generator
) -> Host:
    """One float64 array from a distribution; a weight's shape is (in, out)."""
    match distribution:
        case spec.Constant(value=value):
            return np.full(shape, value)
        case spec.Normal(mean=mean, std=std):
            return rng.normal(mean, std, shape)
        case spec.Uniform(low=low, high=high):
            return rng.uniform(low, high, shape)
        case spec.TruncatedNormal(mean=mean, std=std, low=low, high=high):
            from scipy.stats import truncnorm  # slow to import, and rarely needed

            ends = (low - mean) / std, (high - mean) / std
            return np.asarray(truncnorm.rvs(*ends, loc=mean, scale=std, size=shape, random_state=rng))
        case spec.Xavier(distribution=family, gain=gain):
            std = gain * math.sqrt(2 / (shape[0] + shape[1]))
        case spec.Kaiming(distribution=family, mode=mode, gain=gain):
            std = gain / math.sqrt(shape[0] if mode == "fan_in" else shape[1])
        case _:
            return rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
    if family == "normal":
        return rng.normal(0, std, shape)
    return rng.uniform(-1, 1, shape) * std * math.sqrt(3)  # U(+-a) has the standard deviation a / sqrt(3)


def digest(arrays: Mapping[str, Host]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes: equal digests mean equal arrays, bit for bit."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}{array.shape}{array.dtype.str}".encode())
        sha.update(array.data)
    return sha.hexdigest()


def digest_orders(workload: Workload) -> str:
    """SHA-256 of the row order of every epoch."""
    return digest({f"epoch {epoch:06}": order for epoch, order in enumerate(workload.orders)})
