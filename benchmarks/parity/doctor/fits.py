"""Fits of what was recorded by few known vectors, and the laws that fitted numbers follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from samestep.backends.spec import Task

from ..reference.arithmetic import Array, narrow
from .case import Case, Moment, Seen

CLOSE = 1e-3  # a fitted number this near to a known one is taken for it, where the rounding says no more
SPARE = 2  # numbers observed for each number fitted, at least


def combination(case: Case, seen: Sequence[Seen], vectors: Sequence[Sequence[Array]]) -> Array | None:
    """The coefficients with which a sum of vectors is what was recorded at all steps, or None.

    `vectors[i]` are the vectors of step i. Weighted least squares; a fit must leave nothing over but rounding.
    """
    count = sum(len(one.values) for one in seen)
    if not seen or count < SPARE * len(vectors[0]):
        return None
    left = np.vstack([np.column_stack([narrow(v) for v in each]) for each in vectors])
    right = np.concatenate([narrow(one.values) for one in seen])
    weight = 1 / (np.concatenate([one.tolerance for one in seen]) + case.arithmetic.tiny)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    weight = weight / weight.max()
    found = np.linalg.lstsq(left * weight[:, None], right * weight, rcond=None)[0]
    for one, each in zip(seen, vectors, strict=True):
        parts = [c * v for c, v in zip(found, each, strict=True)]
        largest = max(parts, key=lambda part: float(abs(part).max(initial=0.0)))
        if case.share(one, np.sum(parts, axis=0), largest) > 1:
            return None
    return np.asarray(found)


def factors(case: Case, seen: Sequence[Seen], predicted: Sequence[Array]) -> list[float] | None:
    """For each step the factor by which the prediction becomes what was recorded, or None."""
    found = []
    for one, vector in zip(seen, predicted, strict=True):
        fit = combination(case, [one], [[vector]])
        if fit is None:
            return None
        found.append(float(fit[0]))
    return found


def near(value: float, known: float, within: float = CLOSE) -> bool:
    return math.isclose(value, known, rel_tol=within, abs_tol=1e-12)


Law = tuple[str, Callable[[Moment], float]]


def laws(task: Task, rows: int) -> list[Law]:
    """Factors that are known to happen, in words; what depends on the batch has its size at each step."""
    outputs = next(reversed(task.parameters.values()))[0]
    size = task.batch_size
    found: list[Law] = [
        ("one half", lambda m: 0.5),
        ("two", lambda m: 2.0),
        ("the size of the batch: a sum in the place of a mean", lambda m: float(len(m.rows))),
        ("one over the size of the batch: a mean in the place of a sum", lambda m: 1 / len(m.rows)),
        ("the nominal batch size", lambda m: float(size)),
        ("one over the nominal batch size", lambda m: 1 / size),
        ("one over the number of rows", lambda m: 1 / rows),
        ("the batch over all rows", lambda m: len(m.rows) / rows),
    ]
    if outputs > 1:
        found += [
            ("the number of outputs", lambda m: float(outputs)),
            ("one over the number of outputs", lambda m: 1 / outputs),
            ("batch times outputs: a sum in the place of a mean", lambda m: float(len(m.rows) * outputs)),
            (
                "one over batch times outputs: a mean in the place of a sum",
                lambda m: 1 / (len(m.rows) * outputs),
            ),
        ]
    for name, value in task.loss.arguments.items():
        if isinstance(value, float) and value not in (0.0, 1.0):
            found += [
                always(f"{name} = {value:g}", value),
                always(f"one over {name} = {1 / value:g}", 1 / value),
            ]
    return found


def always(words: str, value: float) -> Law:
    return words, lambda moment: value


def law(case: Case, moments: Sequence[Moment], numbers: Sequence[float]) -> str:
    """What a factor is at every step, in words: a known law, one number, or its range."""
    pairs = list(zip(moments, numbers, strict=True))
    for words, value in laws(case.workload.task, len(case.workload.x)):
        if all(near(number, value(moment)) for moment, number in pairs):
            return words
    if max(numbers) - min(numbers) <= CLOSE * max(map(abs, numbers)):
        return f"{numbers[0]:.6g}" if not near(numbers[0], 1.0, 1e-4) else f"1 {numbers[0] - 1:+.2g}"
    least, most = (0.0 if abs(number) < CLOSE else number for number in (min(numbers), max(numbers)))
    return f"a factor that changes from step to step ({least:.3g} to {most:.3g})"
