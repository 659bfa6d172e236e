"""Whole sessions with real workers, as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.measure import RunRequest, measure, task_files
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.parity.workload import initial_parameters
from samestep.benchmarks.record import Effort, Record

TINY = Effort(name="tiny", blocks=2, rounds=(2, 2), slice_ms=1.0, controls=2)
LIMITS = WorkerLimits(memory=300 << 20)
SEVERAL = TINY.model_copy(update={"slice_ms": 5.0})  # runs in a slice, also on a slow machine
SMALL = SEVERAL.model_copy(update={"name": "small", "blocks": 3})  # control slices in the first and the last
TASKS = [
    Task(
        name=name,
        dataset=Synthetic(rows=95, held_out=20, features=features),
        layers=(Linear(in_features=features, out_features=1),),
        batch_size=10,
    )
    for name, features in (("two", 2), ("five", 5))
]


def requested(folder: Path, *lanes: str, **fields: Any) -> RunRequest:
    """A small run; the first lane is the baseline."""
    values: dict[str, Any] = {"tasks": tuple(TASKS), "effort": TINY, "seed": 1}
    return RunRequest(**values | {"lanes": lanes, "baseline": lanes[0], "out": folder} | fields)


def run(folder: Path, *lanes: str, phases: bool = False, **more: Any) -> Record:
    """Measure it."""
    fields = {name: more.pop(name) for name in ("tasks", "effort") if name in more}
    return measure(requested(folder, *lanes, phases=phases, **fields), limits=LIMITS, **more)


def small_task(rows: int = 95, batch: int = 10, dtype: str = "float32", **more: object) -> Task:
    """A small task on synthetic data."""
    fields = {
        "name": "t",
        "dataset": Synthetic(rows=rows, held_out=20, features=2),
        "layers": (Linear(in_features=2, out_features=1),),
        "batch_size": batch,
        "dtype": dtype,
    }
    return Task.model_validate(fields | more)


def prepared(folder: Path, wanted: Task) -> task_files.TaskFiles:
    """A task laid out in a folder, as a worker reads it."""
    task_files.write(folder, wanted, datasets.load(wanted.dataset), initial_parameters(wanted))
    return task_files.read(folder)


def small_race(folder: Path) -> Record:
    """Two lanes on two tasks in three blocks."""
    return run(folder, "numpy", "numpy:tuned", effort=SMALL)
