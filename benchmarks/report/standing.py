"""Who is fastest within a tier, and who is not shown to be slower: a mark in the table, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from benchmarks.measure.crossover import ranked
from benchmarks.measure.inference import Interval
from benchmarks.measure.summary import Row
from benchmarks.record import Record

Mark: TypeAlias = Literal["fastest", "level"]
Marks: TypeAlias = Mapping[tuple[str, str], Mark]  # by task and lane
SIGNS: Mapping[Mark, str] = {"fastest": "◆", "level": "◇"}
KEY = (
    "◆ the least time of its tier on this task; ◇ not surely more than 2% slower than that. Tiers with one lane "
    "that can be judged have no mark. These marks were tested after the fact, apart from the verdicts."
)


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
