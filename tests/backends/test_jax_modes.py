"""The compiled JAX lanes: the same steps however many are gathered at once, from arguments of their own."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.interface import Backend, Trace
from samestep.backends.spec import SGD, Dtype, Linear, Loss, ReLU, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.measure import counters
from samestep.benchmarks.parity.certificate import certify_backend

jax_chunks = pytest.importorskip("samestep.backends.jax_chunks")

FEATURES, BATCH = 2, 10
WIDE = Synthetic(rows=700, held_out=5, features=600)
LANES = ["jax:tuned", "jax:fused"]


def line(rows: int, **changes: Any) -> Task:
    """One linear layer on so many rows."""
    fields: dict[str, Any] = {
        "name": "line",
        "dataset": Synthetic(rows=rows, held_out=5, features=FEATURES),
        "layers": (Linear(in_features=FEATURES, out_features=1),),
        "batch_size": BATCH,
        "epochs": 3,
    }
    return Task(**(fields | changes))


TASKS = {
    "plain": {},
    "float64": {"dtype": "float64"},
    "momentum": {"optimizer": SGD(learning_rate=0.01, momentum=0.9, dampening=0.3, weight_decay=0.01)},
    "layers": {
        "layers": (
            Linear(in_features=FEATURES, out_features=4),
            ReLU(),
            Linear(in_features=4, out_features=1),
        ),
        "loss": Loss(name="smooth_l1"),
    },
}


class Inputs:
    """Rows, a start, orders and learning rates of a task."""

    def __init__(self, task: Task) -> None:
        rng, rows = np.random.default_rng(3), task.dataset.model_dump()["rows"]
        self.task = task
        self.x, self.y = (rng.normal(size=(rows, n)).astype(task.dtype) for n in (FEATURES, 1))
        self.start = {
            name: rng.normal(size=shape).astype(task.dtype) for name, shape in task.parameters.items()
        }
        self.orders = [task.row_order(rows, epoch) for epoch in range(task.epochs)]
        self.rates = task.learning_rates(rows)

    def trained(self, lane: Backend) -> dict[str, np.ndarray]:
        """Parameters and buffers after all epochs, and every loss."""
        with lane.precision(self.task.dtype):
            data, state = (lane.put(self.x), lane.put(self.y)), lane.init(self.task, params=self.start)
            losses = []
            for order, rates in zip(self.orders, self.rates, strict=True):
                state, given = lane.epoch(state, data, order, self.task.batch_size, rates)
                losses.append([lane.get(loss) for loss in given])
            buffers = {f"buffer of {name}": value for name, value in lane.buffers(state).items()}
            return lane.params(state) | buffers | {"losses": np.array(losses)}

    def traced(self, lane: Backend) -> Trace:
        """The first epoch, step by step."""
        with lane.precision(self.task.dtype):
            data, state = (lane.put(self.x), lane.put(self.y)), lane.init(self.task, params=self.start)
            return lane.trace(state, data, self.orders[0], self.task.batch_size, self.rates[0])[1]


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], strict=True, err_msg=name)


SMALL = 4 * BATCH * (FEATURES + 1) * 4  # bytes of a chunk that holds four steps in float32 and two in float64


@cache
def lane_of(name: str, chunk_bytes: int) -> Backend:
    """A lane for one size of chunks, read when a program is traced; what it compiles serves all tests."""
    return backends.load(name)


def chunked(name: str) -> Backend:
    """The lane whose programs have chunks of the present size."""
    return lane_of(name, jax_chunks.CHUNK_BYTES)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_chunks, "CHUNK_BYTES", SMALL)


# fewer steps than a chunk, a chunk, several, not a multiple; with a partial batch, with it alone, with one batch
@pytest.mark.parametrize("rows", [5, 10, 25, 40, 43, 80, 110, 119])
def test_an_epoch_is_its_steps_wherever_a_chunk_ends(small_chunks: None, rows: int) -> None:
    inputs = Inputs(line(rows))
    assert_same_bits(inputs.trained(chunked("jax:fused")), inputs.trained(chunked("jax:tuned")))


@pytest.mark.parametrize("changes", TASKS.values(), ids=TASKS)
def test_every_kind_of_task_is_chunked_alike(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    inputs = Inputs(line(119, **changes))
    whole = inputs.trained(chunked("jax:fused"))
    monkeypatch.setattr(jax_chunks, "CHUNK_BYTES", SMALL)
    assert jax_chunks.steps_at_once((inputs.x, inputs.y), BATCH) in (2, 4)
    assert_same_bits(inputs.trained(chunked("jax:fused")), whole)
    assert_same_bits(inputs.trained(chunked("jax:tuned")), whole)
    assert {value.dtype for value in whole.values()} == {np.dtype(inputs.task.dtype)}


@pytest.mark.parametrize("changes", TASKS.values(), ids=TASKS)
def test_the_timed_program_is_the_traced_one(small_chunks: None, changes: dict[str, Any]) -> None:
    inputs = Inputs(line(119, epochs=1, **changes))
    lane = chunked("jax:fused")
    trained, trace = inputs.trained(lane), inputs.traced(lane)
    buffers = {f"buffer of {name}": values[-1] for name, values in trace.buffers.items()}
    ends = {name: values[-1] for name, values in trace.params.items()} | buffers
    assert_same_bits(trained, ends | {"losses": trace.losses[None]})
    assert all(len(values) == 12 for values in (trace.losses, *trace.gradients.values()))


def test_an_epoch_without_rows_changes_nothing() -> None:
    inputs, lane = Inputs(line(25)), backends.load("jax:fused")
    inputs.orders, inputs.rates = [np.arange(0)], np.ones((1, 0), np.float32)
    assert_same_bits(inputs.trained(lane), inputs.start | {"losses": np.empty((1, 0))})


@pytest.mark.parametrize("name", LANES)
def test_arguments_may_change_after_the_call(name: str) -> None:
    """JAX may read a NumPy array after the call, or keep it as the memory of its own."""
    inputs, lane = Inputs(line(4_000, epochs=1)), backends.load(name)
    wanted = inputs.trained(lane)
    with lane.precision("float32"):
        data = lane.put(inputs.x), lane.put(inputs.y)
        for _ in range(100):
            order, rates = inputs.orders[0].copy(), inputs.rates[0].copy()
            state = lane.init(inputs.task, params=inputs.start)
            state, losses = lane.epoch(state, data, order, BATCH, rates)
            order[...] = 0
            rates[...] = np.nan
            assert_same_bits(lane.params(state) | {"losses": np.array(losses)[None]}, wanted)


def test_the_calls_copy_what_they_are_given() -> None:
    from samestep.backends.jax_modes import step_inputs

    order, rates = np.arange(4), np.ones(2, np.float32)
    rows, learning_rates = step_inputs(order.astype(np.int32), 2, rates)
    assert rows.dtype == np.int32
    assert learning_rates.dtype == np.float32
    for copied, given in ((rows, order), (learning_rates, rates)):
        assert not np.shares_memory(copied, given)
        np.testing.assert_array_equal(copied, given)


@pytest.mark.parametrize("name", LANES)
def test_a_second_epoch_compiles_nothing(name: str) -> None:
    inputs, lane = Inputs(line(119, epochs=2)), backends.load(name)
    counters.watch_compilations()
    before = counters.compilations()
    inputs.trained(lane)
    once = counters.compilations()
    inputs.rates = inputs.rates / 2
    inputs.orders = inputs.orders[::-1]
    inputs.trained(lane)
    assert before < once == counters.compilations()


@pytest.mark.slow
@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize(
    ("loss", "dtype"),
    [(Loss(), "float32"), (Loss(name="huber", reduction="sum"), "float64")],
    ids=["mean", "sum"],
)
def test_a_wide_batch_is_taken_in_blocks_and_is_the_same_step(name: str, loss: Loss, dtype: Dtype) -> None:
    rate = 1e-6 if loss.reduction == "sum" else 1e-4
    task = line(700, dtype=dtype, loss=loss, batch_size=600, optimizer=SGD(learning_rate=rate, momentum=0.9))
    task = task.model_copy(
        update={"dataset": WIDE, "layers": (Linear(in_features=600, out_features=1),), "epochs": 1}
    )
    rows = np.ones((1, 600), dtype), np.ones((1, 1), dtype)
    assert [jax_chunks.block_count(rows, count) > 1 for count in (600, 100)] == [True, False]
    assert certify_backend(backends.load(name), task, datasets.load(WIDE)).status == "pass"


def test_the_mean_over_blocks_is_the_mean_over_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """On numbers whose sums are exact: blocks divide by a power of two, which rounds nothing."""
    task = line(512, batch_size=256, epochs=1, optimizer=SGD(learning_rate=2.0**-10))
    inputs = Inputs(task)
    inputs.x, inputs.y = (np.sign(array) for array in (inputs.x, inputs.y))
    inputs.start = {name: np.ones_like(value) for name, value in inputs.start.items()}
    whole = inputs.traced(backends.load("jax:fused"))
    monkeypatch.setattr(jax_chunks, "CHUNK_BYTES", 256 * 3)
    monkeypatch.setattr(jax_chunks, "WIDE_BYTES", 0)
    assert jax_chunks.block_count((inputs.x, inputs.y), 256) == 4
    blocks = inputs.traced(backends.load("jax:fused"))
    assert whole.losses[0] == blocks.losses[0]
    for name, value in whole.gradients.items():
        np.testing.assert_array_equal(value[0], blocks.gradients[name][0], err_msg=name)
