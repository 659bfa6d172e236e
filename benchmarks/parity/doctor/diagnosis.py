"""The likely cause of a failure: hypotheses in the order in which a step computes things."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...record.proof import Diagnosis
from .case import Case, Finding, StepSnapshot
from .fits import implied_gradients, observe, observe_directions
from .gradients import explain_gradients, explain_loss
from .learning_rates import known_rate
from .optimizer import explain_update
from .precision import narrower_arithmetic


def diagnose(case: Case) -> Diagnosis:
    """The likely cause of the failures that a case holds."""
    ways: list[Callable[[Case], Finding | None]] = [from_all_steps, from_failing_steps]
    if case.arithmetic.input_error:
        # within the wide bounds of TF32 other mistakes fit what bfloat16 does
        ways.insert(0, narrower_arithmetic)
    for way in ways:
        if finding := way(case):
            return Diagnosis(cause=finding[0], sentence=finding[1])
    first = case.failing[0]
    params = first.recorded["params"].items()
    if infinite := [name for name, values in params if not np.isfinite(values).all()]:
        sentence = f"unknown: {infinite[0]} is not finite after step {first.number}"
    else:
        numbers = ", ".join(sorted({f"{quantity} {tensor}".rstrip() for quantity, tensor in first.wrong}))
        sentence = f"unknown: no hypothesis leaves only rounding over; wrong are {numbers}"
    return Diagnosis(cause="unknown", sentence=sentence)


def from_all_steps(case: Case) -> Finding | None:
    """One mistake for every step of the case, right ones included."""
    return explain(case, case.snapshots)


def from_failing_steps(case: Case) -> Finding | None:
    """A mistake of the failing steps alone: other initial values, any other, or narrower arithmetic."""
    if finding := started_elsewhere(case):
        return finding
    if len(case.failing) < len(case.snapshots) and (finding := explain(case, case.failing)):
        return finding
    return narrower_arithmetic(case)


def explain(case: Case, snapshots: Sequence[StepSnapshot]) -> Finding | None:
    """In the order in which a step computes: loss and gradients, then buffers, then parameters."""
    failing = [snapshot for snapshot in snapshots if snapshot.wrong]
    when = case.when(failing)
    if any(snapshot.has_wrong("gradients") for snapshot in failing):
        chosen = [s for s in snapshots if s.has_wrong("gradients") or not s.wrong]
        return explain_gradients(case, observe("gradients", chosen), when)
    if any(snapshot.has_wrong("loss") for snapshot in failing):
        return explain_loss(case, observe("loss", snapshots), when)
    use_buffers = any(snapshot.has_wrong("buffers") for snapshot in failing)
    quantity = "buffers" if use_buffers else "params"
    observations = observe("buffers", snapshots) if use_buffers else observe_directions(snapshots)

    def by_optimizer() -> Finding | None:
        return explain_update(case, quantity, observations, failing)

    def by_gradients() -> Finding | None:
        return explain_gradients(case, implied_gradients(case, snapshots), when)

    def by_learning_rate() -> Finding | None:
        return None if use_buffers else known_rate(case, observations)

    ways = [by_optimizer, by_gradients]
    if not all("gradients" in snapshot.recorded for snapshot in snapshots):
        # unrecorded gradients are the first hypothesis, but for learning rates, which no gradient explains
        ways = [by_learning_rate, by_gradients, by_optimizer]
    return next((finding for way in ways if (finding := way())), None)


def started_elsewhere(case: Case) -> Finding | None:
    """Only the very first step is wrong, from its loss or gradients on: it began from other values."""
    first, *others = case.snapshots
    if not first.start.first or not (first.has_wrong("loss") or first.has_wrong("gradients")):
        return None
    if len(others) < 2 or any(snapshot.wrong for snapshot in others):
        return None
    sentence = (
        "only step 1 is wrong, and every step after it is right: it did not begin with the given values"
    )
    return "start", sentence
