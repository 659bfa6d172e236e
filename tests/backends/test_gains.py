"""The gains of backends.gains against torch's own table and against what a gain is for."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep.backends.gains import FORMULAS, gain


@pytest.mark.parametrize("nonlinearity", FORMULAS)
def test_equals_calculate_gain(nonlinearity: str) -> None:
    torch = pytest.importorskip("torch")
    assert gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)


@given(slope=st.floats(-1e100, 1e100))
def test_leaky_relu_equals_calculate_gain_at_any_slope(slope: float) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = gain("leaky_relu", slope=slope), torch.nn.init.calculate_gain("leaky_relu", slope)
    assert ours == pytest.approx(theirs, rel=2**-51)  # slope * slope and slope**2 may round apart


@pytest.mark.parametrize(
    ("nonlinearity", "value"),
    [("linear", 1), ("conv2d", 1), ("sigmoid", 1), ("tanh", 5 / 3), ("relu", math.sqrt(2))],
)
def test_the_figures_of_the_lesson(nonlinearity: str, value: float) -> None:
    assert gain(nonlinearity) == value
    assert gain("leaky_relu", slope=0.2) == math.sqrt(2 / 1.04)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, 1.0])
def test_the_gain_of_a_leaky_relu_keeps_the_mean_square(slope: float) -> None:
    """E[f(g z)^2] = 1 for z ~ N(0, 1): by symmetry g^2 (1 + slope^2) / 2, checked on a mirrored sample."""
    half = np.random.default_rng(0).standard_normal(1000)
    z = np.concatenate([half, -half]) / math.sqrt(np.mean(half**2)) * gain("leaky_relu", slope=slope)
    assert np.mean(np.where(z > 0, z, slope * z) ** 2) == pytest.approx(1, rel=1e-12)


def test_a_slope_of_zero_is_relu_and_of_one_is_linear() -> None:
    assert gain("leaky_relu", slope=0) == gain("relu")
    assert gain("leaky_relu", slope=1) == gain("linear")


@pytest.mark.parametrize("name", ["gelu", "", "ReLU"])
def test_an_unknown_nonlinearity_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(ValueError, match=r"nonlinearities are linear, .*leaky_relu"):
        gain(name)


@pytest.mark.parametrize("slope", [math.inf, -math.inf, math.nan])
def test_a_slope_that_is_not_finite_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        gain("leaky_relu", slope=slope)


def test_the_slope_is_named() -> None:
    with pytest.raises(TypeError):
        cast(Any, gain)("leaky_relu", 0.2)
