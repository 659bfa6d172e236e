"""The learning curve: how good the parameters are after each kept step of a certified run.

A pure function of the task, the data and the steps in the certificate, so that `samestep verify` makes it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from samestep.backends.spec import Task

from ..datasets import Split
from ..record.arrays import decode
from ..record.outcome import Point
from ..record.proof import KeptStep
from .scores import exact_solution, loss_and_excess


def learning_curve(task: Task, split: Split, steps: Sequence[KeptStep]) -> tuple[Point, ...]:
    """A point for each kept step, by step number; kept arrays are in the task's dtype.

    Raises:
        ValueError: a parameter is not there, or is not of the task's dtype and shape.
    """
    points, best = [], exact_solution(task, split)
    for step in sorted(steps, key=lambda step: step.step):
        if missing := task.parameters.keys() - step.arrays.keys():
            raise ValueError(f"step {step.step} keeps no {', '.join(sorted(missing))}")
        params = {
            name: decode(step.arrays[name], task.dtype, shape) for name, shape in task.parameters.items()
        }
        loss, excess = loss_and_excess(task, split, params, best)
        points.append(Point(step=step.step, loss=loss, excess=excess))
    return tuple(points)
