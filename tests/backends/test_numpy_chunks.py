"""Many steps from one chunk, and wide batches in blocks: the same steps, whatever is gathered at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samestep.backends import numpy_chunks
from samestep.backends.interface import Backend, Trace
from samestep.backends.numpy_chunks import BLOCK_BYTES, CHUNK_BYTES, WIDE_BYTES, BatchRows, Chunk, most_steps
from samestep.backends.numpy_modes import NumpyFused, NumpyTuned
from samestep.backends.spec import SGD, Linear, Loss, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.parity.certificate import certify_backend

WIDE = Synthetic(rows=1_300, held_out=5, features=600)


def line(rows: int, *, features: int = 2, outputs: int = 1, batch_size: int = 10, **changes: Any) -> Task:
    """One linear layer on so many rows."""
    fields: dict[str, Any] = {
        "name": "line",
        "dataset": Synthetic(rows=rows, held_out=5, features=features),
        "layers": (Linear(in_features=features, out_features=outputs),),
        "batch_size": batch_size,
        "epochs": 1,
    }
    return Task(**(fields | changes))


def drawn(task: Task, rows: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    sizes = task.parameters["0.weight"]
    x, y = (rng.normal(size=(rows, size)).astype(task.dtype) for size in sizes)
    return x, y, {name: rng.normal(size=shape).astype(task.dtype) for name, shape in task.parameters.items()}


def traced(lane: Backend, task: Task, rows: int) -> Trace:
    x, y, start = drawn(task, rows)
    order, rates = task.row_order(rows, 0), task.learning_rates(rows)[0]
    return lane.trace(lane.init(task, params=start), (x, y), order, task.batch_size, rates)[1]


@pytest.mark.parametrize(("features", "outputs", "batch_size"), [(2, 1, 10), (10, 3, 32), (61, 10, 8)])
def test_a_chunk_fits_its_bytes(features: int, outputs: int, batch_size: int) -> None:
    x, y = np.ones((50, features), np.float32), np.ones((50, outputs), np.float32)
    steps = most_steps((x, y), batch_size)
    chunk = Chunk(steps, batch_size, x, y)
    arrays = (chunk.gathered, chunk.rows, chunk.scaled, chunk.targets, chunk.errors, chunk.thetas[1:])
    total = sum(array.nbytes for array in arrays)
    assert CHUNK_BYTES - total // steps <= total <= CHUNK_BYTES
    assert most_steps((np.ones((1, 20_000), np.float32), y), batch_size) == 0


@pytest.mark.parametrize("features", [2, 40, 60, 90])
def test_both_dtypes_take_the_same_form(features: int) -> None:
    """Else the proof in float64 would be of another program than the one that is timed."""
    task = line(100, features=features, batch_size=32)
    shown = [
        bool(traced(NumpyFused(), task.model_copy(update={"dtype": dtype}), 100).gradients)
        for dtype in ("float64", "float32")
    ]
    assert shown == [features == 90] * 2
    certificate = certify_backend(NumpyFused(), task, datasets.load(task.dataset))
    assert certificate.status == "pass", certificate.reason


@pytest.mark.parametrize("loss", [Loss(), Loss(reduction="sum")], ids=["mean", "sum"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_steps_are_the_same_bits_however_many_are_gathered_at_once(
    loss: Loss, outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = line(1_234, outputs=outputs, loss=loss, optimizer=SGD(learning_rate=1e-3))
    whole = traced(NumpyFused(), task, 1_234)
    monkeypatch.setattr(numpy_chunks, "CHUNK_BYTES", 1 << 13)
    parts = traced(NumpyFused(), task, 1_234)
    x, y, _ = drawn(task, 1_234)
    assert 0 < most_steps((x, y), task.batch_size) < 50
    assert len(whole.losses) == 124  # the last of them partial
    for one, other in zip(
        (whole.losses, *whole.params.values()), (parts.losses, *parts.params.values()), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert whole.gradients == {}  # none is formed by itself


def test_the_timed_program_is_the_traced_one() -> None:
    task, lane = line(1_234), NumpyFused()
    x, y, start = drawn(task, 1_234)
    order, rates = task.row_order(1_234, 0), task.learning_rates(1_234)[0]
    trace = traced(lane, task, 1_234)
    state, losses = lane.epoch(lane.init(task, params=start), (x, y), order, task.batch_size, rates)
    np.testing.assert_array_equal(losses, trace.losses, strict=True)
    for name, value in lane.params(state).items():
        np.testing.assert_array_equal(value, trace.params[name][-1], strict=True)


@pytest.mark.parametrize("learning_rate", [0.0, 0.03])
def test_every_step_has_its_own_learning_rate(learning_rate: float) -> None:
    task = line(25)
    x, y, start = drawn(task, 25)
    rates = np.array([learning_rate, 0.0, 0.0], np.float32)
    lane = NumpyFused()
    _, trace = lane.trace(lane.init(task, params=start), (x, y), np.arange(25), 10, rates)
    moved = [
        (np.diff(values, axis=0, prepend=start[name][None]) != 0).any()
        for name, values in trace.params.items()
    ]
    assert moved == [learning_rate > 0] * 2
    assert (trace.params["0.weight"][0] == trace.params["0.weight"][2]).all()


@pytest.mark.parametrize("lane", [NumpyTuned, NumpyFused])
@pytest.mark.parametrize("optimizer", [SGD(learning_rate=1e-4), SGD(learning_rate=1e-4, momentum=0.9)])
def test_a_wide_batch_is_taken_in_blocks_and_is_the_same_step(lane: type[Backend], optimizer: SGD) -> None:
    task = line(1_300, features=600, batch_size=600, optimizer=optimizer).model_copy(update={"dataset": WIDE})
    x, y, _ = drawn(task, 1_300)
    batches = list(lane().batches((x, y), np.arange(1_300), 600))
    assert all(isinstance(batch, BatchRows) for batch, _ in batches)
    assert [len(batch) for batch, _ in batches] == [600, 600, 100]
    assert x[:600].nbytes > WIDE_BYTES
    assert max(block.nbytes for _, block in batches[0][0].blocks()) <= BLOCK_BYTES
    assert certify_backend(lane(), task, datasets.load(WIDE)).status == "pass"


def test_a_wide_batch_under_another_loss_is_gathered_whole() -> None:
    loss = Loss(name="smooth_l1", options=(("beta", 0.5),))
    task = line(1_300, features=600, batch_size=600, loss=loss).model_copy(update={"dataset": WIDE})
    assert certify_backend(NumpyTuned(), task, datasets.load(WIDE)).status == "pass"


def test_gradients_that_come_from_elsewhere_are_taken_as_they_are() -> None:
    task, lane = line(25, optimizer=SGD(learning_rate=0.5, momentum=0.9)), NumpyTuned()
    x, y, start = drawn(task, 25)
    ends = []
    for copied in (False, True):
        state = lane.init(task, params=start)
        _, gradients = lane.forward_backward(state, (x, y))
        given = {name: value.copy() for name, value in gradients.items()} if copied else gradients
        if copied:
            gradients["0.weight"][...] = 7
        state = lane.update(state, given, 0.5)
        ends.append({**lane.params(state), **{f"buffer of {n}": b for n, b in lane.buffers(state).items()}})
    assert list(ends[0]) == ["0.weight", "0.bias", "buffer of 0.weight", "buffer of 0.bias"]
    for name, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][name])
