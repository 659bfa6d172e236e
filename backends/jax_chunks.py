"""Rows gathered as far as a core's own cache reaches: many small batches at once, a wide one in blocks."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from .interface import Batch

CHUNK_BYTES = 1 << 18  # of the rows gathered at once: a core's own cache keeps them until they are used
WIDE_BYTES = 4 * CHUNK_BYTES  # a batch of more is wide
LEAST_BLOCK = 32  # rows


def take_rows(data: Batch, rows: Array) -> tuple[Array, Array]:
    """These rows of x and of y; `rows` may have any shape. The default mode would look for negative rows too."""
    x, y = (jnp.take(array, rows, axis=0, mode="clip") for array in data)
    return x, y


def row_bytes(data: Batch) -> int:
    """Bytes of one row of x and of y."""
    size: int = sum(array.size * array.dtype.itemsize for array in data) // len(data[0])
    return size


def steps_at_once(data: Batch, batch_size: int) -> int:
    """Steps whose rows fit CHUNK_BYTES, at least one."""
    return max(1, CHUNK_BYTES // (batch_size * row_bytes(data)))


def pieces(rows: int, batch_size: int, most: int) -> list[tuple[int, int, int]]:
    """An epoch as (chunks, steps of each, rows of each step).

    Whole chunks of `most` steps, then the steps that are left, then the partial batch; without what is empty.
    An epoch without rows is no chunk at all.
    """
    full, rest = divmod(rows, batch_size)
    chunks, left = divmod(full, most)
    every = [(chunks, most, batch_size), (1, left, batch_size), (1, 1, rest)]
    return [piece for piece in every if 0 not in piece] or [(0, most, batch_size)]


def block_count(data: Batch, rows: int) -> int:
    """Blocks of one batch of so many rows: 1, but of a wide one as many as leave CHUNK_BYTES each.

    A power of two that divides the rows: the blocks are equal, and dividing by their number rounds nothing.
    """
    size = rows * row_bytes(data)
    count = 1
    if size > WIDE_BYTES:
        while count * CHUNK_BYTES < size and rows % (2 * count) == 0 and rows // (2 * count) >= LEAST_BLOCK:
            count *= 2
    return count
