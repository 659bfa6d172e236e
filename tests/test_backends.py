"""One contract over every lane that the registry names and this machine can run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends.spec import SGD, Constant, Cosine, Initialisation, Linear, Loss, Normal, ReLU, Synthetic, Task
from tests.conftest import COMPILED, LANES

ROWS, FEATURES = 25, 3  # with batch 10: two full batches and a partial one of 5
DATA = Synthetic(rows=ROWS, held_out=5, features=FEATURES)


def task(**changes: Any) -> Task:
    """A small task with a partial last batch."""
    base: dict[str, Any] = {
        "name": "contract",
        "dataset": DATA,
        "layers": (Linear(in_features=FEATURES, out_features=1),),
    }
    return Task(**(base | changes))


PLAIN = task()
MOMENTUM = task(optimizer=SGD(momentum=0.9, dampening=0.3, weight_decay=0.01, schedule=Cosine(final=0.001)))
NESTEROV = task(optimizer=SGD(momentum=0.9, nesterov=True, maximize=True, learning_rate=0.001))
DEEP = task(
    layers=(Linear(in_features=FEATURES, out_features=4), ReLU(), Linear(in_features=4, out_features=1)),
    init=Initialisation(weight=Normal(std=0.5)),
    loss=Loss(name="smooth_l1", options={"beta": 0.5}),
)
TASKS = {"plain": PLAIN, "momentum": MOMENTUM, "nesterov": NESTEROV, "deep": DEEP}


def numbers(spec: Task) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, FEATURES)).astype(spec.dtype)
    y = rng.normal(size=(ROWS, 1)).astype(spec.dtype)
    return x, y, {k: rng.normal(size=shape).astype(spec.dtype) for k, shape in spec.parameters.items()}


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> backends.Backend:
    """Each lane on the device of --device, the CPU by default."""
    device = request.config.getoption("device")
    if device != "cpu" and device not in backends.lane_class(request.param).devices():
        pytest.skip(f"{request.param} has no {device} here")
    return backends.load(request.param, device)


def unit(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2


def test_put_and_get_keep_values_dtype_and_ownership(lane: backends.Backend) -> None:
    for dtype in ("float32", "float64", "int64"):
        with lane.precision("float64"):
            given = np.arange(6).reshape(3, 2).astype(dtype)
            placed = lane.put(given)
            given[:] = -1  # the device's copy is its own
            first = lane.get(placed)
            first[:] = 7  # and so is the host's
            second = lane.get(placed)
        assert second.dtype == dtype
        assert second.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_device_that_would_narrow_float64_refuses(lane: backends.Backend) -> None:
    with lane.precision("float32"):
        if lane.framework == "jax":
            with pytest.raises(TypeError, match="float64"):
                lane.put(np.ones(2))
        else:
            assert lane.get(lane.put(np.ones(2))).dtype == np.float64


@pytest.mark.parametrize("batch_size", [1, 7, 10, 25, 40])
def test_batches_follow_the_order_and_keep_the_partial_one(lane: backends.Backend, batch_size: int) -> None:
    x, y, _ = numbers(PLAIN)
    order = PLAIN.order(ROWS, epoch=1)
    with lane.precision("float32"):
        data = lane.put(x), lane.put(y)
        pairs = [(lane.get(a), lane.get(b)) for a, b in lane.batches(data, order, batch_size)]
    assert [len(a) for a, _ in pairs] == [min(batch_size, ROWS - i) for i in range(0, ROWS, batch_size)]
    np.testing.assert_array_equal(np.concatenate([a for a, _ in pairs]), x[order])
    np.testing.assert_array_equal(np.concatenate([b for _, b in pairs]), y[order])


def test_the_native_shuffler_covers_every_row_once_paired_and_differs_by_seed(lane: backends.Backend) -> None:
    x = np.arange(ROWS, dtype=np.float32)[:, None]
    with lane.precision("float32"):
        data = lane.put(x), lane.put(-x)
        epochs = [[(lane.get(a), lane.get(b)) for a, b in lane.shuffled(data, 10, seed)] for seed in (1, 2)]
    flat = [np.concatenate([a for a, _ in epoch])[:, 0] for epoch in epochs]
    for epoch, rows in zip(epochs, flat, strict=True):
        assert sorted(rows) == list(range(ROWS))
        assert all((a == -b).all() for a, b in epoch)
        assert len(epoch) == 3
    assert (flat[0] != flat[1]).any()
    assert (flat[0] != np.arange(ROWS)).any()


def test_given_values_are_kept_bit_for_bit_in_one_orientation(lane: backends.Backend) -> None:
    square = task(layers=(Linear(in_features=3, out_features=3), Linear(in_features=3, out_features=1)))
    _, _, start = numbers(square)  # a square weight that is not symmetric would show a transposition
    with lane.precision("float32"):
        state = lane.init(square, params=start)
        kept = lane.params(state)
        x = np.eye(3, dtype=np.float32)
        output = lane.get(lane.predict(state, lane.put(x)))
        start["0.weight"][:] = 0  # copied, not borrowed
        assert lane.params(state)["0.weight"].any()
    for name, value in kept.items():
        assert value.dtype == np.float32
        if name != "0.weight":
            np.testing.assert_array_equal(value, start[name])
    exact = (x @ kept["0.weight"] + kept["0.bias"]) @ kept["1.weight"] + kept["1.bias"]
    np.testing.assert_allclose(output, exact, rtol=64 * unit("float32"), atol=64 * unit("float32"))


def test_native_initialisers_are_seeded_by_the_task(lane: backends.Backend) -> None:
    with lane.precision("float32"):
        values = [
            lane.params(lane.init(task(seed=seed, init=Initialisation(bias=Constant(value=2.0)))))
            for seed in (1, 1, 2)
        ]
    assert (values[0]["0.weight"] == values[1]["0.weight"]).all()
    assert (values[0]["0.weight"] != values[2]["0.weight"]).any()
    assert (values[0]["0.bias"] == 2.0).all()


def test_the_verbs_agree_with_one_another(lane: backends.Backend) -> None:
    """`step` is forward_backward and update; `epoch` is its steps; `trace` tells what `epoch` did."""
    x, y, start = numbers(MOMENTUM)
    order, rates = MOMENTUM.order(ROWS, 0), MOMENTUM.learning_rates(ROWS)[0]
    with lane.precision("float32"):
        data = lane.put(x), lane.put(y)
        by_verbs = lane.init(MOMENTUM, params=start)
        for batch, rate in zip(lane.batches(data, order, 10), rates.tolist(), strict=True):
            _, gradients = lane.forward_backward(by_verbs, batch)
            by_verbs = lane.update(by_verbs, gradients, rate)
        by_step = lane.init(MOMENTUM, params=start)
        for batch, rate in zip(lane.batches(data, order, 10), rates.tolist(), strict=True):
            by_step, _ = lane.step(by_step, batch, rate)
        by_epoch, losses = lane.epoch(lane.init(MOMENTUM, params=start), data, order, 10, rates)
        lane.sync((by_epoch, losses))
        by_trace, trace = lane.trace(lane.init(MOMENTUM, params=start), data, order, 10, rates)
        ends = [lane.params(s) for s in (by_verbs, by_step, by_epoch, by_trace)]
        kept = lane.buffers(by_epoch)
    for end in ends:
        for name, value in end.items():
            np.testing.assert_allclose(value, trace.params[name][-1], rtol=0, atol=100 * unit("float32"))
    np.testing.assert_allclose(
        kept["0.weight"], trace.buffers["0.weight"][-1], rtol=0, atol=200 * unit("float32")
    )
    assert trace.losses.shape == (3,)
    assert trace.gradients["0.weight"].shape == (3, FEATURES, 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TASKS)
def test_every_lane_takes_the_steps_of_the_numpy_lane(lane: backends.Backend, name: str, dtype: str) -> None:
    if type(lane).traits.compiled != "no" and dtype == "float32" and name != "plain":
        dtype = "float64"  # one dtype is enough for the compiled programs of the longer tasks
    spec = TASKS[name].model_copy(update={"dtype": dtype})
    x, y, start = numbers(spec)
    order, rates = spec.order(ROWS, 0), spec.learning_rates(ROWS)[0]
    traces = []
    for each in (lane, backends.load("numpy")):
        with each.precision(dtype):
            data = each.put(x), each.put(y)
            _, trace = each.trace(each.init(spec, params=start), data, order, 10, rates)
        traces.append(trace)
    ours, numpy = traces
    assert list(ours.params) == list(spec.parameters)  # one order of names everywhere
    # three steps of about 2 (B + d) operations on values of order 1 to 10
    tolerance = 3 * 2 * (10 + FEATURES) * 10 * unit(dtype)
    np.testing.assert_allclose(ours.losses, numpy.losses, rtol=tolerance)
    for name in spec.parameters:
        assert ours.params[name].dtype == dtype
        np.testing.assert_allclose(ours.params[name], numpy.params[name], rtol=0, atol=tolerance)
        np.testing.assert_allclose(ours.gradients[name], numpy.gradients[name], rtol=0, atol=10 * tolerance)
    assert set(ours.buffers) == set(numpy.buffers)
    for name, value in numpy.buffers.items():
        np.testing.assert_allclose(ours.buffers[name], value, rtol=0, atol=10 * tolerance)


def test_given_buffers_are_continued_from(lane: backends.Backend) -> None:
    """Two steps in one run equal one step, then another from the values and buffers it left."""
    x, y, start = numbers(MOMENTUM)
    order, rates = MOMENTUM.order(ROWS, 0)[:20], MOMENTUM.learning_rates(ROWS)[0][:2]
    with lane.precision("float32"):
        data = lane.put(x), lane.put(y)
        whole, _ = lane.epoch(lane.init(MOMENTUM, params=start), data, order, 10, rates)
        half, _ = lane.epoch(lane.init(MOMENTUM, params=start), data, order[:10], 10, rates[:1])
        again = lane.init(MOMENTUM, params=lane.params(half), buffers=lane.buffers(half))
        again, _ = lane.epoch(again, data, order[10:], 10, rates[1:])
        first, second = lane.params(whole), lane.params(again)
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, rtol=0, atol=20 * unit("float32"))


def test_numpy_gradients_agree_with_finite_differences() -> None:
    spec = DEEP.model_copy(update={"dtype": "float64"})
    x, y, start = numbers(spec)
    lane = backends.load("numpy")

    def loss(values: dict[str, np.ndarray]) -> float:
        return float(lane.forward_backward(lane.init(spec, params=values), (x, y))[0])

    gradients = lane.gradients(lane.forward_backward(lane.init(spec, params=start), (x, y))[1])
    h = 1e-6  # central differences: error h^2 for truncation and u/h for rounding, both near 1e-10
    for name, value in start.items():
        for index in np.ndindex(value.shape):
            up, down = ({k: v.copy() for k, v in start.items()} for _ in range(2))
            up[name][index] += h
            down[name][index] -= h
            slope = (loss(up) - loss(down)) / (2 * h)
            assert gradients[name][index] == pytest.approx(slope, abs=1e-8)


def test_compiled_lanes_are_named_here() -> None:
    assert set(backends.names()) >= COMPILED
