"""Losses of one prediction each, from their formulas.

e = prediction - target, x = prediction, t = target, w = weight, a = what is left of x after the loss's offset.
Definitions: PyTorch's documentation, torch.nn.
"""

from __future__ import annotations

import numpy as np

from .arithmetic import FUNCTION, Array, Sum, narrow
from .reference_loss import ElementwiseLoss, ReferenceLoss


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


class ResidualLoss(ElementwiseLoss):
    """A function of e = x - t."""

    def offset(self, t: Array) -> Array:
        return t


class SquaredError(ResidualLoss):
    """e^2; derivative 2 e."""

    roundings = (2, 1)

    def value(self, a: Array, t: Array) -> Array:
        return a * a

    def derivative(self, a: Array, t: Array) -> Array:
        return 2 * a


class AbsoluteError(ResidualLoss):
    """|e|; derivative sign e."""

    roundings = (1, 1)

    def value(self, a: Array, t: Array) -> Array:
        return abs(a)

    def derivative(self, a: Array, t: Array) -> Array:
        return np.sign(a)


class SmoothAbsoluteError(ResidualLoss):
    """e^2 / (2 beta) within |e| < beta, else |e| - beta/2; derivative clip(e / beta, -1, 1). L1 at beta 0."""

    roundings = (6, 2)  # the derivative: once for 1/beta, once for the product

    def value(self, a: Array, t: Array) -> Array:
        beta = self.round(self.options["beta"])
        return np.where(abs(a) < beta, a * a / (2 * beta or 1), abs(a) - beta / 2)

    def derivative(self, a: Array, t: Array) -> Array:
        beta = self.round(self.options["beta"])
        return np.where(abs(a) < beta, a / (beta or 1), np.sign(a))

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        return abs(a) + self.round(self.options["beta"]) / 2, abs(self.derivative(a, t))


class HuberLoss(ResidualLoss):
    """e^2 / 2 within |e| <= delta, else delta (|e| - delta/2); derivative clip(e, -delta, delta)."""

    def value(self, a: Array, t: Array) -> Array:
        delta = self.round(self.options["delta"])
        return np.where(abs(a) <= delta, a * a / 2, delta * (abs(a) - delta / 2))

    def derivative(self, a: Array, t: Array) -> Array:
        delta = self.round(self.options["delta"])
        return np.clip(a, -delta, delta)

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        delta = self.round(self.options["delta"])
        return np.minimum(abs(a), delta) * (abs(a) + delta / 2), abs(self.derivative(a, t))


class LogisticLoss(ElementwiseLoss):
    """w (p t softplus(-x) + (1-t) softplus(x)); derivative w ((1-t) sigmoid(x) - p t sigmoid(-x)).

    Magnitudes are those of the longest usual form, (1-t) x + (1 + (p-1) t) softplus(-x), whose derivative is
    (1-t) - (1 + (p-1) t) sigmoid(-x). Where the derivative of softplus is taken as exp(x - softplus(x)), the
    subtraction adds a relative error of a few u |x|.
    """

    roundings = (2 * FUNCTION + 8, FUNCTION + 8)

    def value(self, a: Array, t: Array) -> Array:
        return self.weight("pos_weight") * t * softplus(-a) + (1 - t) * softplus(a)

    def derivative(self, a: Array, t: Array) -> Array:
        return (1 - t) * sigmoid(a) - self.weight("pos_weight") * t * sigmoid(-a)

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        positive = self.weight("pos_weight") * t
        value = (1 - t) * abs(a) + (1 - t + positive) * softplus(-a)
        return value, (1 - t + positive + (1 - t + positive) * sigmoid(a)) * (1 + abs(a) / 8)


class MultiLabelLogisticLoss(LogisticLoss):
    """The mean over the m columns of the logistic loss, targets 0 or 1."""

    def divisor(self, shape: tuple[int, ...]) -> tuple[int, int]:
        rows = int(np.prod(shape[:-1])) if self.reduction == "mean" else 1
        return shape[-1] * rows, 4


class SoftMarginLoss(ElementwiseLoss):
    """log(1 + exp(-t x)); derivative -t sigmoid(-t x).

    A usual form of the derivative is t (sigmoid(t x) - 1), which torch's compiler takes: its magnitude is that of
    the subtraction. Elsewhere as for `LogisticLoss`.
    """

    roundings = (2 * FUNCTION + 4, FUNCTION + 4)

    def value(self, a: Array, t: Array) -> Array:
        return softplus(-t * a)

    def derivative(self, a: Array, t: Array) -> Array:
        return -t * sigmoid(-t * a)

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        derivative = abs(self.derivative(a, t))
        return self.value(a, t), abs(t) * (1 + sigmoid(t * a)) + derivative * abs(a) / 8

    def largest(self, x: Array, t: Array) -> Array:
        return np.exp(-t * narrow(x))  # torch does not avoid it


class HingeEmbeddingLoss(ElementwiseLoss):
    """x where t = 1; max(0, margin - x) where t = -1; derivative 1, or -1 where margin > x. a = x - margin."""

    def offset(self, t: Array) -> Array:
        return np.where(t == 1, 0, self.round(self.options["margin"]))

    def value(self, a: Array, t: Array) -> Array:
        return np.where(t == 1, a, np.maximum(0, -a))

    def derivative(self, a: Array, t: Array) -> Array:
        return np.where(t == 1, 1, -(a < 0).astype(a.dtype))


class DivergenceLoss(ElementwiseLoss):
    """t (log t - x), 0 log 0 = 0, derivative -t; with log_target exp(t) (t - x), derivative -exp(t)."""

    roundings = (FUNCTION + 4, FUNCTION + 1)

    def divisor(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return (shape[0], 2) if self.reduction == "batchmean" else super().divisor(shape)

    def value(self, a: Array, t: Array) -> Array:
        log = t if self.options["log_target"] else np.log(np.where(t > 0, t, 1))
        return -self.derivative(a, t) * (log - a)

    def derivative(self, a: Array, t: Array) -> Array:
        return (-np.exp(t) if self.options["log_target"] else -t) + 0 * a

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        size = abs(self.derivative(a, t))
        log = t if self.options["log_target"] else np.log(np.where(t > 0, t, 1))
        return size * (abs(log) + abs(a)), size


class BinaryCrossEntropy(ElementwiseLoss):
    """-w (t max(log x, -100) + (1-t) max(log(1-x), -100)), x in [0, 1].

    Its derivative is w (x-t) / max(x (1-x), 1e-12).
    """

    roundings = (FUNCTION + 4, 6)
    floor = np.float32(1e-12)  # a float32 constant in float64 too

    def value(self, a: Array, t: Array) -> Array:
        x = np.clip(a, 0, 1)
        with np.errstate(divide="ignore"):
            return -(t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log1p(-x), -100))

    def derivative(self, a: Array, t: Array) -> Array:
        x = np.clip(a, 0, 1)
        return (x - t) / np.maximum(x * (1 - x), a.dtype.type(self.floor))

    def magnitudes(self, a: Array, t: Array) -> tuple[Array, Array]:
        return self.value(a, t) + 1, abs(self.derivative(a, t))  # + 1: log(1-x) in the place of log1p(-x)

    def error_through_sigmoid(self, x: Sum, t: Array) -> Array:
        """Error of the gradient with respect to z where x = sigmoid(z), before the divisor.

        The derivative times x (1-x) is w (x-t) min(1, x (1-x) / floor). Both factors hold the same computed x, so
        that what is lost in 1 - x cancels; only where x may round to within the floor of 0 or 1 is anything up to
        x - t lost.
        """
        w, size = narrow(self.weight()), narrow(abs(x.value - t))
        ends = (np.clip(narrow(x.value) + side * x.error, 0, 1) for side in (-1, 1))
        low, high = (end * (1 - end) for end in ends)
        lost = np.where(np.minimum(low, high) <= self.floor, size, 0.0)
        return w * (x.error + lost + x.arithmetic.rounding(10, size + x.error))


ELEMENTWISE: dict[str, type[ReferenceLoss]] = {
    "mse": SquaredError,
    "l1": AbsoluteError,
    "smooth_l1": SmoothAbsoluteError,
    "huber": HuberLoss,
    "bce": BinaryCrossEntropy,
    "bce_with_logits": LogisticLoss,
    "multilabel_soft_margin": MultiLabelLogisticLoss,
    "soft_margin": SoftMarginLoss,
    "hinge_embedding": HingeEmbeddingLoss,
    "kl_div": DivergenceLoss,
}
