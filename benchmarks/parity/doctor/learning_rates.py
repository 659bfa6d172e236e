"""The right direction with the wrong length: learning rates, steps left out, averages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .case import Case, Finding, StepSnapshot, flat
from .fits import Observation, describe_factors, factors, is_close

CLOSE_RATE = 1e-5  # two rates of a schedule differ by more
CLOSE_ROUNDED = 1e-9  # a rate rounded to float32 is off by up to 6e-8


def explain_lengths(case: Case, observations: Sequence[Observation], when: str) -> Finding | None:
    """The right direction at every step, by a factor that may change."""
    if (finding := known_rate(case, observations)) is not None:
        return finding
    numbers = step_lengths(case, observations)
    if numbers is None:
        return None
    snapshots = [observation.snapshot for observation in observations]
    wrong = [i for i, snapshot in enumerate(snapshots) if snapshot.wrong]
    if not wrong or all(is_close(numbers[i], 1.0, case.resolution) for i in wrong):
        return None
    wrong_numbers, wrong_snapshots = [numbers[i] for i in wrong], [snapshots[i] for i in wrong]
    partial = all(case.is_partial(snapshot) for snapshot in wrong_snapshots)
    if all(is_close(number, 0.0) for number in wrong_numbers):
        return ("partial batch" if partial else "learning rate"), f"nothing is updated{when}"
    if partial and len(wrong) < len(numbers):
        text = describe_factors(case, wrong_snapshots, wrong_numbers).text
        return "partial batch", f"the step is multiplied by {text} on the partial batch"
    if corrected_average(case, snapshots, numbers):
        sentence = f"a bias-corrected average in the place of momentum: {numbers[-1]:.6g} of the step{when}"
        return "momentum", sentence
    rate = numbers[0] * snapshots[0].learning_rate
    text = describe_factors(case, snapshots, numbers).text
    return "learning rate", f"the step is multiplied by {text}{when}: a rate of {rate:.9g}"


def corrected_average(case: Case, snapshots: Sequence[StepSnapshot], numbers: Sequence[float]) -> bool:
    """Whether steps are (1 - momentum) / (1 - momentum^t) of the right ones: Adam's bias correction."""
    momentum = float(case.reference.sgd.momentum)
    return bool(momentum) and all(
        is_close(number, (1 - momentum) / (1 - momentum**snapshot.number))
        for number, snapshot in zip(numbers, snapshots, strict=True)
    )


def step_lengths(case: Case, observations: Sequence[Observation]) -> list[float] | None:
    """For each step how many times the correct one it is, if it has the same direction."""
    directions = [flat(case.exact(observation.snapshot).directions) for observation in observations]
    return factors(case, observations, directions)


def known_rate(case: Case, observations: Sequence[Observation]) -> Finding | None:
    """A learning rate that is known to happen in the place of the right one."""
    numbers = step_lengths(case, observations)
    if numbers is None:
        return None
    snapshots = [observation.snapshot for observation in observations]
    correct = [snapshot.learning_rate for snapshot in snapshots]
    used = [number * rate for number, rate in zip(numbers, correct, strict=True)]
    at = next((i for i, snapshot in enumerate(snapshots) if snapshot.wrong), 0)
    for lead, rates, within in other_rates(case, snapshots):
        if rates != correct and all(is_close(a, b, within) for a, b in zip(used, rates, strict=True)):
            return "learning rate", f"{lead}: {used[at]:.12g} for {correct[at]:.12g}"
    return None


def other_rates(case: Case, snapshots: Sequence[StepSnapshot]) -> Iterator[tuple[str, list[float], float]]:
    """Known mistakes: the sentence's beginning, the rate at each step, and how near is near."""
    for dtype in ("float32", "float16"):
        rounded = [float(np.asarray(snapshot.learning_rate).astype(dtype)) for snapshot in snapshots]
        yield f"the learning rate is rounded to {dtype}", rounded, CLOSE_ROUNDED
    workload, optimizer = case.workload, case.workload.task.optimizer
    rates, steps = workload.learning_rates.ravel(), workload.steps_per_epoch
    if optimizer.schedule.kind == "constant":
        return
    yield "the schedule is left out", [float(optimizer.learning_rate)] * len(snapshots), CLOSE_RATE
    at = [snapshot.number - 1 for snapshot in snapshots]
    for which, indices in (
        ("the step before's", [max(0, i - 1) for i in at]),
        ("the step after's", [min(len(rates) - 1, i + 1) for i in at]),
        ("the one at the epoch's start", [i - i % steps for i in at]),
        ("the one that belongs to the epoch's number", [i // steps for i in at]),
    ):
        yield f"the learning rate is {which}", [float(rates[i]) for i in indices], CLOSE_RATE
