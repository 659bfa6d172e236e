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
from .scores import exact, loss_and_excess


def learning_curve(task: Task, split: Split, kept: Sequence[KeptStep]) -> tuple[Point, ...]:
    """A point for each kept step, in order; kept arrays are in the task's dtype.

    Raises:
        ValueError: a parameter is not there, or is not of the task's dtype and shape.
    """
    points, best = [], exact(task, split)
    for each in sorted(kept, key=lambda one: one.step):
        if missing := task.parameters.keys() - each.arrays.keys():
            raise ValueError(f"step {each.step} keeps no {', '.join(sorted(missing))}")
        shapes = task.parameters.items()
        params = {name: decode(each.arrays[name], task.dtype, shape) for name, shape in shapes}
        loss, excess = loss_and_excess(task, split, params, best)
        points.append(Point(step=each.step, loss=loss, excess=excess))
    return tuple(points)
