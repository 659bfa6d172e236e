"""Formulas that people write for binary, margin and divergence losses, and that are not quite theirs.

x = prediction, t = target, p = sigmoid(x).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...reference import Array, Reference
from ...reference.elementwise_losses import sigmoid
from ...reference.reference_loss import Terms
from ..case import Case
from .changed_loss import EPSILONS, Change, elementwise


def logit_formulas(case: Case) -> Iterator[tuple[str, Change]]:
    """Binary cross entropy of logits: sigmoids too many, epsilons, weights in the wrong place."""
    weight = case.workload.task.loss.arguments.get("pos_weight")

    def twice(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        p = sigmoid(x)
        inner = r.loss.terms(p, t)
        return Terms(inner.value, inner.derivative * p * (1 - p), right.divisor, right.roundings)

    def probability_error(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        p = sigmoid(x)
        return Terms((p - t) ** 2, 2 * (p - t) * p * (1 - p), right.divisor, right.roundings)

    yield "a sigmoid before the loss, which has its own", twice
    yield "the squared error of the probabilities", probability_error
    for epsilon in EPSILONS:
        yield f"log(p + {epsilon:g})", logs_of(epsilon, clipped=False)
        yield f"p clipped to [{epsilon:g}, 1 - {epsilon:g}]", logs_of(epsilon, clipped=True)
    if weight is not None:
        yield (
            "pos_weight on the negatives",
            elementwise(
                lambda r, x, t: (
                    t * np.log1p(np.exp(-x)) + r.loss.weight("pos_weight") * (1 - t) * np.log1p(np.exp(x))
                ),
                lambda r, x, t: r.loss.weight("pos_weight") * (1 - t) * sigmoid(x) - t * sigmoid(-x),
            ),
        )
        yield (
            "pos_weight on positives and negatives",
            elementwise(
                lambda r, x, t: (
                    r.loss.weight("pos_weight") * (t * np.log1p(np.exp(-x)) + (1 - t) * np.log1p(np.exp(x)))
                ),
                lambda r, x, t: r.loss.weight("pos_weight") * (sigmoid(x) - t),
            ),
        )


def logs_of(epsilon: float, *, clipped: bool) -> Change:
    """Logarithms of probabilities that are kept from 0 and 1."""

    def change(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        w, s = r.loss.weight("pos_weight"), r.wide(epsilon)
        p = sigmoid(x)
        slope = p * (1 - p)
        if clipped:
            inside = (p >= s) & (p <= 1 - s)
            p, slope, s = np.clip(p, s, 1 - s), slope * inside, r.wide(0)
        value = -(w * t * np.log(p + s) + (1 - t) * np.log(1 - p + s))
        derivative = slope * ((1 - t) / (1 - p + s) - w * t / (p + s))
        return Terms(value, derivative, right.divisor, right.roundings)

    return change


def probability_formulas() -> Iterator[tuple[str, Change]]:
    """Binary cross entropy of probabilities: epsilons, and the squared error."""
    for epsilon in EPSILONS:
        yield (
            f"log(p + {epsilon:g})",
            elementwise(
                lambda r, x, t, s=epsilon: -(t * np.log(x + s) + (1 - t) * np.log(1 - x + s)),
                lambda r, x, t, s=epsilon: (1 - t) / (1 - x + s) - t / (x + s),
            ),
        )
        yield (
            f"p clipped to [{epsilon:g}, 1 - {epsilon:g}]",
            elementwise(
                lambda r, x, t, s=epsilon: (
                    -(t * np.log(np.clip(x, s, 1 - s)) + (1 - t) * np.log1p(-np.clip(x, s, 1 - s)))
                ),
                lambda r, x, t, s=epsilon: (x - t) / (x * (1 - x)) * ((x >= s) & (x <= 1 - s)),
            ),
        )
    yield (
        "the squared error of the probabilities",
        elementwise(lambda r, x, t: (x - t) ** 2, lambda r, x, t: 2 * (x - t)),
    )
    yield (
        "the logarithm of the right answers alone",
        elementwise(lambda r, x, t: -t * np.log(x), lambda r, x, t: -t / x),
    )


def margin_formulas(case: Case) -> Iterator[tuple[str, Change]]:
    """Hinges: of a classifier, squared, and of the largest wrong score alone."""
    margin = float(case.workload.task.loss.arguments.get("margin", 1.0))

    def largest(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        rows, classes = np.arange(len(t)), np.arange(x.shape[1])
        rival = np.where(classes == t[:, None], -np.inf, x).argmax(axis=1)
        z = r.round(margin) - x[rows, t] + x[rows, rival]
        ways = (classes == rival[:, None]) * 1 - (classes == t[:, None]) * 1
        return Terms(np.maximum(z, 0), ways * (z > 0)[:, None], len(t), right.roundings)

    if case.workload.y.dtype.kind != "f":
        yield "a hinge of the largest wrong score alone, as Crammer and Singer's", largest
        return
    for power, name in ((1, "a hinge"), (2, "a squared hinge")):
        for size in dict.fromkeys((margin, 1.0)):
            yield (
                f"{name} of a classifier, max(0, {size:g} - y x)",
                elementwise(
                    lambda r, x, t, m=size, p=power: np.maximum(r.round(m) - t * x, 0) ** p,
                    lambda r, x, t, m=size, p=power: (
                        -p * t * np.maximum(r.round(m) - t * x, 0) ** (p - 1) * (m > t * x)
                    ),
                ),
            )
    yield (
        "a sigmoid of -y x in the place of log(1 + exp(-y x))",
        elementwise(lambda r, x, t: sigmoid(-t * x), lambda r, x, t: -t * sigmoid(-t * x) * sigmoid(t * x)),
    )


def divergence_formulas() -> Iterator[tuple[str, Change]]:
    """Kullback and Leibler's divergence: the other way round, or of predictions that are no logarithms."""
    yield (
        "exp(x) (x - log t), the divergence the other way round",
        elementwise(
            lambda r, x, t: np.exp(x) * (x - np.log(t)), lambda r, x, t: np.exp(x) * (x - np.log(t) + 1)
        ),
    )
    yield (
        "t (log t - log x), predictions that are no logarithms",
        elementwise(lambda r, x, t: t * (np.log(t) - np.log(x)), lambda r, x, t: -t / x),
    )
    yield "the cross entropy of logits, with a softmax of its own", softmax_divergence


def softmax_divergence(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """sum t (log t - log softmax x)."""
    top = x - x.max(axis=1, keepdims=True)
    logs = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
    derivative = np.exp(logs) * t.sum(axis=1, keepdims=True) - t
    return Terms(t * (np.log(np.where(t > 0, t, 1)) - logs), derivative, right.divisor, right.roundings)
