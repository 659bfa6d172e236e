"""What the losses declare, and that every framework refuses the same calls with the same line."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from samestep.backends import losses, numpy_losses
from tests.helpers.lanes import FRAMEWORKS, lane
from tests.helpers.loss_cases import cases

NAMES = (
    "l1 mse smooth_l1 huber cross_entropy nll nll2d kl_div bce bce_with_logits margin_ranking hinge_embedding "
    "multilabel_margin soft_margin multilabel_soft_margin cosine_embedding multi_margin"
)
X, ROWS, CLASSES = np.zeros(3), np.zeros((2, 3)), np.array([0, 2])
HALF, SIGNS = np.full(3, 0.5), np.array([1, -1, 1])
REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("mse", (X, X), {"reduction": "avg"}, "mse: reduction is one of none, mean, sum, not 'avg'"),
    ("mse", (X, X), {"reduction": "batchmean"}, "reduction is one of"),
    ("mse", (X, X), {"beta": 1.0}, "mse: there is no option 'beta'; the options are: none"),
    ("huber", (X, X), {"beta": 1.0}, "the options are: delta"),
    ("huber", (X, X), {"delta": 0.0}, "huber: option delta takes a finite Python number > 0, not 0.0"),
    ("smooth_l1", (X, X), {"beta": -1.0}, "option beta takes a finite Python number >= 0"),
    ("smooth_l1", (X, X), {"beta": float("nan")}, "option beta"),
    ("smooth_l1", (X, X), {"beta": True}, "option beta"),
    ("smooth_l1", (X, X), {"beta": np.float64(1.0)}, "option beta takes a finite Python number"),
    (
        "margin_ranking",
        (X, X, SIGNS),
        {"margin": float("inf")},
        "option margin takes a finite Python number, not inf",
    ),
    ("cross_entropy", (ROWS, CLASSES), {"label_smoothing": 1.5}, "option label_smoothing"),
    (
        "cross_entropy",
        (ROWS, CLASSES),
        {"weight": (1.0, 2.0)},
        r"option weight has shape \(2,\); .* need \(3,\)",
    ),
    ("cross_entropy", (ROWS, CLASSES), {"weight": (1.0, -2.0, 1.0)}, "finite numbers >= 0"),
    ("cross_entropy", (ROWS, CLASSES), {"weight": 2.0}, "finite numbers >= 0"),
    ("cross_entropy", (ROWS, CLASSES), {"weight": ((1.0,), (1.0, 2.0))}, "finite numbers >= 0"),
    ("cross_entropy", (ROWS, CLASSES), {"weight": ("a", "b", "c")}, "finite numbers >= 0"),
    ("cross_entropy", (ROWS, CLASSES), {"ignore_index": 1.0}, "a Python integer of 32 bits"),
    ("cross_entropy", (ROWS, ROWS), {"ignore_index": 1}, "ignore_index needs classes"),
    ("cross_entropy", (ROWS, ROWS.astype(np.float32)), {}, "target must be integers or float64, not float32"),
    ("cross_entropy", (ROWS, CLASSES - 1), {}, r"classes 0 to 2 or ignore_index; element \(0,\) does not"),
    (
        "cross_entropy",
        (ROWS, CLASSES[:, None]),
        {},
        r"target has shape \(2, 1\), .* needs \(2,\); nothing is broad",
    ),
    ("cross_entropy", (ROWS, ROWS + 2), {}, r"probabilities in \[0, 1\]"),
    ("cross_entropy", (np.zeros(()), np.array(0)), {}, "must have 1 or more dimensions"),
    (
        "nll",
        (ROWS, CLASSES + 1),
        {},
        r"target must hold classes 0 to 2 or ignore_index; element \(1,\) does not",
    ),
    ("nll", (ROWS, ROWS), {}, "target must be integers, not float64"),
    ("nll", (ROWS, np.array([True, False])), {}, "target must be integers, not bool"),
    ("nll2d", (ROWS, CLASSES), {}, "prediction must have 4 dimensions"),
    ("kl_div", (X, X - 1), {}, "target must hold probabilities >= 0"),
    ("kl_div", (X, X), {"log_target": 1}, "option log_target takes True or False"),
    (
        "kl_div",
        (np.zeros(()), np.zeros(())),
        {"reduction": "batchmean"},
        "batchmean divides by the first dimension",
    ),
    ("bce", (X + 2, X), {}, r"prediction must hold probabilities in \[0, 1\]; element \(0,\) does not"),
    ("bce", (np.array([0.5, 0.5, np.nan]), X), {}, r"element \(2,\)"),
    ("bce", (HALF, X - 1), {}, r"target must hold probabilities in \[0, 1\]"),
    ("bce", (HALF, HALF), {"weight": (1.0, 2.0)}, r"the inputs need \(3,\)"),
    ("bce_with_logits", (ROWS, ROWS), {"pos_weight": (1.0, 2.0)}, r"the inputs need \(3,\) or \(2, 3\)"),
    ("margin_ranking", (X, X[:2], SIGNS), {}, r"x2 has shape \(2,\)"),
    ("margin_ranking", (X, X.astype(np.float32), SIGNS), {}, "x2 is float32, x1 is float64; make them equal"),
    ("margin_ranking", (X, X), {}, "takes x1, x2, y; 2 arrays were given"),
    ("hinge_embedding", (X, np.array([1, 0, -1])), {}, r"target must hold -1 or 1; element \(1,\) does not"),
    ("soft_margin", (X, SIGNS.astype(np.float32)), {}, "integers or float64"),
    ("multilabel_margin", (ROWS, np.full((2, 3), 3)), {}, "classes 0 to 2, or -1"),
    ("multilabel_margin", (np.zeros((1, 2, 3)), np.zeros((1, 2, 3), int)), {}, "must have 1 to 2 dimensions"),
    ("multilabel_soft_margin", (ROWS, ROWS + 0.5), {}, "target must hold 0 or 1"),
    (
        "cosine_embedding",
        (ROWS, ROWS, SIGNS),
        {},
        r"y has shape \(3,\), but x1 of shape \(2, 3\) needs \(2,\)",
    ),
    ("multi_margin", (ROWS, CLASSES), {"p": 3}, "option p takes 1 or 2, not 3"),
    ("multi_margin", (ROWS, CLASSES), {"p": True}, "option p"),
    ("multi_margin", (ROWS, CLASSES - 1), {}, r"classes 0 to 2; element \(0,\)"),
    ("mse", (X, X[:, None]), {}, r"target has shape \(3, 1\), .* nothing is broadcast"),
    ("mse", (X[:0], X[:0]), {}, r"prediction is empty, shape \(0,\); a loss needs an element"),
    ("mse", (X, [0.0, 0.0, 0.0]), {}, "target must be a NumPy array, not list"),
    ("mse", (X.astype(int), X), {}, "prediction must be one of float32, float64, bfloat16, not int64"),
    ("mse", (X.astype(">f8"), X), {}, "prediction must be one of"),
    ("mse", (X, X.astype(np.float32)), {}, "target must be float64, as prediction, not float32"),
    ("mae", (X, X), {}, "no loss 'mae'; the losses are l1, mse"),
]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("name", "arrays", "arguments", "message"), REFUSED)
def test_every_framework_refuses_in_the_same_line(
    framework: str, name: str, arrays: tuple[Any, ...], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        losses.get(name).check(arrays, arguments)
    with pytest.raises(ValueError, match=f"^{re.escape(str(refused.value))}$"):
        lane(framework).loss_and_gradient(name, arrays, arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", losses.names())
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_empty_batches_are_one_error(framework: str, name: str) -> None:
    spec = losses.get(name)
    shape = (0, 3, 2, 2)[: 4 if name == "nll2d" else 2]
    arrays = [np.zeros(shape) for _ in spec.inputs]
    with pytest.raises(ValueError, match=f"^{name}: {spec.inputs[0]} is empty"):
        lane(framework).loss_and_gradient(name, arrays, {})


def test_the_names_and_their_order() -> None:
    assert " ".join(losses.names()) == NAMES


@pytest.mark.parametrize("name", losses.names())
def test_a_declaration_is_complete(name: str) -> None:
    spec = losses.get(name)
    assert spec.name == name
    assert set(spec.differentiable) <= set(spec.inputs)
    assert spec.source.endswith(f"torch.nn.{spec.torch_name}")
    for text in (spec.formula, spec.jax_name, *(option.meaning for option in spec.options.values())):
        assert text
        assert "\n" not in text
    for option in spec.options.values():
        assert option.valid(option.default)
    spec.check_options({"reduction": "mean", **{key: option.default for key, option in spec.options.items()}})


def test_losses_of_prediction_and_target_train() -> None:
    trains = {name for name in losses.names() if losses.get(name).trains}
    assert set(losses.names()) - trains == {"margin_ranking", "cosine_embedding", "nll2d"}


def test_integer_targets_get_no_gradient() -> None:
    spec = losses.get("cross_entropy")
    assert spec.gradients((ROWS, CLASSES)) == ("prediction",)
    assert spec.gradients((ROWS, ROWS)) == ("prediction", "target")


@pytest.mark.parametrize("name", losses.names())
@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "torch"])
def test_the_formulas_have_the_inputs_and_defaults_that_are_declared(framework: str, name: str) -> None:
    """torch.nn's own are checked in test_torch_losses."""
    module = import_module(f"samestep.backends.{framework}_losses")
    formula = module.FUNCTIONS[name]
    parameters, spec = inspect.signature(formula).parameters, losses.get(name)
    if framework == "numpy" and name in module.OF_RESIDUAL:
        assert set(parameters) == {"e", *spec.options}
        assert spec.inputs == ("prediction", "target")
    elif formula.__module__.startswith("samestep."):  # Optax names its own inputs
        assert tuple(parameters)[: len(spec.inputs)] == spec.inputs
    defaults = {key: parameters[key].default for key in spec.options}
    assert defaults == {key: option.default for key, option in spec.options.items()}
    if name in module.ROWWISE:
        assert parameters["reduction"].default == "mean"
    else:
        assert "reduction" not in parameters  # the formulas of elements are reduced by `function`


@pytest.mark.parametrize("name", losses.names())
def test_numpy_takes_the_mean_where_no_reduction_is_given(name: str) -> None:
    case = next(case for case in cases() if case.arguments == {"reduction": "mean"} and case.name == name)
    value, gradients = numpy_losses.function(name, {})(*case.arrays)
    mean, gradients_of_mean = numpy_losses.function(name, {"reduction": "mean"})(*case.arrays)
    np.testing.assert_array_equal(value, mean)
    np.testing.assert_equal(gradients, gradients_of_mean)
