"""Kinks, floors and extremes in every framework; every place where one departs, by its name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.helpers.lanes import FRAMEWORKS, lane

NAN, INF = math.nan, math.inf
BOTH_DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def evaluate(framework: str, name: str, arrays: Any, dtype: str = "float64", **arguments: Any) -> Any:
    """Value and gradients of plain lists: those with a float in them in `dtype`, the others as integers."""
    made = [np.array(values) for values in arrays]
    made = [array.astype(dtype) if array.dtype.kind == "f" else array for array in made]
    return lane(framework).loss_and_gradient(name, made, arguments)


def torch_tie() -> int:
    """The slope that torch gives a hinge of exactly 0: 1 up to 2.13, then 0."""
    import torch

    return 1 if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14) else 0


# --- kinks: the derivative of a hinge or of |e| at exactly 0 is 0 ---------------------------------------------


@every_framework
@pytest.mark.parametrize(
    ("name", "arrays", "arguments"),
    [
        ("l1", ([1.0, -2.0, 0.0, 9.0], [1.0, -2.0, 0.0, 9.0]), {}),
        ("smooth_l1", ([1.0, -2.0, 0.0, 9.0], [1.0, -2.0, 0.0, 9.0]), {"beta": 0}),
        ("smooth_l1", ([1.0, -2.0, 0.0, 9.0], [1.0, -2.0, 0.0, 9.0]), {}),
        ("huber", ([1.0, -2.0, 0.0, 9.0], [1.0, -2.0, 0.0, 9.0]), {}),
        ("mse", ([1.0, -2.0, 0.0, 9.0], [1.0, -2.0, 0.0, 9.0]), {}),
        ("multi_margin", ([1.0, 0.0, 0.0, 0.0], 0), {}),
        ("multilabel_margin", ([1.0, 0.0, 0.0, 0.0], [0, -1, -1, -1]), {}),
    ],
)
def test_slope_at_a_tie_is_zero(framework: str, name: str, arrays: Any, arguments: dict[str, Any]) -> None:
    value, gradients = evaluate(framework, name, arrays, **arguments)
    assert value == 0
    for gradient in gradients.values():
        np.testing.assert_array_equal(gradient, np.zeros(4))


@every_framework
@pytest.mark.parametrize(
    ("name", "arrays", "slopes"),
    [
        ("margin_ranking", (2.0, 2.0, 1), {"x1": -1, "x2": 1}),
        ("hinge_embedding", (1.0, -1), {"prediction": -1}),
        ("cosine_embedding", ([1.0, 0, 0, 0], [0.0, 1, 0, 0], -1), {"x1": [0, 1, 0, 0], "x2": [1, 0, 0, 0]}),
    ],
)
def test_slope_at_a_tie_is_zero_but_in_torch(
    framework: str, name: str, arrays: Any, slopes: dict[str, Any]
) -> None:
    """torch 2.13 counts these three hinges as active at exactly 0; `slopes` are those of an active hinge."""
    value, gradients = evaluate(framework, name, arrays)
    assert value == 0
    active = torch_tie() if framework == "torch" else 0
    for key, gradient in gradients.items():
        np.testing.assert_allclose(gradient, active * np.array(slopes[key]), rtol=0, atol=4e-12)  # eps 1e-12


@every_framework
@pytest.mark.parametrize("name", ["smooth_l1", "huber"])
def test_where_parabola_meets_line_both_slopes_agree(framework: str, name: str) -> None:
    _, gradients = evaluate(framework, name, ([1.0, -1.0, 3.0, 2.0], [0.0, 0.0, 2.0, 3.0]), reduction="sum")
    np.testing.assert_array_equal(gradients["prediction"], [1, -1, 1, -1])
    np.testing.assert_array_equal(gradients["target"], [-1, 1, -1, 1])


# --- rows that count for nothing ------------------------------------------------------------------------------

ROWS, IMAGE = np.arange(12.0).reshape(3, 4), np.arange(24.0).reshape(2, 3, 2, 2)
IGNORED = [
    ("cross_entropy", ROWS, [-100] * 3, {}),
    ("cross_entropy", ROWS, [2] * 3, {"label_smoothing": 0.1, "ignore_index": 2}),
    ("cross_entropy", ROWS[0], -100, {}),
    ("nll", ROWS, [1] * 3, {"ignore_index": 1, "weight": (1.0, 2.0, 3.0, 4.0)}),
    ("nll2d", IMAGE, np.full((2, 2, 2), -100), {}),
]


@pytest.mark.slow
@every_framework
@pytest.mark.parametrize(("name", "x", "y", "options"), IGNORED)
def test_all_rows_ignored_is_nan_with_gradient_zero(
    framework: str, name: str, x: Any, y: Any, options: dict[str, Any]
) -> None:
    for reduction, want in (("mean", NAN), ("sum", 0.0), ("none", np.zeros(np.shape(y)))):
        value, gradients = evaluate(framework, name, (x, y), reduction=reduction, **options)
        np.testing.assert_array_equal(value, want)
        np.testing.assert_array_equal(gradients["prediction"], np.zeros(np.shape(x)))


@every_framework
def test_weights_that_sum_to_zero_are_nan(framework: str) -> None:
    y, weight = [0, 0, -100], (0.0, 1.0, 1.0, 1.0)
    value, gradients = evaluate(framework, "nll", (ROWS, y), weight=weight)
    assert np.isnan(value)
    np.testing.assert_array_equal(gradients["prediction"], [[NAN, 0, 0, 0], [NAN, 0, 0, 0], [0] * 4])
    value, gradients = evaluate(framework, "cross_entropy", (ROWS, y), weight=weight)
    assert np.isnan(value)
    np.testing.assert_array_equal(gradients["prediction"], [[NAN] * 4, [NAN] * 4, [0] * 4])


# --- probabilities 0 and 1 ------------------------------------------------------------------------------------


@pytest.mark.slow
@every_framework
@BOTH_DTYPES
def test_bce_at_zero_and_one(framework: str, dtype: str) -> None:
    """The log is floored at -100, the divisor x (1 - x) at 1e-12, a float32 constant in float64 too."""
    arrays = ([0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0])
    value, gradients = evaluate(framework, "bce", arrays, dtype, reduction="none")
    np.testing.assert_array_equal(value, [0, 0, 100, 100])
    steep = np.float32(1) / np.float32(1e-12) if dtype == "float32" else 1 / float(np.float32(1e-12))
    np.testing.assert_array_equal(gradients["prediction"], [0, 0, -steep, steep])
    floor = INF if framework == "torch" else 100  # torch's slope in the target leaves the floor out
    np.testing.assert_array_equal(gradients["target"], [floor, -floor, floor, -floor])


@every_framework
def test_kl_div_where_the_target_is_zero(framework: str) -> None:
    """t log t is 0 there, with slope 0, which leaves -x; torch's slope is NaN."""
    arrays = ([-1.0, -3.0, -2.0, 0.0], [0.0, 1.0, 1.0, 1.0])
    value, gradients = evaluate(framework, "kl_div", arrays, reduction="none")
    np.testing.assert_array_equal(value, [0, 3, 2, 0])
    np.testing.assert_array_equal(gradients["prediction"], [0, -1, -1, -1])
    np.testing.assert_array_equal(gradients["target"], [NAN if framework == "torch" else 1, 4, 3, 1])


@every_framework
def test_kl_div_of_zero_against_minus_infinity_is_nan(framework: str) -> None:
    assert np.isnan(evaluate(framework, "kl_div", (-INF, 0.0))[0])
    assert np.isnan(evaluate(framework, "kl_div", (-1.0, -INF), log_target=True)[0])


@every_framework
def test_cross_entropy_of_a_masked_class(framework: str) -> None:
    """A logit of -inf is a class that cannot be: the row is finite unless it is the true one."""
    value, gradients = evaluate(framework, "cross_entropy", ([-INF, 0.0, -INF, 0.0], 1))
    np.testing.assert_allclose(value, math.log(2), rtol=2.0**-50)
    np.testing.assert_allclose(gradients["prediction"], [0, -0.5, 0, 0.5], rtol=2.0**-50)
    assert evaluate(framework, "cross_entropy", ([-INF, 0.0, -INF, 0.0], 0))[0] == INF


# --- extremes -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@every_framework
@BOTH_DTYPES
def test_logits_of_ten_thousand(framework: str, dtype: str) -> None:
    logits = [[1e4, -1e4, -1e4, 0.0]] * 3
    value, gradients = evaluate(framework, "cross_entropy", (logits, [0, 1, 3]), dtype, reduction="none")
    np.testing.assert_array_equal(value, [0, 2e4, 1e4])
    np.testing.assert_array_equal(gradients["prediction"], [[0, 0, 0, 0], [1, -1, 0, 0], [1, 0, 0, -1]])
    value, gradients = evaluate(
        framework, "bce_with_logits", ([1e4, -1e4, 1e4, -1e4], [1.0, 0.0, 0.0, 1.0]), dtype, reduction="none"
    )
    np.testing.assert_array_equal(value, [0, 0, 1e4, 1e4])
    np.testing.assert_array_equal(gradients["prediction"], [0, 0, 1, -1])
    np.testing.assert_array_equal(gradients["target"], [-1e4, 1e4, -1e4, 1e4])
    value, gradients = evaluate(
        framework, "multilabel_soft_margin", ([1e4, -1e4, -1e4, 1e4], [1, 1, 0, 0]), dtype
    )
    assert value == 5e3
    np.testing.assert_array_equal(gradients["prediction"], [0, -0.25, 0, 0.25])


@every_framework
@pytest.mark.parametrize(("dtype", "logit"), [("float32", 90.0), ("float64", 720.0), ("float64", 1e4)])
def test_soft_margin_overflows_in_torch_alone(framework: str, dtype: str, logit: float) -> None:
    value, gradients = evaluate(framework, "soft_margin", (logit, -1), dtype)
    assert value == (INF if framework == "torch" else logit)
    np.testing.assert_array_equal(gradients["prediction"], NAN if framework == "torch" else 1)
    assert 0 <= evaluate(framework, "soft_margin", (logit, 1), dtype)[0] <= math.exp(-89)


@every_framework
def test_cosine_of_zero_vectors_is_finite(framework: str) -> None:
    zero, other = [0.0, 0.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]
    value, gradients = evaluate(framework, "cosine_embedding", (zero, other, 1))
    assert value == 1
    norms = math.sqrt(float(np.float32(1e-12)) * (25 + 1e-12))
    np.testing.assert_allclose(gradients["x1"], np.divide(other, -norms), rtol=2.0**-49)
    np.testing.assert_array_equal(gradients["x2"], zero)
    assert evaluate(framework, "cosine_embedding", (zero, zero, -1), margin=-0.5)[0] == 0.5


@every_framework
def test_cosine_of_long_vectors_overflows_in_torch_alone(framework: str) -> None:
    """The product of squared norms of 1e24 leaves float32; the product of the norms does not."""
    long = [1e12, 0.0, 0.0, 0.0]
    value, gradients = evaluate(framework, "cosine_embedding", (long, long, 1), "float32")
    assert value == (1 if framework == "torch" else 0)
    assert framework == "torch" or np.isfinite(gradients["x1"]).all()


@every_framework
def test_a_subnormal_probability_is_zero_to_xla(framework: str) -> None:
    value, _ = evaluate(framework, "bce", (1e-39, 1.0), "float32")
    want = 100.0 if framework == "jax" else -math.log(float(np.float32(1e-39)))
    np.testing.assert_allclose(value, want, rtol=8 * 2.0**-24)


@pytest.mark.slow
@every_framework
def test_equal_large_logits_keep_their_digits(framework: str) -> None:
    """An Optax that subtracts x_y from log sum exp x, both 1e4 here, keeps fewer than those that shift first."""
    value, _ = evaluate(framework, "cross_entropy", ([1e4] * 4, 0), "float32")
    error = abs(float(value) - math.log(4))
    assert error < (2 * 1e4 * 2.0**-24 if framework == "jax" else 2.0**-22)


@every_framework
def test_the_order_of_the_labels_and_what_follows_the_first_minus_one_is_nothing(framework: str) -> None:
    x, labels = [[0.1, 0.2, 0.4, 0.8]] * 3, [[3, 0, -1, 1], [0, 3, -1, -1], [3, 0, -1, 3]]
    value, slopes = evaluate(framework, "multilabel_margin", (x, labels), reduction="none")
    # ((1-(.8-.2)) + (1-(.8-.4)) + (1-(.1-.2)) + (1-(.1-.4))) / 4
    np.testing.assert_allclose(value, [0.85] * 3, rtol=2.0**-50)
    np.testing.assert_array_equal(slopes["prediction"], [[-0.5, 0.5, 0.5, -0.5]] * 3)


@every_framework
def test_a_label_listed_twice_counts_twice(framework: str) -> None:
    value, slopes = evaluate(framework, "multilabel_margin", ([0.0] * 4, [1, 1, -1, -1]))
    assert value == 6 / 4
    np.testing.assert_array_equal(slopes["prediction"], [0.5, -1.5, 0.5, 0.5])
