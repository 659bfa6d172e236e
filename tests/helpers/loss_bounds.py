"""How far a loss may lie from its exact value: the one place where the tolerances of the losses are stated.

A computed sum of terms t_i, each of at most k roundings, is off by at most gamma_k sum |t_i|, with gamma_k =
k u / (1 - k u) and u the unit roundoff of the dtype. `terms` gives, for every loss, the sum of the absolute
terms of its value and of each gradient, element by element, in float64, and k for the longest path; exp, log,
log1p and sqrt of a library count as FUNCTION roundings, and where frameworks write a formula in different ways
(log p as x - log sum exp x, log sigmoid as x - softplus x) the terms of the longest are counted. A reduction of
n elements adds 2n + 2. Below the smallest normal number the error is absolute: XLA on a CPU reads zero there.

Where the gradient jumps (|e| at 0, a hinge at 0), a row closer to the kink than its own rounding may fall on
either side: `hinges` gives the distances and `kinked` says whether one is that close.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samestep.backends import losses
from samestep.backends.losses import class_axis

Floats: TypeAlias = NDArray[Any]
Options: TypeAlias = Mapping[str, Any]
Result: TypeAlias = tuple[Floats, dict[str, Floats]]
UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8}
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126, "bfloat16": 2.0**-126}
FUNCTION = 4  # the vectorized functions of torch and XLA are good to about 2 units in the last place
EPSILON = float(np.float32(1e-12))
HINGES = {"margin_ranking", "hinge_embedding", "multilabel_margin", "multi_margin", "cosine_embedding"}


@dataclass
class Terms:
    """Absolute terms of the value and of each gradient before the reduction, their roundings, and a divisor."""

    value: Floats
    gradients: dict[str, Floats]
    roundings: int
    divisor: float = 0.0  # 0: the number of values


def resolved(name: str, arguments: Options) -> dict[str, Any]:
    """The options of a loss, defaults filled in, without the reduction."""
    spec = losses.get(name)
    return {key: arguments.get(key, option.default) for key, option in spec.options.items()}


def gamma(roundings: int, dtype: str) -> float:
    """k u / (1 - k u): the relative error that k roundings can make."""
    product = roundings * UNIT_ROUNDOFF[dtype]
    assert product < 0.5, f"{roundings} roundings leave no correct digit in {dtype}"
    return product / (1 - product)


def bound(
    name: str, arrays: Sequence[Floats], arguments: Options, dtype: str
) -> tuple[Floats, dict[str, Floats]]:
    """Allowed error of the value and of each gradient against an exact reference; inputs in float64."""
    options, reduction = resolved(name, arguments), arguments.get("reduction", "mean")
    loss = terms(name, arrays, options)
    count = np.size(loss.value)
    divisor = {"mean": loss.divisor or count, "batchmean": len(arrays[0]) if arrays[0].ndim else 1}.get(
        reduction, 1
    )
    factor = gamma(loss.roundings + (0 if reduction == "none" else 2 * count + 2), dtype)
    value = loss.value if reduction == "none" else loss.value.sum()
    least = SMALLEST_NORMAL[dtype] * max(1, count)
    with np.errstate(all="ignore"):
        gradients = {key: factor * sizes / divisor + least for key, sizes in loss.gradients.items()}
        return factor * value / divisor + least, gradients


def terms(name: str, arrays: Sequence[Floats], options: Options) -> Terms:
    """The absolute terms of one loss before its reduction's divisor."""
    x, target = arrays[0], arrays[-1]
    with np.errstate(all="ignore"):
        if name in ("l1", "mse", "smooth_l1", "huber"):
            return _residual(name, x - target, options)
        if name in ("nll", "nll2d", "cross_entropy"):
            return _classes(name, x, target, options)
        if name == "kl_div":
            return _kl_div(x, target, options)
        if name in ("bce", "bce_with_logits", "multilabel_soft_margin"):
            return _binary(name, x, target.astype(float), options)
        if name == "soft_margin":
            z = -target * x
            return Terms(_softplus(z), {"prediction": np.exp(-_softplus(-z))}, 2 * FUNCTION + 4)
        if name == "cosine_embedding":
            return _cosine_embedding(arrays[0], arrays[1], options)
        return _hinge(name, arrays, options)


def _both(value: Floats, derivative: Floats, roundings: int) -> Terms:
    return Terms(value, {"prediction": derivative, "target": derivative}, roundings)


def _residual(name: str, e: Floats, options: Options) -> Terms:
    size = np.abs(e)
    if name == "mse":
        return _both(size * size, 2 * size, 4)
    knee = options.get("delta", options.get("beta", 0.0))
    if knee == 0:
        return _both(size, np.ones_like(size), 4)
    scale = 1.0 if name == "huber" else knee
    inner = np.minimum(size, knee)
    return _both(inner * (2 * size + inner) / scale, inner / scale, 6)


def _along(weight: Any, x: Floats, axis: int) -> Floats:
    values = np.ones(x.shape[axis]) if weight is None else np.asarray(weight, float)
    return np.expand_dims(values, tuple(i for i in range(x.ndim) if i != axis))


def _classes(name: str, x: Floats, target: Floats, options: Options) -> Terms:
    axis = class_axis(x.ndim)
    classes, s = x.shape[axis], options.get("label_smoothing", 0.0)
    w = _along(options["weight"], x, axis)
    if target.dtype.kind == "f":
        mix, divisor = w * ((1 - s) * target + s / classes), x.size / classes
    else:
        counted = np.expand_dims(target != options.get("ignore_index", -100), axis)
        onehot = w * counted * (np.expand_dims(target, axis) == np.arange(classes).reshape(w.shape))
        mix, divisor = (1 - s) * onehot + w * counted * s / classes, onehot.sum()
    if name != "cross_entropy":
        return Terms((mix * np.abs(x)).sum(axis), {"prediction": mix}, 4, divisor)
    log_sum = np.logaddexp.reduce(x, axis, keepdims=True)
    log_p = np.abs(x) + np.abs(x).max(axis, keepdims=True) + np.abs(log_sum) + 1
    derivative = np.exp(x - log_sum) * mix.sum(axis, keepdims=True) * (1 + log_p) + mix
    gradients = {"prediction": derivative, "target": w * (1 - s) * log_p}
    return Terms((mix * log_p).sum(axis), gradients, classes + 2 * FUNCTION + 8, divisor)


def _kl_div(x: Floats, t: Floats, options: Options) -> Terms:
    log_t = t if options["log_target"] else np.log(np.where(t > 0, t, 1))
    t = np.exp(t) if options["log_target"] else t
    size = np.abs(log_t) + np.abs(x)
    derivative = t * (size + 1) if options["log_target"] else size + 1
    return Terms(t * size, {"prediction": t, "target": derivative}, FUNCTION + 5)


def _softplus(x: Floats) -> Floats:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _binary(name: str, x: Floats, t: Floats, options: Options) -> Terms:
    w = np.broadcast_to(1.0 if options["weight"] is None else options["weight"], x.shape)
    if name == "bce":
        log_x, log_not = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
        derivative = np.abs(x - t) / np.maximum(x * (1 - x), EPSILON)
        gradients = {"prediction": w * derivative, "target": -w * (log_x + log_not)}
        return Terms(-w * (t * log_x + (1 - t) * log_not), gradients, FUNCTION + 8)
    p = np.asarray(1.0 if options.get("pos_weight") is None else options["pos_weight"])
    size = np.abs(x) + _softplus(x) + _softplus(-x)
    derivative = w * ((p * t + 1 - t) * np.exp(-_softplus(-x)) + p * t)
    binary = Terms(
        w * (1 + p * t) * size, {"prediction": derivative, "target": w * (1 + p) * size}, 2 * FUNCTION + 10
    )
    if name == "bce_with_logits":
        return binary
    classes = x.shape[-1]
    return Terms(
        binary.value.sum(-1) / classes, {"prediction": derivative / classes}, binary.roundings + classes
    )


def _cosine(x1: Floats, x2: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """The cosine, the absolute terms of it, the product of the norms and the squared norms; (..., 1) each."""
    square1, square2 = ((x * x).sum(-1, keepdims=True) + EPSILON for x in (x1, x2))
    norms = np.sqrt(square1) * np.sqrt(square2)
    size = 2 * np.abs(x1 * x2).sum(-1, keepdims=True) / norms
    return (x1 * x2).sum(-1, keepdims=True) / norms, size, norms, square1, square2


def _cosine_embedding(x1: Floats, x2: Floats, options: Options) -> Terms:
    _, size, norms, square1, square2 = _cosine(x1, x2)
    gradients = {
        "x1": np.abs(x2) / norms + size * np.abs(x1) / square1,
        "x2": np.abs(x1) / norms + size * np.abs(x2) / square2,
    }
    value = size.squeeze(-1) + max(1, abs(options["margin"]))
    return Terms(value, gradients, 3 * x1.shape[-1] + 2 * FUNCTION + 10)


# --- hinges ---------------------------------------------------------------------------------------------------


def _listed(x: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Multi-label margin: the labels (..., K), 0 beyond the list, and which (label, class) pairs are compared."""
    listed = np.logical_and.accumulate(target >= 0, axis=-1)
    labels = np.where(listed, target, 0)
    inside = ((labels[..., None] == np.arange(x.shape[-1])) & listed[..., None]).any(-2)
    return labels, listed[..., None] & ~inside[..., None, :]


def hinges(name: str, arrays: Sequence[Floats], options: Options) -> tuple[Floats, Floats]:
    """The numbers z whose sign decides a derivative (-inf where it does not), and the absolute terms of each."""
    x, target, margin = arrays[0], arrays[-1], options.get("margin", 1.0)
    match name:
        case "margin_ranking":
            return margin - target * (x - arrays[1]), abs(margin) + np.abs(x - arrays[1])
        case "hinge_embedding":
            return np.where(target == -1, margin - x, -np.inf), abs(margin) + np.abs(x)
        case "cosine_embedding":
            cosine, size = (part.squeeze(-1) for part in _cosine(arrays[0], arrays[1])[:2])
            return np.where(target == -1, cosine - margin, -np.inf), size + abs(margin)
        case "multi_margin":
            at = np.take_along_axis(x, target[..., None], -1)
            others = np.arange(x.shape[-1]) != target[..., None]
            return np.where(others, margin - at + x, -np.inf), abs(margin) + np.abs(at) + np.abs(x)
        case "multilabel_margin":
            labels, compared = _listed(x, target)
            at, x = np.take_along_axis(x, labels, -1)[..., None], x[..., None, :]
            return np.where(compared, 1 - at + x, -np.inf), 1 + np.abs(at) + np.abs(x)
    raise KeyError(name)


def kinked(name: str, arrays: Sequence[Floats], arguments: Options, dtype: str) -> bool:
    """Whether some row lies so close to a jump of the gradient that its rounding may fall on either side."""
    options = resolved(name, arguments)
    if name == "l1" or options.get("beta") == 0:
        return bool(
            (arrays[0] == arrays[1]).any()
        )  # a difference of two numbers is 0 only where they are equal
    if not HINGES & {name} or options.get("p") == 2:
        return False
    z, size = hinges(name, arrays, options)
    roundings = 3 * arrays[0].shape[-1] + 2 * FUNCTION + 10 if name == "cosine_embedding" else 4
    return bool((np.abs(z) <= gamma(roundings, dtype) * size).any())


def _hinge(name: str, arrays: Sequence[Floats], options: Options) -> Terms:
    x, target = arrays[0], arrays[-1]
    z, size = hinges(name, arrays, options)
    active = z > -size / 16  # a little below 0 as well: the value is continuous there
    value, derivative = active * size, active * 1.0
    match name:
        case "margin_ranking":
            return Terms(value, {"x1": derivative, "x2": derivative}, 5)
        case "hinge_embedding":
            return Terms(np.where(target == 1, np.abs(x), value), {"prediction": np.ones_like(x)}, 5)
        case "multi_margin":
            classes, p = x.shape[-1], options["p"]
            w = np.expand_dims(_along(options["weight"], x, x.ndim - 1).ravel()[target] / classes, -1)
            derivative = w * (active if p == 1 else 2 * value)
            at = np.arange(classes) == target[..., None]
            return Terms(
                (w * value**p).sum(-1),
                {"prediction": derivative + at * derivative.sum(-1, keepdims=True)},
                2 * classes + 8,
            )
    labels, _ = _listed(x, target)
    classes = x.shape[-1]
    onehot = labels[..., None] == np.arange(classes)
    pulled = derivative.sum(-2) + (onehot * derivative.sum(-1, keepdims=True)).sum(-2)
    return Terms(value.sum((-2, -1)) / classes, {"prediction": pulled / classes}, classes * classes + 8)


# --- comparison -----------------------------------------------------------------------------------------------


def assert_close(
    got: Result, want: Result, name: str, arrays: Sequence[Floats], arguments: Options, dtype: str
) -> None:
    """Shape, dtype, value and gradients within the bound; `want` in float64 has its own rounding, allowed too."""
    allowed, allowed_gradients = bound(name, arrays, arguments, dtype)
    slack, slack_gradients = bound(name, arrays, arguments, "float64")
    assert_within(got[0], want[0], allowed + slack, dtype, "value")
    assert list(got[1]) == list(want[1])
    for key, gradient in got[1].items():
        assert_within(gradient, want[1][key], allowed_gradients[key] + slack_gradients[key], dtype, key)


def assert_within(got: Floats, want: Floats, allowed: Any, dtype: str, what: str) -> None:
    """NaN and infinity must be where they are wanted; everything else lies within `allowed`."""
    assert isinstance(got, np.ndarray)
    assert (got.dtype.name, got.shape) == (dtype, want.shape), what
    wide = got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        right = (np.abs(wide - want) <= allowed) | (wide == want) | (np.isnan(wide) & np.isnan(want))
    assert right.all(), f"{what}: {wide} lies farther than {allowed} from {want}"
