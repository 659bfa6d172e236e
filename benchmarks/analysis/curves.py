"""What the charts show, from an analysis alone: plain figures, worked out here and never in the browser.

A lane without a time in the table has none here either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..record import AnyRecord, Point, TimedSlice
from .lane_times import run_seconds

if TYPE_CHECKING:
    from .record_analysis import LaneAnalysis, RecordAnalysis

CLOSE = 0.01  # above the exact solution's loss
MOST_POINTS = 2_000  # of a kind of chart over all tasks, so that the page of a large record stays small

T = TypeVar("T")


class LossPoint(NamedTuple):
    """The loss on all training rows after a step, and the seconds of steady training until then."""

    lane: str
    step: int
    seconds: float
    loss: float


class CloseSteps(NamedTuple):
    """The first kept step within 1% of the exact solution's loss, and the one from which all kept steps are."""

    first: int
    stays: int


class TrainingEnd(NamedTuple):
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
    close: CloseSteps | None
    reason: str

    @property
    def steady_s(self) -> float:
        """Without the first call."""
        return self.steps * self.step_s


class BoundRatioPoint(NamedTuple):
    """The largest ratio of a rounding error to its bound at a step, and the quantity that has it."""

    lane: str
    step: int
    bound_ratio: float
    quantity: str


class SlicePoint(NamedTuple):
    """One timed slice: when (blocks since the start), and by how many percent it is off its lane's median."""

    lane: str
    block: int
    round: int
    when: float
    percent: float
    twin: bool


def whole_steps(lane: LaneAnalysis) -> int:
    """Steps of a task's whole training, of which the timed run is the beginning."""
    return lane.work.task.epochs * lane.work.task.steps(lane.work.rows)


def loss_curves(analysis: RecordAnalysis, task: str) -> list[LossPoint]:
    """The learning curves of one task, on each lane's own clock."""
    points = []
    for lane in analysis.of_task(task):
        if time := lane.row.time:
            curve = thinned(recorded_curve(lane), analysis.record)
            points += [LossPoint(lane.lane, p.step, p.step * time.value, p.loss) for p in curve]
    return [point for point in points if math.isfinite(point.loss)]


def recorded_curve(lane: LaneAnalysis) -> Sequence[Point]:
    """The learning curve of a lane on a task, which a lane without proof does not have."""
    return sorted(lane.certified.curve, key=lambda point: point.step) if lane.certified else ()


def thinned(points: Sequence[T], record: AnyRecord) -> Sequence[T]:
    """Evenly spread points of a lane on a task, first and last among them, at most this lane's part of all."""
    most = max(8, MOST_POINTS // len(record.plan.pairs))
    if len(points) <= most:
        return points
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def training_ends(analysis: RecordAnalysis, task: str) -> list[TrainingEnd]:
    """The whole training of one task in each lane: how long, and how near to the exact solution."""
    return [end for lane in analysis.of_task(task) if (end := _training_end(lane))]


def _training_end(lane: LaneAnalysis) -> TrainingEnd | None:
    row = lane.row
    if row.time is None:
        return None
    steps, reached = whole_steps(lane), row.accuracy
    cold = None if row.first_call_s is None else row.first_call_s + (steps - lane.work.steps) * row.time.value
    times = row.lane, steps, row.time.value, cold
    if reached is None or reached.best_loss is None or reached.excess is None:
        return TrainingEnd(*times, None, None, (reached and reached.no_excess) or "accuracy not worked out")
    above = reached.excess / reached.best_loss if reached.best_loss else math.inf
    curve = recorded_curve(lane)
    reason = "" if curve else "the record keeps no steps"
    return TrainingEnd(*times, above, _close_steps(curve, reached.best_loss), reason)


def _close_steps(points: Sequence[Point], best: float) -> CloseSteps | None:
    """None where the last kept step is not within 1%."""
    near = [point.step for point in points if point.excess is not None and point.excess <= CLOSE * best]
    last_far = max((point.step for point in points if point.step not in near), default=0)
    stays = next((step for step in near if step > last_far), None)
    return None if stays is None else CloseSteps(near[0], stays)


def bound_ratios(analysis: RecordAnalysis, task: str) -> list[BoundRatioPoint]:
    """The largest ratio at each sampled step of one task; for a lane without a sample its worst step alone."""
    points = (point for lane in analysis.of_task(task) for point in _bound_ratios(lane))
    return [point for point in points if not math.isnan(point.bound_ratio)]


def _bound_ratios(lane: LaneAnalysis) -> Iterator[BoundRatioPoint]:
    judgement = lane.judgement
    if judgement is None:
        return
    for sampled in thinned(judgement.sample, lane.record):
        if sampled.shares:
            quantity, ratio = max(sampled.shares.items(), key=lambda pair: pair[1])
            yield BoundRatioPoint(lane.lane, sampled.step, ratio, quantity)
    if not judgement.sample:
        for name, worst in judgement.quantities.items():
            yield BoundRatioPoint(lane.lane, worst.step, worst.share, name)


def slice_points(analysis: RecordAnalysis, task: str) -> list[SlicePoint]:
    """Every timed slice of one task's race in the order of measuring, those of the A/A controls too."""
    timed = {lane.lane for lane in analysis.of_task(task) if lane.row.time}
    races = {block.index: _race(block.slices, task, timed) for block in analysis.record.blocks}
    typical = {lane: median(map(run_seconds, analysis[task, lane].slices())) for lane in timed}
    return [
        SlicePoint(
            lane=piece.lane,
            block=index,
            round=piece.round,
            when=index + place / len(race),
            percent=100 * (run_seconds(piece) / typical[piece.lane] - 1),
            twin=piece.twin,
        )
        for index, race in races.items()
        for place, piece in enumerate(race)
    ]


def _race(slices: Sequence[TimedSlice], task: str, lanes: set[str]) -> list[TimedSlice]:
    race = [piece for piece in slices if (piece.task, piece.kind) == (task, "race") and piece.lane in lanes]
    return sorted(race, key=lambda piece: (piece.round, piece.position))
