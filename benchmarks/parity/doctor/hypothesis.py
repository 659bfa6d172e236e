"""When does a hypothesis explain what was recorded? One rule for all of them.

A hypothesis predicts a quantity at every step, up to a few numbers that are the same at all steps. It explains a
failure if nothing but rounding is left over at every wrong step, if the correct step leaves more than that over
under the same tolerance, and if numbers that were fitted at some steps hold at steps that were not fitted to. Of
those that explain it, the ones with the fewest fitted numbers are named, all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ...record.proof import Cause
from ..reference import Array, narrow
from .case import UNITS, Case, StepSnapshot
from .observations import Observation

SLACK = 16  # a varied step's bound is taken to be at most so many times the correct one's, for its size
SPARE = 2  # numbers observed for each number fitted, at least

Numbers: TypeAlias = Sequence[float]
Clause: TypeAlias = str | Callable[[Numbers], str]


class Prediction(NamedTuple):
    """fixed + sum of c_i columns_i, the c_i unknown numbers; and the loss, where that is predicted too."""

    fixed: Array
    columns: tuple[Array, ...] = ()
    loss: Any = None


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One mistake: what it makes of a quantity, and a clause that says so, given the fitted numbers.

    `predict` gives None where it cannot be said; `skips` allows that at some steps. `free` counts the numbers
    that are fitted, those that were read off one step among them, `changes` the ingredients that are changed.
    `rare` ones are named after others of their rank. `always`: it claims to hold at every step, so that a right
    step that it would make wrong refutes it; others may hold at some steps alone, and the sentence says at which.
    """

    cause: Cause
    clause: Clause
    predict: Callable[[StepSnapshot], Prediction | None]
    free: int = 0
    skips: bool = False
    changes: int = 1
    rare: bool = False
    always: bool = False


class Explanation(NamedTuple):
    """A hypothesis that explains a failure; `everywhere`: it holds at the right steps too."""

    hypothesis: Hypothesis
    numbers: Numbers
    everywhere: bool
    explains_loss: bool
    snapshots: Sequence[StepSnapshot]

    @property
    def clause(self) -> str:
        """What is wrong, in words."""
        clause = self.hypothesis.clause
        return clause if isinstance(clause, str) else clause(self.numbers)

    @property
    def rank(self) -> tuple[int, int, bool, bool]:
        """Fewer fitted numbers first, fewer changes, no "only at some steps", then what explains the loss too."""
        hypothesis = self.hypothesis
        return hypothesis.free, hypothesis.changes, not self.everywhere, not self.explains_loss


def explanations(
    case: Case, observations: Sequence[Observation], hypotheses: Iterable[Hypothesis]
) -> list[Explanation]:
    """All that explain what was observed, in the order given."""
    telling = sorted(
        (one for one in observations if misfit(case, one, one.correct) > 1),
        key=lambda one: one.snapshot.number,
    )
    if not telling:
        return []
    others = [one for one in observations if not any(one is other for other in telling)]
    results = (explanation(case, telling, others, hypothesis) for hypothesis in hypotheses)
    return [result for result in results if result is not None]


def explanation(
    case: Case, telling: Sequence[Observation], others: Sequence[Observation], hypothesis: Hypothesis
) -> Explanation | None:
    """Whether a hypothesis holds at all steps that the correct one does not explain, or at all steps."""
    pairs: list[tuple[Observation, Prediction]] = []
    if hypothesis.cause == "partial batch" and case.partial_was_right:
        return None
    for one in telling:
        prediction = hypothesis.predict(one.snapshot)
        if prediction is None and hypothesis.skips:
            continue
        if prediction is None or not first_look(case, one, prediction):
            return None
        pairs.append((one, prediction))
    if not pairs or (hypothesis.free and len(pairs) < 2):
        return None  # nothing is left on which a fitted number could be checked
    numbers = fit(case, pairs[::2]) if pairs[0][1].columns else ()
    if numbers is None or not all(fits_with(case, one, prediction, numbers) for one, prediction in pairs):
        return None
    everywhere = True
    for one in others:
        prediction = hypothesis.predict(one.snapshot)
        right = prediction is None or fits_with(case, one, prediction, numbers)
        if not right and (one.snapshot.wrong or hypothesis.always):
            return None
        everywhere = everywhere and right
    snapshots = [one.snapshot for one, _ in pairs]
    in_loss = everywhere and all(loss_holds(case, one, p) for one, p in pairs)
    return Explanation(hypothesis, numbers, everywhere, in_loss, snapshots)


def first_look(case: Case, one: Observation, prediction: Prediction) -> bool:
    """Whether a prediction can hold at one step, whatever its numbers are there."""
    if not all(np.isfinite(narrow(part)).all() for part in (prediction.fixed, *prediction.columns)):
        return False
    if not prediction.columns:
        return misfit(case, one, prediction.fixed) <= 1
    numbers = fit(case, [(one, prediction)], spare=1)
    return numbers is None or fits_with(case, one, prediction, numbers)


def fits_with(case: Case, one: Observation, prediction: Prediction, numbers: Numbers) -> bool:
    """Whether a prediction with these numbers leaves only rounding over."""
    parts = [prediction.fixed, *(c * column for c, column in zip(numbers, prediction.columns, strict=True))]
    largest = max((*parts, one.correct), key=lambda part: float(abs(part).max(initial=0.0)))
    return misfit(case, one, np.sum(parts, axis=0), largest if prediction.columns else None) <= 1


def misfit(case: Case, one: Observation, predicted: Array, largest: Array | None = None) -> float:
    """How far a prediction is from an observation, in tolerances; `largest`: the largest term of its sum."""
    part = one.part
    predicted, correct = predicted[part], one.correct[part]
    size = float(abs(predicted if largest is None else largest[part]).max(initial=0.0))
    correct_size = float(abs(correct).max(initial=0.0))
    growth = max(1.0, size / correct_size) if correct_size else 1.0
    allowed = SLACK * one.tolerance * growth + UNITS * case.arithmetic.unit * size
    with np.errstate(all="ignore"):
        ratio = narrow(abs(one.values - predicted)) / (allowed + case.arithmetic.tiny)
    worst = float(ratio.max(initial=0.0))
    return np.inf if np.isnan(worst) else worst  # one NaN makes the maximum NaN


def fit(
    case: Case, pairs: Sequence[tuple[Observation, Prediction]], spare: int = SPARE
) -> tuple[float, ...] | None:
    """The unknown numbers by least squares over some steps, weighted by the tolerances; None of too few."""
    columns = [prediction.columns for _, prediction in pairs]
    if sum(len(one.values) for one, _ in pairs) < spare * len(columns[0]):
        return None
    left = np.vstack(
        [
            np.column_stack([narrow(column[one.part]) for column in prediction.columns])
            for one, prediction in pairs
        ]
    )
    right = np.concatenate([narrow(one.values - prediction.fixed[one.part]) for one, prediction in pairs])
    weight = 1 / (np.concatenate([one.tolerance for one, _ in pairs]) + case.arithmetic.tiny)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    weight = weight / weight.max()
    numbers = np.linalg.lstsq(left * weight[:, None], right * weight, rcond=None)[0]
    return tuple(float(number) for number in numbers)


def loss_holds(case: Case, one: Observation, prediction: Prediction) -> bool:
    """Whether the loss that goes with a prediction is the recorded one; the right one, where none is said."""
    if (recorded := one.snapshot.recorded.get("loss")) is None:
        return False
    correct = float(case.exact(one.snapshot).loss)
    predicted = correct if prediction.loss is None else float(prediction.loss)
    growth = max(1.0, abs(predicted / correct)) if correct else 1.0
    tolerance = float(np.max(one.snapshot.bounds["loss"][""]))
    allowed = SLACK * tolerance * growth + UNITS * case.arithmetic.unit * abs(predicted)
    return abs(float(recorded[""]) - predicted) <= allowed


def best(candidates: Sequence[Explanation]) -> list[Explanation]:
    """Those with the lowest rank, each clause once, rare ones last."""
    lowest = min((candidate.rank for candidate in candidates), default=None)
    unique: dict[str, Explanation] = {}
    for candidate in candidates:
        if candidate.rank == lowest:
            unique.setdefault(candidate.clause, candidate)
    return sorted(unique.values(), key=lambda candidate: candidate.hypothesis.rare)
