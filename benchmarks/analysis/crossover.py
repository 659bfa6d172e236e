"""Which lane is fastest at which size, and what a step costs each lane. Pure: a record in, figures out.

**The map.** Each cell names the lane with the smallest time per step, and the lanes *tied* with it: all that are
not surely more than 2% slower, by the paired block ratios and the shifted t test of `inference`. The fastest lane
is picked with the very data that it is then tested on, which flatters it. So Holm's correction counts all
L (L - 1) / 2 pairs of the cell's L lanes and not only the L - 1 that are looked at: whichever lane had come out
first, its pairs belong to that family, and a cell calls a lane slower that is not with a chance of at most 5%.
Cells are not corrected for each other. Of a lane whose times were unstable (a twin apart, stolen time, drift)
2% says nothing: it is tied unless it surely takes more than twice as long, and by what those faults explain more.

**The line.** t = a + b w over a lane's cells: a is the overhead of a step, 1 / b the rate at which work is done.
w are the bytes that a step has to move: one Linear layer computes about one operation for each byte it reads, far
fewer than a core could, so that memory and not arithmetic sets the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

from samestep.backends.spec import Count, Spec

from ..record import Record
from ..statistics.inference import ALPHA, MARGIN, Interval, Sample, claims, holm, interval
from ..statistics.line import Line, fit_line
from .gates import amiss, failed, invalid, unstable
from .samples import block_ratios, log_times
from .summary import time_per_step

FEWEST_SIZES = 3
UNSURE = math.log(2)
GOOD, ROUGH = 0.25, 1.0  # by how much a time typically misses the line: a quarter; a factor of two


class Entry(Spec):
    """A lane in a cell: seconds per step, and the ratio to the fastest lane's with its 95% interval.

    `p` is that of "more than 2% slower", after Holm; `tied`: that was not shown. The fastest lane has neither
    ratio nor p. An unstable lane has a `reason`, and its p is that of the wider claim (above).
    """

    lane: str
    time: Interval
    ratio: Interval | None = None
    p: float | None = None
    tied: bool
    reason: str = ""


class Cell(Spec):
    """One size. `entries` are the lanes with times, the fastest first; `tied` names those that are tied with it.

    `fastest` is None where nothing can be said, and `reason` says why.
    """

    task: str
    batch: Count
    features: Count
    fastest: str | None = None
    tied: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    reason: str = ""


class Crossover(Spec):
    """The map: `cells[i][j]` is that of `batches[i]` and `features[j]`, both ascending."""

    batches: tuple[int, ...]
    features: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]


class Fit(Spec):
    """A lane's line over the sizes that it has times for; None for what the sizes do not tell.

    `overhead` is a in seconds, `rate` is 1 / b in bytes (or operations) per second, each with its standard error,
    which counts how far the sizes lie off the line. `r_squared` is the share of the variance of log t that the
    line explains, `typical` by how much a time usually misses it (0.1 is 10%). `word`: "good" up to 25%, "rough"
    up to a factor of 2, "poor" beyond, where the two numbers do not describe the lane; `reason` says what is so.
    """

    lane: str
    sizes: int
    overhead: float | None = None
    overhead_error: float | None = None
    rate: float | None = None
    rate_error: float | None = None
    r_squared: float | None = None
    typical: float | None = None
    word: Literal["good", "rough", "poor", "none"] = "none"
    reason: str = ""


# --- the map --------------------------------------------------------------------------------------


def crossover(record: Record) -> Crossover | None:
    """The map of a record whose tasks are one kind of work and fill a grid of sizes; None of any other."""
    places = {(work.task.batch_size, work.features): work.task.name for work in record.plan.works}
    kinds = {
        (work.task.loss, work.task.dtype, work.task.optimizer.momentum, len(work.task.parameters))
        for work in record.plan.works
    }
    batches, features = (tuple(sorted(set(side))) for side in zip(*places, strict=True))
    whole = set(places) == set(product(batches, features)) and len(places) == len(record.plan.works)
    if not whole or len(kinds) > 1 or min(len(batches), len(features)) < 2:
        return None
    cells = tuple(tuple(cell(record, places[batch, count]) for count in features) for batch in batches)
    return Crossover(batches=batches, features=features, cells=cells)


def cell(record: Record, task: str) -> Cell:
    """Who is fastest on a task, and who is tied with it."""
    work = record.work(task)
    found = Cell(
        task=task, batch=work.task.batch_size, features=work.features, reason="no lane has times here"
    )
    times = _times(record, task)
    if not times:
        return found
    first, *judged = ranked(record, task, times)
    barred = bool(judged) and all(entry.reason and entry.tied for entry in judged)
    update = {
        "fastest": None if barred else first.lane,
        "tied": () if barred else tuple(entry.lane for entry in judged if entry.tied),
        "entries": (first, *judged),
        "reason": judged[0].reason if barred else "",
    }
    return found.model_copy(update=update)


def ranked(record: Record, task: str, times: Mapping[str, Interval]) -> tuple[Entry, ...]:
    """Lanes by their times per step, the fastest first, each of the others with whether it is tied with it."""
    first, *others = sorted(times, key=lambda lane: times[lane].value)
    entries = [_against(record, task, lane, first, times[lane]) for lane in others]
    # pairs that are not looked at count as members of the family
    adjusted = holm([1.0 if e.p is None else e.p for e in entries], family=len(times) * len(others) // 2)
    judged = (
        e.model_copy(update={"p": p, "tied": p > ALPHA}) for e, p in zip(entries, adjusted, strict=True)
    )
    return Entry(lane=first, time=times[first], tied=False), *judged


def _against(record: Record, task: str, lane: str, first: str, time: Interval) -> Entry:
    """A lane against the fastest one, before any correction; with a reason instead of p where it is barred."""
    logs = list(block_ratios(log_times(record, task, lane), log_times(record, task, first)).values())
    reason = unstable(record, task, lane, first) or ""
    ratio = interval(logs) if logs else None
    if len(logs) < 2:
        reason = f"{len(logs)} of {record.plan.effort.blocks} blocks were measured; a test needs 2"
        return Entry(lane=lane, time=time, ratio=ratio, tied=True, reason=reason)
    margin = UNSURE + amiss(record, task, lane, first) if reason else MARGIN
    p = claims(Sample.of(logs), margin=margin).slower
    return Entry(lane=lane, time=time, ratio=ratio, p=p, tied=True, reason=reason)


def _times(record: Record, task: str) -> dict[str, Interval]:
    """{lane: seconds per step} of the lanes whose times count."""
    sound = [
        lane for lane in record.plan.lanes if not (invalid(record, task, lane) or failed(record, task, lane))
    ]
    times = {lane: time_per_step(record, task, lane) for lane in sound}
    return {lane: time for lane, time in times.items() if time is not None}


# --- the line -------------------------------------------------------------------------------------


def fits(record: Record, *, work: Literal["bytes", "flops"] = "bytes") -> tuple[Fit, ...]:
    """Every lane's line, in the plan's order; any record will do that has times for at least three sizes."""
    sizes = {each.task.name: getattr(each, f"{work}_per_step") for each in record.plan.works}
    times = {task: _times(record, task) for task in record.tasks}
    rows = {each.task.name: min(each.task.batch_size, each.rows) for each in record.plan.works}
    found = []
    for lane in record.plan.lanes:
        own = [task for task in record.tasks if lane in times[task]]
        seconds = [times[task][lane].value for task in own]
        found.append(_fit(lane, [sizes[task] for task in own], [rows[task] for task in own], seconds))
    return tuple(found)


def _fit(lane: str, work: Sequence[int], rows: Sequence[int], seconds: Sequence[float]) -> Fit:
    sizes = len(set(work))
    if sizes < FEWEST_SIZES:
        return Fit(lane=lane, sizes=sizes, reason=f"{sizes} sizes have times; a line needs {FEWEST_SIZES}")
    line = fit_line(work, seconds)
    return Fit(
        lane=lane,
        sizes=sizes,
        overhead=line.a,
        overhead_error=line.a_error,
        rate=1 / line.b if line.b else None,
        rate_error=line.b_error / line.b**2 if line.b and line.b_error is not None else None,
        r_squared=line.r_squared,
        typical=line.typical,
        word="good" if line.typical <= GOOD else "rough" if line.typical <= ROUGH else "poor",
        reason=_fault(line) if line.typical <= GOOD else _misfit(line, rows, seconds),
    )


def _fault(line: Line) -> str:
    """Which of a good line's numbers is within two standard errors of 0."""
    words = []
    if line.a < 2 * (line.a_error or 0.0) or not line.a:
        words.append("no overhead seen")
    if line.b < 2 * (line.b_error or 0.0) or not line.b:
        words.append("no rate seen: its time hardly grows with the work")
    return "; ".join(words)


def _misfit(line: Line, rows: Sequence[int], seconds: Sequence[float]) -> str:
    """How far the times lie off a line, and whether the rows of a batch explain them better than the work."""
    words = f"a time is typically {line.typical:.0%} off the line"
    if len(set(rows)) < FEWEST_SIZES:
        return words
    other = fit_line(rows, seconds)
    if other.typical > line.typical / 2:
        return words
    return f"{words}; by rows of a batch, at {other.b * 1e6:.3g} us for each, it would be {other.typical:.0%}"
