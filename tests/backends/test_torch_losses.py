"""What is PyTorch's own about its losses: the modules, their defaults, their warnings."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from samestep.backends import losses
from tests.helpers.loss_cases import cases, frozen

torch = pytest.importorskip("torch")
torch_losses = pytest.importorskip("samestep.backends.torch_losses")


@pytest.mark.parametrize("name", losses.names())
def test_the_module_is_torch_nn_itself(name: str) -> None:
    spec = losses.get(name)
    for reduction in spec.reductions:
        made = torch_losses.function(name, {"reduction": reduction})
        assert isinstance(made, getattr(torch.nn, spec.torch_name.removesuffix("2d")))


@pytest.mark.parametrize("name", losses.names())
def test_defaults_are_those_of_torch(name: str) -> None:
    spec = losses.get(name)
    parameters = inspect.signature(getattr(torch.nn, spec.torch_name.removesuffix("2d"))).parameters
    assert {key: parameters[key].default for key in spec.options} == {
        key: option.default for key, option in spec.options.items()
    }
    assert set(parameters) - {"size_average", "reduce", "reduction"} == set(spec.options)
    assert parameters["reduction"].default == "mean"


def test_weights_take_the_dtype_of_the_module() -> None:
    made = torch_losses.function("cross_entropy", {"weight": (0.1, 0.2)}, dtype=torch.float64)
    assert made.weight.dtype == torch.float64
    assert made.weight.tolist() == [0.1, 0.2]


def test_gradients_do_not_need_grad_mode_and_leave_the_inputs_alone() -> None:
    x = np.ones(3)
    x.setflags(write=False)
    with torch.no_grad():
        value, gradients = torch_losses.loss_and_gradient("mse", (x, x[::-1]), {})
    assert value == 0
    np.testing.assert_array_equal(gradients["prediction"], np.zeros(3))


def test_the_frozen_values_are_of_these_cases() -> None:
    assert set(frozen()["cases"]) == {case.id for case in cases()}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_multilabel_margin_written_out_is_the_loss(reduction: str) -> None:
    """The form that is compiled, for every set of classes and every place of the first -1."""
    generator = torch.Generator().manual_seed(0)
    target = torch.cartesian_prod(*[torch.arange(-1, 3)] * 3)
    prediction = torch.randn(len(target), 3, generator=generator, dtype=torch.float64, requires_grad=True)
    plain = torch_losses.function("multilabel_margin", {"reduction": reduction})
    values = [loss(prediction, target) for loss in (plain, torch_losses.compilable(plain))]
    gradients = [torch.autograd.grad(value, prediction)[0] for value in values]
    # a few hundred terms of at most 3, added up
    tolerance = 256 * 3 * len(target) * torch.finfo(torch.float64).eps
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=tolerance)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=tolerance)
