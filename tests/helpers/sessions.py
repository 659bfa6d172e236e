"""Whole sessions with real workers, as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.measure import measure
from samestep.benchmarks.measure.efforts import Limits
from samestep.benchmarks.record import Effort, Record

TINY = Effort(name="tiny", blocks=2, rounds=(2, 2), slice_ms=1.0, controls=2)
LIMITS = Limits(slice=1.5, memory=300 << 20)
TASKS = [
    Task(
        name=name,
        dataset=Synthetic(rows=95, held_out=20, features=features),
        layers=(Linear(in_features=features, out_features=1),),
        batch_size=10,
    )
    for name, features in (("two", 2), ("five", 5))
]


def run(folder: Path, *lanes: str, **more: Any) -> Record:
    return measure(TASKS, lanes, baseline=lanes[0], effort=TINY, folder=folder, limits=LIMITS, seed=1, **more)
