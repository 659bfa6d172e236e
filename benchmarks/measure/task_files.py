"""A task on disk for workers: every worker gets the same bytes, and needs no data library.

The *run* has the first `RUN_STEPS` steps (or all, if there are fewer) of the first epoch, at its learning rates.
It is certified in the task's own order from the start values, and timed in drawn orders from drawn starts.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samestep.backends.interface import Host, RowOrder
from samestep.backends.spec import Linear, Task

from ..datasets.split import Split, Transform
from ..parity.array_digest import digest
from ..parity.workload import check_data
from ..record.plan import Facts, PlannedWork

RUN_STEPS = 100
ARRAYS = ("x", "y", "x_test", "y_test")
NAMES = ("x.npy", "y.npy", "start.npz", "split.json", "task.json", *(f"{name}64.npy" for name in ARRAYS))


@dataclass(frozen=True, eq=False)
class TaskFiles:
    """A task as read back from its folder.

    split: all data in float64, memory-mapped. x (n, k), y (n, m) or classes (n,): the training rows in the task's
    dtype. start: the initial parameters by name. row_order, learning_rates: those of the run's steps.
    """

    task: Task
    split: Split
    x: Host
    y: Host
    start: dict[str, Host]
    row_order: RowOrder
    learning_rates: Host


def write(folder: Path, task: Task, split: Split, start: Mapping[str, Host]) -> PlannedWork:
    """Lay out a task's work; gives its description for the record.

    Raises:
        InputError: a value of the data is too large for the task's dtype, or layers and loss do not take them.
    """
    x, y = split.rounded(task.dtype)
    check_data(task, x, y)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ARRAYS:
        np.save(folder / f"{name}64.npy", getattr(split, name))
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    save_arrays(folder / "start.npz", {name: value.astype(task.dtype) for name, value in start.items()})
    truth = None if split.truth is None else (split.truth[0].tolist(), split.truth[1])
    facts_of_split = ("features", "target", "source", "dropped", "classes")
    values = {name: getattr(split, name) for name in facts_of_split}
    values |= {"skipped_rows": split.skipped_rows, "truth": truth, "transform": split.transform.as_json()}
    (folder / "split.json").write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    (folder / "task.json").write_text(task.model_dump_json(), encoding="utf-8")
    return describe(read(folder), facts_of(split))


def facts_of(split: Split) -> Facts:
    """Where data come from and what was done to them."""
    return Facts(
        source=split.source,
        columns=tuple(split.features),
        target=split.target,
        transform=split.transform,
        dropped=tuple(split.dropped),
        skipped_rows=split.skipped_rows,
        rank=split.rank,
    )


def read(folder: Path) -> TaskFiles:
    """The work in a folder, ready for a worker."""
    task = Task.model_validate_json((folder / "task.json").read_text(encoding="utf-8"))
    x, y = (np.load(folder / name, mmap_mode="c") for name in ("x.npy", "y.npy"))  # shared by all workers
    return timed_run(task, _split(folder), x, y, load_arrays(folder / "start.npz"))


def drop_pages(array: Host) -> None:
    """Give back the memory of an array that is mapped from its file; it is read again where it is used."""
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def timed_run(task: Task, split: Split, x: Host, y: Host, start: dict[str, Host]) -> TaskFiles:
    """The run of a task on its data, from its rounded rows and its start."""
    steps = min(task.steps(len(x)), RUN_STEPS)
    row_order = task.row_order(len(x), 0)[: steps * task.batch_size]
    learning_rates = task.learning_rates(len(x))[0][:steps]
    return TaskFiles(task, split, x, y, start, row_order, learning_rates)


def save_arrays(path: Path, values: Mapping[str, Host]) -> None:
    """Write named arrays to a file.

    Raises:
        ValueError: one of them holds Python objects, which would be pickled, and nothing here unpickles.
    """
    arrays: dict[str, Any] = {name: np.asanyarray(value) for name, value in values.items()}
    if objects := sorted(name for name, array in arrays.items() if array.dtype.hasobject):
        raise ValueError(f"{objects[0]}: an array of Python objects, not of numbers")
    np.savez(path, **arrays)


def load_arrays(path: Path) -> dict[str, Host]:
    """The named arrays of a file."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _split(folder: Path) -> Split:
    values = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    truth = values["truth"]
    values |= {
        "features": tuple(values["features"]),
        "dropped": tuple(values["dropped"]),
        "transform": Transform.model_validate_json(json.dumps(values["transform"], allow_nan=False)),
        "truth": truth and (np.array(truth[0]), truth[1]),
    }
    arrays = {name: np.load(folder / f"{name}64.npy", mmap_mode="r") for name in ARRAYS}
    return Split(**arrays, **values)


def describe(files: TaskFiles, facts: Facts | None = None) -> PlannedWork:
    """Sizes and digests for the record, and the least that one full step must move and compute."""
    task, rows = files.task, min(files.task.batch_size, len(files.x))
    batch = rows * (files.x[:1].nbytes + files.y[:1].nbytes)
    parameters = sum(value.nbytes for value in files.start.values())
    return PlannedWork(
        task=task,
        rows=len(files.x),
        features=files.x.shape[1],
        steps=len(files.learning_rates),
        samples=len(files.row_order),
        data=files.split.digest(),
        start=short_digest(files.start),
        # the batch and the parameters are read once, the parameters written once
        bytes_per_step=batch + 2 * parameters,
        flops_per_step=rows * flops_per_row(task),
        facts=facts,
    )


def matches(folder: Path, planned: PlannedWork) -> bool:
    """Whether a folder holds the work that was planned, to the last bit."""
    if not (folder / "task.json").exists():
        return False
    files = read(folder)
    rounded = zip(files.split.rounded(files.task.dtype), (files.x, files.y), strict=True)
    return describe(files, planned.facts) == planned and all(
        np.array_equal(remade, stored) for remade, stored in rounded
    )


def flops_per_row(task: Task) -> int:
    """2 d m forward and 2 d m for the weight gradient of each Linear (d, m); as much again to go below it."""
    layers = [layer for layer in task.layers if isinstance(layer, Linear)]
    products = [2 * layer.in_features * layer.out_features for layer in layers]
    return 3 * sum(products) - products[0]


def short_digest(values: Mapping[str, Host]) -> str:
    """The digest that certificates use, cut to 16 hex digits."""
    return digest(values)[:16]


def float64_distance(params: Mapping[str, Host], reference: Mapping[str, Host]) -> float:
    """The norm over all parameters of the difference, subtracted in float64.

    Parity's `distance` is for the arrays of its reference, which are wide; those of workers are narrow.
    """
    gaps = (params[name].astype(np.float64) - reference[name].astype(np.float64) for name in reference)
    return math.sqrt(sum(float(np.square(gap).sum()) for gap in gaps))
