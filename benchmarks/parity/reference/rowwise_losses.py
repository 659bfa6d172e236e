"""Losses that couple the classes of a row: cross entropy, negative log-likelihood and the multi-class margins.

x (n, C) predictions; t (n,) classes, (n, C) probabilities, or (n, C) class sets that end at the first -1.
Definitions: PyTorch's documentation, torch.nn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from samestep.backends import losses, spec

from .arithmetic import FUNCTION, Array, Sum, narrow
from .elementwise_losses import ELEMENTWISE
from .reference_loss import ReferenceLoss, Round, Terms


def reference_loss(loss: spec.Loss, round_: Round) -> ReferenceLoss:
    """The formula of a declared loss, with every option that was not given at its default."""
    defaults = {name: option.default for name, option in losses.get(loss.name).options.items()}
    return (ELEMENTWISE | ROWS)[loss.name]({**defaults, **loss.arguments}, round_)


class LogLikelihood(ReferenceLoss):
    """-sum_c q_c x_c with q the weighted target; class targets divide by the sum of w_y, distributions by n."""

    def target(self, x: Array, t: Array) -> tuple[Array, Any, int]:
        """q (n, C), the divisor of "mean", and the roundings of that divisor."""
        w = np.broadcast_to(self.weight(), x.shape[1:])
        kept = t != self.options["ignore_index"]
        picked = np.where(kept, t, 0)
        counted = np.where(kept, w[picked], 0)
        onehot = (np.arange(x.shape[1]) == picked[:, None]) * kept[:, None]
        weighted = self.options["weight"] is not None
        return onehot * w, counted.sum(), 2 + len(t) * weighted

    def divisor(self, mean: Any, roundings: int) -> tuple[Any, int]:
        return (mean, roundings) if self.reduction == "mean" else (1, 0)

    def terms(self, x: Array, t: Array) -> Terms:
        q, *mean = self.target(x, t)
        return Terms(-(q * x).sum(axis=1), -q, *self.divisor(*mean))

    def errors(self, x: Sum, t: Array) -> tuple[Array, Array]:
        q = narrow(self.target(x.value, t)[0])
        moved = x.error + x.arithmetic.rounding(2, narrow(abs(x.value)) + x.error)
        return (q * moved).sum(axis=1), x.arithmetic.rounding(1, q)


class CrossEntropy(LogLikelihood):
    """-sum_c q_c log p_c with p = softmax(x); derivative p sum(q) - q.

    Label smoothing s spreads s of q over the classes.
    """

    def target(self, x: Array, t: Array) -> tuple[Array, Any, int]:
        s, w = self.round(self.options["label_smoothing"]), np.broadcast_to(self.weight(), x.shape[1:])
        if t.dtype.kind == "f":
            return w * ((1 - s) * t + s / x.shape[1]), len(t), 2
        q, total, roundings = super().target(x, t)
        kept = (t != self.options["ignore_index"])[:, None]
        return (1 - s) * q + kept * s * w / x.shape[1], total, roundings

    def terms(self, x: Array, t: Array) -> Terms:
        q, *mean = self.target(x, t)
        logs = log_softmax(x)
        derivative = np.exp(logs) * q.sum(axis=1, keepdims=True) - q
        return Terms(-(q * logs).sum(axis=1), derivative, *self.divisor(*mean))

    def errors(self, x: Sum, t: Array) -> tuple[Array, Array]:
        """log p_c moves by at most the error of x_c plus the largest of its row; p_c by that much of itself.

        Rounding of log p: a sum of C exponentials, its logarithm, and sums of terms up to max |x| + log C.
        """
        arithmetic, classes = x.arithmetic, x.value.shape[1]
        q, logs = narrow(self.target(x.value, t)[0]), narrow(log_softmax(x.value))
        # 1 - s is off by u s where s is near 1
        size = q + self.options["label_smoothing"] * narrow(self.weight())
        top = np.max(narrow(abs(x.value)) + x.error, axis=1, keepdims=True) + math.log(classes)
        inner = arithmetic.gamma(classes) + arithmetic.gamma(FUNCTION) * (1 + math.log(classes))
        moved = x.error + x.error.max(axis=1, keepdims=True) + inner + arithmetic.rounding(6, top)
        p, total = np.exp(logs), size.sum(axis=1, keepdims=True)
        derivative = (
            p * (np.expm1(np.minimum(moved, 700)) + arithmetic.gamma(FUNCTION)) * q.sum(axis=1, keepdims=True)
        )
        derivative = np.minimum(derivative, total) + arithmetic.rounding(classes + 8, p * total + size)
        value = (q * moved + arithmetic.rounding(classes + 8, size * (abs(logs) + moved))).sum(axis=1)
        return value, derivative


class MultiClassMargin(ReferenceLoss):
    """Sum over pairs (j right, i wrong) of w max(0, margin - x_j + x_i)^p / C.

    The derivative of a pair counts positive at i and negative at j.
    """

    def __init__(self, options: Mapping[str, Any], round_: Round) -> None:
        super().__init__({"margin": 1.0, "p": 1, **options}, round_)

    def pairs(self, x: Array, t: Array) -> Array:
        """Weight of every pair, (n, C right, C wrong)."""
        classes = np.arange(x.shape[1])
        if t.ndim == 1:
            right = (t[:, None] == classes) * np.broadcast_to(self.weight(), x.shape[1:])[t][:, None]
            return right[:, :, None] * (t[:, None] != classes)[:, None, :]
        listed = np.logical_and.accumulate(t >= 0, axis=1)
        right = ((t[:, :, None] == classes) & listed[:, :, None]).sum(axis=1)
        return np.asarray(right[:, :, None] * (right == 0)[:, None, :], dtype=x.dtype)

    def hinges(self, z: Array) -> tuple[Array, Array]:
        """max(0, z)^p and its derivative."""
        p, active = self.options["p"], np.maximum(z, 0)
        return active**p, p * active ** (p - 1) * (z > 0)

    def terms(self, x: Array, t: Array) -> Terms:
        pairs = self.pairs(x, t)
        value, derivative = self.hinges(self.round(self.options["margin"]) - x[:, :, None] + x[:, None, :])
        value, derivative = pairs * value, pairs * derivative
        divisor = x.shape[1] * (len(x) if self.reduction == "mean" else 1)
        return Terms(value.sum(axis=(1, 2)), derivative.sum(axis=1) - derivative.sum(axis=2), divisor, 4)

    def errors(self, x: Sum, t: Array) -> tuple[Array, Array]:
        arithmetic, margin = x.arithmetic, self.round(self.options["margin"])
        pairs = narrow(self.pairs(x.value, t))
        z = margin - x.value[:, :, None] + x.value[:, None, :]
        size = narrow(abs(margin) + abs(x.value[:, :, None]) + abs(x.value[:, None, :]))
        error = x.error[:, :, None] + x.error[:, None, :] + arithmetic.rounding(2, size)
        at, low, high = (self.hinges(z + side * error) for side in (0, -1, 1))
        n = 4 + x.value.shape[1] ** (1 if t.ndim == 1 else 2)
        bounds = []
        for center, below, above in zip(at, low, high, strict=True):
            moved = narrow(np.maximum(above - center, center - below))
            bounds.append(pairs * (moved + arithmetic.rounding(n, narrow(center) + moved)))
        value, derivative = bounds
        return value.sum(axis=(1, 2)), derivative.sum(axis=1) + derivative.sum(axis=2)


def log_softmax(x: Array) -> Array:
    """x - log sum exp x, by rows."""
    shifted = x - x.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


ROWS: dict[str, type[ReferenceLoss]] = {
    "cross_entropy": CrossEntropy,
    "nll": LogLikelihood,
    "multi_margin": MultiClassMargin,
    "multilabel_margin": MultiClassMargin,
}
