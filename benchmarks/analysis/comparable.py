"""May something be claimed of a lane beside others? Every mark, map, fit, sentence and chart asks here.

A lane is in no claim on a task where it has no time that counts, raced in fewer than four blocks or is
UNSTABLE: not against the baseline or another lane, not in a range, a rank, a fitted line or a break-even. Two
lanes of which something may be claimed are still not compared where the ratio of the two drifted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gates import drifted, untested

if TYPE_CHECKING:
    from .record_analysis import LaneAnalysis


def no_claim(lane: LaneAnalysis) -> str:
    """Why nothing may be claimed of a lane on its task, in one line; "" where it may."""
    return lane.verdict.no_claim or untested(lane)


def no_comparison(lane: LaneAnalysis, other: LaneAnalysis) -> str:
    """Why a lane is not compared with another one, in one line; "" where it is."""
    if why := no_claim(lane):
        return why
    if why := no_claim(other):
        return f"{other.lane}: {why}"
    drift = drifted(lane, other)
    return f"UNSTABLE: {drift}" if drift else ""
