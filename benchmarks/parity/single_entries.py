"""Work on which little can hide: lone products, columns of sizes far apart, predictions near their targets.

The bound of a sum of n terms is about n times as wide as what rounding one product does to it, and that of a
large number is wider than a small number beside it. Here a batch has at most one row for each column, with its
one non-zero entry there, so that every gradient of the first layer is one product. Entries and weights of a
column are of one size, and some columns are small: a gradient that is left out lies many bounds away from its own
value, however small it is. Residuals go down to 2^-20, so that a constant of 1e-7 beside one shows.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from samestep.backends.interface import Host
from samestep.backends.spec import Linear, Sigmoid, Tanh, Task

from .reference import Reference, narrow
from .workload import Workload

COLUMN_EXPONENTS = (0, -30, 0, -12, 0, -20)  # powers of two: the sizes of the columns, in turn
UNIT_EXPONENTS = (0, 0, -20, 0, -10)  # those of the weights into and out of a hidden unit
BIAS_EXPONENT = -12
RESIDUAL_EXPONENTS = (0, -4, -8, -12, -16, -20)
RESIDUAL_LOSSES = ("mse", "l1", "smooth_l1", "huber")  # functions of prediction - target
# exp(z) is taken as 2^k exp(r), |r| <= log(2) / 2, and an approximation is at its worst close to the ends
REDUCTIONS, BEYOND_END = 16, 2.0**-7
ENTRIES = 192  # non-zero entries of a probe from outside, where
FEWEST_STEPS, MOST_STEPS = 4, 64  # allow it


def single_entries(workload: Workload) -> Workload:
    """The work with at most one non-zero entry in a row, drawn parameters and, where the loss allows it, targets.

    The entries follow the row order of the first epoch, batch by batch.
    """
    rng = np.random.default_rng(0)
    sizes = column_sizes(workload)
    start = drawn_parameters(workload, sizes, rng)
    probe = replace(workload, x=entries(workload, sizes, narrow(start["0.weight"])[:, 0], rng), start=start)
    return replace(probe, y=near_targets(probe, rng))


def probe_work(workload: Workload) -> Workload:
    """Such work for a program from outside: one epoch of a few steps, at the first learning rates of the task."""
    size, features = workload.task.batch_size, workload.x.shape[1]
    steps = max(FEWEST_STEPS, min(math.ceil(ENTRIES / min(size, features)), MOST_STEPS))
    rows = steps * size
    targets = np.resize(np.arange(len(workload.y)), rows)
    order = np.random.default_rng(0).permutation(rows)
    rates = np.resize(workload.learning_rates, (1, steps))
    return single_entries(
        replace(
            workload,
            x=np.zeros((rows, features), workload.x.dtype),
            y=workload.y[targets],
            orders=(order,),
            learning_rates=rates,
        )
    )


def column_sizes(workload: Workload) -> Host:
    """The size of every column (k,): 1 in whole ones, but less where steps on entries up to 2 would not converge.

    With entries of 2 s, a mean over B rows and a squared error the curvature is 8 s^2 / B, and a step converges
    where its product with the learning rate is below 2.
    """
    task, rate = workload.task, float(workload.learning_rates[0, 0])
    rows = 1 if task.loss.reduction == "sum" else task.batch_size
    whole = math.sqrt(min(1.0, rows / (8 * rate))) if rate > 0 else 1.0
    return whole * cycled(COLUMN_EXPONENTS, workload.x.shape[1])


def entries(workload: Workload, sizes: Host, weights: Host, rng: np.random.Generator) -> Host:
    """x: 1 to 2 times a column's size; in whole columns of a task with exponentials, where exp is hardest.

    `weights` are those from every column to the first unit.
    """
    order, (rows, features) = workload.orders[0], workload.x.shape
    place = np.arange(len(order))
    alone = place % workload.task.batch_size < features
    order, columns = order[alone], place[alone] % features
    size, signs = sizes[columns], rng.choice([-1.0, 1.0], len(order))
    values = signs * rng.uniform(1, 2, len(order)) * size
    if has_exponentials(workload.task):
        ends = (rng.integers(REDUCTIONS, size=len(order)) + 0.5) * math.log(2) + BEYOND_END
        ends = ends * rng.choice([0.5, 1.0], len(order))  # tanh takes exp(2 z)
        values = np.where(size == sizes[0], signs * ends / weights[columns], values)
    x = np.zeros((rows, features))
    x[order, columns] = values
    return x.astype(workload.x.dtype)


def has_exponentials(task: Task) -> bool:
    """Whether a step of the task computes an exponential."""
    return task.loss.name not in RESIDUAL_LOSSES or any(
        isinstance(layer, Sigmoid | Tanh) for layer in task.layers
    )


def drawn_parameters(workload: Workload, columns: Host, rng: np.random.Generator) -> dict[str, Host]:
    """Parameters that give predictions of about 1: 1/2 to 2 over the column's size, but small in small columns.

    A step moves a weight by about its column's size times h / B, with the first learning rate h and the batch
    size B. Whether a weight of that size was moved shows in the weight after it.
    """
    task = workload.task
    moved = min(1.0, float(workload.learning_rates[0, 0]) / task.batch_size)
    linear = [index for index, layer in enumerate(task.layers) if isinstance(layer, Linear)]
    incoming = np.where(columns < columns[0], columns * moved, 1 / columns[0])
    params: dict[str, Host] = {}
    for index in linear:
        shape = task.parameters[f"{index}.weight"]
        fan_out = shape[1]
        outgoing = np.ones(fan_out) if index == linear[-1] else cycled(UNIT_EXPONENTS, fan_out)
        weight = rng.choice([-1.0, 1.0], shape) * np.exp2(rng.uniform(-1, 1, shape))
        params[f"{index}.weight"] = weight * incoming[:, None] * outgoing
        params[f"{index}.bias"] = rng.normal(size=fan_out) * outgoing * 2.0**BIAS_EXPONENT
        incoming = np.where(outgoing < 1, outgoing * moved, fan_out**-0.5)
    return {name: values.astype(task.dtype) for name, values in params.items()}


def near_targets(probe: Workload, rng: np.random.Generator) -> Host:
    """Targets from 1 to 2^-20 away from the predictions at the start; the data's own for other losses."""
    if probe.task.loss.name not in RESIDUAL_LOSSES:
        return probe.y
    reference = Reference(probe.task)
    with np.errstate(all="ignore"):
        prediction = reference.forward(reference.widen(probe.start), probe.x.astype(reference.wide))[-1]
    signs = rng.choice([-1.0, 1.0], probe.y.shape)
    residuals = signs * np.exp2(rng.choice(RESIDUAL_EXPONENTS, probe.y.shape))
    return np.asarray(narrow(prediction) - residuals, probe.y.dtype)


def cycled(exponents: tuple[int, ...], count: int) -> Host:
    """So many powers of two, their exponents taken in turn."""
    return np.exp2(np.resize(np.array(exponents, float), count))
