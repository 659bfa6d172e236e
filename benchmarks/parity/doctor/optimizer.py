"""What the optimizer did with right gradients: its coefficients, read off by least squares, and put into words.

A buffer is a g + m b + d theta, with g the gradient, b the buffer before and theta the parameters before; a
direction (before - after) / h is the same with other numbers. Whatever the mistake, the fitted (a, m, d) tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...record.proof import Cause
from ..reference.arithmetic import Array
from ..reference.step import Arrays
from .case import Case, Finding, Moment, Seen, flat, split
from .fits import combination, factors, law, near
from .learning_rates import by_step


@dataclass(frozen=True)
class Rule:
    """Coefficients of gradient, buffer and parameters."""

    gradient: float
    buffer: float
    theta: float

    def matches(self, other: Rule) -> bool:
        return all(near(a, b) for a, b in zip(self.numbers, other.numbers, strict=True))

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.gradient, self.buffer, self.theta

    def __str__(self) -> str:
        pairs = zip(self.numbers, ("gradient", "buffer", "parameters"), strict=True)
        terms = [f"{number:+.6g} {name}" for number, name in pairs if abs(number) > 1e-9]
        return " ".join(f"{term[0]} {term[1:]}" for term in terms).removeprefix("+ ") or "nothing"


def correct(case: Case, quantity: str) -> Rule:
    """The coefficients as they should be, after the first step."""
    c = case.reference.sgd
    mu, keep, decay = float(c.momentum), 1 - float(c.dampening), float(c.weight_decay)
    if not mu:
        return Rule(c.sign, 0, decay)
    if quantity == "params" and c.nesterov:
        return Rule(c.sign * (1 + mu), mu * mu, decay * (1 + mu))
    return Rule(c.sign * keep, mu, decay * keep)


def read_off(
    case: Case, seen: Sequence[Seen], *, tensor: str | None = None, rated: bool = False
) -> Rule | None:
    """The coefficients that explain these steps, of one tensor or all; `rated`: the gradient times the rate."""
    use_buffer = bool(case.reference.sgd.momentum) and not all(one.moment.first for one in seen)
    known = [(one, buffers) for one in seen if (buffers := case.buffers(one.moment)) is not None]

    def part(arrays: Arrays) -> Array:
        return flat(arrays) if tensor is None else np.asarray(arrays[tensor]).ravel()

    vectors = []
    for one, buffers in known:
        moment = one.moment
        gradient = part(case.exact(moment).gradients) * (moment.learning_rate if rated else 1)
        vectors.append([gradient, part(moment.before), *([part(buffers)] if use_buffer else [])])
    fit = combination(case, [one for one, _ in known], vectors)
    if fit is None:
        return None
    found, theta, *kept = (clean(float(number)) for number in fit)
    return Rule(found, kept[0] if kept else 0.0, theta)


def clean(number: float) -> float:
    """Nothing, where it is nothing but rounding."""
    return 0.0 if abs(number) < 1e-6 else number


def explain(case: Case, quantity: str, seen: Sequence[Seen], moments: Sequence[Moment]) -> Finding | None:
    """The mistake behind wrong buffers ("buffers") or wrong steps ("params") with right gradients."""
    when = case.when(moments)
    later, begin = ([one for one in seen if one.moment.first is first] for first in (False, True))
    if quantity == "buffers" and (rule := read_off(case, seen, rated=True)) and near(abs(rule.gradient), 1.0):
        return "momentum", f"the learning rate is inside the buffer{when}: a gradient enters times its rate"
    for chosen, first in ((later, False), (begin, True)):
        if chosen and (rule := read_off(case, chosen)):
            right = first_rule(case) if first else correct(case, quantity)
            if not rule.matches(right):
                return name(case, quantity, rule, right, chosen, when, first=first)
    return by_step(case, seen, when) or by_tensor(case, quantity, seen, when) or begun_anew(case, moments)


def begun_anew(case: Case, moments: Sequence[Moment]) -> Finding | None:
    """Buffers that forget at some steps: there they are the gradient alone."""
    seen = case.seen("buffers", moments)
    fit = combination(case, seen, [[flat(case.exact(one.moment).gradients)] for one in seen])
    if fit is None:
        return None
    return "momentum", f"the buffer is begun anew{case.when(moments)}: it is {fit[0]:.6g} times the gradient"


def first_rule(case: Case) -> Rule:
    """The first step: b = g, and Nesterov looks ahead by it."""
    c = case.reference.sgd
    ahead = 1 + float(c.momentum) if c.nesterov else 1.0
    return Rule(c.sign * ahead, 0.0, float(c.weight_decay) * ahead)


def name(
    case: Case, quantity: str, rule: Rule, right: Rule, seen: Sequence[Seen], when: str, *, first: bool
) -> Finding:
    """The coefficients that differ, and what is known to do that."""
    c, h = case.reference.sgd, seen[-1].moment.learning_rate
    mu, tau = float(c.momentum), float(c.dampening)
    what = "the buffer" if quantity == "buffers" else "the step over the learning rate"
    found = f"{what} is {rule}{when}, not {right}"
    if first:
        if mu and near(rule.gradient, c.sign * (1 - tau)):
            return "dampening", f"the first step is dampened already: {found}"
        if mu and near(rule.gradient, c.sign) and c.nesterov:
            return "nesterov", f"no look ahead: {found}"
    if not (near(rule.gradient, right.gradient) and near(rule.buffer, right.buffer)):
        ratio = rule.gradient / right.gradient if right.gradient else np.inf
        if near(rule.buffer, right.buffer * ratio) and near(rule.theta, right.theta * ratio):
            return scaled(case, quantity, ratio, found, seen)
        if near(rule.gradient, -right.gradient):
            return "sign", f"the gradient has the other sign: {found}"
        if c.nesterov and near(rule.gradient, c.sign) and near(rule.buffer, mu):
            return "nesterov", f"plain momentum, without the look ahead: {found}"
        if mu and not c.nesterov and near(rule.gradient, c.sign * (1 + mu)):
            return "nesterov", f"it looks ahead, as Nesterov's does: {found}"
        if tau and near(rule.gradient, c.sign) and near(rule.buffer, mu):
            return "dampening", f"dampening is left out: {found}"
        if mu and near(rule.buffer, mu) and near(rule.gradient, h * right.gradient):
            return "momentum", f"the learning rate is inside the buffer: {found}"
        if mu and near(rule.buffer, mu) and near(rule.gradient, c.sign * (1 - mu)):
            return "dampening", f"an average, momentum against 1 - momentum: {found}"
        if near(rule.buffer, mu) and not near(rule.gradient, right.gradient) and mu:
            return "dampening", f"the gradient enters the buffer in another measure: {found}"
        return "momentum", f"another momentum: {found}"
    return decayed(rule, right, h, found)


def scaled(case: Case, quantity: str, ratio: float, found: str, seen: Sequence[Seen]) -> Finding:
    if ratio < 0:
        return "sign", f"the step goes the other way: {found}"
    moments = [one.moment for one in seen]
    cause: Cause = "momentum" if quantity == "buffers" else "learning rate"
    return cause, f"the step is multiplied by {law(case, moments, [ratio] * len(moments))}: {found}"


def decayed(rule: Rule, right: Rule, h: float, found: str) -> Finding:
    """Right in gradient and buffer: the decay is another."""
    if not rule.theta:
        return "weight decay", f"weight decay is left out: {found}"
    if near(rule.theta, -right.theta):
        return "weight decay", f"weight decay has the other sign: {found}"
    for factor, words in (
        (1 / h if h else np.inf, "after the learning rate, not multiplied by it"),
        (2.0, "twice"),
        (h, "multiplied by the learning rate twice"),
    ):
        if near(abs(rule.theta), abs(right.theta * factor), 1e-2):
            return "weight decay", f"weight decay is applied {words}: {found}"
    return "weight decay", f"another weight decay: {found}"


def by_tensor(case: Case, quantity: str, seen: Sequence[Seen], when: str) -> Finding | None:
    """Each parameter by itself: those that do not move, decay otherwise, or have a rate of their own."""
    found: list[tuple[str, Rule]] = []
    right = correct(case, quantity)
    later = [one for one in seen if not (one.moment.first and case.reference.sgd.momentum)]
    for tensor in case.workload.task.parameters:
        alone = [only(case, one, tensor) for one in later]
        rule = read_off(case, alone, tensor=tensor)
        if rule is None:
            return own_rate(case, tensor, alone, when)
        if not rule.matches(right):
            found.append((tensor, rule))
    if not found:
        return None
    tensor, rule = found[0]
    names = " and ".join(name for name, _ in found)
    if all(not any(rule.numbers) for _, rule in found):
        return "left out", f"{names} is not updated{when}"
    if near(rule.gradient, right.gradient):
        return "weight decay", f"{names}: the step over the learning rate is {rule}{when}, not {right}"
    return "learning rate", f"{names} alone: the step over the learning rate is {rule}{when}, not {right}"


def own_rate(case: Case, tensor: str, alone: Sequence[Seen], when: str) -> Finding | None:
    """One parameter's steps have the right direction, and a rate of their own: always the same, or any."""
    moments = [one.moment for one in alone]
    directions = [case.exact(moment).directions[tensor].ravel() for moment in moments]
    learning_rates = [moment.learning_rate for moment in moments]
    fit = combination(case, alone, [[d / rate] for d, rate in zip(directions, learning_rates, strict=True)])
    if fit is not None:
        return "learning rate", f"the rate of {tensor} alone stays {fit[0]:.6g}{when}"
    found = factors(case, alone, directions)
    if found is None:
        return None
    return "learning rate", f"the steps of {tensor} alone are multiplied by {law(case, moments, found)}{when}"


def only(case: Case, one: Seen, tensor: str) -> Seen:
    """The part of an observation that is one tensor's."""
    shapes = case.workload.task.parameters
    values, tolerance = (split(part, shapes)[tensor].ravel() for part in (one.values, one.tolerance))
    return Seen(one.moment, values, tolerance)
