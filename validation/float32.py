"""Experiment: what does a run show of programs that are wrong in float32 alone, and what a probe?"""

from __future__ import annotations

from typing import Any

import numpy as np

from samestep.backends.interface import Backend
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Layer, Linear, Loss, Sigmoid, Synthetic, Task
from samestep.benchmarks.parity import Rows, Workload, judge
from samestep.benchmarks.parity.probe import begin
from samestep.benchmarks.parity.single_entries import probe_work
from validation import float32_mistakes as mistakes

SIZES = ((100, 3, 16), (1024, 512, 1024))  # rows, features, batch size
PROGRAMS: tuple[tuple[type[Backend], str], ...] = (
    (mistakes.ShorterInputs, "mse"),
    (mistakes.ShortInputs, "mse"),
    (mistakes.ShortGradients, "mse"),
    (mistakes.ShortSums, "mse"),
    (mistakes.DroppedEntries, "mse"),
    (mistakes.DroppedEntries, "bce"),
    (mistakes.ShiftedLogarithm, "bce"),
    (mistakes.PolynomialExponential, "bce"),
    (mistakes.SmoothedRoot, "l1"),
)
RIGHT: tuple[tuple[type[Backend], str], ...] = tuple((NumpyBackend, loss) for loss in ("mse", "bce", "l1"))


def run() -> dict[str, Any]:
    """The largest bound ratio of every program in float32, on each size, in a run and on a probe."""
    programs = [*PROGRAMS, *RIGHT]
    return {"programs": [row(kind, loss, size) for size in SIZES for kind, loss in programs]}


def row(kind: type[Backend], loss: str, size: tuple[int, int, int]) -> dict[str, Any]:
    """One program on one size."""
    right = (kind, loss) in RIGHT
    rows, features, batch_size = size
    task = make_task(loss, size)
    workload = Workload.of(task, make_rows(task, rows))
    return {
        "what": "nothing is wrong" if right else (kind.__doc__ or "").strip().rstrip("."),
        "right": right,
        "loss": loss,
        "features": features,
        "batch_size": batch_size,
        "run": largest_ratio(kind(), workload),
        "probe": largest_ratio(kind(), probe_work(workload)),
    }


def make_task(loss: str, size: tuple[int, int, int]) -> Task:
    """One epoch of linear or logistic regression."""
    rows, features, batch_size = size
    last: tuple[Layer, ...] = (Sigmoid(),) if loss == "bce" else ()
    return Task(
        name="float32",
        dataset=Synthetic(rows=rows, held_out=1, features=features),
        layers=(Linear(in_features=features, out_features=1), *last),
        loss=Loss(name=loss),
        optimizer=SGD(learning_rate=0.01),
        batch_size=batch_size,
        epochs=1,
    )


def make_rows(task: Task, rows: int) -> Rows:
    """A noisy line, or its sign as classes 0 and 1."""
    rng = np.random.default_rng(1)
    features = next(iter(task.parameters.values()))[0]
    x = rng.normal(size=(rows, features))
    y = x @ rng.normal(size=(features, 1)) + 0.1 * rng.normal(size=(len(x), 1))
    return Rows(x, (y > 0).astype(float) if task.loss.name == "bce" else y)


def largest_ratio(lane: Backend, workload: Workload) -> float:
    """The largest bound ratio of a lane's traced epoch, to four digits."""
    data, size = (workload.x.copy(), workload.y.copy()), workload.task.batch_size
    order, rates = workload.orders[0], workload.learning_rates[0]
    with np.errstate(all="ignore"), lane.precision(workload.task.dtype):
        _, trace = lane.trace(begin(lane, workload), data, order.copy(), size, rates.copy())
    quantities = judge(workload, trace).quantities.values()
    return float(f"{max(worst.share for worst in quantities):.4g}")


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each mistake that rows with one entry do not show, and for each right program called wrong."""
    return [
        f"{row['what']}, {row['loss']}, {row['features']} features: {row['probe']} times the bound"
        for row in result["programs"]
        if (row["probe"] <= 1) != row["right"]
    ]
