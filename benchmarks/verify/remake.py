"""A task of somebody's record, made anew only where that is quick and touches nothing it should not.

A description of a data set is a few bytes, whatever it describes: it may ask for more rows than there is memory,
or name any file of this machine.
"""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

from samestep.backends.spec import File, Linear, Synthetic, Task

from .. import datasets
from ..console.errors import InputError
from ..datasets import Split
from ..datasets.table import declared_values

MOST_VALUES = 50_000_000  # of a data set or of all its activations: 400 MB in float64
MOST_ORDERED = 30_000_000  # rows of all epochs, whose orders are made
MOST_PARAMETERS = 10_000_000
MOST_PRODUCTS = 200_000_000, 30_000_000_000  # of a step forward, and of all rows
MOST_SOLVED = 30_000_000_000  # rows times features times the fewer of both: the exact least-squares solution
MOST_BYTES = 256 * 1024 * 1024  # of a file


def remake(task: Task, file: str | None = None) -> Split:
    """The data of a task; those of a file come from `file`, or from one in or below the current folder.

    Raises:
        InputError: the data cannot be had, or the task is larger than what is worked out again.
    """
    dataset = located(task, file).dataset
    if isinstance(dataset, Synthetic):
        _within("values", (dataset.rows + dataset.held_out) * dataset.features, MOST_VALUES)
    _small(task, dataset.rows if isinstance(dataset, Synthetic) else 1)
    split = datasets.load(dataset)
    _small(task, len(split.x))
    return split


def located(task: Task, file: str | None = None) -> Task:
    """The task with its data where they may be read from.

    Raises:
        InputError: they may not be read from where the task says.
    """
    if not isinstance(task.dataset, File):
        return task
    dataset = task.dataset.model_copy(update={"path": str(_permitted(task.dataset.path, file))})
    return task.model_copy(update={"dataset": dataset})


def _permitted(recorded: str, named: str | None) -> Path:
    """The file to read: the one that was named here, or the recorded one if it lies below the current folder."""
    path = named or recorded
    try:
        below = Path(os.path.realpath(path)).is_relative_to(os.path.realpath("."))
    except ValueError:  # no name that any file can have
        below = False
    if named is None and not below:
        raise InputError(f"{path} is not below this folder; name the file with --data")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path} is not a file")
    if named is None and os.path.exists(path):
        _within("bytes", os.path.getsize(path), MOST_BYTES)
        _within(
            "values", declared_values(path, MOST_BYTES), MOST_VALUES
        )  # of few bytes there may be any number
    return Path(path)


def _small(task: Task, rows: int) -> None:
    """Raise unless all that is made of a task of so many rows is made quickly."""
    features = next(iter(task.parameters.values()))[0]
    widths = [features]
    for layer in task.layers:
        widths.append(layer.out_features if isinstance(layer, Linear) else widths[-1])
    weights = sum(map(prod, task.parameters.values()))
    _within("inputs and activations", rows * sum(widths), MOST_VALUES)
    _within("rows in its epochs", task.epochs * rows, MOST_ORDERED)
    _within("parameters", weights, MOST_PARAMETERS)
    _within("products in a step", min(task.batch_size, rows) * weights, MOST_PRODUCTS[0])
    _within("products in all rows", rows * weights, MOST_PRODUCTS[1])
    _within("products in its exact solution", rows * features * min(rows, features), MOST_SOLVED)


def _within(what: str, count: int, most: int) -> None:
    if count > most:
        raise InputError(f"it has {count:,} {what}; no more than {most:,} are worked out again")


def small_text(path: Path) -> str:
    """A text that lies beside a record; what is no text is no error, only another text."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
