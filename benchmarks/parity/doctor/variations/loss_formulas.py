"""Formulas that people write for a loss, and that are not quite it: of any loss, and of residuals.

e = prediction - target, x = prediction, t = target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ...reference import Array, Reference
from ...reference.reference_loss import Terms
from ...reference.rowwise_losses import LogLikelihood
from ..case import Case
from .binary_loss_formulas import divergence_formulas, logit_formulas, margin_formulas, probability_formulas
from .changed_loss import EPSILONS, Change, elementwise
from .class_loss_formulas import cross_entropy_formulas


def formulas(case: Case) -> Iterator[tuple[str, Change]]:
    """Formulas by the loss."""
    name = case.workload.task.loss.name
    loss = Reference(case.workload.task).loss
    yield "the square root of the loss", square_root
    yield "the square of the loss", squared
    if loss.reduction != "sum":
        for epsilon in EPSILONS:
            yield f"a loss divided by its number of terms plus {epsilon:g}", divided_by_more(epsilon)
    if name in ("mse", "huber", "smooth_l1", "l1"):
        yield from residual_formulas(case)
    if name == "bce_with_logits":
        yield from logit_formulas(case)
    if name == "bce":
        yield from probability_formulas()
    if name in ("multi_margin", "hinge_embedding", "soft_margin"):
        yield from margin_formulas(case)
    if name == "kl_div":
        yield from divergence_formulas()
    if name == "cross_entropy":
        yield from cross_entropy_formulas(case)
    if isinstance(loss, LogLikelihood):
        yield "a loss divided by the number of all rows, ignored ones too, and not by their weights", by_rows


def square_root(reference: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """sqrt(L); derivative dL / (2 sqrt(L))."""
    root = np.sqrt(right.value.sum() / right.divisor)
    return Terms(right.value / root, right.derivative / (2 * root), right.divisor, right.roundings)


def squared(reference: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """L^2; derivative 2 L dL."""
    value = right.value.sum() / right.divisor
    return Terms(right.value * value, right.derivative * 2 * value, right.divisor, right.roundings)


def divided_by_more(epsilon: float) -> Change:
    """A divisor that is kept from zero."""
    return lambda reference, x, t, right: right_divided(right, right.divisor + reference.wide(epsilon))


def right_divided(right: Terms, divisor: Any) -> Terms:
    """The right terms with another divisor."""
    return Terms(right.value, right.derivative, divisor, right.roundings)


def by_rows(reference: Reference, x: Array, t: Array, right: Terms) -> Terms:
    """Divided by n."""
    return right_divided(right, len(x))


def residual_formulas(case: Case) -> Iterator[tuple[str, Change]]:
    """Formulas of e = prediction - target."""
    arguments = case.workload.task.loss.arguments
    edge = float(arguments.get("delta", arguments.get("beta", 1.0)))
    if case.workload.task.loss.name in ("huber", "smooth_l1"):
        inside: Mapping[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
            "a parabola without its one half": (lambda e, d: e * e, lambda e, d: 2 * e),
            "the parabola": (lambda e, d: e * e / 2, lambda e, d: e),
        }
        outside: Mapping[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
            "a line of slope 1": (lambda e, d: abs(e) - d / 2, lambda e, d: np.sign(e)),
            "a line of slope delta": (lambda e, d: d * (abs(e) - d / 2), lambda e, d: d * np.sign(e)),
            "a constant": (lambda e, d: d * d / 2 + 0 * e, lambda e, d: 0 * e),
            "a line of slope delta squared": (lambda e, d: d * d * abs(e), lambda e, d: d * d * np.sign(e)),
        }
        for a, (value_in, slope_in) in inside.items():
            for b, (value_out, slope_out) in outside.items():
                yield (
                    f"{a} within {edge:g} and {b} outside",
                    piecewise(edge, value_in, slope_in, value_out, slope_out),
                )
                yield (
                    f"{b} within {edge:g} and {a} outside",
                    piecewise(edge, value_out, slope_out, value_in, slope_in),
                )
    yield (
        "log cosh of the residual",
        elementwise(lambda r, x, t: np.log(np.cosh(x - t)), lambda r, x, t: np.tanh(x - t)),
    )
    yield (
        "the fourth power of the residual",
        elementwise(lambda r, x, t: (x - t) ** 4, lambda r, x, t: 4 * (x - t) ** 3),
    )
    yield (
        "the squared residual over the target",
        elementwise(lambda r, x, t: ((x - t) / t) ** 2, lambda r, x, t: 2 * (x - t) / t**2),
    )
    for epsilon in EPSILONS:
        yield (
            f"sqrt(e^2 + {epsilon:g})",
            elementwise(
                lambda r, x, t, s=epsilon: np.sqrt((x - t) ** 2 + s),
                lambda r, x, t, s=epsilon: (x - t) / np.sqrt((x - t) ** 2 + s),
            ),
        )


def piecewise(edge: float, value_in: Any, slope_in: Any, value_out: Any, slope_out: Any) -> Change:
    """One formula of the residual within an edge and another outside it."""

    def change(reference: Reference, x: Array, t: Array, right: Terms) -> Terms:
        e, d = x - t, reference.round(edge)
        value = np.where(abs(e) <= d, value_in(e, d), value_out(e, d))
        derivative = np.where(abs(e) <= d, slope_in(e, d), slope_out(e, d))
        return Terms(value, derivative, right.divisor, right.roundings)

    return change
