"""What a certificate is about: data, initial parameters, row orders and learning rates of a task in one dtype."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from samestep.backends import losses, spec
from samestep.backends.interface import Host, MatmulPrecision, RowOrder
from samestep.backends.spec import Task

from ..console.errors import InputError
from ..record.plan import MOST_STEPS
from .array_data import Data, as_data, unusable
from .array_digest import digest

PARAMETER_STREAM = 0x5747  # beside the seed: another generator than that of the row orders, [seed, epoch]


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
        x, y = as_data(data).rounded(task.dtype)
        check_data(task, x, y)
        orders = tuple(task.row_order(len(x), epoch) for epoch in range(task.epochs))
        with np.errstate(over="ignore"):
            learning_rates, start = task.learning_rates(len(x)), initial_parameters(task)
        check_range(task, {"learning rate": learning_rates} | start)
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


def check_range(task: Task, arrays: Mapping[str, Host]) -> None:
    """Check that the dtype holds the numbers of a task: its options, and arrays that were rounded to it, by name.

    Raises:
        InputError: one is beyond its largest number.
    """
    sgd, largest = task.optimizer, np.finfo(task.dtype).max
    options: dict[str, Any] = {
        "momentum": sgd.momentum,
        "dampening": sgd.dampening,
        "weight_decay": sgd.weight_decay,
    }
    options |= {
        f"the loss's {name}": value for name, value in task.loss.options if not isinstance(value, str)
    }
    wrong = [
        name for name, value in options.items() if ((np.abs(value) > largest) & np.isfinite(value)).any()
    ]
    wrong += [name for name, values in arrays.items() if not np.isfinite(values).all()]
    if wrong:
        raise InputError(
            f"task {task.name!r}: {wrong[0]} is too large for {task.dtype}; use a smaller number"
        )


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


def digest_orders(workload: Workload) -> str:
    """SHA-256 of the row order of every epoch."""
    return digest({f"epoch {epoch:06}": order for epoch, order in enumerate(workload.orders)})
