"""The samples of a record, by task and lane, and the figures that need no verdict.

Times are in seconds. Each figure is worked out when it is first asked for, and kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from statistics import median
from typing import Any, Generic, TypeVar, get_args

from samestep.backends.interface import Tier

from ..console.errors import InputError
from ..record import (
    AnyRecord,
    Certified,
    Cold,
    Failure,
    Kind,
    PlannedWork,
    Record,
    RooflineLimits,
    Slice,
    TimedSlice,
)
from ..record.plan import work_pairs
from ..record.proof import Judgement
from ..statistics.inference import ALPHA, Interval, interval, t_interval
from ..statistics.sequential import ONLY, Look
from .lane_times import LogTimes, block_medians, block_ratios, log_times

L = TypeVar("L", bound="LaneSamples")
TIERS: tuple[Tier, ...] = get_args(Tier)


class RecordSamples(Generic[L]):
    """The samples of a record, and the baseline: the plan's unless another is named. `lane_type` is L.

    Lanes stand by tier, within each in the plan's order: a lane's name need not tell its tier.

    Raises:
        InputError: the baseline is not a lane of the record.
    """

    def __init__(self, record: AnyRecord, lane_type: type[L], baseline: str | None = None) -> None:
        self.record, self.baseline = record, baseline or record.plan.baseline
        tiers = {arm.lane: TIERS.index(arm.tier) for arm in record.arms}
        self.tasks = record.tasks
        self.lanes = tuple(sorted(record.plan.lanes, key=lambda lane: tiers.get(lane, len(TIERS))))
        if self.baseline not in self.lanes:
            lanes = ", ".join(self.lanes)
            raise InputError(f"no lane {self.baseline!r} in this record; its lanes are {lanes}")
        self.exploratory = self.baseline != record.plan.baseline
        self._slices: dict[tuple[str, str, bool, Kind], list[tuple[int, TimedSlice]]] = {}
        for block in record.blocks:
            cut_short = {(f.task, f.lane) for f in block.failures} if isinstance(record, Record) else set()
            for timed in block.slices:
                if (timed.task, timed.lane) in cut_short:
                    continue  # what its process did before it died was not audited
                arm = timed.task, timed.lane, timed.twin, timed.kind
                self._slices.setdefault(arm, []).append((block.index, timed))
        self.pairs = work_pairs(self.tasks, self.lanes, record.plan.unsupported_pairs)
        if absent := sorted({task for task in self.tasks if (task, self.baseline) not in self.pairs}):
            raise InputError(
                f"{self.baseline} is no baseline here: it is not in the race of {', '.join(absent)}"
            )
        self._lanes = {(task, lane): lane_type(self, task, lane) for task, lane in self.pairs}

    def __getitem__(self, key: tuple[str, str]) -> L:
        return self._lanes[key]

    def __iter__(self) -> Iterator[L]:
        """Every lane on every task that it can do, by tier."""
        return (self[pair] for pair in self.pairs)

    def of_task(self, task: str) -> list[L]:
        """Every lane in the race of a task, by tier."""
        return [self[pair] for pair in self.pairs if pair[0] == task]

    def slices(
        self, task: str, lane: str, *, twin: bool = False, kind: Kind = "race"
    ) -> list[tuple[int, TimedSlice]]:
        """The slices of one arm, each with the index of its block, in the order of measuring."""
        return self._slices.get((task, lane, twin, kind), [])

    @cached_property
    def look(self) -> Look:
        """The look of its run at which the record stands."""
        return look_of(self.record)

    @property
    def level(self) -> float:
        """Of intervals: together with those of the other looks they hold what they estimate in 95% of runs."""
        return 1 - self.look.level(ALPHA)

    def aa_ratios(self, task: str) -> dict[int, float]:
        """{block: log(t_control / t_lane)} of the lane that ran twice in that block, as an A/A control."""
        if task not in self._aa_ratios:
            ratios: dict[int, float] = {}
            for lane in self.of_task(task):
                ratios |= block_ratios(lane.log_times(twin=True), lane.log_times())
            self._aa_ratios[task] = dict(sorted(ratios.items()))
        return self._aa_ratios[task]

    @cached_property
    def _aa_ratios(self) -> dict[str, dict[int, float]]:
        return {}


class LaneSamples:
    """A lane on a task: its samples, ratios and times, in seconds."""

    def __init__(self, analysis: RecordSamples[Any], task: str, lane: str) -> None:
        self.analysis, self.task, self.lane = analysis, task, lane

    @property
    def record(self) -> AnyRecord:
        """The record that is analyzed."""
        return self.analysis.record

    @property
    def baseline(self) -> LaneSamples:
        """The baseline on the same task."""
        baseline: LaneSamples = self.analysis[self.task, self.analysis.baseline]
        return baseline

    @cached_property
    def work(self) -> PlannedWork:
        """The work that the plan asked for."""
        return self.record.work(self.task)

    @cached_property
    def certified(self) -> Certified | None:
        """The lane's certificate on this task, with what its training reached."""
        return self.record.certificate(self.task, self.lane)

    @property
    def judgement(self) -> Judgement | None:
        """The judgement of the certificate in the task's own dtype."""
        evidence = self.certified.certificate.evidence if self.certified else ()
        return evidence[-1].judgement if evidence else None

    @cached_property
    def failures(self) -> list[Failure]:
        """What the lane came to on this task."""
        key = self.task, self.lane
        return [failure for failure in self.record.failures if (failure.task, failure.lane) == key]

    # --- samples ----------------------------------------------------------------------------------

    def slices(self, *, twin: bool = False, kind: Kind = "race") -> list[TimedSlice]:
        """The slices of one arm of this lane, in the order of measuring."""
        return [timed for _, timed in self.analysis.slices(self.task, self.lane, twin=twin, kind=kind)]

    @cached_property
    def seconds_per_step(self) -> list[float]:
        """One value for each slice of the race, in the order of measuring."""
        return [timed.elapsed_ns / timed.repeats / self.work.steps / 1e9 for timed in self.slices()]

    def log_times(self, *, twin: bool = False, kind: Kind = "race") -> LogTimes:
        """{block: {round: log of the seconds of one run}} of one arm of this lane."""
        return self._race_times if (twin, kind) == (False, "race") else self._log_times(twin, kind)

    @cached_property
    def _race_times(self) -> LogTimes:
        return self._log_times(False, "race")

    def _log_times(self, twin: bool, kind: Kind) -> LogTimes:
        return log_times(self.analysis.slices(self.task, self.lane, twin=twin, kind=kind))

    def ratios_to(self, other: LaneSamples) -> list[float]:
        """For each block the median over rounds of log(t / t_other)."""
        return list(block_ratios(self.log_times(), other.log_times()).values())

    @cached_property
    def block_ratios(self) -> list[float]:
        """For each block the median over rounds of log(t / t_baseline)."""
        return self.ratios_to(self.baseline)

    @cached_property
    def ratio(self) -> Interval:
        """The ratio to the baseline with its 95% interval, which a run with looks keeps over all of them."""
        return interval(self.block_ratios, level=self.analysis.level)

    @property
    def aa_ratios(self) -> list[float]:
        """For each block log(t_control / t_lane) of the lane that ran twice in it: an A/A control."""
        return list(self.analysis.aa_ratios(self.task).values())

    # --- figures ----------------------------------------------------------------------------------

    @cached_property
    def blocks_measured(self) -> int:
        """The number of blocks in which the lane raced."""
        return len(self.log_times())

    @cached_property
    def time_per_step(self) -> Interval | None:
        """Geometric mean over blocks of the median over rounds, with its 95% interval."""
        logs = list(block_medians(self.log_times()).values())
        return interval(logs, level=self.analysis.level, scale=1 / self.work.steps) if logs else None

    @cached_property
    def cpu_per_wall(self) -> float:
        """CPU seconds for each second of the timed runs."""
        slices = self.slices()
        return sum(timed.cpu_ns for timed in slices) / sum(timed.elapsed_ns for timed in slices)

    @cached_property
    def stolen_ratio(self) -> float:
        """Of the time of its slices, the part in which the host ran something else; 0 without slices."""
        slices = self.slices()
        span = sum(timed.span_ns for timed in slices)
        return sum(timed.steal_ns for timed in slices) / span if span else 0.0

    @cached_property
    def throttled_slices(self) -> int:
        """The slices of the race in which a CPU quota stopped the lane."""
        return sum(isinstance(timed, Slice) and timed.throttled > 0 for timed in self.slices())

    @cached_property
    def instructions_per_step(self) -> float | None:
        """Instructions retired for each step, the median over the slices; None where nobody counts."""
        steps = self.work.steps
        counts = [
            timed.instructions / timed.repeats / steps
            for timed in self.slices()
            if isinstance(timed, Slice) and timed.instructions is not None
        ]
        return median(counts) if counts else None

    @property
    def bound_ratio(self) -> float | None:
        """The largest ratio of a rounding error to its bound at any step, in the task's dtype."""
        worst = self.judgement.quantities.values() if self.judgement else ()
        return max((quantity.share for quantity in worst), default=None)

    @cached_property
    def limits(self) -> RooflineLimits | None:
        """The machine's limits at the task's size."""
        return next((limits for limits in self.record.ceilings if limits.task == self.task), None)

    @cached_property
    def floor(self) -> float | None:
        """The least seconds of a full step; None where `no_floor` says why."""
        least = roofline_floor(self.work, self.limits) if self.limits else None
        return least if least is not None and math.isfinite(least) else None

    @property
    def no_floor(self) -> str:
        """Why there is no floor."""
        if self.floor is not None:
            return ""
        if not self.record.plan.on_cpu:
            return "only the CPU's limits are measured"
        if self.limits and self.limits.peak_rate is None:
            return "the rates of this record hold the cost of calls"
        return "the machine's limits were not measured"

    @property
    def cold_calls(self) -> list[Cold]:
        """The first calls in fresh processes."""
        return [cold for cold in self.record.colds if (cold.task, cold.lane) == (self.task, self.lane)]

    def control(self, kind: Kind) -> Interval | None:
        """Time of the control slices over that of the race, in the same blocks; None with fewer than two."""
        race, other = block_medians(self.log_times()), block_medians(self.log_times(kind=kind))
        gaps = [other[block] - race[block] for block in race.keys() & other.keys()]
        return t_interval(gaps) if len(gaps) > 1 else None


def look_of(record: AnyRecord) -> Look:
    """The look at which a record stands: at its end, at one of the plan's looks, or where it was broken off.

    What was broken off shows what it has, and can be gone on with: that is a look, too, whatever the effort.
    """
    effort, blocks = record.plan.effort, len(record.blocks)
    if not blocks:
        return ONLY
    seen = [gone_on.blocks for gone_on in record.resumptions if gone_on.blocks < effort.blocks]
    return Look.at(blocks, (*effort.looks, *seen), effort.blocks)


def roofline_floor(work: PlannedWork, limits: RooflineLimits) -> float | None:
    """The least seconds that the machine's measured rates allow one full step; None without a peak rate.

    max(bytes of its rows / read rate, operations / peak rate). Parameters, row numbers and whatever lies between
    two operations can stay in registers or nearer caches, and are not counted: no step can be faster.
    """
    if limits.peak_rate is None:
        return None
    return max(work.row_bytes_per_step / limits.read_rate, work.flops_per_step / limits.peak_rate)
