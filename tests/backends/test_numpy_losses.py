"""NumPy's losses by themselves: no other framework is needed here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samestep.backends import losses, numpy_losses
from tests.helpers.loss_bounds import bound
from tests.helpers.loss_cases import Case, cases

STEP = 2.0**-14
FLOAT64 = [case for case in cases() if len(case.dtypes) > 1]


@pytest.mark.parametrize("case", FLOAT64, ids=lambda case: case.id)
def test_gradient_is_the_derivative_of_the_value(case: Case) -> None:
    """Central differences D(h); their truncation error is a third of |D(2h) - D(h)|, here allowed in full."""

    def total(place: int, index: tuple[int, ...], step: float) -> float:
        arrays = [array.copy() for array in case.arrays]
        arrays[place][index] += step
        return float(np.sum(numpy_losses.function(case.name, case.arguments)(*arrays)[0]))

    spec = losses.get(case.name)
    _, gradients = numpy_losses.loss_and_gradient(case.name, case.arrays, case.arguments)
    rounding = float(np.sum(bound(case.name, case.arrays, case.arguments, "float64")[0]))
    for key, gradient in gradients.items():
        place = spec.inputs.index(key)
        for index in np.ndindex(gradient.shape):
            near, far = (
                (total(place, index, h) - total(place, index, -h)) / (2 * h) for h in (STEP, 2 * STEP)
            )
            allowed = abs(far - near) + 4 * rounding / STEP
            assert abs(gradient[index] - near) <= allowed, (
                f"{key}{index}: {gradient[index]}, derivative {near}"
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", losses.names())
def test_training_gets_the_same_numbers_without_the_gradient_of_the_target(name: str, dtype: str) -> None:
    case = next(case for case in cases() if case.name == name and case.arguments["reduction"] == "mean")
    arrays = case.call(dtype)
    value, gradients = numpy_losses.function(name, case.arguments)(*arrays)
    checked, all_gradients = numpy_losses.loss_and_gradient(name, arrays, case.arguments)
    assert value == checked
    assert value.dtype == dtype
    assert "target" not in gradients
    for key, gradient in gradients.items():
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, all_gradients[key])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_softmax_keeps_its_digits_far_from_zero(dtype: str) -> None:
    logits = np.array([[1e4, 1e4], [-1e4, 1e4]], dtype)
    value, gradients = numpy_losses.loss_and_gradient(
        "cross_entropy", (logits, np.array([0, 0])), {"reduction": "none"}
    )
    np.testing.assert_allclose(value, [math.log(2), 2e4], rtol=2 * float(np.finfo(dtype).eps))
    np.testing.assert_array_equal(gradients["prediction"], [[-0.5, 0.5], [-1, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softplus_keeps_its_digits_where_it_is_small(dtype: str) -> None:
    """log(1 + exp(-30)) = 9.36e-14: x - log sigmoid(x), as torch has it, leaves nothing in float32."""
    want, few = math.log1p(math.exp(-30)), 8 * float(np.finfo(dtype).eps)
    x = np.array([-30.0], dtype)
    value, gradients = numpy_losses.loss_and_gradient("bce_with_logits", (x, np.zeros(1, dtype)), {})
    np.testing.assert_allclose(value, want, rtol=few)
    np.testing.assert_allclose(gradients["prediction"], 1 / (1 + math.exp(30)), rtol=few)
    value, _ = numpy_losses.loss_and_gradient("soft_margin", (x, np.array([-1])), {})
    np.testing.assert_allclose(value, want, rtol=few)
