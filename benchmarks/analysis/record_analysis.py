"""A record as figures: made once from a record, then asked by task and lane.

`RecordAnalysis(record)[task, lane]` holds everything that is worked out for a lane on a task. Each figure is
worked out when it is first asked for, and kept.
"""

from __future__ import annotations

from functools import cached_property

from ..record import AnyRecord
from ..statistics.inference import Interval
from . import gates
from .comparable import no_claim
from .crossover import Crossover, crossover
from .lane_samples import LaneSamples, RecordSamples
from .rows import Row, make_row, with_over_fastest
from .tier_rank import TierRank, TierRanks, tier_ranks
from .verdicts import Verdict, give_verdicts


class RecordAnalysis(RecordSamples["LaneAnalysis"]):
    """The figures of a record against a baseline, which is the plan's unless another is named.

    Raises:
        InputError: the baseline is not a lane of the record.
    """

    def __init__(self, record: AnyRecord, baseline: str | None = None) -> None:
        super().__init__(record, LaneAnalysis, baseline)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """A verdict for every task and lane, by tier; one family of comparisons."""
        return give_verdicts(self)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for every task and lane, by tier."""
        barred = {(lane.task, lane.lane) for lane in self if no_claim(lane)}
        return with_over_fastest(
            [make_row(self[each.task, each.lane], each) for each in self.verdicts], barred
        )

    @cached_property
    def verdict_of(self) -> dict[tuple[str, str], Verdict]:
        """The verdicts by task and lane."""
        return {(verdict.task, verdict.lane): verdict for verdict in self.verdicts}

    @cached_property
    def row_of(self) -> dict[tuple[str, str], Row]:
        """The rows by task and lane."""
        return {(row.task, row.lane): row for row in self.rows}

    def rows_of(self, task: str) -> list[Row]:
        """The rows of a task."""
        return [row for row in self.rows if row.task == task]

    @cached_property
    def tier_ranks(self) -> TierRanks:
        """{(task, lane): rank} of the lanes that lead their tier."""
        return tier_ranks(self, self.rows)

    @cached_property
    def crossover(self) -> Crossover | None:
        """The map of the fastest lanes, where the tasks fill a grid of sizes."""
        return crossover(self)


class LaneAnalysis(LaneSamples):
    """A lane on a task: its samples, gates, verdict and row."""

    analysis: RecordAnalysis

    @cached_property
    def failed(self) -> str | None:
        """Why the lane has no complete set of times."""
        return gates.failed(self)

    @cached_property
    def invalid(self) -> str | None:
        """Why the lane's times do not count."""
        return gates.invalid(self)

    @property
    def counted_time(self) -> Interval | None:
        """The time per step, if it counts: the lane is neither invalid nor failed."""
        return gates.counted_time(self)

    @property
    def verdict(self) -> Verdict:
        """The lane against the baseline."""
        return self.analysis.verdict_of[self.task, self.lane]

    @property
    def tier_rank(self) -> TierRank | None:
        """The lane's rank in its tier on this task, if it leads it."""
        return self.analysis.tier_ranks.get((self.task, self.lane))

    @property
    def row(self) -> Row:
        """The figures of the lane's row."""
        return self.analysis.row_of[self.task, self.lane]
