"""Who is fastest within a tier, and who is not shown to be slower: a mark in the table, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from benchmarks.measure.gates import unstable
from benchmarks.measure.inference import ALPHA, Sample, claims, holm
from benchmarks.measure.samples import block_ratios, log_times
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
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.time and row.tier and row.verdict.word != "UNSTABLE":
            groups.setdefault((row.task, row.tier), []).append(row)
    for (task, _), group in groups.items():
        if len(group) > 1:
            marks |= {(task, lane): mark for lane, mark in _within(record, task, group).items()}
    return marks


def _within(record: Record, task: str, group: Sequence[Row]) -> dict[str, Mark]:
    """The lane with the smallest time, and those that are not surely more than 2% slower than it.

    The fastest is picked with the data that it is tested on, so that Holm's correction counts all pairs.
    """
    first, *others = sorted((row for row in group if row.time), key=lambda row: row.time.value)  # type: ignore[union-attr]
    p = [_slower(record, task, row.lane, first.lane) for row in others]
    adjusted = holm(p, family=len(group) * len(others) // 2)
    level = [row.lane for row, one in zip(others, adjusted, strict=True) if one > ALPHA]
    return {first.lane: "fastest", **dict.fromkeys(level, "level")}


def _slower(record: Record, task: str, lane: str, first: str) -> float:
    """p of "more than 2% slower"; 1 where that must not be tested."""
    logs = list(block_ratios(log_times(record, task, lane), log_times(record, task, first)).values())
    if len(logs) < 2 or unstable(record, task, lane, first):
        return 1.0
    return claims(Sample.of(logs)).slower
