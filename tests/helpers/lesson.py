"""The walk that the tests of the lesson share, and the same training in float64 with nothing but NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np

from samestep.benchmarks import datasets, lesson, parity, tasks
from samestep.benchmarks.lesson.models import Walk
from tests.helpers.lanes import LANES

DOCUMENTED = tuple(lane for lane in lesson.LANES if lane in LANES)
TASK = tasks.get("lesson")
SPLIT = datasets.load(TASK.dataset)
Z = np.column_stack([SPLIT.x, np.ones(len(SPLIT.x))])
UNIT = 2.0**-24


@cache
def walked(*lanes: str) -> Walk:
    """One walk in some lanes; by default in every documented lane that runs here."""
    return lesson.walk(lanes or DOCUMENTED)


def same_run_ulps(learning_rate: float) -> float:
    """How far two runs of the same mathematics may end apart, in ULP of the largest component.

    Each run rounds theta by half a ULP a step (the update's own rounding is a thousandth of it), and a step
    shrinks an error by 1 - 2 h lambda on average: the geometric sum of 1 ULP a step, doubled for the spread of
    minibatches.
    """
    smallest = np.linalg.eigvalsh(Z.T @ Z / len(Z))[0]
    return 2 / (2 * learning_rate * float(smallest))


def start() -> np.ndarray:
    """The shared initial parameters as theta (3, 1), the bias last."""
    shared = parity.initial_parameters(TASK)
    return np.concatenate([shared[name].reshape(-1, 1) for name in ("0.weight", "0.bias")]).astype(float)


def by_hand(*, steps_left: int = 0) -> np.ndarray:
    """The lesson in float64 with nothing but NumPy: theta (3, 1) after all steps but the last few."""
    theta = start()
    orders = np.concatenate([TASK.row_order(len(Z), epoch) for epoch in range(TASK.epochs)]).reshape(-1, 10)
    for rows in orders[: len(orders) - steps_left]:
        theta -= 0.03 * 2 / 10 * Z[rows].T @ (Z[rows] @ theta - SPLIT.y[rows])
    return theta
