"""What is JAX's own about its losses: dtypes are kept, and formulas are not the nearest function at hand."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
import pytest

from samestep.backends import losses

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jax_losses = pytest.importorskip("samestep.backends.jax_losses")


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_kept_whatever_x64_says(dtype: str, wide: bool) -> None:
    x = np.full(4, 0.1, dtype)
    with jax.enable_x64(wide):
        value, gradients = jax_losses.loss_and_gradient("bce", (x, x), {"weight": (0.1, 0.2, 0.3, 0.4)})
    assert value.dtype == gradients["prediction"].dtype == gradients["target"].dtype == dtype


def test_names_of_optax_exist() -> None:
    """What the table calls optax.f, or optax.f(_with_g), is there."""
    for name in losses.names():
        declared = losses.get(name).jax_name
        if not declared.startswith("optax."):
            continue
        stem, _, ending = declared.removeprefix("optax.").partition("(_")
        paths = [stem.partition("(")[0]] + ([f"{stem}_{ending.removesuffix(')')}"] if ending else [])
        for path in paths:
            assert callable(attrgetter(path)(optax)), path


# --- why the formulas are not the nearest function at hand ----------------------------------------------------


def test_the_derivative_of_abs_at_zero_is_one() -> None:
    assert jax.grad(jax.numpy.abs)(0.0) == 1


def test_the_derivative_of_maximum_at_a_tie_is_one_half() -> None:
    assert jax.grad(lambda z: jax.numpy.maximum(z, 0.0))(0.0) == 0.5
    assert jax.grad(jax.nn.relu)(0.0) == 0


def test_autodiff_through_the_floor_of_bce_is_wrong() -> None:
    def floored(x: Any) -> Any:
        return -jax.numpy.maximum(jax.numpy.log(x), -100.0)

    assert np.isnan(jax.grad(floored)(0.0))  # 0 from the maximum times infinity from the log
    assert jax.grad(lambda x: jax_losses.bce(x, 1.0))(0.0) < -9e11


def test_optax_cosine_is_nan_at_zero_vectors() -> None:
    zero = jax.numpy.zeros(2)
    assert np.isnan(jax.grad(lambda x: optax.cosine_similarity(x, zero))(zero)).all()


@pytest.mark.slow
def test_optax_multiclass_hinge_is_another_loss() -> None:
    x, y = np.array([0.0, 0.5, 0.75], np.float32), np.array(0)
    ours, _ = jax_losses.loss_and_gradient("multi_margin", (x, y), {})
    assert ours == np.float32((1.5 + 1.75) / 3)
    assert optax.losses.multiclass_hinge_loss(x, y) == 1.75


def test_float64_logs_keep_their_digits_near_minus_two_fifths() -> None:
    """Where log1p of JAX 0.10 loses two digits (jax-ml/jax issue 39707), bce takes log(1 - x)."""
    x = np.linspace(0.3, 0.5, 2001)
    exact = np.log1p(-x.astype(np.longdouble))
    with jax.enable_x64(True):
        ours = np.asarray(jax_losses._floored_logs(jax.numpy.asarray(x))[1])
    unit = 2.0**-53
    assert np.max(np.abs(ours - exact) / np.abs(exact)) < 5 * unit


@pytest.mark.parametrize(("name", "option"), [("huber", "delta"), ("smooth_l1", "beta")])
def test_a_small_residual_keeps_its_digits_in_the_derivative(name: str, option: str) -> None:
    """Autodiff of optax.huber_loss rounds it as if it were as large as delta."""
    with jax.enable_x64(True):
        e, zero, bound = np.array([0.1 + 1e-9]), np.zeros(1), 32.0
        _, gradient = jax_losses.loss_and_gradient(name, (e, zero), {option: bound, "reduction": "sum"})
        assert gradient["prediction"].item() == e.item() / (bound if name == "smooth_l1" else 1)
        plain = jax.grad(lambda x: optax.huber_loss(x, zero, delta=bound).sum())(e)
        assert plain.item() != e.item()
