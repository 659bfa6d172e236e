"""Right quantities times a factor: sums and means over the wrong number of terms, options, signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ...record.proof import Cause
from ..reference import Array
from .case import Case, StepSnapshot
from .hypothesis import Hypothesis, Prediction

KnownFactor: TypeAlias = tuple[str, Callable[[StepSnapshot], float]]  # in words, and its size at a step


def known_factors(
    case: Case, quantity: str, correct: Callable[[StepSnapshot], Array]
) -> Iterator[Hypothesis]:
    """The right quantity times factors that are known to happen."""

    def times(factor: Callable[[StepSnapshot], float]) -> Callable[[StepSnapshot], Prediction]:
        def predict(snapshot: StepSnapshot) -> Prediction:
            number = factor(snapshot)
            loss = case.exact(snapshot).loss * number if quantity == "gradient" else None
            return Prediction(correct(snapshot) * number, (), loss)

        return predict

    lead = f"the {quantity}"
    yield Hypothesis("sign", f"{lead} has the other sign", times(lambda snapshot: -1.0))
    yield Hypothesis("left out", f"{lead} is zero", times(lambda snapshot: 0.0))
    size = case.batch_size
    yield Hypothesis(
        "partial batch",
        f"{lead} is divided by the nominal batch size on the partial batch",
        times(lambda s: len(s.rows) / size if case.is_partial(s) else 1.0),
    )
    seen: set[tuple[float, ...]] = set()  # some are the same number where no batch is partial
    for rare, table in ((False, factor_table(case)), (True, rare_factors(case))):
        for description, factor in table:
            numbers = tuple(factor(snapshot) for snapshot in case.snapshots)
            if numbers not in seen:
                seen.add(numbers)
                value = f" ({numbers[0]:.6g})" if rare and len(set(numbers)) == 1 else ""
                clause = f"{lead} is multiplied by {description}{value}"
                yield Hypothesis("scale", clause, times(factor), rare=rare)
    if quantity == "gradient":
        # the derivative of sqrt(loss) is that of the loss over 2 sqrt(loss)
        root = times(lambda s: 0.5 / np.sqrt(float(case.exact(s).loss)))
        yield Hypothesis("loss", "the gradient is that of the square root of the loss", root)


def factor_table(case: Case) -> Iterator[KnownFactor]:
    """Factors in words, and what they are at a step."""
    task, rows = case.workload.task, len(case.workload.x)
    outputs, size = next(reversed(task.parameters.values()))[0], task.batch_size
    yield "one half", lambda s: 0.5
    yield "two", lambda s: 2.0
    yield "the size of the batch: a sum in the place of a mean", lambda s: float(len(s.rows))
    yield "one over the size of the batch: a mean in the place of a sum", lambda s: 1 / len(s.rows)
    yield "the nominal batch size", lambda s: float(size)
    yield "one over the nominal batch size", lambda s: 1 / size
    yield "the batch over the nominal batch size: a sum over the nominal size", lambda s: len(s.rows) / size
    yield "one over the number of rows", lambda s: 1 / rows
    yield "the number of rows", lambda s: float(rows)
    yield "the batch over all rows", lambda s: len(s.rows) / rows
    yield "n / (n - 1): a mean over one row less", lambda s: len(s.rows) / max(1, len(s.rows) - 1)
    yield "n / (n + 1): a mean over one row more", lambda s: len(s.rows) / (len(s.rows) + 1)
    yield "half the size of the batch: a sum of half the squares", lambda s: len(s.rows) / 2
    if outputs > 1:
        yield "the number of outputs", lambda s: float(outputs)
        yield "one over the number of outputs", lambda s: 1 / outputs
        yield "batch times outputs: a sum in the place of a mean", lambda s: float(len(s.rows) * outputs)
        yield (
            "one over batch times outputs: a mean in the place of a sum",
            lambda s: 1 / (len(s.rows) * outputs),
        )
    for name, value in task.loss.arguments.items():
        if isinstance(value, float) and value not in (0.0, 1.0):
            yield constant(f"{name} = {value:g}", value)
            yield constant(f"one over {name} = {1 / value:g}", 1 / value)


def constant(description: str, value: float) -> KnownFactor:
    """A factor that is the same at every step."""
    return description, lambda snapshot: value


def rare_factors(case: Case) -> Iterator[KnownFactor]:
    """Factors that other mistakes explain more often, where both fit."""
    outputs = next(reversed(case.workload.task.parameters.values()))[0]
    yield "one over twice the size of the batch", lambda s: 0.5 / len(s.rows)
    yield "two over the size of the batch", lambda s: 2 / len(s.rows)
    yield "the learning rate", lambda s: s.learning_rate
    yield "the square of one over the size of the batch", lambda s: 1 / len(s.rows) ** 2
    yield "one over the number of steps of an epoch", lambda s: 1 / case.workload.steps_per_epoch
    if outputs > 1:
        yield "the size of the batch over the number of outputs", lambda s: len(s.rows) / outputs
        yield "the number of outputs over the size of the batch", lambda s: outputs / len(s.rows)


def free_factor(
    cause: Cause, what: str, predict: Callable[[StepSnapshot], Prediction | None]
) -> Iterator[Hypothesis]:
    """One factor that is the same at every wrong step, and no known one."""
    yield Hypothesis(cause, lambda n: f"{what} is multiplied by {factor_text(n[0])}", predict, free=1)


def factor_text(number: float) -> str:
    """A factor in six digits, or its distance from 1 where it is near to that."""
    return f"{number:.6g}" if abs(number - 1) > 1e-4 else f"1 {number - 1:+.2g}"
