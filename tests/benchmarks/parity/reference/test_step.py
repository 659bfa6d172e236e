"""The reference against what it shares no code with: derivatives, the NumPy losses, torch's optimizer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from samestep.backends import numpy_losses
from samestep.backends.spec import SGD, Linear, Loss, Synthetic, Task
from samestep.benchmarks.parity import Workload
from samestep.benchmarks.parity.reference import WIDE, Reference
from samestep.benchmarks.parity.reference.elementwise_losses import ELEMENTWISE
from samestep.benchmarks.parity.reference.rowwise_losses import ROWS
from validation.drawn import TRAINING, cases, target

# compared off their kinks, where float64 and long double cannot fall on different sides
JUMPS = ("l1", "smooth_l1", "bce", "hinge_embedding", "multi_margin", "multilabel_margin")
WIDER = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant


def test_every_loss_that_trains_has_a_rule():
    assert set(ELEMENTWISE | ROWS) == set(TRAINING)


@settings(max_examples=60, deadline=None)
@given(cases(dtypes=("float64",)))
def test_losses_agree_with_the_numpy_backend(case):
    task, data = case
    workload = Workload.of(task, data)
    reference = Reference(task)
    batch = next(workload.batches())
    values = reference.forward(reference.widen(workload.start), batch.x.astype(reference.wide))
    y = batch.y.astype(reference.wide) if batch.y.dtype.kind == "f" else batch.y
    terms = reference.loss.terms(values[-1], y)
    prediction = values[-1].astype(np.float64)
    with np.errstate(all="ignore"):
        value, derivatives = numpy_losses.function(task.loss.name, task.loss.arguments)(prediction, batch.y)
    assume(task.loss.name != "bce")  # the last bit of 1 - x decides about it
    size = float(abs(terms.value).sum() / terms.divisor) + 1
    assert float(terms.value.sum() / terms.divisor) == pytest.approx(float(value), rel=1e-9, abs=1e-9 * size)
    if task.loss.name not in JUMPS:
        derivative = (terms.derivative / terms.divisor).astype(float)
        tolerance = 1e-9 * abs(derivative).max()
        np.testing.assert_allclose(derivative, derivatives["prediction"], rtol=1e-6, atol=tolerance)


@pytest.mark.parametrize("name", JUMPS)
def test_derivatives_that_jump_agree_off_their_kinks(name):
    rng = np.random.default_rng(0)
    options = {"smooth_l1": {"beta": 0.5}}.get(name, {})
    x = rng.uniform(0.05, 0.95, (20, 5))
    y = target(name, rng, 20, 5, 1.0, options)
    task = Task(
        name="off",
        dataset=Synthetic(rows=20, held_out=1, features=5),
        layers=(Linear(in_features=5, out_features=5),),
        loss=Loss(name=name, options=options),
        dtype="float64",
    )
    terms = Reference(task).loss.terms(x.astype(np.longdouble), y)
    value, derivatives = numpy_losses.function(name, task.loss.arguments)(x, y)
    np.testing.assert_allclose(float(terms.value.sum() / terms.divisor), value, rtol=1e-13)
    np.testing.assert_allclose(
        (terms.derivative / terms.divisor).astype(float), derivatives["prediction"], rtol=1e-13
    )


@pytest.mark.skipif(not WIDER, reason="numerical derivatives need a wider long double")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_gradients_are_the_derivatives_of_the_loss(data):
    smooth = tuple(
        name
        for name in TRAINING
        if "margin" not in name and name not in ("l1", "hinge_embedding", "smooth_l1")
    )
    task, rows = data.draw(cases(names=smooth, dtypes=("float64",)))
    kinked = [layer for layer in task.layers if layer.kind in ("relu", "leaky_relu")]
    assume(not kinked)
    workload, reference = Workload.of(task, rows), Reference(task)
    batch = next(workload.batches())
    rng = np.random.default_rng(0)
    params = {name: np.longdouble(rng.normal(size=shape) * 0.1) for name, shape in task.parameters.items()}
    x = batch.x / max(1.0, abs(batch.x).max())
    step = reference.step(params, {}, x, batch.y, 0.0, first=True)
    direction = {name: np.longdouble(rng.normal(size=shape)) for name, shape in task.parameters.items()}
    ends = []
    for side in (1, -1):
        moved = {name: theta + side * np.longdouble(1e-6) * direction[name] for name, theta in params.items()}
        ends.append(reference.step(moved, {}, x, batch.y, 0.0, first=True).loss)
    derivative = sum(float((step.gradients[name] * direction[name]).sum()) for name in params)
    size = sum(float(abs(step.gradients[name] * direction[name]).sum()) for name in params)
    assert float((ends[0] - ends[1]) / 2e-6) == pytest.approx(derivative, rel=1e-6, abs=1e-6 * (size + 1e-3))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
        {"weight_decay": 0.2, "maximize": True},
        {"momentum": 0.9, "maximize": True},
    ],
    ids=str,
)
def test_the_optimizer_is_torchs(options):
    torch = pytest.importorskip("torch")
    task = Task(
        name="sgd",
        dataset=Synthetic(rows=9, held_out=1, features=3),
        layers=(Linear(in_features=3, out_features=1),),
        optimizer=SGD(learning_rate=0.1, **options),
        dtype="float64",
    )
    rng = np.random.default_rng(0)
    reference = Reference(task)
    start = {name: rng.normal(size=shape) for name, shape in task.parameters.items()}
    theirs = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    optimizer = torch.optim.SGD(theirs.values(), lr=0.1, **options)
    params, buffers = reference.widen(start), {}
    for index in range(5):
        gradients = {name: rng.normal(size=value.shape) for name, value in start.items()}
        for name, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[name])
        optimizer.step()
        buffers, directions = reference.optimize(
            params, buffers, reference.widen(gradients), first=index == 0
        )
        params = {name: theta - np.longdouble(0.1) * directions[name] for name, theta in params.items()}
        for name, theta in params.items():
            np.testing.assert_allclose(theta.astype(float), theirs[name].detach().numpy(), rtol=1e-13)


def test_coefficients_are_those_of_the_dtype():
    def task(dtype):
        return Task(
            name="rounded",
            dataset=Synthetic(rows=9, held_out=1, features=3),
            layers=(Linear(in_features=3, out_features=1),),
            loss=Loss(name="huber", options={"delta": 0.1}),
            optimizer=SGD(momentum=0.9),
            dtype=dtype,
        )

    single, double = Reference(task("float32")), Reference(task("float64"))
    assert single.sgd.momentum == np.float64(np.float32(0.9)) != np.float64(0.9)
    assert double.sgd.momentum == np.longdouble(np.float64(0.9))
    derivative = single.loss.terms(np.full((1, 1), 5.0), np.zeros((1, 1))).derivative
    assert derivative.item() == np.float64(np.float32(0.1))
    assert single.wide is WIDE["float32"] is np.float64
