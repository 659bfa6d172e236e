"""Learning rates that are known to stand in the place of the right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from samestep.backends import spec
from samestep.backends.interface import Host

from .case import Case, StepSnapshot

FEWEST_RATES = 3  # of which a schedule can be told from a factor
Rate: TypeAlias = Callable[[StepSnapshot], float]


def other_rates(case: Case) -> Iterator[tuple[str, Rate]]:
    """Known mistakes: a clause, and the rate at each step."""
    for dtype in ("float32", "float16"):
        yield f"the learning rate is rounded to {dtype}", partial(rounded_to, dtype)
    for digits in (2, 3, 4, 5):
        yield f"the learning rate is rounded to {digits} decimals", partial(rounded_to_decimals, digits)
    yield "the learning rate is applied twice", lambda s: s.learning_rate**2
    base = float(case.workload.task.optimizer.learning_rate)
    if case.workload.task.optimizer.schedule.kind != "constant":
        yield "the schedule is left out", lambda s: base
        yield from misplaced_rates(case)
    yield from other_schedules(case, base)


def rounded_to(dtype: str, snapshot: StepSnapshot) -> float:
    """The rate in another dtype."""
    return float(np.asarray(snapshot.learning_rate).astype(dtype))


def rounded_to_decimals(digits: int, snapshot: StepSnapshot) -> float:
    """The rate with so many decimals."""
    return round(snapshot.learning_rate, digits)


def other_schedules(case: Case, base: float) -> Iterator[tuple[str, Rate]]:
    """Schedules that the task has not: cosines, straight lines, and rates over the number of the step."""
    workload = case.workload

    def counts() -> Iterator[tuple[str, float, Callable[[StepSnapshot], int]]]:
        yield "steps", workload.steps, lambda s: s.number - 1
        yield "steps, counted from 1", workload.steps, lambda s: s.number
        yield "epochs", workload.task.epochs, lambda s: case.position(s)[0]
        yield "steps of an epoch", workload.steps_per_epoch, lambda s: case.position(s)[1]

    def along(curve: Callable[[float], float], total: float, at: Callable[[StepSnapshot], int]) -> Rate:
        return lambda snapshot: base * curve(at(snapshot) / total)

    def schedules() -> Iterator[tuple[str, Rate]]:
        for name, total, at in counts():
            for description, curve in CURVES.items():
                yield description.format(name), along(curve, total, at)
        yield "the learning rate over the number of the step", lambda s: base / s.number
        yield "the learning rate over the root of the step's number", lambda s: base / math.sqrt(s.number)
        yield "the learning rate over the number of the epoch", lambda s: base / (case.position(s)[0] + 1)

    for description, rate in schedules():
        if len({rate(snapshot) for snapshot in case.snapshots}) >= FEWEST_RATES:
            yield description, rate


CURVES: Mapping[str, Callable[[float], float]] = {
    "a cosine over the {}": lambda part: (1 + math.cos(math.pi * part)) / 2,
    "a straight line to zero over the {}": lambda part: 1 - part,
    "a straight line from zero over the {}": lambda part: part,
}


def misplaced_rates(case: Case) -> Iterator[tuple[str, Rate]]:
    """Rates of the right schedule at other steps, and the schedule with other numbers."""
    workload = case.workload
    rates, steps = workload.learning_rates.ravel(), workload.steps_per_epoch

    def at(index: Callable[[int], int]) -> Rate:
        def rate(snapshot: StepSnapshot) -> float:
            place = min(max(0, index(snapshot.number - 1)), len(rates) - 1)
            return float(rates[place])

        return rate

    for which, index in (
        ("the one of the step before, a step late", lambda i: i - 1),
        ("the one of the next step, a step early", lambda i: i + 1),
        ("the one of the step before within the epoch, a step late", lambda i: i - bool(i % steps)),
        ("the one of the next step within the epoch, a step early", lambda i: i + ((i + 1) % steps > 0)),
        ("the one two steps after", lambda i: i + 2),
        ("the one at the epoch's start", lambda i: i - i % steps),
        ("the one at the epoch's end", lambda i: i - i % steps + steps - 1),
        ("the one that belongs to the epoch's number", lambda i: i // steps),
        ("the one of the same step in the first epoch", lambda i: i % steps),
        ("the one of the same step, counted from the end", lambda i: len(rates) - 1 - i),
        ("the last one of the schedule", lambda i: len(rates) - 1),
        ("the one of twice the step's number", lambda i: 2 * i),
        ("the one of half the step's number", lambda i: i // 2),
    ):
        yield f"the learning rate is {which}", at(index)
    optimizer = workload.task.optimizer
    schedule = optimizer.schedule
    numbers = [
        k for k, v in schedule.model_dump().items() if isinstance(v, int | float) and not isinstance(v, bool)
    ]
    for name in numbers:
        value = getattr(schedule, name)
        for other in (
            value * 2,
            value / 2,
            value + 1,
            value - 1,
            value * steps,
            value / steps,
            1 / value if value else 0,
        ):
            changed = changed_rates(case, schedule, {name: type(value)(other)})
            if changed is not None:
                clause = f"the schedule has {name} = {type(value)(other):g}, not {value:g}"
                yield clause, partial(rate_of, changed)


def rate_of(rates: Host, snapshot: StepSnapshot) -> float:
    """The rate of a step among those of all steps."""
    return float(rates[snapshot.number - 1])


def changed_rates(case: Case, schedule: spec.Schedule, update: dict[str, float]) -> Host | None:
    """All rates of a changed schedule; None where there is no such schedule."""
    task = case.workload.task
    try:
        changed = type(schedule).model_validate({**schedule.model_dump(), **update})
        optimizer = task.optimizer.model_copy(update={"schedule": changed})
        return np.asarray(
            task.model_copy(update={"optimizer": optimizer}).learning_rates(len(case.workload.x))
        ).ravel()
    except (ValueError, ArithmeticError):
        return None
