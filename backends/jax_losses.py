"""Every loss in JAX: Optax where Optax has the same function, a formula elsewhere.

The functions are pure, run under jit and are right under jax.grad: where automatic differentiation is wrong at
a kink or a floor, the derivative is written out, or the formula is one whose derivative is right. Arithmetic is
in the prediction's dtype. Below the smallest normal number XLA on a CPU reads zero: the logarithm of a
subnormal probability is the floor of -100.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeAlias, assert_never

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from . import losses
from .losses import EPSILON, Reduction, class_axis

Weight: TypeAlias = Sequence[float] | NDArray[Any] | None

# --- reduction ------------------------------------------------------------------------------------------------


def _reduced(value: Array, reduction: Reduction) -> Array:
    match reduction:
        case "none":
            return value
        case "sum":
            return value.sum()
        case "mean":
            return value.mean()
        case "batchmean":
            return value.sum() / len(value)
        case _:
            assert_never(reduction)


# --- regression -----------------------------------------------------------------------------------------------


def l1(prediction: Array, target: Array) -> Array:
    e = prediction - target
    return e * jnp.sign(e)  # the derivative of jnp.abs at 0 is 1; here it is sign(0) = 0


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def huber(prediction: Array, target: Array, delta: float = 1.0) -> Array:
    value: Array = optax.huber_loss(prediction, target, delta=delta)
    return value


@huber.defjvp
def _huber_jvp(
    delta: float, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The derivative clip(e, -delta, delta) itself.

    Autodiff of Optax's form gives q sign e + delta sign e - delta sign e, which is as far off as delta rounds,
    however small e is.
    """
    derivative = jnp.clip(primals[0] - primals[1], -delta, delta)
    return huber(*primals, delta), derivative * (tangents[0] - tangents[1])


def smooth_l1(prediction: Array, target: Array, *, beta: float = 1.0) -> Array:
    return huber(prediction, target, beta) / beta if beta else l1(prediction, target)


# --- classes --------------------------------------------------------------------------------------------------


def _along(weight: Weight, x: Array, axis: int) -> Array:
    """Class weights in x's dtype, shaped to multiply x along the class axis."""
    values = jnp.ones(x.shape[axis], x.dtype) if weight is None else jnp.asarray(weight, x.dtype)
    return jnp.expand_dims(values, tuple(i for i in range(x.ndim) if i != axis))


def _picked(x: Array, classes: Array, axis: int) -> Array:
    return jnp.take_along_axis(x, jnp.expand_dims(classes, axis), axis).squeeze(axis)


def _rows(target: Array, weight: Weight, ignore_index: int, x: Array) -> tuple[Array, Array, Array]:
    """Which rows count, their classes (0 for the others) and their weights (0 for the others)."""
    counted = target != ignore_index
    classes = jnp.where(counted, target, 0)
    return counted, classes, jnp.where(counted, _along(weight, x, class_axis(x.ndim)).ravel()[classes], 0)


def _over_weights(value: Array, row_weights: Array, reduction: Reduction) -> Array:
    """Reduced by rows: the mean divides by the sum of their weights, and without a row it is 0 / 0, NaN."""
    return value.sum() / row_weights.sum() if reduction == "mean" else _reduced(value, reduction)


def nll(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Array:
    counted, classes, w = _rows(target, weight, ignore_index, prediction)
    value = jnp.where(counted, -w * _picked(prediction, classes, class_axis(prediction.ndim)), 0)
    return _over_weights(value, w, reduction)


def cross_entropy(
    prediction: Array,
    target: Array,
    *,
    weight: Weight = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    x, s, axis = prediction, label_smoothing, class_axis(prediction.ndim)
    class_weights, spread = _along(weight, x, axis), s / x.shape[axis]
    if jnp.issubdtype(target.dtype, jnp.floating):
        mixed = class_weights * ((1 - s) * target + spread)
        return _reduced(optax.softmax_cross_entropy(x, mixed, axis), reduction)
    counted, classes, w = _rows(target, weight, ignore_index, x)
    value = (1 - s) * w * optax.softmax_cross_entropy_with_integer_labels(x, classes, axis)
    if s:
        value += optax.softmax_cross_entropy(x, spread * class_weights, axis)
    return _over_weights(jnp.where(counted, value, 0), w, reduction)


def multi_margin(
    prediction: Array, target: Array, *, p: int = 1, margin: float = 1.0, weight: Weight = None
) -> Array:
    x, classes = prediction, prediction.shape[-1]
    z = margin - jnp.expand_dims(_picked(x, target, -1), -1) + x
    others = jnp.arange(classes) != target[..., None]
    hinge = jnp.where(others, jax.nn.relu(z), 0)
    return _along(weight, x, x.ndim - 1).ravel()[target] * (hinge**p).sum(-1) / classes


def multilabel_margin(prediction: Array, target: Array) -> Array:
    x, classes = prediction, prediction.shape[-1]
    listed = jnp.cumprod(target >= 0, -1)  # T ends at the first -1
    labels = jnp.where(listed, target, 0)
    inside = ((labels[..., None] == jnp.arange(classes)) * listed[..., None]).any(-2)
    z = 1 - jnp.take_along_axis(x, labels, -1)[..., None] + x[..., None, :]
    counts = listed[..., None] * ~inside[..., None, :]
    return jnp.where(counts, jax.nn.relu(z), 0).sum((-2, -1)) / classes


# --- probabilities --------------------------------------------------------------------------------------------


def kl_div(prediction: Array, target: Array, *, log_target: bool = False) -> Array:
    x, t = prediction, target
    if log_target:
        value: Array = optax.losses.kl_divergence_with_log_targets(x, t, axis=())
        return value
    # at t = 0 the term t log t is 0 and has derivative 0, where the derivative of log would give NaN
    return jnp.where(t > 0, optax.kl_divergence(x, jnp.where(t > 0, t, 1), axis=()), -t * x)


def _floored_logs(x: Array) -> tuple[Array, Array]:
    """max(log x, -100) and max(log(1 - x), -100)."""
    # in float64 XLA's log1p on a CPU is off by over 100 units near -0.41 in JAX 0.10 (jax-ml/jax issue 39707);
    # from x = 1/4 on the rounding of 1 - x costs log no more than 4
    log_not_x = jnp.where(x < 0.25, jnp.log1p(-x), jnp.log(1 - x))
    return jnp.maximum(jnp.log(x), -100), jnp.maximum(log_not_x, -100)


@jax.custom_jvp
def _bce(x: Array, t: Array) -> Array:
    log_x, log_not_x = _floored_logs(x)
    return (t - 1) * log_not_x - t * log_x


@_bce.defjvp
def _bce_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    # through the floor it would be NaN at x = 0 and 1; PyTorch's is (x - t) / max(x (1 - x), 1e-12)
    (x, t), (dx, dt) = primals, tangents
    log_x, log_not_x = _floored_logs(x)
    derivative = (x - t) / jnp.maximum(x * (1 - x), EPSILON)
    return (t - 1) * log_not_x - t * log_x, derivative * dx + (log_not_x - log_x) * dt


def bce(prediction: Array, target: Array, *, weight: Weight = None) -> Array:
    return _weighted(_bce(prediction, target), weight)


def bce_with_logits(
    prediction: Array, target: Array, *, weight: Weight = None, pos_weight: Weight = None
) -> Array:
    x, t = prediction, target
    if pos_weight is None:
        return _weighted(optax.sigmoid_binary_cross_entropy(x, t), weight)
    positive = jnp.asarray(pos_weight, x.dtype) * t
    return _weighted(positive * jax.nn.softplus(-x) + (1 - t) * jax.nn.softplus(x), weight)


def multilabel_soft_margin(prediction: Array, target: Array, *, weight: Weight = None) -> Array:
    value = _weighted(optax.sigmoid_binary_cross_entropy(prediction, target.astype(prediction.dtype)), weight)
    return value.sum(-1) / prediction.shape[-1]


def _weighted(value: Array, weight: Weight) -> Array:
    """Times a weight per column (the last axis) or per element."""
    return value if weight is None else jnp.asarray(weight, value.dtype) * value


# --- labels -1 and 1 ------------------------------------------------------------------------------------------
# jax.nn.relu has derivative 0 at 0, where jnp.maximum has one half


def soft_margin(prediction: Array, target: Array) -> Array:
    return jax.nn.softplus(-target.astype(prediction.dtype) * prediction)


def hinge_embedding(prediction: Array, target: Array, *, margin: float = 1.0) -> Array:
    return jnp.where(target == 1, prediction, jax.nn.relu(margin - prediction))


def margin_ranking(x1: Array, x2: Array, y: Array, *, margin: float = 0.0) -> Array:
    return jax.nn.relu(-y.astype(x1.dtype) * (x1 - x2) + margin)


def cosine_embedding(x1: Array, x2: Array, y: Array, *, margin: float = 0.0) -> Array:
    norm1, norm2 = (jnp.sqrt((x * x).sum(-1) + EPSILON) for x in (x1, x2))
    cosine = (x1 * x2).sum(-1) / (norm1 * norm2)
    return jnp.where(y == 1, 1 - cosine, jax.nn.relu(cosine - margin))


# --- the table ------------------------------------------------------------------------------------------------

ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "l1": l1,
    "mse": optax.squared_error,
    "smooth_l1": smooth_l1,
    "huber": huber,
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
ROWWISE: dict[str, Callable[..., Array]] = {"cross_entropy": cross_entropy, "nll": nll, "nll2d": nll}
FUNCTIONS = ELEMENTWISE | ROWWISE


def function(name: str, arguments: Mapping[str, Any]) -> Callable[..., Array]:
    """The loss as a pure function of its arrays that gives the reduced value.

    Raises:
        ValueError: no such loss, or options that it does not take.
    """
    losses.get(name).check_options(arguments)
    if name in ROWWISE:  # their mean divides by the sum of the weights, so they reduce themselves
        return partial(ROWWISE[name], **arguments)
    options = dict(arguments)
    reduction = options.pop("reduction", "mean")
    elements = partial(ELEMENTWISE[name], **options)
    return lambda *arrays: _reduced(elements(*arrays), reduction)


def gradient_function(
    name: str, arrays: Sequence[NDArray[Any]], arguments: Mapping[str, Any]
) -> Callable[..., tuple[tuple[Array, ...], Array]]:
    """The gradients (of the sum, with reduction "none") and the value, as a pure function of such arrays.

    Raises:
        ValueError: what `LossSpec.check` refuses.
    """
    spec = losses.get(name)
    spec.check(arrays, arguments)
    loss = function(name, arguments)

    def total(*inputs: Array) -> tuple[Array, Array]:
        value = loss(*inputs)
        return value.sum(), value

    positions = tuple(spec.inputs.index(key) for key in spec.gradients(arrays))
    return jax.grad(total, argnums=positions, has_aux=True)


def loss_and_gradient(
    name: str, arrays: Sequence[NDArray[Any]], arguments: Mapping[str, Any]
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Value and gradient by input name, in the inputs' dtype; with reduction "none" the gradient of the sum.

    Raises:
        ValueError: what `LossSpec.check` refuses.
    """
    derivative = jax.jit(gradient_function(name, arrays, arguments))  # else each operation is a program
    x64: Any = jax.enable_x64(True) if arrays[0].dtype == np.float64 else nullcontext()
    with x64:
        gradients, value = derivative(*arrays)
        keys = losses.get(name).gradients(arrays)
        return np.array(value), {key: np.array(g) for key, g in zip(keys, gradients, strict=True)}
