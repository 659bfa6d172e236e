"""Observations of what was recorded, fits by the few vectors they should be made of, and fitted factors in words.

A fit counts when it leaves nothing over but rounding, at every step that was observed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import Task

from ..reference import Array, Arrays, narrow
from .case import UNITS, Case, StepSnapshot, flat, split_tensors

SLACK = 16  # a varied step's bound is taken to be at most so many times the correct one's, for its size
CLOSE = 1e-3  # a fitted number this near to a known one is taken for it, where the rounding says no more
SPARE = 2  # numbers observed for each number fitted, at least


@dataclass(frozen=True, eq=False)
class Observation:
    """A flat observation of one step, with the tolerance of each number."""

    snapshot: StepSnapshot
    values: Array
    tolerance: NDArray[np.float64]

    def only(self, tensor: str, task: Task) -> Observation:
        """The part that is one tensor's."""
        parts = (self.values, self.tolerance)
        values, tolerance = (split_tensors(part, task.parameters)[tensor].ravel() for part in parts)
        return Observation(self.snapshot, values, tolerance)


# --- observations ---------------------------------------------------------------------------------------------


def observe(quantity: str, snapshots: Sequence[StepSnapshot]) -> list[Observation]:
    """What was recorded of a quantity at some steps."""
    return [
        Observation(snapshot, flat(snapshot.recorded[quantity]), flat_tolerance(snapshot.bounds[quantity]))
        for snapshot in snapshots
        if quantity in snapshot.recorded
    ]


def observe_directions(snapshots: Sequence[StepSnapshot]) -> list[Observation]:
    """(before - after) / learning rate: what the learning rate multiplied."""
    observations = []
    for snapshot in snapshots:
        if rate := snapshot.learning_rate:
            moved = flat(snapshot.start.params) - flat(snapshot.recorded["params"])
            tolerance = flat_tolerance(snapshot.bounds["params"]) / abs(rate)
            observations.append(Observation(snapshot, moved / rate, tolerance))
    return observations


def buffers_before(case: Case, snapshot: StepSnapshot) -> Arrays | None:
    """The momentum that a step began with; None where it is not known.

    Where buffers were not recorded it is what the step before did: without Nesterov a step is the learning rate
    times its buffer.
    """
    start, sgd = snapshot.start, case.reference.sgd
    if start.first or not sgd.momentum:
        return {name: theta * 0 for name, theta in start.params.items()}
    if "buffers" in snapshot.recorded or sgd.nesterov:
        return start.buffers
    previous = case.previous(snapshot)
    if previous is None or not previous.learning_rate:
        return None
    after, rate = previous.recorded["params"], previous.learning_rate
    return {name: (theta - after[name]) / rate for name, theta in previous.start.params.items()}


def implied_gradients(case: Case, snapshots: Sequence[StepSnapshot]) -> list[Observation]:
    """The gradients that the optimizer must have been given, from what it did with them."""
    sgd, implied = case.reference.sgd, []
    use_buffers = any(snapshot.has_wrong("buffers") for snapshot in snapshots)
    for observation in observe("buffers", snapshots) if use_buffers else observe_directions(snapshots):
        snapshot = observation.snapshot
        buffers = buffers_before(case, snapshot)
        if buffers is None:
            continue
        gain = 1.0 if snapshot.start.first or not sgd.momentum else 1 - sgd.dampening
        carried = sgd.momentum * flat(buffers)
        if not use_buffers and sgd.nesterov:
            gain, carried = gain + sgd.momentum, carried * sgd.momentum
        decay = sgd.weight_decay * flat(snapshot.start.params)
        gradient = sgd.sign * ((observation.values - carried) / gain - decay)
        implied.append(Observation(snapshot, gradient, 2 * observation.tolerance / abs(float(gain))))
    return implied


def flat_tolerance(bounds: Arrays) -> NDArray[np.float64]:
    """Each tensor's largest bound for all of it: a wrong program's numbers may be large elsewhere."""
    sizes = [(narrow(bound).max(initial=0.0), bound.size) for bound in map(np.asarray, bounds.values())]
    return np.concatenate([np.full(size, largest) for largest, size in sizes])


# --- fits -----------------------------------------------------------------------------------------------------


def misfit(case: Case, observation: Observation, predicted: Array, correct: Array) -> float:
    """How far a prediction is from an observation, in tolerances; `correct`: the correct value, for its size."""
    size = float(abs(predicted).max(initial=0.0))
    correct_size = float(abs(correct).max(initial=0.0))
    growth = max(1.0, size / correct_size) if correct_size else 1.0
    allowed = SLACK * observation.tolerance * growth + UNITS * case.arithmetic.unit * size
    with np.errstate(all="ignore"):
        ratio = narrow(abs(observation.values - predicted)) / (allowed + case.arithmetic.tiny)
    return float(np.nan_to_num(ratio, nan=np.inf).max(initial=0.0))


def fits(
    case: Case,
    observations: Sequence[Observation],
    predicted: Sequence[Array],
    correct: Sequence[Array] | None = None,
) -> bool:
    """Whether predictions leave only rounding over at every step."""
    sizes = correct or predicted
    return all(
        misfit(case, observation, prediction, size.ravel()) <= 1
        for observation, prediction, size in zip(observations, predicted, sizes, strict=True)
    )


def combination(
    case: Case, observations: Sequence[Observation], vectors: Sequence[Sequence[Array]]
) -> Array | None:
    """The coefficients with which a sum of vectors is what was recorded at all steps, or None.

    `vectors[i]` are the vectors of step i. Least squares, weighted by the tolerances.
    """
    count = sum(len(observation.values) for observation in observations)
    if not observations or count < SPARE * len(vectors[0]):
        return None
    left = np.vstack([np.column_stack([narrow(vector) for vector in columns]) for columns in vectors])
    right = np.concatenate([narrow(observation.values) for observation in observations])
    tolerances = np.concatenate([observation.tolerance for observation in observations])
    weight = 1 / (tolerances + case.arithmetic.tiny)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    weight = weight / weight.max()
    coefficients = np.linalg.lstsq(left * weight[:, None], right * weight, rcond=None)[0]
    for observation, columns in zip(observations, vectors, strict=True):
        parts = [c * vector for c, vector in zip(coefficients, columns, strict=True)]
        largest = max(parts, key=lambda part: float(abs(part).max(initial=0.0)))
        if misfit(case, observation, np.sum(parts, axis=0), largest) > 1:
            return None
    return np.asarray(coefficients)


def factors(
    case: Case, observations: Sequence[Observation], predicted: Sequence[Array]
) -> list[float] | None:
    """For each step the factor by which the prediction becomes what was recorded, or None."""
    numbers = []
    for observation, vector in zip(observations, predicted, strict=True):
        coefficients = combination(case, [observation], [[vector]])
        if coefficients is None:
            return None
        numbers.append(float(coefficients[0]))
    return numbers


# --- factors in words -----------------------------------------------------------------------------------------


KnownFactor: TypeAlias = tuple[str, Callable[[StepSnapshot], float]]  # in words, and its size at a step


def known_factors(task: Task, rows: int) -> list[KnownFactor]:
    """Sums and means over the wrong number of terms, one half and two, and the loss's own options."""
    outputs, size = next(reversed(task.parameters.values()))[0], task.batch_size
    named_factors: list[KnownFactor] = [
        ("one half", lambda s: 0.5),
        ("two", lambda s: 2.0),
        ("the size of the batch: a sum in the place of a mean", lambda s: float(len(s.rows))),
        ("one over the size of the batch: a mean in the place of a sum", lambda s: 1 / len(s.rows)),
        ("the nominal batch size", lambda s: float(size)),
        ("one over the nominal batch size", lambda s: 1 / size),
        ("one over the number of rows", lambda s: 1 / rows),
        ("the batch over all rows", lambda s: len(s.rows) / rows),
    ]
    if outputs > 1:
        sum_for_mean = "batch times outputs: a sum in the place of a mean"
        mean_for_sum = "one over batch times outputs: a mean in the place of a sum"
        named_factors += [
            ("the number of outputs", lambda s: float(outputs)),
            ("one over the number of outputs", lambda s: 1 / outputs),
            (sum_for_mean, lambda s: float(len(s.rows) * outputs)),
            (mean_for_sum, lambda s: 1 / (len(s.rows) * outputs)),
        ]
    for name, value in task.loss.arguments.items():
        if isinstance(value, float) and value not in (0.0, 1.0):
            named_factors.append(constant(f"{name} = {value:g}", value))
            named_factors.append(constant(f"one over {name} = {1 / value:g}", 1 / value))
    return named_factors


def constant(description: str, value: float) -> KnownFactor:
    """A factor that is the same at every step."""
    return description, lambda snapshot: value


class Factors(NamedTuple):
    """The factors of some steps: in words, and whether one number or one named quantity is all of them."""

    text: str
    is_constant: bool


def describe_factors(case: Case, snapshots: Sequence[StepSnapshot], numbers: Sequence[float]) -> Factors:
    """What a factor is at every step, in words: a known one, one number, or its range."""
    pairs = list(zip(snapshots, numbers, strict=True))
    for description, value in known_factors(case.workload.task, len(case.workload.x)):
        if all(is_close(number, value(snapshot)) for snapshot, number in pairs):
            return Factors(description, is_constant=True)
    if max(numbers) - min(numbers) <= CLOSE * max(map(abs, numbers)):
        number = numbers[0]
        text = f"{number:.6g}" if not is_close(number, 1.0, 1e-4) else f"1 {number - 1:+.2g}"
        return Factors(text, is_constant=True)
    least, most = (0.0 if abs(number) < CLOSE else number for number in (min(numbers), max(numbers)))
    text = f"a factor that changes from step to step ({least:.3g} to {most:.3g})"
    return Factors(text, is_constant=False)


def is_close(value: float, expected: float, within: float = CLOSE) -> bool:
    """Whether a number is the expected one, to within a relative tolerance."""
    return math.isclose(value, expected, rel_tol=within, abs_tol=1e-12)
