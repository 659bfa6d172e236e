"""The doctor: which step and tensor went wrong first, and what is likely to have done it.

Hypotheses are tested on the recorded numbers themselves: a step is played again with one ingredient changed, or
what was recorded is fitted by the vectors it should be made of. A hypothesis counts when nothing but rounding is
left over at every step that was kept. When none does, the answer is "unknown".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...record.proof import Diagnosis
from . import optimizer as optimizer
from .case import Case, Finding, Moment
from .gradients import gradients, loss
from .learning_rates import known_rate
from .precision import narrower

__all__ = ["Case", "Moment", "diagnose"]


def diagnose(case: Case) -> Diagnosis:
    """The likely cause of the failures that a case holds."""
    ways: list[Callable[[Case], Finding | None]] = [on_all, on_failing]
    if case.arithmetic.inputs:
        ways.insert(0, narrower)  # within the wide bounds of TF32 other mistakes fit what bfloat16 does
    for examine in ways:
        if found := examine(case):
            return Diagnosis(cause=found[0], sentence=found[1])
    first = case.failing[0]
    if lost := [name for name, values in first.recorded["params"].items() if not np.isfinite(values).all()]:
        return Diagnosis(
            cause="unknown", sentence=f"unknown: {lost[0]} is not finite after step {first.number}"
        )
    numbers = ", ".join(sorted({f"{quantity} {tensor}".rstrip() for quantity, tensor in first.wrong}))
    return Diagnosis(
        cause="unknown", sentence=f"unknown: no hypothesis leaves only rounding over; wrong are {numbers}"
    )


def on_all(case: Case) -> Finding | None:
    """One mistake for every step that was kept, right ones included."""
    return examined(case, case.moments)


def on_failing(case: Case) -> Finding | None:
    """A mistake of the failing steps alone: other initial values, any other, or narrower arithmetic."""
    if found := started_elsewhere(case):
        return found
    if len(case.failing) < len(case.moments) and (found := examined(case, case.failing)):
        return found
    return narrower(case)


def examined(case: Case, moments: Sequence[Moment]) -> Finding | None:
    """In the order in which a step computes: loss and gradients, then buffers, then parameters."""
    failing = [moment for moment in moments if moment.wrong]
    when = case.when(failing)
    if any(moment.has_wrong("gradients") for moment in failing):
        kept = [moment for moment in moments if "gradients" in moment.recorded]
        later = [moment for moment in kept if moment.has_wrong("gradients") or not moment.wrong]
        return gradients(case, case.seen("gradients", later), when)
    if any(moment.has_wrong("loss") for moment in failing):
        return loss(case, case.seen("loss", moments), when)
    quantity = "buffers" if any(moment.has_wrong("buffers") for moment in failing) else "params"
    seen = case.seen(quantity, moments) if quantity == "buffers" else case.directions(moments)
    ways: list[Callable[[], Finding | None]] = [
        lambda: optimizer.explain(case, quantity, seen, failing),
        lambda: gradients(case, case.gradients_behind(moments), when),
    ]
    if not all("gradients" in moment.recorded for moment in moments):
        # nobody has seen the gradients: they are asked first, but for rates that no gradient explains
        ways = [lambda: known_rate(case, seen) if quantity == "params" else None, *reversed(ways)]
    return next((found for way in ways if (found := way())), None)


def started_elsewhere(case: Case) -> Finding | None:
    """Only the very first step is wrong, from its loss or gradients on: it began from other values."""
    first, *others = case.moments
    if not first.first or not (first.has_wrong("loss") or first.has_wrong("gradients")):
        return None
    if len(others) < 2 or any(moment.wrong for moment in others):
        return None
    return (
        "start",
        "only step 1 is wrong, and every step after it is right: it did not begin with the given values",
    )
