"""Which lane is fastest at which size: the map of a record whose tasks fill a grid of sizes.

Each cell names the lane with the smallest time per step, and the lanes *tied* with it: all that are not more
than 2% slower at the 5% level, by the paired block ratios and the shifted t test of `inference`. The fastest
lane is picked with the very data that it is then tested on, which flatters it. So Holm's correction counts
all L (L - 1) / 2 pairs of the cell's L lanes and not only the L - 1 that are tested: whichever lane had come
out first, its pairs belong to that family, and a cell calls a lane slower that is not with a chance of at
most 5%. Cells are not corrected for each other. Of a lane whose times were unstable (the A/A control differs,
stolen time, drift) 2% says nothing: it is tied unless it takes more than twice as long at the 5% level, and
more than that by what those faults explain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from samestep.backends.spec import Count, Number, Spec

from ..console.choices import by_reason
from ..statistics.inference import ALPHA, MARGIN, Interval, Sample, claims, holm, interval
from .gates import counted_time, largest_bias, unstable, untested
from .lane_samples import LaneSamples, RecordSamples

UNSTABLE_MARGIN = math.log(2)


class RankedLane(Spec):
    """A lane in a cell: seconds per step, and the ratio to the fastest lane's with its 95% interval.

    `p` is that of "more than 2% slower", after Holm; `tied`: that was not shown. The fastest lane has neither
    ratio nor p. An unstable lane has a `reason`, and its p is that of the wider claim (above).
    """

    lane: str
    time: Interval
    ratio: Interval | None = None
    p: Number | None = None
    tied: bool
    reason: str = ""


class SizeCell(Spec):
    """One size. `entries` are the lanes with times, the fastest first; `tied` names those that are tied with it.

    `fastest` is None where nothing can be said, and `reason` says why. `untested` are the lanes that raced
    and have no time here, or too few blocks.
    """

    task: str
    batch: Count
    features: Count
    fastest: str | None = None
    tied: tuple[str, ...] = ()
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


def crossover(analysis: RecordSamples[Any]) -> Crossover | None:
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


def size_cell(analysis: RecordSamples[Any], task: str) -> SizeCell:
    """The lane that is fastest on a task, and those tied with it; neither where a lane that raced is untested."""
    work, lanes = analysis.record.work(task), analysis.of_task(task)
    times = {lane.lane: time for lane in lanes if (time := counted_time(lane))}
    entries = ranked(analysis, task, times) if times else ()
    reasons = {lane.lane: why for lane in lanes if (why := untested(lane))}
    nobody = "" if entries else "no lane has times here: "
    reason = nobody + by_reason(reasons) or _undecided(entries[1:])
    return SizeCell(
        task=task,
        batch=work.task.batch_size,
        features=work.features,
        fastest=None if reason else entries[0].lane,
        tied=() if reason else tuple(other.lane for other in entries[1:] if other.tied),
        entries=entries,
        untested=tuple(reasons),
        reason=reason,
    )


def _undecided(others: Sequence[RankedLane]) -> str:
    """Why none of the lanes behind the first could be judged; empty where one was."""
    if not others or not all(other.reason and other.tied for other in others):
        return ""
    return others[0].reason


def ranked(analysis: RecordSamples[Any], task: str, times: Mapping[str, Interval]) -> tuple[RankedLane, ...]:
    """Lanes by their times per step, the fastest first, each of the others with whether it is tied with it."""
    first, *others = sorted(times, key=lambda lane: times[lane].value)
    fastest = analysis[task, first]
    slower = [_against(analysis[task, lane], fastest, times[lane]) for lane in others]
    # pairs that are not tested count as members of the family
    adjusted = holm(
        [1.0 if lane.p is None else lane.p for lane in slower], family=len(times) * len(others) // 2
    )
    judged = (
        lane.model_copy(update={"p": p, "tied": p > ALPHA}) for lane, p in zip(slower, adjusted, strict=True)
    )
    return RankedLane(lane=first, time=times[first], tied=False), *judged


def _against(lane: LaneSamples, fastest: LaneSamples, time: Interval) -> RankedLane:
    """A lane against the fastest one, before any correction; a reason instead of p where it is not tested."""
    logs, reason = lane.ratios_to(fastest), unstable(lane, fastest) or ""
    ratio = interval(logs) if logs else None
    if len(logs) < 2:
        planned = lane.record.plan.effort.blocks
        reason = f"{len(logs)} of {planned} blocks were measured; a test needs 2"
        return RankedLane(lane=lane.lane, time=time, ratio=ratio, tied=True, reason=reason)
    margin = UNSTABLE_MARGIN + largest_bias(lane, fastest) if reason else MARGIN
    p = claims(Sample.of(logs), margin=margin).slower
    return RankedLane(lane=lane.lane, time=time, ratio=ratio, p=p, tied=True, reason=reason)
