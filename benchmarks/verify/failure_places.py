"""The failures of a block: each stands where the race can have come to it."""

from __future__ import annotations

from collections.abc import Sequence

from ..measure.process import FAILURE_PHASES
from ..record import Block, Failure
from ..record.layout import LOST, PlannedSlice
from .audits import is_refused
from .findings import Findings

AUDIT, SLICE = FAILURE_PHASES["trace_again"], FAILURE_PHASES["go"]


def check_failures(findings: Findings, block: Block, planned: Sequence[PlannedSlice]) -> None:
    """Every failure is of this block, at a place where its phase can be; what failed was not audited."""
    for failure in block.failures:
        where = f"block {block.index}, {failure.lane} on {failure.task}"
        stands = failure.block == block.index and failure.reason != "" and _stands(failure, block, planned)
        findings.compare("failures", stands, f"{where}: a failure where there can be none")
        for timed in block.slices:
            if (timed.task, timed.lane) == (failure.task, failure.lane) and timed.audit is not None:
                later = (
                    failure.phase == AUDIT and timed.twin != failure.twin
                )  # the other arm's may come before
                fault = f"{where}: it failed, and a slice was audited afterwards"
                findings.compare("failures", later or is_refused(timed.audit), fault)


def _stands(failure: Failure, block: Block, planned: Sequence[PlannedSlice]) -> bool:
    """Whether the race can have come to a failure at its place."""
    place, arm = failure.place, (failure.task, failure.lane, failure.twin)
    if failure.phase == LOST:
        return failure.died and any(
            (cause.lane, cause.twin, cause.place) == (failure.lane, failure.twin, place)
            and cause.died
            and cause.phase != LOST
            and cause.task != failure.task
            for cause in block.failures
        )
    if failure.phase not in (SLICE, AUDIT):
        return place is None
    if place is None:
        return False
    if failure.phase == SLICE:
        return place < len(planned) and (planned[place].task, *planned[place][1:3]) == arm
    of_task = [at for at, piece in enumerate(planned) if piece.task == failure.task]
    return bool(of_task) and place == of_task[-1] + 1
