"""What wrong buffers and wrong steps are made of: other update rules, coefficients and learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from ...record.proof import Cause
from ..reference import Array, narrow
from .case import Case, StepSnapshot, flat
from .factors import factor_text, known_factors
from .hypothesis import Clause, Hypothesis, Prediction
from .learning_rates import Rate, other_rates
from .observations import Observation
from .update_rules import (
    MomentumRule,
    Rule,
    declared_rule,
    other_optimizers,
    other_rules,
    run_rule,
)


def of_updates(case: Case, quantity: str, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """All hypotheses about "buffers" or "params": the steps over their learning rates."""
    rules = [(cause, said, predicted(case, quantity, rule)) for cause, said, rule in other_rules(case)]
    for cause, clause, predict in rules:
        yield Hypothesis(cause, clause, predict, always=True)
    if quantity == "params":
        yield from of_lengths(case)
        for cause, clause, rule in other_optimizers(case):
            yield Hypothesis(cause, clause, predicted(case, quantity, rule, own_state=True), always=True)
        yield from clipped_steps(case, observations)
        yield from (scaled_rule(*rule) for rule in rules)
    yield from fitted_rules(case, quantity)


def scaled_rule(
    cause: Cause, clause: str, predict: Callable[[StepSnapshot], Prediction | None]
) -> Hypothesis:
    """Another rule, and a factor on its steps."""

    def scaled(snapshot: StepSnapshot) -> Prediction | None:
        whole = predict(snapshot)
        return None if whole is None else Prediction(whole.fixed * 0, (whole.fixed,))

    def said(numbers: Sequence[float]) -> str:
        return f"{clause}, and each step is multiplied by {factor_text(numbers[0])}"

    return Hypothesis(cause, said, scaled, free=1, changes=2, always=True)


def predicted(
    case: Case, quantity: str, rule: Rule, *, own_state: bool = False
) -> Callable[[StepSnapshot], Prediction | None]:
    """What a rule gives at a step, its run made when first needed."""
    results: dict[int, tuple[Any, Array]] = {}

    def predict(snapshot: StepSnapshot) -> Prediction | None:
        if not results:
            results.update(run_rule(case, rule, own_state=own_state))
        buffer, direction = results[snapshot.number]
        if quantity == "params":
            return Prediction(direction)
        return Prediction(buffer) if isinstance(buffer, np.ndarray) else None

    return predict


# --- lengths --------------------------------------------------------------------------------------------------


def of_lengths(case: Case) -> Iterator[Hypothesis]:
    """The right directions with the wrong lengths: learning rates, and steps that are left out."""

    def exact(snapshot: StepSnapshot) -> Array:
        return flat(case.exact(snapshot).directions)

    yield Hypothesis("left out", "nothing is updated", lambda s: Prediction(exact(s) * 0))

    def rated(rate: Rate) -> Callable[[StepSnapshot], Prediction]:
        return lambda snapshot: Prediction(exact(snapshot) * (rate(snapshot) / snapshot.learning_rate))

    for description, rate in other_rates(case):
        yield Hypothesis("learning rate", description, rated(rate), always=True)
    for hypothesis in known_factors(case, "learning rate", exact):
        if hypothesis.cause in ("scale", "partial batch"):
            yield replace(
                hypothesis, cause="learning rate" if hypothesis.cause == "scale" else hypothesis.cause
            )

    def clause(numbers: Sequence[float]) -> str:
        return f"the learning rate is multiplied by {factor_text(numbers[0])}"

    if len({snapshot.learning_rate for snapshot in case.snapshots}) > 1:
        yield Hypothesis(
            "learning rate",
            lambda n: f"the learning rate stays {n[0]:.6g}",
            lambda s: Prediction(exact(s) * 0, (exact(s) / s.learning_rate,)),
            free=1,
        )
    yield Hypothesis("learning rate", clause, lambda s: Prediction(exact(s) * 0, (exact(s),)), free=1)


def clipped_steps(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """Steps that are clipped to a length, with or without the learning rate, or to a largest value."""
    first = next((one for one in observations if one.snapshot.wrong), None)
    if first is None or not np.isfinite(narrow(first.recorded)).all():
        return
    rate = first.snapshot.learning_rate

    def exact(snapshot: StepSnapshot) -> Array:
        return flat(case.exact(snapshot).directions)

    def by_norm(limit: Any, *, rated: bool) -> Callable[[StepSnapshot], Prediction]:
        def predict(snapshot: StepSnapshot) -> Prediction:
            direction = exact(snapshot)
            size = np.sqrt(np.square(direction).sum())
            allowed = limit / snapshot.learning_rate if rated else limit
            return Prediction(direction * min(1.0, allowed / size) if size else direction)

        return predict

    norm = np.sqrt(np.square(first.recorded).sum())
    largest = abs(first.recorded).max()
    yield Hypothesis(
        "scale",
        f"the step over the learning rate is clipped to a norm of {float(norm):.6g}",
        by_norm(norm, rated=False),
        free=1,
    )
    if len({snapshot.learning_rate for snapshot in case.snapshots}) > 1:
        length = norm * rate
        clause = f"the step is clipped to a norm of {float(length):.6g}"
        yield Hypothesis("scale", clause, by_norm(length, rated=True), free=1)
    yield Hypothesis(
        "scale",
        f"the step over the learning rate is clipped to values of {float(largest):.6g}",
        lambda s: Prediction(np.clip(exact(s), -largest, largest)),
        free=1,
    )


# --- one number that is fitted --------------------------------------------------------------------------------


def fitted_rules(case: Case, quantity: str) -> Iterator[Hypothesis]:
    """The task's rule with another momentum, dampening or weight decay; rules are linear in the last two."""
    right = declared_rule(case)

    def between(low: MomentumRule, high: MomentumRule) -> Callable[[StepSnapshot], Prediction | None]:
        """low + c (high - low)."""
        first, second = predicted(case, quantity, low), predicted(case, quantity, high)

        def predict(snapshot: StepSnapshot) -> Prediction | None:
            a, b = first(snapshot), second(snapshot)
            return None if a is None or b is None else Prediction(a.fixed, (b.fixed - a.fixed,))

        return predict

    def fitted(cause: Cause, said: Clause, low: MomentumRule, high: MomentumRule) -> Hypothesis:
        return Hypothesis(cause, said, between(low, high), free=1, always=True)

    decays = replace(right, weight_decay=0.0), replace(right, weight_decay=1.0)
    yield fitted("weight decay", partial(number_text, "weight decay", bool(right.weight_decay)), *decays)
    if right.momentum:
        dampenings = replace(right, dampening=0.0), replace(right, dampening=1.0)
        yield fitted("dampening", partial(number_text, "dampening", bool(right.dampening)), *dampenings)
        gains = (
            replace(right, dampening=1.0, first_gain=0.0),
            replace(right, dampening=0.0, first_gain=1.0),
        )
        yield fitted(
            "dampening",
            lambda n: f"the gradient enters the buffer {factor_text(n[0])} times, from step 1 on",
            *gains,
        )
    if right.nesterov:
        looks = replace(right, look_ahead=0.0), replace(right, look_ahead=1.0)
        yield fitted("nesterov", lambda n: f"it looks ahead by {n[0]:.6g} times the buffer", *looks)
    yield other_momentum(case, quantity, right)


def number_text(name: str, declared: bool, numbers: Sequence[float]) -> str:
    """Another number than the task's, or one that the task has not."""
    return f"{f'another {name}' if declared else f'a {name} that the task has not'}: {numbers[0]:.6g}"


def other_momentum(case: Case, quantity: str, right: MomentumRule) -> Hypothesis:
    """b = g + m b_before with another m; with Nesterov d = g + m (g + d_before - g_before)."""
    before = steps_before(case)

    def predict(snapshot: StepSnapshot) -> Prediction | None:
        g = given_gradient(case, right, snapshot)
        if quantity == "buffers":
            start = snapshot.start
            buffer = g * 0 if start.first else flat({name: start.buffers[name] for name in start.params})
            return Prediction(g if start.first else (1 - right.dampening) * g, (buffer,))
        if snapshot.start.first:
            return Prediction(g, (g if right.nesterov else g * 0,))
        if (pair := before(snapshot)) is None:
            return None
        direction, gradient = pair
        if right.nesterov:
            return Prediction(g, (g + direction - gradient,))
        return Prediction((1 - right.dampening) * g, (direction,))

    clause = "another momentum: {:.6g}" if right.momentum else "a momentum that the task has not: {:.6g}"
    return Hypothesis("momentum", lambda n: clause.format(n[0]), predict, free=1, skips=True, always=True)


def recursion(case: Case, snapshot: StepSnapshot) -> Array | None:
    """What the right rule makes of the recorded step before: the direction, without any buffer."""
    right = declared_rule(case)
    if (pair := steps_before(case)(snapshot)) is None:
        return None
    direction, gradient = pair
    g = given_gradient(case, right, snapshot)
    if right.nesterov:
        return g + right.momentum * (g + direction - gradient)
    return (1 - right.dampening) * g + right.momentum * direction if right.momentum else g


def given_gradient(case: Case, right: MomentumRule, snapshot: StepSnapshot) -> Array:
    """What the optimizer gets: the signed gradient with its decay."""
    return right.sign * flat(case.exact(snapshot).gradients) + right.weight_decay * flat(
        snapshot.start.params
    )


def steps_before(case: Case) -> Callable[[StepSnapshot], tuple[Array, Array] | None]:
    """The step before over its learning rate, as it was recorded, and the gradient that it was given."""
    right = declared_rule(case)

    def before(snapshot: StepSnapshot) -> tuple[Array, Array] | None:
        previous = case.previous(snapshot)
        if previous is None or not previous.learning_rate:
            return None
        moved = flat(previous.start.params) - flat(previous.recorded["params"])
        return moved / previous.learning_rate, given_gradient(case, right, previous)

    return before


def free_combinations(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """A step that is a sum of gradient, step before, gradient before and parameters, in any proportion."""
    right, before = declared_rule(case), steps_before(case)
    names = ("gradient", "step before", "gradient before", "parameters")

    def vectors(snapshot: StepSnapshot) -> tuple[Array, ...] | None:
        plain = right.sign * flat(case.exact(snapshot).gradients)
        if snapshot.start.first:  # it may begin in its own way, if that is right
            return (plain, plain * 0, plain * 0, flat(snapshot.start.params)) if snapshot.wrong else None
        if (pair := before(snapshot)) is None:
            return None
        return plain, *pair, flat(snapshot.start.params)

    for count in (1, 2, 3):
        for chosen in combinations(range(len(names)), count):

            def predict(snapshot: StepSnapshot, chosen: tuple[int, ...] = chosen) -> Prediction | None:
                parts = vectors(snapshot)
                return None if parts is None else Prediction(parts[0] * 0, tuple(parts[i] for i in chosen))

            def clause(numbers: Sequence[float], chosen: tuple[int, ...] = chosen) -> str:
                terms = " ".join(f"{n:+.6g} {names[i]}" for n, i in zip(numbers, chosen, strict=True))
                return f"the step over the learning rate is {terms.removeprefix('+')}"

            yield Hypothesis("unknown", clause, predict, free=count, skips=True, always=True)
