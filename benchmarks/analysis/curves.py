"""What the charts show, from a record alone: plain figures, worked out here and never in the browser.

A lane without a time in the table has none here either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

from ..record import Record, Slice
from ..record.outcome import Point
from ..record.proof import Judgement
from .summary import Row

CLOSE = 0.01  # above the exact solution's loss
MOST_POINTS = 2_000  # of a kind of chart over all tasks, so that the page of a large record stays small

T = TypeVar("T")


class Reached(NamedTuple):
    """The loss on all training rows after a step, and the seconds of steady training until then."""

    lane: str
    step: int
    seconds: float
    loss: float


class Close(NamedTuple):
    """The first kept step within 1% of the exact solution's loss, and the one from which all kept steps are."""

    first: int
    last: int


class Ended(NamedTuple):
    """Where a lane's whole training ends, and when; seconds.

    `cold_s` begins with the first call, compilation included. `above` is the loss over that of the exact
    solution, less 1; `close` is None where training does not come within 1%, or, with a `reason`, where that
    is not known.
    """

    lane: str
    steps: int
    step_s: float
    cold_s: float | None
    above: float | None
    close: Close | None
    reason: str

    @property
    def steady_s(self) -> float:
        """Without the first call."""
        return self.steps * self.step_s


class Share(NamedTuple):
    """The largest share of its rounding bound that a quantity used at a step."""

    lane: str
    step: int
    share: float
    quantity: str


class Moment(NamedTuple):
    """One timed slice: when (blocks since the start), and by how many percent it is off its lane's median."""

    lane: str
    block: int
    round: int
    when: float
    percent: float
    twin: bool


def judgement(record: Record, task: str, lane: str) -> Judgement | None:
    """The judgement in the task's own dtype."""
    certified = record.certificate(task, lane)
    evidence = certified.certificate.evidence if certified else ()
    return evidence[-1].judgement if evidence else None


def whole_steps(record: Record, task: str) -> int:
    """Steps of a task's whole training, of which the timed run is the beginning."""
    work = record.work(task)
    return work.task.epochs * work.task.steps(work.rows)


def reached(record: Record, rows: Sequence[Row]) -> list[Reached]:
    """The learning curves of one task, on each lane's own clock."""
    found = []
    for row in rows:
        if row.time is not None:
            points = thinned(curve(record, row.task, row.lane), record)
            found += [Reached(row.lane, p.step, p.step * row.time.value, p.loss) for p in points]
    return [each for each in found if math.isfinite(each.loss)]


def curve(record: Record, task: str, lane: str) -> Sequence[Point]:
    """The learning curve of a lane on a task, which a lane without proof does not have."""
    certified = record.certificate(task, lane)
    return sorted(certified.curve, key=lambda point: point.step) if certified else ()


def thinned(pieces: Sequence[T], record: Record) -> Sequence[T]:
    """Evenly spread pieces of a lane on a task, first and last among them, at most this lane's part of all."""
    most = max(8, MOST_POINTS // (len(record.tasks) * len(record.plan.lanes)))
    if len(pieces) <= most:
        return pieces
    return [pieces[round(index * (len(pieces) - 1) / (most - 1))] for index in range(most)]


def endings(record: Record, rows: Sequence[Row]) -> list[Ended]:
    """The whole training of one task in each lane: how long, and how near to the exact solution."""
    return [ended for row in rows if (ended := _ending(record, row))]


def _ending(record: Record, row: Row) -> Ended | None:
    if row.time is None:
        return None
    steps, run = whole_steps(record, row.task), record.work(row.task).steps
    cold = None if row.first_call_s is None else row.first_call_s + (steps - run) * row.time.value
    times = row.lane, steps, row.time.value, cold
    got, points = row.accuracy, curve(record, row.task, row.lane)
    if got is None or got.best_loss is None or got.excess is None:
        return Ended(*times, None, None, (got.no_excess if got else None) or "accuracy not worked out")
    above = got.excess / got.best_loss if got.best_loss else math.inf
    reason = "" if points else "the record keeps no steps"
    return Ended(*times, above, _close(points, got.best_loss), reason)


def _close(points: Sequence[Point], best: float) -> Close | None:
    """None where the last kept step is not within 1%."""
    near = [p.step for p in points if p.excess is not None and p.excess <= CLOSE * best]
    far = max((p.step for p in points if p.step not in near), default=0)
    stays = next((step for step in near if step > far), None)
    return None if stays is None else Close(near[0], stays)


def shares(record: Record, rows: Sequence[Row]) -> list[Share]:
    """The largest share at each sampled step of one task; for a lane without a sample its worst step alone."""
    return [share for row in rows for share in _shares(record, row) if not math.isnan(share.share)]


def _shares(record: Record, row: Row) -> Iterator[Share]:
    judged = judgement(record, row.task, row.lane)
    if judged is None:
        return
    for sampled in thinned(judged.sample, record):
        if sampled.shares:
            quantity, share = max(sampled.shares.items(), key=lambda pair: pair[1])
            yield Share(row.lane, sampled.step, share, quantity)
    if not judged.sample:
        for name, worst in judged.quantities.items():
            yield Share(row.lane, worst.step, worst.share, name)


def moments(record: Record, rows: Sequence[Row]) -> list[Moment]:
    """Every timed slice of one task's race in the order of measuring, the twins' too."""
    timed = {row.lane for row in rows if row.time}
    task = rows[0].task
    blocks = {block.index: _race(block.slices, task, timed) for block in record.blocks}
    typical = {
        lane: median(
            _seconds(p) for race in blocks.values() for p in race if (p.lane, p.twin) == (lane, False)
        )
        for lane in timed
    }
    return [
        Moment(
            lane=piece.lane,
            block=index,
            round=piece.round,
            when=index + place / len(race),
            percent=100 * (_seconds(piece) / typical[piece.lane] - 1),
            twin=piece.twin,
        )
        for index, race in blocks.items()
        for place, piece in enumerate(race)
    ]


def _race(slices: Sequence[Slice], task: str, lanes: set[str]) -> list[Slice]:
    found = [piece for piece in slices if (piece.task, piece.kind) == (task, "race") and piece.lane in lanes]
    return sorted(found, key=lambda piece: (piece.round, piece.position))


def _seconds(piece: Slice) -> float:
    return piece.elapsed_ns / piece.repeats / 1e9
