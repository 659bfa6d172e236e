"""The rows of a record, for callers that ask for no other figure."""

from __future__ import annotations

from ..record import Record
from .record_analysis import RecordAnalysis
from .rows import BUSY, TIMELESS, Row

__all__ = ["BUSY", "TIMELESS", "Row", "summarize"]


def summarize(record: Record, *, baseline: str | None = None) -> tuple[Row, ...]:
    """A row for every task and lane, in the plan's order."""
    return RecordAnalysis(record, baseline).rows
