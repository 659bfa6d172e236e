"""Every loss in NumPy, from scratch: the value and, beside it, the gradient derived by hand.

Each function takes arrays as `backends.losses` declares them, unchecked, and gives the loss of each element or
row with its derivatives, {input: gradient}; `_reduced` sums or averages. The losses whose mean divides by the sum
of the class weights reduce themselves. e = prediction - target, x is the prediction, t or y the target. A hinge
is active where z > 0, strictly. `both` adds the gradient in a real target.
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


# --- regression -----------------------------------------------------------------------------------------------
# functions of e alone: (value, derivative in the prediction); the derivative in the target is minus that


def l1(e: Array) -> tuple[Array, Array]:
    return np.abs(e), np.sign(e)


def mse(e: Array) -> tuple[Array, Array]:
    return e * e, e + e


def huber(e: Array, *, delta: float = 1.0) -> tuple[Array, Array]:
    clipped = np.minimum(np.maximum(e, -delta), delta)
    # clipped (e - clipped / 2) is e^2 / 2 inside delta and delta (|e| - delta / 2) outside
    return clipped * (e - clipped / 2), clipped


def smooth_l1(e: Array, *, beta: float = 1.0) -> tuple[Array, Array]:
    if beta == 0:
        return l1(e)
    clipped = np.minimum(np.maximum(e, -beta), beta)
    derivative = clipped / beta
    return derivative * (e - clipped / 2), derivative


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
    x, s, axis = prediction, label_smoothing, class_axis(prediction.ndim)
    log_p = _log_softmax(x, axis)
    p = np.exp(log_p)
    if target.dtype.kind in "iu":
        options: Any = {"weight": weight, "ignore_index": ignore_index, "smoothing": s}
        value, gradients = nll(log_p, target, reduction=reduction, **options)
        g = gradients["prediction"]  # in log_p; that in x goes through log_softmax
        return value, {"prediction": g - p * g.sum(axis, keepdims=True)}
    w = _along(weight, x, axis)
    mix = w * ((1 - s) * target + s / x.shape[axis])
    gradients = {"prediction": p * mix.sum(axis, keepdims=True) - mix}
    if both:
        gradients["target"] = (s - 1) * w * log_p
    return _reduced(-(mix * log_p).sum(axis), gradients, reduction)


def multi_margin(
    prediction: Array, target: Array, *, p: int = 1, margin: float = 1.0, weight: Weight = None
) -> Result:
    x, at = prediction, np.expand_dims(target, -1)
    z = margin - np.take_along_axis(x, at, -1) + x
    np.put_along_axis(z, at, 0, -1)  # the true class is not in the sum
    z = np.maximum(z, 0)
    w = _along(weight, x, x.ndim - 1).ravel()[at] / x.shape[-1]
    gradient = w * (z > 0) if p == 1 else w * (z + z)
    np.put_along_axis(gradient, at, -gradient.sum(-1, keepdims=True), -1)
    return (w * z**p).sum(-1), {"prediction": gradient}


def multilabel_margin(prediction: Array, target: Array) -> Result:
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
    value, gradient = value / x.shape[1], gradient / x.shape[1]
    return value.reshape(prediction.shape[:-1]), {"prediction": gradient.reshape(prediction.shape)}


# --- probabilities --------------------------------------------------------------------------------------------


def kl_div(prediction: Array, target: Array, *, log_target: bool = False, both: bool = False) -> Result:
    x, t = prediction, target
    if log_target:
        p = np.exp(t)
        value = p * (t - x)
        return value, {"prediction": -p} | ({"target": value + p} if both else {})
    positive = t > 0
    log_t = np.log(np.where(positive, t, 1))  # no log of zero: t log t is 0 at t = 0
    gradients = {"prediction": -t}
    if both:
        gradients["target"] = log_t + positive - x
    return t * log_t - t * x, gradients


def _weighted(value: Array, gradients: dict[str, Array], weight: Weight) -> Result:
    """Both times a weight per column (the last axis) or per element."""
    if weight is None:
        return value, gradients
    w = np.asarray(weight, value.dtype)
    return w * value, {name: w * g for name, g in gradients.items()}


def bce(prediction: Array, target: Array, *, weight: Weight = None, both: bool = False) -> Result:
    x, t = prediction, target
    # no log of zero: where x is 0 or 1 the floor of -100 stays
    log_x = np.maximum(np.log(x, out=np.full_like(x, -100), where=x != 0), -100)
    log_not_x = np.maximum(np.log1p(-x, out=np.full_like(x, -100), where=x != 1), -100)
    gradients = {"prediction": (x - t) / np.maximum(x * (1 - x), EPSILON)}
    if both:
        gradients["target"] = log_not_x - log_x
    return _weighted((t - 1) * log_not_x - t * log_x, gradients, weight)


def bce_with_logits(
    prediction: Array, target: Array, *, weight: Weight = None, pos_weight: Weight = None, both: bool = False
) -> Result:
    x, t = prediction, target
    decay = np.exp(-np.abs(x))  # at most 1: no overflow
    softplus = np.log1p(decay)
    log_sigmoid, log_not = np.minimum(x, 0) - softplus, np.minimum(-x, 0) - softplus
    sigmoid, not_sigmoid = np.where(x >= 0, 1, decay) / (1 + decay), np.where(x >= 0, decay, 1) / (1 + decay)
    p = 1 if pos_weight is None else np.asarray(pos_weight, x.dtype)
    positive = p * t
    gradients = {"prediction": (1 - t) * sigmoid - positive * not_sigmoid}
    if both:
        gradients["target"] = log_not - p * log_sigmoid
    return _weighted(-positive * log_sigmoid - (1 - t) * log_not, gradients, weight)


def multilabel_soft_margin(prediction: Array, target: Array, *, weight: Weight = None) -> Result:
    value, gradients = bce_with_logits(prediction, target.astype(prediction.dtype), weight=weight)
    classes = prediction.shape[-1]
    return value.sum(-1) / classes, {"prediction": gradients["prediction"] / classes}


# --- labels -1 and 1 ------------------------------------------------------------------------------------------


def soft_margin(prediction: Array, target: Array) -> Result:
    y = target.astype(prediction.dtype)
    z = -y * prediction
    decay = np.exp(-np.abs(z))
    value = np.maximum(z, 0) + np.log1p(decay)  # softplus(z), finite where exp(z) is not
    return value, {"prediction": -y * np.where(z >= 0, 1, decay) / (1 + decay)}


def hinge_embedding(prediction: Array, target: Array, *, margin: float = 1.0) -> Result:
    x, positive, z = prediction, target == 1, margin - prediction
    gradient = np.where(positive, x.dtype.type(1), -(z > 0).astype(x.dtype))
    return np.where(positive, x, np.maximum(z, 0)), {"prediction": gradient}


def margin_ranking(x1: Array, x2: Array, y: Array, *, margin: float = 0.0) -> Result:
    y = y.astype(x1.dtype)
    z = -y * (x1 - x2) + margin
    gradient = y * (z > 0)
    return np.maximum(z, 0), {"x1": -gradient, "x2": gradient}


def cosine_embedding(x1: Array, x2: Array, y: Array, *, margin: float = 0.0) -> Result:
    square1, square2 = ((x * x).sum(-1, keepdims=True) + EPSILON for x in (x1, x2))
    norms = np.sqrt(square1) * np.sqrt(square2)  # the product of the squares would overflow earlier
    cosine = (x1 * x2).sum(-1, keepdims=True) / norms
    positive = y[..., None] == 1
    of_cosine = np.where(positive, x1.dtype.type(-1), (cosine > margin).astype(x1.dtype))
    value = np.where(positive, 1 - cosine, np.maximum(cosine - margin, 0)).squeeze(-1)
    x1_gradient = of_cosine * (x2 / norms - cosine * x1 / square1)
    x2_gradient = of_cosine * (x1 / norms - cosine * x2 / square2)
    return value, {"x1": x1_gradient, "x2": x2_gradient}


# --- the table ------------------------------------------------------------------------------------------------

OF_RESIDUAL: dict[str, Callable[..., tuple[Array, Array]]]
OF_RESIDUAL = {"l1": l1, "mse": mse, "smooth_l1": smooth_l1, "huber": huber}
ELEMENTWISE: dict[str, Callable[..., Result]] = {
    "kl_div": kl_div,
    "bce": bce,
    "bce_with_logits": bce_with_logits,
    "margin_ranking": margin_ranking,
    "hinge_embedding": hinge_embedding,
    "multilabel_margin": multilabel_margin,
    "soft_margin": soft_margin,
    "multilabel_soft_margin": multilabel_soft_margin,
    "cosine_embedding": cosine_embedding,
    "multi_margin": multi_margin,
}
ROWWISE: dict[str, Callable[..., Result]] = {"cross_entropy": cross_entropy, "nll": nll, "nll2d": nll}
FUNCTIONS: dict[str, Callable[..., Any]] = {**OF_RESIDUAL, **ELEMENTWISE, **ROWWISE}


def function(name: str, arguments: Mapping[str, Any]) -> Callable[..., Result]:
    """The loss as a function of its arrays, unchecked, that gives the value and the gradients training needs.

    Raises:
        ValueError: no such loss, or options that it does not take.
    """
    losses.get(name).check_options(arguments)
    if name in ROWWISE:  # their mean divides by the sum of the weights, so they reduce themselves
        return partial(ROWWISE[name], **arguments)
    options = dict(arguments)
    reduction = options.pop("reduction", "mean")
    if name in OF_RESIDUAL:
        of_residual = partial(OF_RESIDUAL[name], **options)

        def loss(prediction: Array, target: Array, *, both: bool = False) -> Result:
            e = prediction - target
            value, derivative = of_residual(e)
            gradients = {"prediction": derivative}
            if both:
                gradients["target"] = -derivative
            return _reduced(value, gradients, reduction)

        return loss
    elements = partial(ELEMENTWISE[name], **options)
    return lambda *arrays, **both: _reduced(*elements(*arrays, **both), reduction)


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
