"""Every loss in NumPy, from scratch: the value and, beside it, the gradient derived by hand.

Each function takes arrays as `backends.losses` declares them, unchecked, and gives (value, {input: gradient}).
With e = prediction - target, x the prediction, t or y the target, the first lines of a function are its formula
and the gradient is its derivative, divided as the reduction divides: by the number of elements or rows, or by the
sum of the class weights. A hinge is active where z > 0, strictly. `both` adds the gradient in a real target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from . import losses
from .losses import EPSILON, Reduction, class_axis

Array: TypeAlias = NDArray[Any]
Weight: TypeAlias = Sequence[float] | Array | None
Result: TypeAlias = tuple[Any, dict[str, Array]]

# --- reduction ------------------------------------------------------------------------------------------------


def _reduced(value: Any, gradients: dict[str, Array], reduction: Reduction) -> Result:
    """The value reduced, and the gradients divided as the value is."""
    match reduction:
        case "none":
            return value, gradients
        case "sum":
            return np.add.reduce(value, axis=None), gradients
        case "mean":
            count = value.size
        case "batchmean":
            count = len(value)
        case _:
            assert_never(reduction)
    return np.add.reduce(value, axis=None) / count, {name: g / count for name, g in gradients.items()}


def _residual(value: Array, derivative: Array, reduction: Reduction, both: bool) -> Result:
    """A loss of e alone: its gradient in the target is minus that in the prediction."""
    gradients = {"prediction": derivative}
    if both:
        gradients["target"] = -derivative
    return _reduced(value, gradients, reduction)


# --- regression -----------------------------------------------------------------------------------------------


def l1(prediction: Array, target: Array, *, reduction: Reduction = "mean", both: bool = False) -> Result:
    e = prediction - target
    return _residual(np.abs(e), np.sign(e), reduction, both)


def mse(prediction: Array, target: Array, *, reduction: Reduction = "mean", both: bool = False) -> Result:
    e = prediction - target
    return _residual(e * e, e + e, reduction, both)


def huber(
    prediction: Array, target: Array, *, delta: float = 1.0, reduction: Reduction = "mean", both: bool = False
) -> Result:
    e = prediction - target
    clipped = np.minimum(np.maximum(e, -delta), delta)
    # clipped (e - clipped / 2) is e^2 / 2 inside delta and delta (|e| - delta / 2) outside
    return _residual(clipped * (e - clipped / 2), clipped, reduction, both)


def smooth_l1(
    prediction: Array, target: Array, *, beta: float = 1.0, reduction: Reduction = "mean", both: bool = False
) -> Result:
    if beta == 0:
        return l1(prediction, target, reduction=reduction, both=both)
    e = prediction - target
    clipped = np.minimum(np.maximum(e, -beta), beta)
    derivative = clipped / beta
    return _residual(derivative * (e - clipped / 2), derivative, reduction, both)


# --- classes --------------------------------------------------------------------------------------------------


def _log_softmax(x: Array, axis: int) -> Array:
    # the largest exponent is exp(0): no overflow, and a sum of at least 1
    z: Array = x - x.max(axis, keepdims=True)
    log_sum: Array = np.log(np.exp(z).sum(axis, keepdims=True))
    return z - log_sum


def _along(weight: Weight, x: Array, axis: int) -> Array:
    """Class weights in x's dtype, shaped to multiply x along the class axis."""
    values = np.ones(x.shape[axis], x.dtype) if weight is None else np.asarray(weight, x.dtype)
    return np.expand_dims(values, tuple(i for i in range(x.ndim) if i != axis))


def nll(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    smoothing: float = 0.0,
) -> Result:
    """-(1-s) w_y x_y - (s/C) sum_c w_c x_c per row, 0 where ignored; mean divides by the sum of the w_y."""
    x, axis = prediction, class_axis(prediction.ndim)
    classes = np.where(counted := target != ignore_index, target, 0)
    w = _along(weight, x, axis)
    w_y = np.where(counted, w.ravel()[classes], 0)
    divisor = w_y.sum() if reduction == "mean" else 1
    at, rows = np.expand_dims(classes, axis), np.expand_dims(counted, axis)
    coefficient = (smoothing - 1) * w_y
    value = np.where(counted, coefficient * np.take_along_axis(x, at, axis).squeeze(axis), 0)
    gradient = np.zeros_like(x)
    # ignored rows keep gradient 0 even where all are ignored and the divisor is 0
    np.put_along_axis(gradient, at, np.where(rows, np.expand_dims(coefficient, axis) / divisor, 0), axis)
    if smoothing:
        spread = smoothing / x.shape[axis]
        value = value - np.where(counted, spread * (w * x).sum(axis), 0)
        gradient -= np.where(rows, spread * w / divisor, 0)
    return value if reduction == "none" else value.sum() / divisor, {"prediction": gradient}


def cross_entropy(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    both: bool = False,
) -> Result:
    log_p = _log_softmax(prediction, axis := class_axis(prediction.ndim))
    p = np.exp(log_p)
    if target.dtype.kind in "iu":
        options: Any = {"weight": weight, "ignore_index": ignore_index, "smoothing": label_smoothing}
        value, gradients = nll(log_p, target, reduction=reduction, **options)
        g = gradients["prediction"]  # in log_p; that in x goes through log_softmax
        return value, {"prediction": g - p * g.sum(axis, keepdims=True)}
    w = _along(weight, prediction, axis)
    mix = w * ((1 - label_smoothing) * target + label_smoothing / prediction.shape[axis])
    gradients = {"prediction": p * mix.sum(axis, keepdims=True) - mix}
    if both:
        gradients["target"] = (label_smoothing - 1) * w * log_p
    return _reduced(-(mix * log_p).sum(axis), gradients, reduction)


def multi_margin(
    prediction: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Weight = None,
    reduction: Reduction = "mean",
) -> Result:
    at = np.expand_dims(target, -1)
    z = margin - np.take_along_axis(prediction, at, -1) + prediction
    np.put_along_axis(z, at, 0, -1)  # the true class is not in the sum
    z = np.maximum(z, 0)
    w = _along(weight, prediction, prediction.ndim - 1).ravel()[at] / prediction.shape[-1]
    gradient = w * (z > 0) if p == 1 else w * (z + z)
    np.put_along_axis(gradient, at, -gradient.sum(-1, keepdims=True), -1)
    return _reduced((w * z**p).sum(-1), {"prediction": gradient}, reduction)


def multilabel_margin(prediction: Array, target: Array, *, reduction: Reduction = "mean") -> Result:
    x, classes = np.atleast_2d(prediction, target)
    listed = np.logical_and.accumulate(classes >= 0, axis=1)  # T ends at the first -1
    rows, places = np.nonzero(listed)
    labels = classes[rows, places]
    others = np.ones(x.shape, bool)
    others[rows, labels] = False
    z = np.where(others[rows], 1 - x[rows, labels, None] + x[rows], 0)  # (pairs of row and label, C)
    active = (z > 0).astype(x.dtype)
    value, gradient = np.zeros(len(x), x.dtype), np.zeros_like(x)
    np.add.at(value, rows, np.maximum(z, 0).sum(1))
    np.add.at(gradient, rows, active)
    np.add.at(gradient, (rows, labels), -active.sum(1))
    value, gradient = value / x.shape[1], (gradient / x.shape[1]).reshape(prediction.shape)
    return _reduced(value.reshape(prediction.shape[:-1]), {"prediction": gradient}, reduction)


# --- probabilities --------------------------------------------------------------------------------------------


def kl_div(
    prediction: Array,
    target: Array,
    *,
    log_target: bool = False,
    reduction: Reduction = "mean",
    both: bool = False,
) -> Result:
    if log_target:
        t = np.exp(target)
        value, gradients = t * (target - prediction), {"prediction": -t}
        if both:
            gradients["target"] = value + t
        return _reduced(value, gradients, reduction)
    positive = target > 0
    log_t = np.log(np.where(positive, target, 1))  # no log of zero: t log t is 0 at t = 0
    value, gradients = target * log_t - target * prediction, {"prediction": -target}
    if both:
        gradients["target"] = log_t + positive - prediction
    return _reduced(value, gradients, reduction)


def _weighted(value: Array, gradients: dict[str, Array], weight: Weight) -> Result:
    """Both times a weight per column (the last axis) or per element."""
    if weight is None:
        return value, gradients
    w = np.asarray(weight, value.dtype)
    return w * value, {name: w * g for name, g in gradients.items()}


def bce(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    reduction: Reduction = "mean",
    both: bool = False,
) -> Result:
    x, t = prediction, target  # no log of zero: where x is 0 or 1 the floor of -100 stays
    log_x = np.maximum(np.log(x, out=np.full_like(x, -100), where=x != 0), -100)
    log_not_x = np.maximum(np.log1p(-x, out=np.full_like(x, -100), where=x != 1), -100)
    value = (t - 1) * log_not_x - t * log_x
    gradients = {"prediction": (x - t) / np.maximum(x * (1 - x), EPSILON)}
    if both:
        gradients["target"] = log_not_x - log_x
    return _reduced(*_weighted(value, gradients, weight), reduction)


def bce_with_logits(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    pos_weight: Weight = None,
    reduction: Reduction = "mean",
    both: bool = False,
) -> Result:
    x, t = prediction, target
    decay = np.exp(-np.abs(x))  # at most 1: no overflow
    softplus = np.log1p(decay)
    log_sigmoid, log_not = np.minimum(x, 0) - softplus, np.minimum(-x, 0) - softplus
    sigmoid, not_sigmoid = np.where(x >= 0, 1, decay) / (1 + decay), np.where(x >= 0, decay, 1) / (1 + decay)
    p = 1 if pos_weight is None else np.asarray(pos_weight, x.dtype)
    positive = p * t
    value = -positive * log_sigmoid - (1 - t) * log_not
    gradients = {"prediction": (1 - t) * sigmoid - positive * not_sigmoid}
    if both:
        gradients["target"] = log_not - p * log_sigmoid
    return _reduced(*_weighted(value, gradients, weight), reduction)


def multilabel_soft_margin(
    prediction: Array, target: Array, *, weight: Weight = None, reduction: Reduction = "mean"
) -> Result:
    labels, classes = target.astype(prediction.dtype), prediction.shape[-1]
    value, gradients = bce_with_logits(prediction, labels, weight=weight, reduction="none")
    return _reduced(value.sum(-1) / classes, {"prediction": gradients["prediction"] / classes}, reduction)


# --- labels -1 and 1 ------------------------------------------------------------------------------------------


def soft_margin(prediction: Array, target: Array, *, reduction: Reduction = "mean") -> Result:
    y = target.astype(prediction.dtype)
    z = -y * prediction
    decay = np.exp(-np.abs(z))
    value = np.maximum(z, 0) + np.log1p(decay)  # softplus(z), finite where exp(z) is not
    return _reduced(value, {"prediction": -y * np.where(z >= 0, 1, decay) / (1 + decay)}, reduction)


def hinge_embedding(
    prediction: Array, target: Array, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Result:
    positive, z = target == 1, margin - prediction
    gradient = np.where(positive, prediction.dtype.type(1), -(z > 0).astype(prediction.dtype))
    return _reduced(np.where(positive, prediction, np.maximum(z, 0)), {"prediction": gradient}, reduction)


def margin_ranking(
    x1: Array, x2: Array, y: Array, *, margin: float = 0.0, reduction: Reduction = "mean"
) -> Result:
    y = y.astype(x1.dtype)
    z = -y * (x1 - x2) + margin
    gradient = y * (z > 0)
    return _reduced(np.maximum(z, 0), {"x1": -gradient, "x2": gradient}, reduction)


def cosine_embedding(
    x1: Array, x2: Array, y: Array, *, margin: float = 0.0, reduction: Reduction = "mean"
) -> Result:
    square1, square2 = ((x * x).sum(-1, keepdims=True) + EPSILON for x in (x1, x2))
    norms = np.sqrt(square1) * np.sqrt(square2)  # the product of the squares would overflow earlier
    cosine = (x1 * x2).sum(-1, keepdims=True) / norms
    positive = y[..., None] == 1
    of_cosine = np.where(positive, x1.dtype.type(-1), (cosine > margin).astype(x1.dtype))
    value = np.where(positive, 1 - cosine, np.maximum(cosine - margin, 0)).squeeze(-1)
    x1_gradient = of_cosine * (x2 / norms - cosine * x1 / square1)
    x2_gradient = of_cosine * (x1 / norms - cosine * x2 / square2)
    return _reduced(value, {"x1": x1_gradient, "x2": x2_gradient}, reduction)


# --- the table ------------------------------------------------------------------------------------------------

_REGRESSION, _CLASSES = (l1, mse, smooth_l1, huber), (cross_entropy, nll, multi_margin, multilabel_margin)
_PROBABILITIES = (kl_div, bce, bce_with_logits, multilabel_soft_margin)
_SIGNS = (soft_margin, hinge_embedding, margin_ranking, cosine_embedding)
_FORMULAS: tuple[Callable[..., Result], ...] = (*_REGRESSION, *_CLASSES, *_PROBABILITIES, *_SIGNS)
FUNCTIONS = {formula.__name__: formula for formula in _FORMULAS} | {"nll2d": nll}


def function(name: str, arguments: Mapping[str, Any]) -> Callable[..., Result]:
    """The loss as a function of its arrays, unchecked, that gives the value and the gradients training needs.

    Raises:
        ValueError: no such loss, or options that it does not take.
    """
    losses.get(name).check_options(arguments)
    return partial(FUNCTIONS[name], **arguments)


def loss_and_gradient(name: str, arrays: Sequence[Array], arguments: Mapping[str, Any]) -> Result:
    """Value and gradient by input name, in the inputs' dtype; with reduction "none" the gradient of the sum.

    Raises:
        ValueError: what `LossSpec.check` refuses, and bfloat16, which NumPy does not have.
    """
    spec = losses.get(name)
    spec.check(arrays, arguments)
    if arrays[0].dtype.name == "bfloat16":
        raise ValueError(f"{name}: NumPy has no arithmetic in bfloat16; give float32 or float64")
    both = {"both": True} if "target" in spec.differentiable else {}
    with np.errstate(all="ignore"):  # infinities and NaN come without warnings, as in torch and JAX
        value, gradients = function(name, arguments)(*arrays, **both)
    return np.asarray(value), {key: np.asarray(gradients[key]) for key in spec.gradients(arrays)}
