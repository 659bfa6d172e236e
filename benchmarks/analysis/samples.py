"""The raw slices of a record by task, lane, block and round."""

from __future__ import annotations

from ..record import Record, Slice
from .record_analysis import RecordAnalysis


def slices(record: Record, task: str, lane: str) -> list[tuple[int, Slice]]:
    """The slices of a lane's race, each with the index of its block."""
    return RecordAnalysis(record).slices(task, lane)


def seconds_per_step(record: Record, task: str, lane: str) -> list[float]:
    """The slices that count, in the order in which they were measured."""
    return RecordAnalysis(record)[task, lane].seconds_per_step
