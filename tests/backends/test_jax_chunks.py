"""How the rows of an epoch are divided: none left out, none twice, and no more at once than a chunk holds."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax")
jax_chunks = pytest.importorskip("samestep.backends.jax_chunks")


def data(features: int, outputs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((4, features), np.float32), np.ones((4, outputs), np.float32)


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 30, 39, 40, 70, 79, 80, 81, 119])
@pytest.mark.parametrize("most", [1, 4, 100])
def test_the_pieces_of_an_epoch_are_its_steps(rows: int, most: int) -> None:
    pieces = jax_chunks.pieces(rows, 10, most)
    sizes = [size for chunks, steps, size in pieces for _ in range(chunks * steps)]
    assert sizes == [min(10, rows - start) for start in range(0, rows, 10)]
    assert all(steps <= most for _, steps, _ in pieces)
    assert all(number > 0 for piece in pieces for number in piece)


@pytest.mark.parametrize(("features", "batch_size"), [(2, 10), (61, 64), (512, 100)])
def test_a_chunk_holds_as_many_steps_as_fit(features: int, batch_size: int) -> None:
    given = data(features)
    step = batch_size * (given[0][:1].nbytes + given[1][:1].nbytes)
    steps = jax_chunks.steps_at_once(given, batch_size)
    assert steps * step <= jax_chunks.CHUNK_BYTES < (steps + 1) * step


def test_a_batch_beyond_a_chunk_is_a_chunk() -> None:
    assert jax_chunks.steps_at_once(data(512), 1_024) == 1


def test_a_chunk_counts_the_targets() -> None:
    assert jax_chunks.steps_at_once(data(2, outputs=30), 10) == jax_chunks.CHUNK_BYTES // (10 * 32 * 4)


@pytest.mark.parametrize(
    ("rows", "count"), [(1_024, 16), (848, 16), (1_000, 8), (511, 1), (768, 16), (64, 1)]
)
def test_a_wide_batch_is_taken_in_equal_blocks(rows: int, count: int) -> None:
    given = data(1_000)
    assert jax_chunks.block_count(given, rows) == count
    assert rows % count == 0
    if rows == 1_024:
        assert rows // count * jax_chunks.row_bytes(given) <= jax_chunks.CHUNK_BYTES


def test_blocks_are_of_no_fewer_rows_than_pay() -> None:
    assert jax_chunks.block_count(data(20_000), 1_024) == 1_024 // jax_chunks.LEAST_BLOCK
    assert jax_chunks.block_count(data(20_000), 48) == 1
