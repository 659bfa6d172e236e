"""When a run with looks may end: once every comparison is decided, or no further block would decide it."""

from __future__ import annotations

import math

from scipy import special

from ..record import Record
from ..statistics.inference import ALPHA, MARGIN, Sample
from ..statistics.sequential import Look
from .gates import failed, invalid
from .record_analysis import RecordAnalysis
from .verdicts import COMPARED

HOPE = 0.2  # conditional power below which a comparison is given up


def reason_to_end(analysis: RecordAnalysis) -> str:
    """Why a run that has come to one of its looks ends there, or nothing; a pure function of what was measured.

    What is given up costs nothing of the level: it can only stay undecided. Lanes that are decided race on while
    others are not, so that every block has the same arms in it.
    """
    plan = analysis.record.plan
    undecided = [verdict for verdict in analysis.verdicts if verdict.word == "UNDECIDED"]
    if not undecided:
        return "every comparison is decided, or nothing may be claimed of it"
    decided = sum(verdict.word in COMPARED for verdict in analysis.verdicts) - len(undecided)
    left = len(plan.family) - decided  # Holm's divisor for the next p
    planned, looks = plan.effort.blocks, plan.effort.looks
    level = Look.at(planned, looks, planned).level(ALPHA / left)
    for verdict in undecided:
        lane = analysis[verdict.task, verdict.lane]
        if invalid(lane.baseline) or failed(lane.baseline):
            continue  # there is nothing to compare with, and there will be nothing
        ratios = lane.block_ratios
        if len(ratios) < 2 or conditional_power(Sample.of(ratios), planned, level) >= HOPE:
            return ""
    return "no comparison that is undecided would be decided by the blocks that are left"


def conditional_power(sample: Sample, planned: int, level: float) -> float:
    """How probably the last look would decide, if what was measured so far is the truth.

    With K of `planned` = N blocks, mean d and standard deviation s, the mean in the end is normal around d, with
    the variance s^2 (N - K) / N^2. It decides below -margin or above margin by t se, or between them by as much.
    """
    blocks = round(sample.df) + 1
    deviation, left = sample.error * math.sqrt(blocks), planned - blocks
    if left <= 0:
        return 0.0
    scatter, error = deviation * math.sqrt(left) / planned, deviation / math.sqrt(planned)
    beyond = -float(special.stdtrit(planned - 1, level / 2)) * error
    within = -float(special.stdtrit(planned - 1, level)) * error

    def below(end: float) -> float:
        return float(special.ndtr((end - sample.mean) / scatter))

    different = below(-MARGIN - beyond) + 1 - below(MARGIN + beyond)
    return different + max(0.0, below(MARGIN - within) - below(within - MARGIN))


def as_at(record: Record, blocks: int) -> Record:
    """A record as it was after so many of its blocks."""
    kept = record.blocks[:blocks]
    before = tuple(failure for failure in record.failures if failure.block is None)
    failures = before + tuple(failure for block in kept for failure in block.failures)
    return record.model_copy(update={"blocks": kept, "failures": failures})
