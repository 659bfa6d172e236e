"""The right direction with the wrong length: learning rates, steps left out, averages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .case import Case, Finding, Moment, Seen, flat
from .fits import factors, law, near

CLOSE_RATE = 1e-5  # two rates of a schedule differ by more
CLOSE_ROUNDED = 1e-9  # a rate rounded to float32 is off by up to 6e-8


def by_step(case: Case, seen: Sequence[Seen], when: str) -> Finding | None:
    """The right direction at every step, by a factor that may change."""
    if (found := known_rate(case, seen)) is not None:
        return found
    numbers = lengths(case, seen)
    if numbers is None:
        return None
    moments = [one.moment for one in seen]
    wrong = [i for i, moment in enumerate(moments) if moment.wrong]
    if not wrong or all(near(numbers[i], 1.0, case.resolution) for i in wrong):
        return None
    odd, some = [numbers[i] for i in wrong], [moments[i] for i in wrong]
    partial = all(case.partial(moment) for moment in some)
    if all(near(number, 0.0) for number in odd):
        return ("partial batch" if partial else "learning rate"), f"nothing is updated{when}"
    if partial and len(wrong) < len(numbers):
        return "partial batch", f"the step is multiplied by {law(case, some, odd)} on the partial batch"
    mu = float(case.reference.sgd.momentum)
    if mu and all(near(n, (1 - mu) / (1 - mu**m.number)) for n, m in zip(numbers, moments, strict=True)):
        words = f"a bias-corrected average in the place of momentum: {numbers[-1]:.6g} of the step"
        return "momentum", f"{words}{when}"
    words = f"the step is multiplied by {law(case, moments, numbers)}{when}"
    return "learning rate", f"{words}: a rate of {numbers[0] * moments[0].learning_rate:.9g}"


def lengths(case: Case, seen: Sequence[Seen]) -> list[float] | None:
    """For each step how many times the correct one it is, if it has the same direction."""
    return factors(case, seen, [flat(case.exact(one.moment).directions) for one in seen])


def known_rate(case: Case, seen: Sequence[Seen]) -> Finding | None:
    """A learning rate that is known to happen in the place of the right one."""
    numbers = lengths(case, seen)
    if numbers is None:
        return None
    moments = [one.moment for one in seen]
    used = [number * moment.learning_rate for number, moment in zip(numbers, moments, strict=True)]
    at = next((i for i, moment in enumerate(moments) if moment.wrong), 0)
    for words, learning_rates, within in other_rates(case, moments):
        right = [moment.learning_rate for moment in moments]
        if learning_rates != right and all(
            near(a, b, within) for a, b in zip(used, learning_rates, strict=True)
        ):
            return "learning rate", f"{words}: {used[at]:.12g} for {right[at]:.12g}"
    return None


def other_rates(case: Case, moments: Sequence[Moment]) -> Iterator[tuple[str, list[float], float]]:
    """Words, the rate at each step, and how near is near."""
    for dtype in ("float32", "float16"):
        rounded = [float(np.asarray(moment.learning_rate).astype(dtype)) for moment in moments]
        yield f"the learning rate is rounded to {dtype}", rounded, CLOSE_ROUNDED
    learning_rates, steps = case.workload.learning_rates.ravel(), len(case.workload.learning_rates[0])
    if case.workload.task.optimizer.schedule.kind == "constant":
        return
    base = float(case.workload.task.optimizer.learning_rate)
    yield "the schedule is left out", [base] * len(moments), CLOSE_RATE
    at = [moment.number - 1 for moment in moments]
    for words, index in (
        ("the step before's", [max(0, i - 1) for i in at]),
        ("the step after's", [min(len(learning_rates) - 1, i + 1) for i in at]),
        ("the one at the epoch's start", [i - i % steps for i in at]),
        ("the one that belongs to the epoch's number", [i // steps for i in at]),
    ):
        yield f"the learning rate is {words}", [float(learning_rates[i]) for i in index], CLOSE_RATE
