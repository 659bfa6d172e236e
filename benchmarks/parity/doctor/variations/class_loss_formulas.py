"""Formulas that people write for the losses of classes, and that are not quite theirs.

x = prediction, t = class, p = softmax(x), q = the weighted target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...reference import Array, Reference
from ...reference.elementwise_losses import sigmoid
from ...reference.reference_loss import Terms
from ...reference.rowwise_losses import CrossEntropy, log_softmax
from ..case import Case
from .changed_loss import EPSILONS, Change

TEMPERATURES = (0.1, 0.5, 2.0, 10.0)


def cross_entropy_formulas(case: Case) -> Iterator[tuple[str, Change]]:
    """Softmaxes too many, smoothing in another way, weights and ignored rows treated otherwise."""
    yield "a softmax before the loss, which has its own", softmax_first
    yield "the squared error of the probabilities", squared_probabilities
    yield "a binary cross entropy of every class", binary
    yield "a softmax over the rows of the batch, not over the classes", over_rows
    yield "errors that have the weight of their column's class, not of their row's", by_column
    for temperature in TEMPERATURES:
        yield f"logits times {temperature:g}", tempered(temperature)
    for epsilon in EPSILONS:
        yield f"log(p + {epsilon:g})", log_plus(epsilon)
    if case.workload.task.loss.arguments.get("label_smoothing"):
        yield "smoothing shared by the other classes only, s / (C - 1) each", by_target(smoothed_others)
        yield "smoothing without the weights of the classes", by_target(smoothed_unweighted)
        yield "smoothing of the weights' sum, not of each weight", by_target(smoothed_by_own_weight)
        yield "smoothing of ignored rows too", by_target(smoothed_ignored)
        yield "smoothing that takes nothing from the right class", by_target(smoothed_added)


def by_target(target: Callable[[Any, Array, Array], Array]) -> Change:
    """-sum q log p with another q, and the right divisor."""

    def change(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        q, logs = target(r.loss, x, t), log_softmax(x)
        derivative = np.exp(logs) * q.sum(axis=1, keepdims=True) - q
        return Terms(-(q * logs).sum(axis=1), derivative, right.divisor, right.roundings)

    return change


def softmax_first(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """The loss of softmax(x) in the place of x."""
    p = np.exp(log_softmax(x))
    inner = r.loss.terms(p, t)
    return Terms(inner.value, through_softmax(p, inner.derivative), right.divisor, right.roundings)


def through_softmax(p: Array, derivative: Array) -> Array:
    """A derivative by p as one by x: p (d - sum d p)."""
    return p * (derivative - (derivative * p).sum(axis=1, keepdims=True))


def squared_probabilities(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """sum (p - q)^2."""
    p, q = np.exp(log_softmax(x)), weighted_target(r, x, t)
    derivative = through_softmax(p, 2 * (p - q))
    return Terms(((p - q) ** 2).sum(axis=1), derivative, right.divisor, right.roundings)


def binary(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """sum log(1 + exp x) - q x; derivative sigmoid(x) - q."""
    q = weighted_target(r, x, t)
    value = (np.logaddexp(0, x) - q * x).sum(axis=1)
    return Terms(value, sigmoid(x) - q, right.divisor, right.roundings)


def over_rows(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """A softmax along the wrong axis."""
    q, logs = weighted_target(r, x, t), log_softmax(x.T).T
    derivative = np.exp(logs) * q.sum(axis=0) - q
    return Terms(-(q * logs).sum(axis=1), derivative, right.divisor, right.roundings)


def by_column(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """w_c (p_c - onehot_c) in the place of w_y (p_c - onehot_c)."""
    _, w, counted, onehot = parts(r.loss, x, t)
    derivative = counted * w * (np.exp(log_softmax(x)) - onehot)
    return Terms(right.value, derivative, right.divisor, right.roundings)


def weighted_target(reference: Reference, x: Array, t: Array) -> Array:
    """q (n, C) of the right loss."""
    assert isinstance(reference.loss, CrossEntropy)
    return reference.loss.target(x, t)[0]


def tempered(temperature: float) -> Change:
    """Logits that are scaled first."""

    def change(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        inner = r.loss.terms(x * r.wide(temperature), t)
        return Terms(inner.value, inner.derivative * temperature, right.divisor, right.roundings)

    return change


def log_plus(epsilon: float) -> Change:
    """-sum q log(p + epsilon); derivative through p."""

    def change(r: Reference, x: Array, t: Array, right: Terms) -> Terms:
        q, p = weighted_target(r, x, t), np.exp(log_softmax(x))
        d = -q / (p + r.wide(epsilon))
        value = -(q * np.log(p + r.wide(epsilon))).sum(axis=1)
        return Terms(value, through_softmax(p, d), right.divisor, right.roundings)

    return change


def parts(loss: Any, x: Array, t: Array) -> tuple[Any, Array, Array, Array]:
    """Smoothing, weights (C,), counted rows (n, 1) and one-hot classes (n, C)."""
    s, w = loss.round(loss.options["label_smoothing"]), np.broadcast_to(loss.weight(), x.shape[1:])
    counted = (t != loss.options["ignore_index"])[:, None]
    return s, w, counted, (np.arange(x.shape[1]) == np.where(counted[:, 0], t, 0)[:, None]) * counted


def smoothed_others(loss: Any, x: Array, t: Array) -> Array:
    """(1 - s) for the right class and s / (C - 1) for each other one."""
    s, w, counted, onehot = parts(loss, x, t)
    return w * ((1 - s) * onehot + counted * (1 - onehot) * s / (x.shape[1] - 1))


def smoothed_unweighted(loss: Any, x: Array, t: Array) -> Array:
    """The smoothing's part without weights."""
    s, w, counted, onehot = parts(loss, x, t)
    return (1 - s) * onehot * w + counted * s / x.shape[1]


def smoothed_by_own_weight(loss: Any, x: Array, t: Array) -> Array:
    """The smoothed target times the weight of the row's class."""
    s, w, counted, onehot = parts(loss, x, t)
    row_weight = (onehot * w).sum(axis=1, keepdims=True)
    return row_weight * ((1 - s) * onehot + counted * s / x.shape[1])


def smoothed_ignored(loss: Any, x: Array, t: Array) -> Array:
    """Ignored rows get the smoothing's part."""
    s, w, _, onehot = parts(loss, x, t)
    return (1 - s) * onehot * w + s * w / x.shape[1]


def smoothed_added(loss: Any, x: Array, t: Array) -> Array:
    """The whole target, and the smoothing on top of it."""
    s, w, counted, onehot = parts(loss, x, t)
    return onehot * w + counted * s * w / x.shape[1]
