"""What the optimizer did with right gradients: its coefficients, read off by least squares, and put into words.

A buffer is a g + m b + d theta, with g the gradient, b the buffer before and theta the parameters before; a
direction (before - after) / h is the same with other numbers. Whatever the mistake, the fitted (a, m, d) tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...record.proof import Cause
from ..reference import Array, Arrays
from .case import Case, Finding, StepSnapshot, flat
from .fits import Observation, buffers_before, combination, describe_factors, factors, is_close, observe
from .learning_rates import explain_lengths


@dataclass(frozen=True)
class UpdateCoefficients:
    """Coefficients of gradient, buffer and parameters in a buffer or a direction."""

    gradient: float
    buffer: float
    theta: float

    def matches(self, other: UpdateCoefficients) -> bool:
        """Whether all coefficients are those of another, to within what fits can tell."""
        return all(is_close(a, b) for a, b in zip(self.numbers, other.numbers, strict=True))

    @property
    def numbers(self) -> tuple[float, float, float]:
        """The three coefficients."""
        return self.gradient, self.buffer, self.theta

    def __str__(self) -> str:
        pairs = zip(self.numbers, ("gradient", "buffer", "parameters"), strict=True)
        terms = [f"{number:+.6g} {name}" for number, name in pairs if abs(number) > 1e-9]
        return " ".join(f"{term[0]} {term[1:]}" for term in terms).removeprefix("+ ") or "nothing"


def correct_coefficients(case: Case, quantity: str) -> UpdateCoefficients:
    """The coefficients as they should be, after the first step."""
    c = case.reference.sgd
    momentum, gain, decay = float(c.momentum), 1 - float(c.dampening), float(c.weight_decay)
    if not momentum:
        return UpdateCoefficients(c.sign, 0, decay)
    if quantity == "params" and c.nesterov:
        return UpdateCoefficients(c.sign * (1 + momentum), momentum * momentum, decay * (1 + momentum))
    return UpdateCoefficients(c.sign * gain, momentum, decay * gain)


def first_coefficients(case: Case) -> UpdateCoefficients:
    """The coefficients of the first step: b = g, and Nesterov looks ahead by it."""
    c = case.reference.sgd
    ahead = 1 + float(c.momentum) if c.nesterov else 1.0
    return UpdateCoefficients(c.sign * ahead, 0.0, float(c.weight_decay) * ahead)


def fit_coefficients(
    case: Case, observations: Sequence[Observation], *, tensor: str | None = None, rated: bool = False
) -> UpdateCoefficients | None:
    """The coefficients that explain these steps, of one tensor or all; `rated`: the gradient times the rate."""
    use_buffer = bool(case.reference.sgd.momentum) and not all(
        one.snapshot.start.first for one in observations
    )
    pairs = [
        (observation, buffers)
        for observation in observations
        if (buffers := buffers_before(case, observation.snapshot)) is not None
    ]

    def part(arrays: Arrays) -> Array:
        return flat(arrays) if tensor is None else np.asarray(arrays[tensor]).ravel()

    vectors = []
    for observation, buffers in pairs:
        snapshot = observation.snapshot
        gradient = part(case.exact(snapshot).gradients) * (snapshot.learning_rate if rated else 1)
        vectors.append([gradient, part(snapshot.start.params), *([part(buffers)] if use_buffer else [])])
    fit = combination(case, [observation for observation, _ in pairs], vectors)
    if fit is None:
        return None
    # a coefficient below 1e-6 is rounding
    gradient, theta, *buffer = (0.0 if abs(number) < 1e-6 else float(number) for number in fit)
    return UpdateCoefficients(gradient, buffer[0] if buffer else 0.0, theta)


def explain_update(
    case: Case, quantity: str, observations: Sequence[Observation], failing: Sequence[StepSnapshot]
) -> Finding | None:
    """The mistake behind wrong buffers ("buffers") or wrong steps ("params") with right gradients."""
    when = case.when(failing)
    if quantity == "buffers":
        fitted = fit_coefficients(case, observations, rated=True)
        if fitted and is_close(abs(fitted.gradient), 1.0):
            sentence = f"the learning rate is inside the buffer{when}: a gradient enters times its rate"
            return "momentum", sentence
    for first in (False, True):
        chosen = [one for one in observations if one.snapshot.start.first is first]
        if chosen and (fitted := fit_coefficients(case, chosen)):
            correct = first_coefficients(case) if first else correct_coefficients(case, quantity)
            if not fitted.matches(correct):
                return name_difference(case, quantity, fitted, correct, chosen, when, first=first)
    return (
        explain_lengths(case, observations, when)
        or update_by_tensor(case, quantity, observations, when)
        or restarted(case, failing)
    )


def restarted(case: Case, failing: Sequence[StepSnapshot]) -> Finding | None:
    """Buffers that forget at some steps: there they are the gradient alone."""
    observations = observe("buffers", failing)
    gradients = [[flat(case.exact(observation.snapshot).gradients)] for observation in observations]
    fit = combination(case, observations, gradients)
    if fit is None:
        return None
    when = case.when(failing)
    return "momentum", f"the buffer is begun anew{when}: it is {fit[0]:.6g} times the gradient"


# --- coefficients in words ------------------------------------------------------------------------------------


def name_difference(
    case: Case,
    quantity: str,
    fitted: UpdateCoefficients,
    correct: UpdateCoefficients,
    observations: Sequence[Observation],
    when: str,
    *,
    first: bool,
) -> Finding:
    """The coefficients that differ, and what is known to do that."""
    what = "the buffer" if quantity == "buffers" else "the step over the learning rate"
    learning_rate = observations[-1].snapshot.learning_rate
    finding = wrong_first_step(case, fitted) if first else None
    if finding is None:
        if is_close(fitted.gradient, correct.gradient) and is_close(fitted.buffer, correct.buffer):
            finding = wrong_decay(fitted, correct, learning_rate)
        else:
            finding = wrong_scale(case, quantity, fitted, correct, observations)
            finding = finding or wrong_mixture(case, fitted, correct, learning_rate)
    cause, lead = finding
    return cause, f"{lead}: {what} is {fitted}{when}, not {correct}"


def wrong_first_step(case: Case, fitted: UpdateCoefficients) -> Finding | None:
    """Mistakes that show in the first step alone."""
    c = case.reference.sgd
    if c.momentum and is_close(fitted.gradient, c.sign * (1 - float(c.dampening))):
        return "dampening", "the first step is dampened already"
    if c.momentum and is_close(fitted.gradient, c.sign) and c.nesterov:
        return "nesterov", "no look ahead"
    return None


def wrong_scale(
    case: Case,
    quantity: str,
    fitted: UpdateCoefficients,
    correct: UpdateCoefficients,
    observations: Sequence[Observation],
) -> Finding | None:
    """All coefficients are off by the same factor."""
    ratio = fitted.gradient / correct.gradient if correct.gradient else np.inf
    if not (
        is_close(fitted.buffer, correct.buffer * ratio) and is_close(fitted.theta, correct.theta * ratio)
    ):
        return None
    if ratio < 0:
        return "sign", "the step goes the other way"
    snapshots = [observation.snapshot for observation in observations]
    cause: Cause = "momentum" if quantity == "buffers" else "learning rate"
    text = describe_factors(case, snapshots, [ratio] * len(snapshots)).text
    return cause, f"the step is multiplied by {text}"


def wrong_mixture(
    case: Case, fitted: UpdateCoefficients, correct: UpdateCoefficients, learning_rate: float
) -> Finding:
    """Gradient and buffer enter in another proportion."""
    c, gradient = case.reference.sgd, fitted.gradient
    momentum = float(c.momentum)
    undampened, same_buffer = is_close(gradient, c.sign), bool(momentum) and is_close(fitted.buffer, momentum)
    looks_ahead = bool(momentum) and not c.nesterov and is_close(gradient, c.sign * (1 + momentum))
    rated = same_buffer and is_close(gradient, learning_rate * correct.gradient)
    average = same_buffer and is_close(gradient, c.sign * (1 - momentum))
    other_gain = same_buffer and not is_close(gradient, correct.gradient)
    cases: tuple[tuple[bool, Cause, str], ...] = (
        (is_close(gradient, -correct.gradient), "sign", "the gradient has the other sign"),
        (c.nesterov and undampened and same_buffer, "nesterov", "plain momentum, without the look ahead"),
        (looks_ahead, "nesterov", "it looks ahead, as Nesterov's does"),
        (bool(c.dampening) and undampened and same_buffer, "dampening", "dampening is left out"),
        (rated, "momentum", "the learning rate is inside the buffer"),
        (average, "dampening", "an average, momentum against 1 - momentum"),
        (other_gain, "dampening", "the gradient enters the buffer in another measure"),
        (True, "momentum", "another momentum"),
    )
    return next((cause, lead) for applies, cause, lead in cases if applies)


def wrong_decay(fitted: UpdateCoefficients, correct: UpdateCoefficients, learning_rate: float) -> Finding:
    """Right in gradient and buffer: the decay is another."""
    if not fitted.theta:
        return "weight decay", "weight decay is left out"
    if is_close(fitted.theta, -correct.theta):
        return "weight decay", "weight decay has the other sign"
    for factor, manner in (
        (1 / learning_rate if learning_rate else np.inf, "after the learning rate, not multiplied by it"),
        (2.0, "twice"),
        (learning_rate, "multiplied by the learning rate twice"),
    ):
        if is_close(abs(fitted.theta), abs(correct.theta * factor), 1e-2):
            return "weight decay", f"weight decay is applied {manner}"
    return "weight decay", "another weight decay"


# --- one parameter by itself ----------------------------------------------------------------------------------


def update_by_tensor(
    case: Case, quantity: str, observations: Sequence[Observation], when: str
) -> Finding | None:
    """Each parameter by itself: those that do not move, decay otherwise, or have a learning rate of their own."""
    task, correct = case.workload.task, correct_coefficients(case, quantity)
    wrong: list[tuple[str, UpdateCoefficients]] = []
    later = [one for one in observations if not (one.snapshot.start.first and case.reference.sgd.momentum)]
    for tensor in task.parameters:
        alone = [observation.only(tensor, task) for observation in later]
        fitted = fit_coefficients(case, alone, tensor=tensor)
        if fitted is None:
            return tensor_rate(case, tensor, alone, when)
        if not fitted.matches(correct):
            wrong.append((tensor, fitted))
    if not wrong:
        return None
    _, fitted = wrong[0]
    names = " and ".join(tensor for tensor, _ in wrong)
    if all(not any(coefficients.numbers) for _, coefficients in wrong):
        return "left out", f"{names} is not updated{when}"
    difference = f"the step over the learning rate is {fitted}{when}, not {correct}"
    if is_close(fitted.gradient, correct.gradient):
        return "weight decay", f"{names}: {difference}"
    return "learning rate", f"{names} alone: {difference}"


def tensor_rate(case: Case, tensor: str, alone: Sequence[Observation], when: str) -> Finding | None:
    """One parameter's steps have the right direction, and a rate of their own: always the same, or any."""
    snapshots = [observation.snapshot for observation in alone]
    directions = [case.exact(snapshot).directions[tensor].ravel() for snapshot in snapshots]
    rates = [snapshot.learning_rate for snapshot in snapshots]
    fit = combination(case, alone, [[d / rate] for d, rate in zip(directions, rates, strict=True)])
    if fit is not None:
        return "learning rate", f"the rate of {tensor} alone stays {fit[0]:.6g}{when}"
    numbers = factors(case, alone, directions)
    if numbers is None:
        return None
    text = describe_factors(case, snapshots, numbers).text
    return "learning rate", f"the steps of {tensor} alone are multiplied by {text}{when}"
