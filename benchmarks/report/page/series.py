"""What the charts show, from a record alone: plain figures, worked out here and never in the browser.

A lane without a time in the table has none here either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

from benchmarks.errors import InputError
from benchmarks.measure.summary import Row
from benchmarks.parity.kept import decode
from benchmarks.parity.verdicts import Judgement
from benchmarks.record import Record, Slice

CLOSE = 0.01  # above the exact solution's loss
MOST_POINTS = 5_000  # of a kind of chart over all tasks, so that the page of a large record stays small

T = TypeVar("T")


class Loss(NamedTuple):
    """The loss of one step's own batch, and the seconds of steady training until then."""

    lane: str
    step: int
    seconds: float
    loss: float


class Ended(NamedTuple):
    """Where a lane's whole training ends, and when; seconds.

    `cold_s` begins with the first call, compilation included. `above` is the loss over that of the exact
    solution, less 1; `close` says whether that is within 1%, which was then reached at `steady_s` at the latest.
    """

    lane: str
    steps: int
    steady_s: float
    cold_s: float | None
    above: float | None
    close: bool | None
    reason: str


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


def losses(record: Record, rows: Sequence[Row]) -> list[Loss]:
    """The losses that the certificates of one task keep, on each lane's own clock.

    Raises:
        InputError: a kept loss cannot be read.
    """
    found = []
    for row in rows:
        judged = judgement(record, row.task, row.lane)
        if row.time is None or judged is None:
            continue
        pieces = [kept for kept in sorted(judged.kept, key=lambda one: one.step) if "loss" in kept.arrays]
        for kept in thinned(pieces, record):
            where = f"{row.lane} on {row.task}, step {kept.step}"
            loss = _scalar(kept.arrays["loss"], judged.dtype, where)
            found.append(Loss(row.lane, kept.step, kept.step * row.time.value, loss))
    return [each for each in found if math.isfinite(each.loss)]


def thinned(pieces: Sequence[T], record: Record) -> Sequence[T]:
    """Evenly spread pieces of a lane on a task, first and last among them, at most this lane's part of all."""
    most = max(8, MOST_POINTS // (len(record.tasks) * len(record.plan.lanes)))
    if len(pieces) <= most:
        return pieces
    return [pieces[round(index * (len(pieces) - 1) / (most - 1))] for index in range(most)]


def _scalar(text: str, dtype: str, where: str) -> float:
    try:
        return float(decode(text, dtype, (1,))[0])
    except ValueError as error:
        raise InputError(f"{where}: the kept loss cannot be read ({error}); see `samestep verify`") from error


def endings(record: Record, rows: Sequence[Row]) -> list[Ended]:
    """The whole training of one task in each lane: how long, and how near to the exact solution."""
    return [ended for row in rows if (ended := _ending(record, row))]


def _ending(record: Record, row: Row) -> Ended | None:
    if row.time is None:
        return None
    steps, run = whole_steps(record, row.task), record.work(row.task).steps
    cold = None if row.first_call_s is None else row.first_call_s + (steps - run) * row.time.value
    got = row.accuracy
    if got is None or got.best_loss is None or got.excess is None:
        reason = (got.no_excess if got else None) or "accuracy not worked out"
        return Ended(row.lane, steps, steps * row.time.value, cold, None, None, reason)
    above = got.excess / got.best_loss if got.best_loss else math.inf
    return Ended(row.lane, steps, steps * row.time.value, cold, above, above <= CLOSE, "")


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
