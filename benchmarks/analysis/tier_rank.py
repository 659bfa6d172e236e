"""Which lanes lead their tier on a task: a mark, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ..statistics.inference import Interval
from .crossover import ranked
from .lane_samples import RecordSamples
from .rows import Row

TierRank: TypeAlias = Literal["fastest", "level"]
TierRanks: TypeAlias = Mapping[tuple[str, str], TierRank]  # by task and lane


def tier_ranks(samples: RecordSamples[Any], rows: Sequence[Row]) -> TierRanks:
    """{(task, lane): rank} for every task and tier in which more than one lane can be judged."""
    ranks: dict[tuple[str, str], TierRank] = {}
    tiers: dict[tuple[str, str], dict[str, Interval]] = {}
    for row in rows:
        if row.time and row.tier and row.verdict.word != "UNSTABLE":
            tiers.setdefault((row.task, row.tier), {})[row.lane] = row.time
    for (task, _), times in tiers.items():
        if len(times) > 1:
            first, *others = ranked(samples, task, times)
            ranks[task, first.lane] = "fastest"
            ranks |= {(task, other.lane): "level" for other in others if other.tied}
    return ranks
