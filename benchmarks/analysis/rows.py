"""One row for every task and lane: everything a table prints, worked out from the raw samples of a record.

Times per step are those of a run over its steps. A figure that was not measured is None, and `blank` says
why.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from statistics import median

from samestep.backends.interface import Tier
from samestep.backends.spec import Number, Spec

from ..record import Accuracy, Kind
from ..record.proof import not_shown
from ..statistics.inference import MARGIN, TOO_FEW_BLOCKS, Interval
from .lane_samples import LaneSamples
from .verdicts import Verdict

CONTROLS: dict[Kind, str] = {"alone": "run alone", "gc": "with the garbage collector on"}
BUSY = 0.95  # of a core: below it other programs were on it
TIMELESS = ("INVALID", "FAILED")
FROM_START = "from the first step"
NEVER_CHEAPER_START = "never: cheaper to start, slower for each step"
NEVER_NO_FASTER = "never: no faster for each step"
PERHAPS_NEVER = "perhaps never: the interval of the ratio reaches 1"
NOTHING_CLAIMED = "no claim: UNSTABLE"
NEITHER = "no claim: the interval of the ratio holds 1"
UNKNOWN = f"no claim: {TOO_FEW_BLOCKS}"


class BreakEven(Spec):
    """The number of steps after which a lane has paid for its first call against the baseline.

    `steps` is None where that never comes, is so from the start, or nothing may be claimed; `reason` says which,
    or why its interval has no ends, or no upper one.
    """

    steps: Interval | None
    reason: str = ""

    @property
    def kind(self) -> str:
        """In a word or two: "after some steps", "from the first step", "never", "perhaps never" or "no claim"."""
        if self.steps:
            return "after some steps"
        return self.reason.partition(":")[0]


class Row(Spec):
    """A lane on a task. Times are seconds for each step, `first_call_s` the whole first run's, memory in bytes.

    `floor` is what the machine's measured rates allow at best, and `above_floor` how many times it the lane
    takes; `no_floor` says why there is none. `over_fastest` is the time over the least of the task of which
    something may be claimed. `proof` is the certificate's status, `parity_share` the largest ratio of a rounding
    error to its bound at any step. `notes` are what a reader must know to trust the row.
    """

    task: str
    lane: str
    tier: Tier | None
    gradient: str
    buffers: str
    compiled: str
    verdict: Verdict
    blank: str = ""
    time: Interval | None = None
    samples_per_second: Number | None = None
    import_s: Number | None = None
    first_call_s: Number | None = None
    break_even: BreakEven | None = None
    cpu_per_wall: Number | None = None
    peak_memory: int | None = None
    floor: Number | None = None
    above_floor: Number | None = None
    no_floor: str = ""
    over_fastest: Number | None = None
    parity_share: Number | None = None
    accuracy: Accuracy | None = None
    notes: tuple[str, ...] = ()
    proof: str = "not run"

    @property
    def ratio(self) -> Interval | None:
        """Time over the baseline's, with its 95% interval; None where nothing may be claimed of it."""
        return self.verdict.claim

    @property
    def is_unstable(self) -> bool:
        """Whether nothing may be claimed of the time, if there is one."""
        return self.verdict.word == "UNSTABLE"

    @property
    def reason(self) -> str:
        """The reason of the verdict, or of the missing time."""
        return self.verdict.reason or self.blank


def make_row(lane: LaneSamples, verdict: Verdict) -> Row:
    """The figures of a lane on a task beside its verdict."""
    arm = next((arm for arm in lane.record.arms if arm.lane == lane.lane), None)
    certified = lane.certified
    untimed = Row(
        task=lane.task,
        lane=lane.lane,
        tier=arm.tier if arm else None,
        gradient=arm.gradient if arm else "",
        buffers=arm.buffers if arm else "",
        compiled=arm.compiled if arm else "",
        verdict=verdict,
        parity_share=lane.bound_ratio,
        proof=certified.certificate.status if certified else "not run",
        accuracy=certified.accuracy if certified else None,
    )
    time = None if verdict.word in TIMELESS else lane.time_per_step
    if time is None:
        return untimed.model_copy(update={"blank": verdict.reason or "no block was finished"})
    times = {
        "time": time,
        "samples_per_second": lane.work.samples / lane.work.steps / time.value,
        **_cold(lane),
        "break_even": _break_even(lane, verdict),
        "cpu_per_wall": lane.cpu_per_wall,
        "floor": lane.floor,
        "above_floor": lane.floor and time.value / lane.floor,
        "no_floor": lane.no_floor,
    }
    return untimed.model_copy(update=times | {"notes": _notes(lane, time)})


def with_over_fastest(rows: Sequence[Row], barred: Container[tuple[str, str]]) -> tuple[Row, ...]:
    """The rows with times over the least time of their task, where something may be claimed of both.

    `barred`: tasks and lanes of which nothing is claimed. A task has no fastest lane where one of them may be
    faster: no other time is so short, or it did the work and has no time.
    """
    least: dict[str, float] = {}
    for task in dict.fromkeys(row.task for row in rows):
        of_task = [row for row in rows if row.task == task and row.proof == "pass"]
        times = [row.time.value if row.time else 0.0 for row in of_task if (task, row.lane) in barred]
        claimed = [row.time.value for row in of_task if row.time and (task, row.lane) not in barred]
        if claimed and min(claimed) < min(times, default=math.inf):
            least[task] = min(claimed)
    return tuple(
        row.model_copy(update={"over_fastest": row.time.value / least[row.task]})
        if row.time and (row.task, row.lane) not in barred and row.task in least
        else row
        for row in rows
    )


def _cold(lane: LaneSamples) -> dict[str, float | int | None]:
    colds = lane.cold_calls
    if not colds:
        return {}
    return {
        "import_s": median(cold.import_s for cold in colds),
        "first_call_s": median(cold.first_call_s for cold in colds),
        "peak_memory": max(cold.peak_memory for cold in colds),
    }


def _break_even(lane: LaneSamples, verdict: Verdict) -> BreakEven | None:
    """None for the baseline, and where no ratio to it may be claimed; of an unstable lane that nothing is."""
    if verdict.no_claim and lane is not lane.baseline:
        return BreakEven(steps=None, reason=NOTHING_CLAIMED)
    return break_even_steps(lane) if verdict.claim else None


def break_even_steps(lane: LaneSamples) -> BreakEven | None:
    """(C_lane - C_baseline) / (s_baseline - s_lane), C being a first call beyond its own run's steady time.

    The interval takes the ends of the ratio's interval and the extremes of the cold calls; where the ratio's says
    nothing of faster or slower, neither is claimed here. None where no first call or no ratio was measured.
    """
    ratios, base = lane.block_ratios, lane.baseline.time_per_step
    start_up, base_start_up = _start_up(lane), _start_up(lane.baseline)
    if not (ratios and start_up and base_start_up and base):
        return None
    ratio = lane.ratio
    cost = median(start_up) - median(base_start_up)
    if reason := _without_steps(cost, ratio):
        return BreakEven(steps=None, reason=reason)
    steps = cost / (base.value * (1 - ratio.value))
    least = max(0.0, min(start_up) - max(base_start_up))
    most = max(start_up) - min(base_start_up)
    saved = [base.value * (1 - end) for end in (ratio.low, ratio.high)]
    high = most / saved[1] if saved[1] > 0 else math.inf
    reason = "" if math.isfinite(high) else PERHAPS_NEVER
    return BreakEven(steps=Interval(value=steps, low=least / saved[0], high=high), reason=reason)


def _without_steps(cost: float, ratio: Interval) -> str:
    """Why there is no number of steps, as far as the interval of the ratio says so; "" where there is one."""
    if not math.isfinite(ratio.high):
        return UNKNOWN
    if cost <= 0:
        return FROM_START if ratio.high < 1 else NEVER_CHEAPER_START if ratio.low > 1 else NEITHER
    if ratio.value < 1:
        return ""
    return NEVER_NO_FASTER if ratio.low >= 1 else PERHAPS_NEVER


def _start_up(lane: LaneSamples) -> list[float]:
    """What each first call took beyond a steady run, seconds."""
    if lane.time_per_step is None:
        return []
    steady = lane.time_per_step.value * lane.work.steps
    return [cold.first_call_s - steady for cold in lane.cold_calls]


def _notes(lane: LaneSamples, time: Interval) -> tuple[str, ...]:
    plan, notes = lane.record.plan, []
    for kind, condition in CONTROLS.items():
        control = lane.control(kind)
        if control and (math.log(control.low) > MARGIN or math.log(control.high) < -MARGIN):
            notes.append(f"{condition} it takes {control.value:.3f} times as long")
    if plan.threads == "one" and plan.on_cpu and lane.cpu_per_wall < BUSY:
        cause = "a quota of its cgroup stopped it" if lane.throttled_slices else "other programs were running"
        notes.append(f"it had the CPU for only {lane.cpu_per_wall:.0%} of the time: {cause}")
    if lane.certified and lane.certified.certificate.products == "tf32":
        notes.append(
            "matrix products of TF32 inputs (11 bits): proven within their bound, wider than float32's"
        )
    if lane.certified and (hidden := not_shown(lane.certified.certificate.unrecorded)):
        notes.append(hidden)
    if lane.floor and time.value < lane.floor:
        notes.append(
            "below the floor, which no step can be: its rates were measured while the machine was slower"
        )
    if death := next((failure for failure in lane.failures if failure.died), None):
        block = "" if death.block is None else f" in block {death.block + 1}"
        notes.append(f"its process died once{block} and was started again ({death.phase}: {death.reason})")
    if lane.blocks_measured < (intended := lane.record.blocks_intended):
        notes.append(f"{lane.blocks_measured} of {intended} blocks")
    return tuple(notes)
