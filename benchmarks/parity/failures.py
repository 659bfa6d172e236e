"""The first number outside its bound, and the steps around it, from which the doctor finds the cause."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..record.proof import Diagnosis, Violation
from .doctor import Case, StepSnapshot, diagnose
from .reference import Arithmetic, Arrays, Reference, StepStart
from .step_comparison import TensorComparison
from .workload import ScheduledBatch, Workload

BEFORE, AFTER = 3, 12  # steps that are kept for the doctor, around the first wrong one
WIDE_BATCH, FEW_AFTER = 20_000, 3  # numbers of x in a batch beyond which only so few are kept after it


class FailureTracker:
    """Watches a run for its first violation, and keeps snapshots of the steps around it."""

    def __init__(self, wide: Any) -> None:
        self.wide = wide
        self.violation: Violation | None = None
        self.snapshots: deque[StepSnapshot] = deque(maxlen=BEFORE)

    def note(self, number: int, comparison: TensorComparison) -> None:
        """Note a tensor of step `number`, if it is the first one outside its bound: its worst component."""
        if comparison.worst_ratio <= 1 or self.violation:
            return
        at = np.unravel_index(int(comparison.ratios.argmax()), comparison.ratios.shape)
        self.violation = Violation(
            step=number,
            quantity=comparison.quantity,
            tensor=comparison.tensor,
            index=tuple(int(i) for i in at),
            recorded=float(comparison.recorded[at]),
            reference=float(comparison.exact[at]),
            deviation=float(comparison.deviation[at]),
            bound=float(comparison.bound[at]),
        )

    def close_step(
        self, number: int, batch: ScheduledBatch, start: StepStart, comparisons: Sequence[TensorComparison]
    ) -> None:
        """Keep a snapshot of the step: the last few, and after the first violation a few more."""
        if self.violation and self.snapshots.maxlen:
            self.snapshots = deque(self.snapshots)
        if len(self.snapshots) > BEFORE + (AFTER if batch.x.size < WIDE_BATCH else FEW_AFTER):
            return
        recorded: dict[str, Arrays] = {}
        bounds: dict[str, Arrays] = {}
        for comparison in comparisons:
            values = np.asarray(comparison.recorded).astype(self.wide)
            recorded.setdefault(comparison.quantity, {})[comparison.tensor] = values
            bounds.setdefault(comparison.quantity, {})[comparison.tensor] = comparison.bound
        wrong = frozenset((one.quantity, one.tensor) for one in comparisons if one.worst_ratio > 1)
        self.snapshots.append(
            StepSnapshot(number, batch.rows, batch.learning_rate, start, recorded, bounds, wrong)
        )

    def diagnosis(self, workload: Workload, reference: Reference, arithmetic: Arithmetic) -> Diagnosis:
        """The doctor's answer to the violation."""
        try:
            with np.errstate(all="ignore"):
                return diagnose(Case(workload, reference, arithmetic, self.snapshots))
        except Exception as error:  # unforeseen numbers must not cost the judgment
            return Diagnosis(cause="unknown", sentence=f"unknown: the doctor failed ({type(error).__name__})")


def violation_sentence(violation: Violation, steps: int) -> str:
    """A violation in one line."""
    where = f" {violation.tensor}{list(violation.index)}" if violation.tensor else ""
    times = violation.deviation / violation.bound if violation.bound else float("inf")
    return (
        f"step {violation.step} of {steps}: {violation.quantity}{where} is {violation.recorded:.9g}, "
        f"the reference {violation.reference:.9g}: {violation.deviation:.2g} off, {times:.3g} times the bound"
    )
