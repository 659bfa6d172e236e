"""Which lane is fastest at which size: the map of a record whose tasks fill a grid of sizes.

Each cell names the lane with the smallest time per step, and the lanes *not separated* from it: all that are not
shown to be more than 2% slower at the 5% level, by the paired block ratios and the shifted t test of `inference`.
The fastest lane is picked with the very data that it is then tested on, which flatters it. So Holm's
correction counts all L (L - 1) / 2 pairs of the cell's L lanes and not only the L - 1 that are tested: whichever
lane had come out first, its pairs belong to that family, and a cell calls a lane slower that is not with a
chance of at most 5%. Cells are not corrected for each other. A lane of which nothing may be claimed
(`comparable`) is neither the fastest nor separated from it, whatever its times are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from samestep.backends.spec import Count, Number, Spec

from ..console.choices import by_reason
from ..statistics.inference import ALPHA, FEWEST_BLOCKS, MARGIN, Interval, Sample, claims, holm, interval
from .comparable import no_claim, no_comparison
from .gates import counted_time, too_few, untested

if TYPE_CHECKING:
    from .record_analysis import LaneAnalysis, RecordAnalysis


class RankedLane(Spec):
    """A lane in a cell: seconds per step, and the ratio to the fastest lane's with its 95% interval.

    `p` is that of "more than 2% slower", after Holm; `separated`: that was shown. The fastest lane has neither
    ratio nor p. A lane that was not compared has neither, and a `reason`.
    """

    lane: str
    time: Interval
    ratio: Interval | None = None
    p: Number | None = None
    separated: bool
    reason: str = ""


class SizeCell(Spec):
    """One size. `entries` are the lanes with times, the fastest first, then by time.

    `not_separated` names those that were not shown to be slower than it. `fastest` is None where nothing can be
    said, and `reason` says why. `untested` are the lanes that raced and have no time here, or too few blocks.
    """

    task: str
    batch: Count
    features: Count
    fastest: str | None = None
    not_separated: tuple[str, ...] = ()
    entries: tuple[RankedLane, ...] = ()
    untested: tuple[str, ...] = ()
    reason: str = ""


class Crossover(Spec):
    """The map: `cells[i][j]` is that of `batches[i]` and `features[j]`, both ascending."""

    batches: tuple[int, ...]
    features: tuple[int, ...]
    cells: tuple[tuple[SizeCell, ...], ...]

    def sizes(self) -> Iterator[SizeCell]:
        """Every cell, batch size by batch size."""
        return (cell for row in self.cells for cell in row)


def crossover(analysis: RecordAnalysis) -> Crossover | None:
    """The map of a record whose tasks are one kind of work and fill a grid of sizes; None of any other."""
    works = analysis.record.plan.works
    tasks = {(work.task.batch_size, work.features): work.task.name for work in works}
    kinds = {
        (work.task.loss, work.task.dtype, work.task.optimizer.momentum, len(work.task.parameters))
        for work in works
    }
    batches, features = (tuple(sorted(set(side))) for side in zip(*tasks, strict=True))
    full = set(tasks) == set(product(batches, features)) and len(tasks) == len(works)
    if not full or len(kinds) > 1 or min(len(batches), len(features)) < 2:
        return None
    cells = tuple(tuple(size_cell(analysis, tasks[batch, count]) for count in features) for batch in batches)
    return Crossover(batches=batches, features=features, cells=cells)


def size_cell(analysis: RecordAnalysis, task: str) -> SizeCell:
    """The fastest lane of a task and those not separated from it; neither where a lane that raced is untested."""
    work, lanes = analysis.record.work(task), analysis.of_task(task)
    times = {lane.lane: time for lane in lanes if (time := counted_time(lane))}
    entries = ranked(analysis, task, times) if times else ()
    reasons = {lane.lane: why for lane in lanes if (why := untested(lane))}
    nobody = "" if entries else "no lane has times here: "
    reason = nobody + by_reason(reasons) or by_reason(_not_compared(entries))
    return SizeCell(
        task=task,
        batch=work.task.batch_size,
        features=work.features,
        fastest=None if reason else entries[0].lane,
        not_separated=() if reason else tuple(one.lane for one in entries if not one.separated),
        entries=entries,
        untested=tuple(reasons),
        reason=reason,
    )


def _not_compared(entries: tuple[RankedLane, ...]) -> dict[str, str]:
    """Why nobody can be named: of the first lane nothing may be claimed, or no other was compared with it."""
    reasons = {lane.lane: lane.reason for lane in entries if lane.reason}
    named = entries and not entries[0].reason and (len(entries) == 1 or len(reasons) < len(entries) - 1)
    return {} if named else reasons


def ranked(analysis: RecordAnalysis, task: str, times: Mapping[str, Interval]) -> tuple[RankedLane, ...]:
    """Lanes by their times per step, the fastest first, each of the others with whether it is separated from it.

    The fastest is the first of which something may be claimed; where there is none the first has a reason.
    """
    by_time = sorted(times, key=lambda lane: times[lane].value)
    first = next((lane for lane in by_time if not no_claim(analysis[task, lane])), by_time[0])
    fastest = analysis[task, first]
    slower = [_against(analysis[task, lane], fastest, times[lane]) for lane in by_time if lane != first]
    # pairs that are not tested count as members of the family
    adjusted = holm(
        [1.0 if lane.p is None else lane.p for lane in slower], family=len(times) * len(slower) // 2
    )
    judged = (
        lane if lane.p is None else lane.model_copy(update={"p": p, "separated": p <= ALPHA})
        for lane, p in zip(slower, adjusted, strict=True)
    )
    leader = RankedLane(lane=first, time=times[first], separated=True, reason=no_claim(fastest))
    return leader, *judged


def _against(lane: LaneAnalysis, fastest: LaneAnalysis, time: Interval) -> RankedLane:
    """A lane against the fastest one, before any correction; a reason instead of p where it is not compared."""
    if reason := no_comparison(lane, fastest):
        return RankedLane(lane=lane.lane, time=time, separated=False, reason=reason)
    logs = lane.ratios_to(fastest)
    if len(logs) < FEWEST_BLOCKS:
        reason = too_few(len(logs), lane.record.blocks_intended, f" beside {fastest.lane}")
        return RankedLane(lane=lane.lane, time=time, separated=False, reason=reason)
    p = lane.analysis.look.adjusted(claims(Sample.of(logs), margin=MARGIN).slower)
    ratio = interval(logs, level=lane.analysis.level)
    return RankedLane(lane=lane.lane, time=time, ratio=ratio, p=p, separated=False)
