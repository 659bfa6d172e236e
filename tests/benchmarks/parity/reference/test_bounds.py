"""The bounds: the closed form where there is one, kinks, saturation, and the gamma that they rest on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep.backends.spec import (
    SGD,
    Initialization,
    LeakyReLU,
    Linear,
    Loss,
    Normal,
    ReLU,
    Sigmoid,
    Synthetic,
    Tanh,
    Task,
)
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.parity.reference import WIDE, Arithmetic, Bounds, Magnitudes, Reference
from samestep.benchmarks.parity.reference.arithmetic import Sum

LOSSES = [
    (Loss(name="mse"), 2.0, 3),
    (Loss(name="huber", options=(("delta", 50.0),)), 1.0, 3),
    (Loss(name="smooth_l1", options=(("beta", 50.0),)), 1 / 50, 4),
]


def analyzed(task, x, y, *, rate=0.03, params=None, buffers=None, first=True, probabilistic=False):
    """(reference step, bounds, arithmetic) of one step."""
    rng = np.random.default_rng(1)
    reference = Reference(task)
    dtype = task.dtype
    params = params or {name: rng.normal(size=shape).astype(dtype) for name, shape in task.parameters.items()}
    wide = reference.widen(params)
    old = reference.widen(buffers or params)
    step = reference.step(wide, old, x.astype(dtype), y, rate, first=first)
    arithmetic = Arithmetic.of(dtype, reference.wide, probabilistic=probabilistic)
    sizes = Magnitudes(step, wide, arithmetic.tiny)
    return step, Bounds(reference, arithmetic, step, sizes).errors({}, rate, first=first), arithmetic


def linear(features, outputs=1, **fields):
    fields = {"init": Initialization(weight=Normal(std=1.0)), "dtype": "float32"} | fields
    return Task(
        name="bounded",
        dataset=Synthetic(rows=9, held_out=1, features=features),
        layers=fields.pop("layers", (Linear(in_features=features, out_features=outputs),)),
        **fields,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "slope", "roundings"), LOSSES, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (10, 2), (32, 100)])
def test_one_linear_layer_has_the_closed_form(rows, features, loss, slope, roundings, dtype):
    if np.finfo(WIDE[dtype]).nmant == np.finfo(dtype).nmant:
        pytest.skip("no long double here that is wider than float64")
    rng, h = np.random.default_rng(0), float(np.float32(0.03))
    x, y = rng.normal(size=(rows, features)).astype(dtype), rng.normal(size=(rows, 1)).astype(dtype)
    step, errors, arithmetic = analyzed(linear(features, loss=loss, dtype=dtype), x, y, rate=h)
    u, gamma = arithmetic.unit, arithmetic.gamma
    z = abs(np.column_stack([x, np.ones(rows)])).astype(float)
    rng = np.random.default_rng(1)
    theta = np.abs(
        np.concatenate([rng.normal(size=(features, 1)).astype(dtype), rng.normal(size=(1, 1)).astype(dtype)])
    )
    r = gamma(features + 2) * (z @ theta + abs(y))
    e = abs(step.values[-1] - y).astype(float)
    dg = slope / rows * z.T @ (r + gamma(rows + roundings) * e)
    parts = {"0.weight": slice(0, features), "0.bias": slice(features, None)}
    for name, part in parts.items():
        error, closed = errors.gradients[name].ravel(), dg[part].ravel()
        # the bound has terms of second order, gamma r, and takes r from 2 (e + r) - 2 e in the wide precision
        np.testing.assert_allclose(error, closed, rtol=3 * gamma(rows + features + 8) + 1e-3)
        g, after = (abs(part[name]).astype(float).ravel() for part in (step.gradients, step.params))
        tau = 2 * u * after + h * (1 + 2 * u) * error + 2 * u * h * g
        np.testing.assert_allclose(errors.params[name].ravel(), tau, rtol=1e-9)


def test_the_likely_bound_puts_the_root_of_n_in_the_place_of_n():
    x, y = np.ones((400, 30)), np.ones((400, 1))
    _, worst, arithmetic = analyzed(linear(30), x, y)
    _, probabilistic, _ = analyzed(linear(30), x, y, probabilistic=True)
    assert probabilistic.prediction.max() == pytest.approx(worst.prediction.max() / np.sqrt(31), rel=1e-5)
    assert arithmetic.gamma(10) == pytest.approx(10 * 2.0**-24, rel=1e-5)


def test_gamma_ends_where_n_u_reaches_one():
    arithmetic = Arithmetic.of("float32", np.float64)
    assert arithmetic.gamma(2**23) == pytest.approx(1, rel=1e-6)
    with pytest.raises(InputError, match="take a smaller batch or a wider dtype"):
        arithmetic.gamma(2**24)


@given(
    st.lists(
        st.tuples(*[st.floats(-1e3, 1e3, width=32).map(np.float32)] * 2),
        min_size=1,
        max_size=30,
    )
)
def test_a_sum_of_products_stays_within_gamma(pairs):
    arithmetic = Arithmetic.of("float32", np.float64)
    total = np.float32(0)
    for a, b in pairs:
        total = np.float32(total + np.float32(a * b))
    exact = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in pairs)
    size = float(sum(abs(Fraction(float(a)) * Fraction(float(b))) for a, b in pairs))
    assert abs(float(Fraction(float(total)) - exact)) <= arithmetic.rounding(len(pairs), size)


def test_a_sum_of_zeros_has_no_error():
    arithmetic, zero = Arithmetic.of("float32", np.float64), np.zeros((1, 1))
    assert Sum(arithmetic, zero, zero, zero, 5).error == 0
    assert Sum(arithmetic, zero, zero, zero, 5).minus(np.ones((1, 1))).error > 0


# --- kinks ----------------------------------------------------------------------------------------------------


def test_either_side_of_a_kink_is_allowed_within_its_error_and_only_there():
    x, params = (
        np.array([[1.0], [1.0]]),
        {"0.weight": np.ones((1, 1), "float32"), "0.bias": np.zeros(1, "float32")},
    )
    near, far = 1 + 2.0**-24, 1 + 2.0**-12
    for y, jumps in ((near, True), (far, False)):
        task = linear(1, loss=Loss(name="l1"))
        _, errors, _ = analyzed(task, x, np.full((2, 1), y), params=params)
        assert (errors.gradients["0.bias"][0] > 1) == jumps


@pytest.mark.parametrize(("layer", "jump"), [(ReLU(), 1.0), (LeakyReLU(negative_slope=-0.5), 1.5)])
def test_an_activation_at_its_kink(layer, jump):
    task = linear(
        1, layers=(Linear(in_features=1, out_features=1), layer, Linear(in_features=1, out_features=1))
    )
    ones = {name: np.ones(shape, "float32") for name, shape in task.parameters.items()}
    y = np.full((1, 1), 3.0)
    for x, bias, jumps in ((1.0, -1.0, True), (1.0, -0.5, False), (0.0, 0.0, False)):
        params = ones | {"0.bias": np.full(1, bias, "float32")}
        step, errors, _ = analyzed(task, np.full((1, 1), x), y, params=params)
        allowed = jump * abs(step.deltas[-1].item())
        assert (errors.gradients["0.bias"].item() > 0.9 * allowed) == jumps


@pytest.mark.parametrize("name", ["multi_margin", "multilabel_margin", "hinge_embedding"])
def test_a_hinge_at_its_tie(name):
    targets = {
        "multi_margin": np.array([0]),
        "multilabel_margin": np.array([[0, -1]]),
        "hinge_embedding": -np.ones((1, 2)),
    }
    # hinge: margin 1, x 1; margins: 1 - x_0 + x_1 = 0
    for second, jumps in ((0.0, True), (0.25, False)):
        prediction = [1.0, second] if "margin" in name else [1.0 + second, 3.0]
        params = {"0.weight": np.zeros((1, 2), "float32"), "0.bias": np.array(prediction, "float32")}
        _, errors, _ = analyzed(
            linear(1, 2, loss=Loss(name=name)), np.ones((1, 1)), targets[name], params=params
        )
        assert (errors.gradients["0.bias"][0] > 0.4) == jumps


# --- saturation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "tight"), [(5.0, True), (-60.0, False), (12.0, True), (16.0, False), (40.0, False)]
)
def test_a_saturated_sigmoid_under_cross_entropy(z, tight):
    """x (1-x) cancels until 1 - x is lost altogether: from there on anything up to x - t is allowed, no more."""
    task = linear(1, layers=(Linear(in_features=1, out_features=1), Sigmoid()), loss=Loss(name="bce"))
    params = {"0.weight": np.full((1, 1), z, "float32"), "0.bias": np.zeros(1, "float32")}
    _, errors, _ = analyzed(task, np.ones((1, 1)), np.zeros((1, 1)), params=params)
    error = errors.gradients["0.bias"].item()
    assert error < 1.001
    assert (error < 1e-5) == (tight or z < 0)


@pytest.mark.parametrize(("layer", "rate"), [(Sigmoid(), 1 / 4), (Tanh(), 1.0)])
def test_an_error_passes_an_activation_through_its_slope_there(layer, rate):
    task = linear(
        1, layers=(Linear(in_features=1, out_features=1), layer, Linear(in_features=1, out_features=1))
    )
    for z, steepest in ((0.0, rate), (8.0, 4e-4)):
        params = {name: np.ones(shape, "float32") for name, shape in task.parameters.items()}
        params["0.bias"] = np.full(1, z - 1, "float32")
        step, _, arithmetic = analyzed(task, np.ones((1, 1)), np.zeros((1, 1)), params=params)
        reference, wide = Reference(task), Reference(task).widen(params)
        bounds = Bounds(reference, arithmetic, step, Magnitudes(step, wide, arithmetic.tiny))
        moved = bounds.activation(1, np.full((1, 1), 1e-3)).item()
        value = step.values[2].item()
        rounding = arithmetic.rounding(16, abs(value))
        slope = value * (1 - value) if rate < 1 else (1 - value) * (1 + value)
        assert 1e-3 * slope <= moved - rounding <= 1.2 * 1e-3 * steepest
        assert bounds.activation(1, np.full((1, 1), 50.0)).item() <= (1 if rate < 1 else 2) + rounding


def test_momentum_and_decay_enter_the_bound():
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    plain = analyzed(linear(2), x, y, first=False)[1]
    heavy = analyzed(
        linear(2, optimizer=SGD(momentum=0.9, dampening=0.5, weight_decay=0.1)), x, y, first=False
    )[1]
    assert not plain.buffers
    assert set(heavy.buffers) == {"0.weight", "0.bias"}
    first = analyzed(linear(2, optimizer=SGD(momentum=0.9)), x, y, first=True)[1]
    np.testing.assert_array_equal(
        first.buffers["0.bias"], first.gradients["0.bias"]
    )  # b_1 is the gradient itself


def test_numbers_past_the_range_of_the_dtype_are_foreseen():
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    big = {"0.weight": np.full((2, 1), 1e30, "float32"), "0.bias": np.zeros(1, "float32")}
    assert analyzed(linear(2), x, y, params=big)[1].overflows  # the square of e
    assert not analyzed(linear(2, loss=Loss(name="l1")), x, y, params=big)[1].overflows
    assert not analyzed(linear(2), x, y)[1].overflows
