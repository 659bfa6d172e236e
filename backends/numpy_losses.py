"""Every loss in NumPy, from scratch: the value and, beside it, the gradient derived by hand.

Each function takes arrays as `backends.losses` declares them, unchecked, and gives (value, {input: gradient}).
With e = prediction - target, x the prediction, t or y the target, the first lines of a function are its formula
and the slope is that formula's derivative. The gradient is divided by the reduction's own divisor: the number
of elements, of rows, or the sum of the class weights. A hinge is active where z > 0, strictly. `both` adds the
gradient with respect to a real-valued target, which training does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import losses
from .loss_checks import class_axis

Array: TypeAlias = NDArray[Any]
Weight: TypeAlias = Sequence[float] | Array | None
Result: TypeAlias = tuple[Any, dict[str, Array]]

# PyTorch's 1e-12, which it keeps as a float32 number in float64 too
BCE_EPSILON = COSINE_EPSILON = float(np.float32(1e-12))

# --- reduction ------------------------------------------------------------------------------------------------


def _reduced(value: Any, slopes: dict[str, Array], reduction: str) -> Result:
    """The value as `reduction` asks, and the slopes divided as the value is."""
    if reduction == "none":
        return value, slopes
    total = np.add.reduce(value, axis=None)
    if reduction == "sum":
        return total, slopes
    count = len(value) if reduction == "batchmean" else value.size
    return total / count, {name: slope / count for name, slope in slopes.items()}


def _residual(value: Array, slope: Array, reduction: str, both: bool) -> Result:
    """A loss of e alone: its slope in the target is minus that in the prediction."""
    slopes = {"prediction": slope}
    if both:
        slopes["target"] = -slope
    return _reduced(value, slopes, reduction)


# --- regression -----------------------------------------------------------------------------------------------


def l1(prediction: Array, target: Array, *, reduction: str = "mean", both: bool = False) -> Result:
    e = prediction - target
    return _residual(np.abs(e), np.sign(e), reduction, both)


def mse(prediction: Array, target: Array, *, reduction: str = "mean", both: bool = False) -> Result:
    e = prediction - target
    return _residual(e * e, e + e, reduction, both)


def huber(
    prediction: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean", both: bool = False
) -> Result:
    e = prediction - target
    slope = np.minimum(np.maximum(e, -delta), delta)
    # slope (e - slope / 2) is e^2 / 2 inside delta and delta (|e| - delta / 2) outside
    return _residual(slope * (e - slope / 2), slope, reduction, both)


def smooth_l1(
    prediction: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean", both: bool = False
) -> Result:
    if beta == 0:
        return l1(prediction, target, reduction=reduction, both=both)
    e = prediction - target
    clipped = np.minimum(np.maximum(e, -beta), beta)
    slope = clipped / beta
    return _residual(slope * (e - clipped / 2), slope, reduction, both)


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


def _nll(
    x: Array, target: Array, weight: Weight, ignore_index: int, reduction: str, smoothing: float = 0.0
) -> tuple[Any, Array]:
    """-(1-s) w_y x_y - (s/C) sum_c w_c x_c per row, 0 where ignored; mean divides by the sum of the w_y."""
    axis = class_axis(x.ndim)
    kept = target != ignore_index
    classes = np.where(kept, target, 0)
    w = _along(weight, x, axis)
    w_y = np.where(kept, w.ravel()[classes], 0)
    divisor = w_y.sum() if reduction == "mean" else 1
    at, rows = np.expand_dims(classes, axis), np.expand_dims(kept, axis)
    coefficient = (smoothing - 1) * w_y
    value = np.where(kept, coefficient * np.take_along_axis(x, at, axis).squeeze(axis), 0)
    slope = np.zeros_like(x)
    # ignored rows keep slope 0 even where every row is ignored and the divisor is 0
    np.put_along_axis(slope, at, np.where(rows, np.expand_dims(coefficient, axis) / divisor, 0), axis)
    if smoothing:
        share = smoothing / x.shape[axis]
        value = value - np.where(kept, share * (w * x).sum(axis), 0)
        slope -= np.where(rows, share * w / divisor, 0)
    return value if reduction == "none" else value.sum() / divisor, slope


def nll(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Result:
    value, slope = _nll(prediction, target, weight, ignore_index, reduction)
    return value, {"prediction": slope}


def cross_entropy(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    both: bool = False,
) -> Result:
    axis = class_axis(prediction.ndim)
    log_p = _log_softmax(prediction, axis)
    p = np.exp(log_p)
    if target.dtype.kind in "iu":
        value, g = _nll(log_p, target, weight, ignore_index, reduction, label_smoothing)
        return value, {"prediction": g - p * g.sum(axis, keepdims=True)}  # the slope g, through log_softmax
    w = _along(weight, prediction, axis)
    mix = w * ((1 - label_smoothing) * target + label_smoothing / prediction.shape[axis])
    slopes = {"prediction": p * mix.sum(axis, keepdims=True) - mix}
    if both:
        slopes["target"] = (label_smoothing - 1) * w * log_p
    return _reduced(-(mix * log_p).sum(axis), slopes, reduction)


def multi_margin(
    prediction: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Weight = None,
    reduction: str = "mean",
) -> Result:
    at = np.expand_dims(target, -1)
    z = margin - np.take_along_axis(prediction, at, -1) + prediction
    np.put_along_axis(z, at, 0, -1)  # the true class is not in the sum
    z = np.maximum(z, 0)
    w = _along(weight, prediction, prediction.ndim - 1).ravel()[at] / prediction.shape[-1]
    slope = w * (z > 0) if p == 1 else w * (z + z)
    np.put_along_axis(slope, at, -slope.sum(-1, keepdims=True), -1)
    return _reduced((w * z**p).sum(-1), {"prediction": slope}, reduction)


def multilabel_margin(prediction: Array, target: Array, *, reduction: str = "mean") -> Result:
    x, classes = np.atleast_2d(prediction, target)
    listed = np.logical_and.accumulate(classes >= 0, axis=1)  # T ends at the first -1
    rows, places = np.nonzero(listed)
    labels = classes[rows, places]
    others = np.ones(x.shape, bool)
    others[rows, labels] = False
    z = np.where(others[rows], 1 - x[rows, labels, None] + x[rows], 0)  # (pairs of row and label, C)
    active = (z > 0).astype(x.dtype)
    value, slope = np.zeros(len(x), x.dtype), np.zeros_like(x)
    np.add.at(value, rows, np.maximum(z, 0).sum(1))
    np.add.at(slope, rows, active)
    np.add.at(slope, (rows, labels), -active.sum(1))
    value, slope = value / x.shape[1], slope / x.shape[1]
    shape = prediction.shape
    return _reduced(value.reshape(shape[:-1]), {"prediction": slope.reshape(shape)}, reduction)


# --- probabilities --------------------------------------------------------------------------------------------


def kl_div(
    prediction: Array, target: Array, *, log_target: bool = False, reduction: str = "mean", both: bool = False
) -> Result:
    if log_target:
        t = np.exp(target)
        value, slopes = t * (target - prediction), {"prediction": -t}
        if both:
            slopes["target"] = value + t
        return _reduced(value, slopes, reduction)
    positive = target > 0
    log_t = np.log(np.where(positive, target, 1))  # no log of zero: t log t is 0 at t = 0
    value, slopes = target * log_t - target * prediction, {"prediction": -target}
    if both:
        slopes["target"] = log_t + positive - prediction
    return _reduced(value, slopes, reduction)


def _weighted(value: Array, slopes: dict[str, Array], weight: Weight) -> tuple[Array, dict[str, Array]]:
    """Both times a weight per column (the last axis) or per element."""
    if weight is None:
        return value, slopes
    w = np.asarray(weight, value.dtype)
    return w * value, {name: w * slope for name, slope in slopes.items()}


def bce(
    prediction: Array, target: Array, *, weight: Weight = None, reduction: str = "mean", both: bool = False
) -> Result:
    x, t = prediction, target
    # no log of zero: where x is 0 or 1 the floor stays
    log_x = np.maximum(np.log(x, out=np.full_like(x, -100), where=x != 0), -100)
    log_not_x = np.maximum(np.log1p(-x, out=np.full_like(x, -100), where=x != 1), -100)
    value = (t - 1) * log_not_x - t * log_x
    slopes = {"prediction": (x - t) / np.maximum(x * (1 - x), BCE_EPSILON)}
    if both:
        slopes["target"] = log_not_x - log_x
    return _reduced(*_weighted(value, slopes, weight), reduction)


def bce_with_logits(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    pos_weight: Weight = None,
    reduction: str = "mean",
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
    slopes = {"prediction": (1 - t) * sigmoid - positive * not_sigmoid}
    if both:
        slopes["target"] = log_not - p * log_sigmoid
    return _reduced(*_weighted(value, slopes, weight), reduction)


def multilabel_soft_margin(
    prediction: Array, target: Array, *, weight: Weight = None, reduction: str = "mean"
) -> Result:
    labels, classes = target.astype(prediction.dtype), prediction.shape[-1]
    value, slopes = bce_with_logits(prediction, labels, weight=weight, reduction="none")
    return _reduced(value.sum(-1) / classes, {"prediction": slopes["prediction"] / classes}, reduction)


# --- labels -1 and 1 ------------------------------------------------------------------------------------------


def soft_margin(prediction: Array, target: Array, *, reduction: str = "mean") -> Result:
    y = target.astype(prediction.dtype)
    z = -y * prediction
    decay = np.exp(-np.abs(z))
    value = np.maximum(z, 0) + np.log1p(decay)  # softplus(z), finite where exp(z) is not
    return _reduced(value, {"prediction": -y * np.where(z >= 0, 1, decay) / (1 + decay)}, reduction)


def hinge_embedding(
    prediction: Array, target: Array, *, margin: float = 1.0, reduction: str = "mean"
) -> Result:
    positive, z = target == 1, margin - prediction
    slope = np.where(positive, prediction.dtype.type(1), -(z > 0).astype(prediction.dtype))
    return _reduced(np.where(positive, prediction, np.maximum(z, 0)), {"prediction": slope}, reduction)


def margin_ranking(x1: Array, x2: Array, y: Array, *, margin: float = 0.0, reduction: str = "mean") -> Result:
    y = y.astype(x1.dtype)
    z = -y * (x1 - x2) + margin
    slope = y * (z > 0)
    return _reduced(np.maximum(z, 0), {"x1": -slope, "x2": slope}, reduction)


def cosine_embedding(
    x1: Array, x2: Array, y: Array, *, margin: float = 0.0, reduction: str = "mean"
) -> Result:
    square1, square2 = ((x * x).sum(-1, keepdims=True) + COSINE_EPSILON for x in (x1, x2))
    norms = np.sqrt(square1) * np.sqrt(square2)  # the product of the squares would overflow earlier
    cosine = (x1 * x2).sum(-1, keepdims=True) / norms
    positive = y[..., None] == 1
    slope = np.where(positive, x1.dtype.type(-1), (cosine > margin).astype(x1.dtype))
    value = np.where(positive, 1 - cosine, np.maximum(cosine - margin, 0)).squeeze(-1)
    slopes = {
        "x1": slope * (x2 / norms - cosine * x1 / square1),
        "x2": slope * (x1 / norms - cosine * x2 / square2),
    }
    return _reduced(value, slopes, reduction)


# --- the table ------------------------------------------------------------------------------------------------

_REGRESSION = (l1, mse, smooth_l1, huber)
_CLASSES = (cross_entropy, nll, multi_margin, multilabel_margin)
_PROBABILITIES = (kl_div, bce, bce_with_logits, multilabel_soft_margin)
_SIGNS = (soft_margin, hinge_embedding, margin_ranking, cosine_embedding)
FUNCTIONS: dict[str, Callable[..., Result]] = {
    function.__name__: function for function in (*_REGRESSION, *_CLASSES, *_PROBABILITIES, *_SIGNS)
} | {"nll2d": nll}


def evaluate(name: str, arrays: Sequence[Array], arguments: Mapping[str, Any]) -> Result:
    """Value and the gradients that training needs: unchecked, and without that of a real-valued target."""
    return FUNCTIONS[name](*arrays, **arguments)


def loss_and_gradient(
    name: str, arrays: Sequence[Array], arguments: Mapping[str, Any]
) -> tuple[Array, dict[str, Array]]:
    """Value and gradient by input name, in the inputs' dtype; with reduction "none" the gradient of the sum.

    Infinities and NaN come out as IEEE arithmetic makes them, without warnings, as in torch and JAX.

    Raises:
        ValueError: what `LossSpec.check` refuses, and bfloat16, which NumPy does not have.
    """
    spec = losses.get(name)
    spec.check(arrays, arguments)
    if arrays[0].dtype.name == "bfloat16":
        raise ValueError(f"{name}: NumPy has no arithmetic in bfloat16; give float32 or float64")
    of_target = {"both": True} if "target" in spec.differentiable else {}
    with np.errstate(all="ignore"):
        value, gradients = evaluate(name, arrays, {**arguments, **of_target})
    return np.asarray(value), {key: np.asarray(gradients[key]) for key in spec.gradients(arrays)}
