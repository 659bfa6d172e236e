"""Who is fastest within a tier, and who is not shown to be slower: a mark in the table, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from ..record import Record
from ..statistics.inference import Interval
from .crossover import ranked
from .summary import Row

Mark: TypeAlias = Literal["fastest", "level"]
Marks: TypeAlias = Mapping[tuple[str, str], Mark]  # by task and lane


def standings(record: Record, rows: Sequence[Row]) -> dict[tuple[str, str], Mark]:
    """{(task, lane): mark} for every task and tier in which more than one lane can be judged."""
    marks: dict[tuple[str, str], Mark] = {}
    groups: dict[tuple[str, str], dict[str, Interval]] = {}
    for row in rows:
        if row.time and row.tier and row.verdict.word != "UNSTABLE":
            groups.setdefault((row.task, row.tier), {})[row.lane] = row.time
    for (task, _), times in groups.items():
        if len(times) > 1:
            first, *others = ranked(record, task, times)
            marks[task, first.lane] = "fastest"
            marks |= {(task, entry.lane): "level" for entry in others if entry.tied}
    return marks
