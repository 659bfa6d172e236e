"""Which lanes lead their tier on a task: a mark, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from .comparable import no_claim
from .crossover import ranked
from .rows import Row

if TYPE_CHECKING:
    from .record_analysis import RecordAnalysis

TierRank: TypeAlias = Literal["fastest", "level"]
TierRanks: TypeAlias = Mapping[tuple[str, str], TierRank]  # by task and lane


def tier_ranks(analysis: RecordAnalysis, rows: Sequence[Row]) -> TierRanks:
    """{(task, lane): rank} for every task and tier of two lanes or more, if something may be claimed of each.

    The least of some times is no lead: a lane without a time, or with one that says nothing, may be faster.
    """
    ranks: dict[tuple[str, str], TierRank] = {}
    tiers: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.tier:
            tiers.setdefault((row.task, row.tier), []).append(row)
    for (task, _), members in tiers.items():
        times = {row.lane: row.time for row in members if row.time and not no_claim(analysis[task, row.lane])}
        if len(times) == len(members) > 1:
            first, *others = ranked(analysis, task, times)
            ranks[task, first.lane] = "fastest"
            ranks |= {(task, other.lane): "level" for other in others if not other.separated}
    return ranks
