"""Which lane is faster, from the raw samples of a record alone. Pure: a record in, verdicts out.

Per block the median over rounds of log(t_arm / t_baseline); the estimate is the mean over blocks. A lane is
faster or slower when the ratio surely lies beyond the margin of 2%, equivalent when it surely lies within. Of
the claims the best supported one is kept: for any true ratio the others are wrong, so that Holm's correction
counts comparisons.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from samestep.backends.spec import Spec

from ..console.errors import InputError
from ..record import Record
from ..statistics.inference import ALPHA, Claims, Interval, Sample, claims, detectable, holm, interval
from .gates import failed, invalid, unstable
from .samples import block_ratios, log_times

Word = Literal["BASELINE", "INVALID", "UNSTABLE", "FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED", "FAILED"]


class Verdict(Spec):
    """What is known of a lane against the baseline on a task.

    `ratio` is time over the baseline's with its 95% interval, `p` is the claim's after Holm, `detectable` the
    smallest ratio that an undecided comparison would have seen with 80% power. `exploratory`: the baseline
    is not the one that was fixed before measuring.
    """

    task: str
    lane: str
    word: Word
    reason: str = ""
    ratio: Interval | None = None
    p: float | None = None
    detectable: float | None = None
    exploratory: bool = False


class _Comparison(NamedTuple):
    """A lane against the baseline: the log ratio of every block, or the gate that bars a test."""

    task: str
    lane: str
    logs: list[float]
    barred: tuple[Word, str] | None

    @property
    def claims(self) -> Claims:
        return claims(Sample.of(self.logs))


def judge(record: Record, *, baseline: str | None = None) -> tuple[Verdict, ...]:
    """A verdict for every task and lane of the record, in the plan's order.

    Raises:
        InputError: the baseline is not a lane of this record.
    """
    baseline = record.plan.baseline if baseline is None else baseline
    if baseline not in record.plan.lanes:
        raise InputError(f"no lane {baseline!r} in this record; its lanes are {', '.join(record.plan.lanes)}")
    comparisons = [
        _compare(record, task, lane, baseline) for task in record.tasks for lane in record.plan.lanes
    ]
    family = len(record.tasks) * (len(record.plan.lanes) - 1)
    tested = [c for c in comparisons if not c.barred]
    adjusted = iter(holm([min(c.claims) for c in tested], family=family))
    exploratory = baseline != record.plan.baseline
    return tuple(_verdict(c, 1.0 if c.barred else next(adjusted), family, exploratory) for c in comparisons)


def _compare(record: Record, task: str, lane: str, baseline: str) -> _Comparison:
    ratios = block_ratios(log_times(record, task, lane), log_times(record, task, baseline))
    logs = list(ratios.values())
    return _Comparison(task, lane, logs, _bar(record, task, lane, baseline, len(logs)))


def _bar(record: Record, task: str, lane: str, baseline: str, blocks: int) -> tuple[Word, str] | None:
    """The word and reason of a comparison that must not be tested, in the order in which the gates count."""
    if reason := invalid(record, task, lane):
        return "INVALID", reason
    if reason := failed(record, task, lane):
        return "FAILED", reason
    if reason := unstable(record, task, lane, baseline):
        return "UNSTABLE", reason
    if lane == baseline:
        return "BASELINE", ""
    if reason := invalid(record, task, baseline) or failed(record, task, baseline):
        return "UNDECIDED", f"the baseline {baseline} has no times ({reason})"
    if blocks < 2:
        return "UNDECIDED", f"{blocks} of {record.plan.effort.blocks} blocks were measured; a test needs 2"
    return None


def _verdict(c: _Comparison, p: float, family: int, exploratory: bool) -> Verdict:
    known: dict[str, Any] = {"task": c.task, "lane": c.lane, "exploratory": exploratory}
    if c.barred:
        word, reason = c.barred
        ratio = interval(c.logs) if c.logs and word == "UNSTABLE" else None
        return Verdict(**known, word=word, reason=reason, ratio=ratio)
    ratio = interval(c.logs)
    if p <= ALPHA:
        return Verdict(**known, word=_best(c.claims), ratio=ratio, p=p)
    least = detectable(Sample.of(c.logs), family=family)
    reason = f"a ratio between {1 / least:.3g} and {least:.3g} would not have been seen"
    return Verdict(**known, word="UNDECIDED", reason=reason, ratio=ratio, p=p, detectable=least)


def _best(claims: Claims) -> Word:
    if claims.equivalent <= min(claims.faster, claims.slower):
        return "EQUIVALENT"
    return "FASTER" if claims.faster < claims.slower else "SLOWER"
