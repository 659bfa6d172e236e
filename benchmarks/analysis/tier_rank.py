"""Which lanes lead their tier on a task: a mark, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .crossover import ranked
from .gates import untested
from .lane_samples import RecordSamples
from .rows import Row

TierRank: TypeAlias = Literal["fastest", "level"]
TierRanks: TypeAlias = Mapping[tuple[str, str], TierRank]  # by task and lane


def tier_ranks(samples: RecordSamples[Any], rows: Sequence[Row]) -> TierRanks:
    """{(task, lane): rank} for every task and tier of more than one lane, all of which can be judged.

    The least of some times is no lead: a lane without a time, or with one that says nothing, may be faster.
    """
    ranks: dict[tuple[str, str], TierRank] = {}
    tiers: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.tier:
            tiers.setdefault((row.task, row.tier), []).append(row)
    for (task, _), members in tiers.items():
        times = {row.lane: row.time for row in members if row.time and is_judged(samples, row)}
        if len(times) == len(members) > 1:
            first, *others = ranked(samples, task, times)
            ranks[task, first.lane] = "fastest"
            ranks |= {(task, other.lane): "level" for other in others if other.tied}
    return ranks


def is_judged(samples: RecordSamples[Any], row: Row) -> bool:
    """Whether the time of a row can be set against others."""
    return row.verdict.word != "UNSTABLE" and not untested(samples[row.task, row.lane])
