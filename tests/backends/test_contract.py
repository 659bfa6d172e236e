"""One contract over every lane that the registry names and this machine can run, those from outside too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import (
    SGD,
    Constant,
    Cosine,
    Initialization,
    Linear,
    Loss,
    Normal,
    ReLU,
    Synthetic,
    Task,
)
from samestep.benchmarks.parity import Workload
from samestep.benchmarks.parity.reference import (
    Arithmetic,
    Bounds,
    Errors,
    Magnitudes,
    Reference,
    ReferenceStep,
)
from samestep.benchmarks.parity.workload import ScheduledBatch
from tests.helpers.lanes import COMPILED, FRAMEWORKS, LANES, REGISTERED, has_float64, refuses

ROWS, FEATURES, BATCH = 25, 3, 10  # two full batches and a partial one of 5
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
    init=Initialization(weight=Normal(std=0.5)),
    loss=Loss(name="smooth_l1", options=(("beta", 0.5),)),
)
TASKS = {"plain": PLAIN, "momentum": MOMENTUM, "nesterov": NESTEROV, "deep": DEEP}
Arrays = dict[str, np.ndarray]


def numbers(spec: Task) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, FEATURES)).astype(spec.dtype)
    y = rng.normal(size=(ROWS, 1)).astype(spec.dtype)
    return x, y, {k: rng.normal(size=shape).astype(spec.dtype) for k, shape in spec.parameters.items()}


@pytest.fixture(params=REGISTERED, scope="module")
def lane(request: pytest.FixtureRequest) -> backends.Backend:
    """Each lane on the device of --device, the CPU by default; what it compiles serves all tests."""
    device = request.config.getoption("device")
    if device != "cpu" and device not in backends.lane_class(request.param).devices():
        pytest.skip(f"{request.param} has no {device} here")
    try:
        return backends.load(request.param, device)
    except backends.Unavailable as reason:  # a library that takes one backend for the life of a process
        pytest.skip(f"{request.param}: {reason}")


# --- what correct arithmetic may be off by: the bounds of parity ------------------------------------------------


def work(spec: Task, steps: int = 3) -> Workload:
    """The first steps of one epoch on the numbers above."""
    x, y, start = numbers(spec)
    order, rates = spec.row_order(ROWS, 0)[: steps * BATCH], spec.learning_rates(ROWS)[:1, :steps]
    return Workload(spec, x, y, (order,), rates, start)


def exact(
    spec: Task, params: Arrays, buffers: Arrays, batch: ScheduledBatch, *, first: bool = True
) -> tuple[ReferenceStep, Errors]:
    """One step in higher precision, and how far a correct one in the task's dtype may be from it."""
    reference = Reference(spec)
    arithmetic = Arithmetic.of(spec.dtype, reference.wide)
    wide, wide_buffers = reference.widen(params), reference.widen(buffers)
    step = reference.step(wide, wide_buffers, batch.x, batch.y, batch.learning_rate, first=first)
    bounds = Bounds(reference, arithmetic, step, Magnitudes(step, wide, arithmetic.tiny))
    return step, bounds.errors({}, batch.learning_rate, first=first)


def distances(done: Workload) -> tuple[Arrays, Arrays]:
    """How far two correct runs of one Linear layer under MSE may end from each other: parameters, buffers.

    To first order in the unit roundoff. A step adds its own error bound, twice, to the distance between the two,
    which it maps to dg = (2/B) |Z|^T |Z| dtheta + decay dtheta, db = momentum db + (1 - dampening) dg and
    dtheta + h db, with Z = [X 1].
    """
    o, params = done.task.optimizer, done.start
    buffers: dict[str, np.ndarray] = {}
    params_off, buffers_off = (
        {name: np.zeros(value.shape) for name, value in done.start.items()} for _ in range(2)
    )
    for index, batch in enumerate(done.batches()):
        step, errors = exact(done.task, params, buffers, batch, first=index == 0)
        z = np.abs(np.column_stack([batch.x, np.ones(len(batch.x))]))
        moved = 2 / len(z) * z.T @ z @ np.vstack([params_off["0.weight"], params_off["0.bias"]])
        for name, slope in zip(("0.weight", "0.bias"), (moved[:-1], moved[-1]), strict=True):
            buffers_off[name] = o.momentum * buffers_off[name] + (1 - o.dampening) * (
                slope + o.weight_decay * params_off[name]
            )
            params_off[name] = (
                params_off[name] + batch.learning_rate * buffers_off[name] + 2 * errors.params[name]
            )
            buffers_off[name] = buffers_off[name] + 2 * errors.buffers[name]
        params, buffers = step.params, step.buffers
    return params_off, buffers_off


def assert_within(got: Arrays, want: Arrays, allowed: Arrays) -> None:
    assert set(got) == set(want)
    for name, value in got.items():
        off = np.abs(value.astype(np.longdouble) - want[name])
        assert (off <= allowed[name]).all(), f"{name}: off by {off}, {allowed[name]} allowed"


# --- data -----------------------------------------------------------------------------------------------------


def test_put_and_get_keep_values_dtype_and_ownership(lane: backends.Backend) -> None:
    wide = "float64" if has_float64(lane) else "float32"
    for dtype in ("float32", wide, "int64"):
        with lane.precision(wide):
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
    order = PLAIN.row_order(ROWS, epoch=1)
    with lane.precision("float32"):
        data = lane.put(x), lane.put(y)
        pairs = [(lane.get(a), lane.get(b)) for a, b in lane.batches(data, order, batch_size)]
    assert [len(a) for a, _ in pairs] == [min(batch_size, ROWS - i) for i in range(0, ROWS, batch_size)]
    np.testing.assert_array_equal(np.concatenate([a for a, _ in pairs]), x[order])
    np.testing.assert_array_equal(np.concatenate([b for _, b in pairs]), y[order])


@pytest.mark.parametrize("rates", [-1, 1])
def test_another_number_of_learning_rates_than_batches_is_refused(lane: backends.Backend, rates: int) -> None:
    x, y, start = numbers(PLAIN)
    order, rate = PLAIN.row_order(ROWS, 0), np.float32(PLAIN.optimizer.learning_rate)
    given = np.full(-(-ROWS // BATCH) + rates, rate)
    with lane.precision("float32"):
        state, data = lane.init(PLAIN, params=start), (lane.put(x), lane.put(y))
        with pytest.raises(ValueError, match=r"learning rates for|zip\(\) argument"):
            lane.epoch(state, data, order, BATCH, given)


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


# --- parameters -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_given_values_are_kept_bit_for_bit_in_one_orientation(lane: backends.Backend) -> None:
    """A square weight that is not symmetric shows a transposition, inside the lane too."""
    square = task(layers=(Linear(in_features=3, out_features=3), Linear(in_features=3, out_features=1)))
    x, y, start = numbers(square)
    given = deepcopy(start)
    if refuses(lane, square):
        return
    with lane.precision("float32"):
        state = lane.init(square, params=start)
        first = lane.params(state)
        for value in (*start.values(), *first.values()):
            value[...] = 7  # both are copies, not views
        kept = lane.params(state)
        output = lane.get(lane.predict(state, lane.put(x)))
    assert list(kept) == list(given)
    for name, value in given.items():
        np.testing.assert_array_equal(kept[name], value, strict=True)
    by_hand = x.astype(float)
    for weight, bias in (("0.weight", "0.bias"), ("1.weight", "1.bias")):
        by_hand = by_hand @ given[weight].astype(float) + given[bias]
    _, errors = exact(square, given, {}, ScheduledBatch(np.arange(ROWS), x, y, learning_rate=0.0))
    assert_within({"output": output}, {"output": by_hand}, {"output": errors.prediction})


def test_native_initializers_are_seeded_by_the_task(lane: backends.Backend) -> None:
    with lane.precision("float32"):
        values = [
            lane.params(lane.init(task(seed=seed, init=Initialization(bias=Constant(value=2.0)))))
            for seed in (1, 1, 2)
        ]
    assert (values[0]["0.weight"] == values[1]["0.weight"]).all()
    assert (values[0]["0.weight"] != values[2]["0.weight"]).any()
    assert (values[0]["0.bias"] == 2.0).all()


# --- training -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_verbs_agree_with_one_another(lane: backends.Backend) -> None:
    """`step` is forward_backward and update; `epoch` is its steps; `trace` tells what `epoch` did."""
    done = work(MOMENTUM)
    if refuses(lane, MOMENTUM):
        return
    (order,), (rates,), start = done.orders, done.learning_rates, done.start
    with lane.precision("float32"):
        data = lane.put(done.x), lane.put(done.y)
        by_verbs = lane.init(MOMENTUM, params=start)
        for batch, rate in zip(lane.batches(data, order, BATCH), rates.tolist(), strict=True):
            _, gradients = lane.forward_backward(by_verbs, batch)
            by_verbs = lane.update(by_verbs, gradients, rate)
        by_step = lane.init(MOMENTUM, params=start)
        for batch, rate in zip(lane.batches(data, order, BATCH), rates.tolist(), strict=True):
            by_step, _ = lane.step(by_step, batch, rate)
        by_epoch, losses = lane.epoch(lane.init(MOMENTUM, params=start), data, order, BATCH, rates)
        lane.sync((by_epoch, losses))
        by_trace, trace = lane.trace(lane.init(MOMENTUM, params=start), data, order, BATCH, rates)
        ends = [(lane.params(end), lane.buffers(end)) for end in (by_verbs, by_step, by_epoch, by_trace)]
    allowed = distances(done)
    for end in ends:
        for got, recorded, far in zip(end, (trace.params, trace.buffers), allowed, strict=True):
            assert_within(got, {name: values[-1] for name, values in recorded.items()}, far)
    assert trace.losses.shape == (3,)
    if trace.gradients:  # those that never form one show none
        assert trace.gradients["0.weight"].shape == (3, FEATURES, 1)


def calls() -> Iterator[tuple[str, str, str]]:
    """Lane, task and dtype; one dtype is enough for the compiled programs of the longer tasks."""
    for name in REGISTERED:
        for declared in TASKS:
            short = declared == "plain" or backends.lane_class(name).traits.compiled == "no"
            for dtype in ("float64", "float32") if short else ("float64",):
                yield name, declared, dtype


@pytest.mark.slow
@pytest.mark.parametrize(("lane", "name", "dtype"), list(calls()), indirect=["lane"])
def test_every_lane_takes_the_steps_of_the_numpy_lane(lane: backends.Backend, name: str, dtype: str) -> None:
    """Each step against the NumPy lane's from where this lane stood: both may be off by one bound."""
    done, numpy = work(TASKS[name].model_copy(update={"dtype": dtype})), backends.load("numpy")
    spec, (order,), (rates,) = done.task, done.orders, done.learning_rates
    if refuses(lane, spec) or (dtype == "float64" and not has_float64(lane)):
        return
    with lane.precision(dtype):
        data = lane.put(done.x), lane.put(done.y)
        _, ours = lane.trace(lane.init(spec, params=done.start), data, order, BATCH, rates)
    assert ours.losses.dtype == dtype
    assert list(ours.params) == list(spec.parameters)  # one order of names everywhere
    assert list(ours.buffers) == (list(spec.parameters) if spec.optimizer.momentum else [])
    tables = {"params": ours.params, "buffers": ours.buffers}
    if ours.gradients or (lane.tier == "documented" and lane.framework in FRAMEWORKS):
        tables["gradients"] = ours.gradients
    params, buffers = done.start, None
    for index, batch in enumerate(done.batches()):
        _, errors = exact(spec, params, buffers or {}, batch, first=index == 0)
        begun = numpy.init(spec, params=params, buffers=buffers)
        _, theirs = numpy.trace(begun, (done.x, done.y), batch.rows, BATCH, rates[index : index + 1])
        assert abs(ours.losses[index] - theirs.losses[0]) <= 2 * errors.loss
        for quantity, table in tables.items():
            got = {key: values[index] for key, values in table.items()}
            want = {key: values[0] for key, values in getattr(theirs, quantity).items()}
            assert {str(value.dtype) for value in got.values()} <= {dtype}
            assert_within(got, want, {key: 2 * bound for key, bound in getattr(errors, quantity).items()})
        params, buffers = (
            {key: values[index] for key, values in t.items()} for t in list(tables.values())[:2]
        )


@pytest.mark.slow
def test_given_buffers_are_continued_from(lane: backends.Backend) -> None:
    """Two steps in one run equal one step, then another from the values and buffers it left."""
    done = work(MOMENTUM, steps=2)
    if refuses(lane, MOMENTUM):
        return
    (order,), (rates,), start = done.orders, done.learning_rates, done.start
    with lane.precision("float32"):
        data = lane.put(done.x), lane.put(done.y)
        whole, _ = lane.epoch(lane.init(MOMENTUM, params=start), data, order, BATCH, rates)
        half, _ = lane.epoch(lane.init(MOMENTUM, params=start), data, order[:BATCH], BATCH, rates[:1])
        again = lane.init(MOMENTUM, params=lane.params(half), buffers=lane.buffers(half))
        again, _ = lane.epoch(again, data, order[BATCH:], BATCH, rates[1:])
        ends = [(lane.params(end), lane.buffers(end)) for end in (whole, again)]
    for one, other, far in zip(*ends, distances(done), strict=True):
        assert_within(other, one, far)


def test_numpy_gradients_agree_with_finite_differences() -> None:
    """The loss is a parabola in each parameter by itself, away from kinks: a central difference is exact but for
    the rounding of its two losses."""
    spec = DEEP.model_copy(update={"dtype": "float64"})
    x, y, start = numbers(spec)
    lane = backends.load("numpy")

    def loss(values: Arrays) -> float:
        return float(lane.forward_backward(lane.init(spec, params=values), (x, y))[0])

    gradients = lane.gradients(lane.forward_backward(lane.init(spec, params=start), (x, y))[1])
    _, errors = exact(spec, start, {}, ScheduledBatch(np.arange(ROWS), x, y, learning_rate=0.0))
    for name, value in start.items():
        for index in np.ndindex(value.shape):
            up, down = deepcopy(start), deepcopy(start)
            up[name][index] += 2.0**-20
            down[name][index] -= 2.0**-20
            width = up[name][index] - down[name][index]
            slope = (loss(up) - loss(down)) / width
            allowed = errors.gradients[name][index] + 2 * errors.loss / width
            assert abs(gradients[name][index] - slope) <= allowed, (name, index)


@pytest.mark.parametrize("lane", [name for name in LANES if name.startswith("jax")], indirect=True)
def test_jax_waits_for_every_array_of_a_state(lane: backends.Backend) -> None:
    """`sync` is block_until_ready of a pytree: what training changes must be leaves of the state."""
    import jax

    with lane.precision("float32"):
        state = lane.init(MOMENTUM, params=numbers(MOMENTUM)[2])
        leaves = jax.tree.leaves(state)
        values = [*lane.params(state).values(), *lane.buffers(state).values()]
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    assert len(values) == 4
    shapes = [leaf.shape for leaf in leaves]
    for value in values:
        shapes.remove(value.shape)  # a ValueError if it is no leaf


# --- what is said of the code ---------------------------------------------------------------------------------


SECTIONS = {
    "backend": ["data", "model", "initialization", "loss", "optimizer", "training step"],
    "losses": ["reduction", "regression", "classes", "probabilities", "labels -1 and 1", "the table"],
    "modes": ["tuned", "compiled", "fused", "TF32"],
}


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("kind", SECTIONS)
def test_the_three_translations_have_the_same_sections_in_the_same_order(kind: str, framework: str) -> None:
    """Every backend has all its sections; where a framework does the work itself, the other files lack some."""
    text = (Path(backends.__file__).parent / f"{framework}_{kind}.py").read_text(encoding="utf-8")
    sections = re.findall(r"^# --- (.+?) -+$", text, re.MULTILINE)
    wanted = SECTIONS[kind]
    assert sections
    assert sections == [section for section in wanted if section in sections or kind == "backend"]


def free_functions(framework: str, kind: str) -> set[str]:
    """The public functions of a file, outside of classes."""
    tree = ast.parse((Path(backends.__file__).parent / f"{framework}_{kind}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_free_functions_that_do_the_same_have_one_name() -> None:
    for kind, names in (("backend", {"draw", "draw_one", "loss_function"}), ("losses", {"function"})):
        for framework in ("numpy", "torch", "jax"):
            assert names <= free_functions(framework, kind), (framework, kind)
    for framework in ("torch", "jax"):
        assert {"build", "build_layer", "sgd"} <= free_functions(framework, "backend")
        assert "programs" in free_functions(framework, "programs")
    assert {"loss_and_gradient"} <= set.intersection(
        *(free_functions(framework, "losses") for framework in ("numpy", "torch", "jax"))
    )


def test_compiled_lanes_are_named_here() -> None:
    assert set(backends.names()) >= COMPILED
