"""Which lane is faster, from the raw samples of a record alone.

For each block the median over rounds of log(t_lane / t_baseline); the estimate is the mean over blocks. A
lane is faster or slower when its ratio lies beyond the margin of 2% at the 5% level, equivalent when it lies
within it at that level. Of these claims the best supported one is kept: for any true ratio the others are
wrong, so that Holm's correction counts comparisons and not claims.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal, NamedTuple

from samestep.backends.spec import Number, Spec

from ..statistics.inference import (
    ALPHA,
    FEWEST_BLOCKS,
    MARGIN,
    POWER,
    TOO_FEW_BLOCKS,
    Claims,
    Interval,
    Sample,
    claims,
    detectable,
    holm,
)
from .gates import counted_time, failed, invalid, shaken, too_few, unstable
from .lane_samples import LaneSamples, RecordSamples

VerdictWord = Literal[
    "BASELINE", "INVALID", "UNSTABLE", "FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED", "FAILED"
]
LARGEST_RATIO = 1_000.0  # of what was likely to stay unseen: above it nothing would be seen
COMPARED: tuple[VerdictWord, ...] = ("FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED")
NO_CLAIM: tuple[VerdictWord, ...] = ("INVALID", "FAILED", "UNSTABLE")  # of the lane on its task at all


class Verdict(Spec):
    """What is known of a lane against the baseline on a task.

    `ratio` is time over the baseline's with its 95% interval, `p` is the claim's after Holm, `detectable` the
    smallest ratio that had an 80% chance to be called different, if the noise of an undecided comparison is what
    was measured. `exploratory`: the baseline is not the one that was fixed before measuring. An UNSTABLE lane
    keeps the ratio that was measured, unless the baseline is UNSTABLE itself: nothing may be claimed of it, and
    `claim` leaves it out.
    """

    task: str
    lane: str
    word: VerdictWord
    reason: str = ""
    ratio: Interval | None = None
    p: Number | None = None
    detectable: Number | None = None
    exploratory: bool = False

    @property
    def claim(self) -> Interval | None:
        """The ratio, if anything may be claimed of it."""
        return self.ratio if self.word in COMPARED else None

    @property
    def no_claim(self) -> str:
        """Why nothing may be claimed of the lane on its task, beside whatever lane; "" where it may."""
        return f"{self.word}: {self.reason}" if self.word in NO_CLAIM else ""


class _Gate(NamedTuple):
    """The word and the reason of a comparison that must not be tested."""

    word: VerdictWord
    reason: str


def give_verdicts(analysis: RecordSamples[Any]) -> tuple[Verdict, ...]:
    """A verdict for every lane of an analysis, in its order; the whole record is one family of comparisons."""
    comparisons = [(lane, _gate(lane)) for lane in analysis]
    family, look = family_size(analysis), analysis.look
    tested = [lane for lane, gate in comparisons if not gate]
    adjusted = holm([look.adjusted(min(_claims(lane))) for lane in tested], family=family)
    left, each = family - sum(p <= ALPHA for p in adjusted), iter(adjusted)  # left: the divisor of the next p
    return tuple(
        _barred(lane, gate) if gate else _tested(lane, next(each), left) for lane, gate in comparisons
    )


def family_size(analysis: RecordSamples[Any]) -> int:
    """How many comparisons share the level: those with the baseline, on all tasks together.

    All pairs of lanes, if the baseline was chosen after the fact: any other could have been chosen.
    """
    lanes = Counter(task for task, _ in analysis.pairs)
    return sum(n * (n - 1) // 2 if analysis.exploratory else n - 1 for n in lanes.values())


def _gate(lane: LaneSamples) -> _Gate | None:
    """The first gate that a lane does not pass, in the order in which they count."""
    baseline, blocks = lane.baseline, len(lane.block_ratios)
    if reason := invalid(lane):
        return _Gate("INVALID", reason)
    if reason := failed(lane):
        return _Gate("FAILED", reason)
    if reason := unstable(lane):
        return _Gate("UNSTABLE", reason)
    if lane is baseline:
        return _Gate("BASELINE", "")
    if reason := invalid(baseline) or failed(baseline):
        return _Gate("UNDECIDED", f"the baseline {baseline.lane} has no times ({reason})")
    if blocks < FEWEST_BLOCKS:
        return _Gate("UNDECIDED", too_few(blocks, lane.record.blocks_intended))
    return None


def _claims(lane: LaneSamples) -> Claims:
    return claims(Sample.of(lane.block_ratios))


def _names(lane: LaneSamples) -> dict[str, Any]:
    return {"task": lane.task, "lane": lane.lane, "exploratory": lane.analysis.exploratory}


def _barred(lane: LaneSamples, gate: _Gate) -> Verdict:
    measured = gate.word in ("UNSTABLE", "UNDECIDED") and lane.block_ratios
    shown = measured and _is_beside_a_stable_baseline(lane)
    ratio = lane.ratio if shown else None
    return Verdict(**_names(lane), word=gate.word, reason=gate.reason, ratio=ratio)


def _is_beside_a_stable_baseline(lane: LaneSamples) -> bool:
    """Whether the baseline is another lane, with times that count and can be trusted."""
    baseline = lane.baseline
    return lane is not baseline and counted_time(baseline) is not None and not shaken(baseline)


def _tested(lane: LaneSamples, p: float, left: int) -> Verdict:
    """The word of a comparison by its p after Holm; `left`: how many comparisons are undecided."""
    ratio = lane.ratio
    if p <= ALPHA:
        return Verdict(**_names(lane), word=best_supported(_claims(lane)), ratio=ratio, p=p)
    least = detectable(Sample.of(lane.block_ratios), level=lane.analysis.look.level(ALPHA / left))
    reason = _unseen(least) + _beside(ratio)
    return Verdict(**_names(lane), word="UNDECIDED", reason=reason, ratio=ratio, p=p, detectable=least)


def _unseen(least: float) -> str:
    """Which ratios had less than POWER to be called different."""
    if least > LARGEST_RATIO:
        return TOO_FEW_BLOCKS
    between = f"a ratio between {1 / least:.3g} and {least:.3g}"
    return f"{between} had less than an {POWER:.0%} chance to be called different"


def _beside(ratio: Interval) -> str:
    """Why the word is undecided where the interval by itself would say more."""
    least, most = math.exp(-MARGIN), math.exp(MARGIN)
    if ratio.high < least or ratio.low > most or least < ratio.low <= ratio.high < most:
        return "; the interval is of this comparison alone, and the word is corrected for all of the record"
    if ratio.low > 1 or ratio.high < 1:
        return "; the interval does not hold 1, but reaches into the margin"
    return ""


def best_supported(claims: Claims) -> VerdictWord:
    """The claim with the least p, as a word."""
    if claims.equivalent <= min(claims.faster, claims.slower):
        return "EQUIVALENT"
    return "FASTER" if claims.faster < claims.slower else "SLOWER"
