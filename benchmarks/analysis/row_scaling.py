"""How each lane's time and memory grow with the rows of the data, where tasks differ in nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from samestep.backends.spec import Count, Number, Spec

from ..record import AnyRecord, PlannedWork
from ..statistics.inference import Interval

if TYPE_CHECKING:
    from .record_analysis import RecordAnalysis


class RowScaling(Spec):
    """A lane at every number of rows: seconds per step, and the peak memory of its first call in bytes.

    `unstable`: at which of them nothing may be claimed of the time. `beyond` are the bytes by which memory grows
    for each row, from the fewest rows to the most, without those of the row itself: 0 where the lane holds the
    data once and nothing else grows.
    """

    lane: str
    rows: tuple[Count, ...]
    times: tuple[Interval | None, ...]
    unstable: tuple[bool, ...]
    memory: tuple[Count | None, ...]
    beyond: Number | None


def works_by_rows(record: AnyRecord) -> tuple[PlannedWork, ...]:
    """The works of a record by their rows, the fewest first; none where they differ in more than rows."""
    works = sorted(record.plan.works, key=lambda work: work.rows)
    kinds = {
        (work.task.batch_size, work.features, work.steps, work.task.dtype, work.task.loss) for work in works
    }
    counts = {work.rows for work in works}
    return tuple(works) if len(kinds) == 1 and len(counts) == len(works) > 1 else ()


def row_scaling(analysis: RecordAnalysis) -> tuple[RowScaling, ...]:
    """Every lane at every number of rows, in the plan's order; none where the tasks differ in more than rows."""
    works = works_by_rows(analysis.record)
    return tuple(_of_lane(analysis, lane, works) for lane in analysis.lanes) if works else ()


def _of_lane(analysis: RecordAnalysis, lane: str, works: Sequence[PlannedWork]) -> RowScaling:
    rows = [analysis.row_of.get((work.task.name, lane)) for work in works]
    memory = tuple(row.peak_memory if row else None for row in rows)
    return RowScaling(
        lane=lane,
        rows=tuple(work.rows for work in works),
        times=tuple(row.time if row else None for row in rows),
        unstable=tuple(row is not None and row.is_unstable for row in rows),
        memory=memory,
        beyond=_beyond(works, memory),
    )


def _beyond(works: Sequence[PlannedWork], memory: Sequence[int | None]) -> float | None:
    first, last = memory[0], memory[-1]
    if first is None or last is None:
        return None
    of_a_row = works[-1].row_bytes_per_step / min(works[-1].task.batch_size, works[-1].rows)
    return (last - first) / (works[-1].rows - works[0].rows) - of_a_row
