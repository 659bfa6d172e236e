"""Rows gathered as far as a core's own cache reaches: many small batches at once, a wide one in blocks.

A chunk is many steps of one linear layer: what the fused NumPy lane runs.

With Z = [x 1], theta = [W; b] and e = Z theta - y, a step of plain SGD on the squared error of B numbers is

    theta <- theta - (2 h / B) Z^T e.

The chunk holds Z and (2 h / B) Z^T of every step, so that a step is two products and two differences; it never
forms the gradient by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .interface import Batch, Host, RowOrder
from .numpy_backend import Floats

CHUNK_BYTES = 1 << 18  # of all arrays of a chunk: a core's own cache keeps them until they are used
LEAST_STEPS = 8  # in a chunk: with fewer, what a step does outweighs the calls that it saves
BLOCK_BYTES = 1 << 18  # of rows of a wide batch that are gathered and used while a core's own cache has them
WIDE_BYTES = 4 * BLOCK_BYTES  # a batch of more is wide
LEAST_BLOCK = 8  # rows


class BatchRows:
    """The rows of a wide batch, gathered when they are read: as many at a time as `room` holds."""

    def __init__(self, values: Host, rows: RowOrder, room: Host) -> None:
        self.values, self.rows, self.gathered = values, rows, room

    def __len__(self) -> int:
        return len(self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Host:
        gathered: Host = self.values.take(self.rows, 0)
        return gathered if dtype is None else gathered.astype(dtype)

    def blocks(self) -> Iterator[tuple[slice, Host]]:
        """The rows block by block, each with its place in the batch; a block is valid until the next is drawn."""
        room = self.gathered
        for start in range(0, len(self.rows), len(room)):
            rows = self.rows[start : start + len(room)]
            place = slice(start, start + len(rows))
            yield place, gather(self.values, rows, room if len(rows) == len(room) else room[: len(rows)])


def gather(values: Host, rows: RowOrder, out: Host) -> Host:
    """values[rows] in an array of its shape.

    mode="clip" skips the bounds check that would buffer the output; a row order is in range.
    """
    return values.take(rows, 0, out, "clip")


def wide_batches(data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
    """The batches of wide rows, each gathered block by block when it is read; the targets as they are."""
    x, y = data
    block = max(LEAST_BLOCK, BLOCK_BYTES // x[:1].nbytes)
    room = np.empty((block, *x.shape[1:]), x.dtype)
    for start in range(0, len(row_order), batch_size):
        rows = row_order[start : start + batch_size]
        yield BatchRows(x, rows, room), y[rows]


def most_steps(data: Batch, batch_size: int) -> int:
    """Steps whose chunk fits CHUNK_BYTES; 0 where, in float32, they are too few to gain by it.

    So the form of a step is the same in both dtypes, and the proof in float64 is one of the timed program.
    """
    x, y = data
    features, outputs = x.shape[1] + 1, y.shape[1]
    numbers = batch_size * (x.shape[1] + 2 * features + 2 * outputs) + features * outputs
    if CHUNK_BYTES // (numbers * np.dtype(np.float32).itemsize) < LEAST_STEPS:
        return 0
    steps: int = CHUNK_BYTES // (numbers * x.itemsize)
    return steps


class Chunk:
    """The arrays of so many steps of one size, made once, and the calls that a step makes on them."""

    def __init__(self, steps: int, batch_size: int, x: Floats, y: Floats) -> None:
        features, outputs = x.shape[1] + 1, y.shape[1]
        self.gathered = np.empty((steps * batch_size, x.shape[1]), x.dtype)
        self.rows = np.ones((steps, batch_size, features), x.dtype)  # Z
        self.scaled = np.empty((steps, features, batch_size), x.dtype)  # (2 h / B) Z^T
        self.targets = np.empty((steps, batch_size, outputs), y.dtype)
        self.errors = np.empty_like(self.targets)
        self.thetas = np.empty((steps + 1, features, outputs), x.dtype)  # at the start, and after each step
        self.change = np.empty((features, outputs), x.dtype)
        forward, back = ([array.dot for array in arrays] for arrays in (self.rows, self.scaled))
        self.calls = list(
            zip(forward, back, self.targets, self.errors, self.thetas[:-1], self.thetas[1:], strict=True)
        )

    def fill(self, data: Batch, rows: RowOrder, factors: Host) -> None:
        """Gather the rows of as many steps as there are factors 2 h / B."""
        (x, y), steps, count = data, len(factors), len(rows)
        z = self.rows[:steps]
        z[:, :, :-1] = gather(x, rows, self.gathered[:count]).reshape(steps, -1, x.shape[1])
        gather(y, rows, self.targets.reshape(-1, y.shape[1])[:count])
        np.multiply(z.transpose(0, 2, 1), factors[:, None, None], self.scaled[:steps])

    def run(self, theta: Floats, steps: int) -> tuple[Floats, Floats]:
        """From theta on: the sum of squared errors of each step (steps,), theta after it (steps, in + 1, out)."""
        subtract, change = np.subtract, self.change
        self.thetas[0] = theta
        for forward, back, target, error, before, after in self.calls[:steps]:
            forward(before, error)
            subtract(error, target, error)
            back(error, change)
            subtract(before, change, after)
        errors = self.errors[:steps]
        return np.einsum("tij,tij->t", errors, errors), self.thetas[1 : steps + 1]
