"""One row for every task and lane: everything a table prints, recomputed from the raw samples of a record.

Times per step are those of a run over its steps. A figure that was not measured is None, and `blank` says why.
"""

from __future__ import annotations

import math
from statistics import median

from samestep.backends.interface import Tier
from samestep.backends.spec import Number, Spec

from ..measure.limits import floor
from ..record import Cold, Kind, Record
from ..record.outcome import Accuracy
from ..statistics.inference import MARGIN, Interval, interval
from .samples import block_ratios, block_times, log_times, slices
from .verdicts import Verdict, judge

CONTROLS: dict[Kind, str] = {"alone": "run alone", "gc": "with the garbage collector on"}
BUSY = 0.95  # of a core: below it somebody else was on it
TIMELESS = ("INVALID", "FAILED")


class BreakEven(Spec):
    """The number of steps after which a lane has paid for its first call against the baseline.

    `steps` is None where that never comes or is so from the start; `reason` says which.
    """

    steps: Interval | None
    reason: str = ""


class Row(Spec):
    """A lane on a task. Times are seconds for each step, `first_call_s` the whole first run's, memory in bytes.

    `floor` is what the machine's measured rates allow at best, and `above_floor` how many times it the lane
    takes. `proof` is the certificate's status, `parity_share` the largest share of its rounding bound that a
    step used. `notes` are what a reader must know to trust the row.
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
    samples_per_second: float | None = None
    import_s: float | None = None
    first_call_s: float | None = None
    break_even: BreakEven | None = None
    cpu_per_wall: float | None = None
    peak_memory: int | None = None
    floor: float | None = None
    above_floor: float | None = None
    parity_share: Number | None = None
    accuracy: Accuracy | None = None
    notes: tuple[str, ...] = ()
    proof: str = "not run"


def summarize(record: Record, *, baseline: str | None = None) -> tuple[Row, ...]:
    """A row for every task and lane, in the plan's order.

    Raises:
        InputError: the baseline is not a lane of this record.
    """
    chosen = baseline or record.plan.baseline
    return tuple(_row(record, verdict, chosen) for verdict in judge(record, baseline=chosen))


def _row(record: Record, verdict: Verdict, baseline: str) -> Row:
    task, lane = verdict.task, verdict.lane
    arm = next((arm for arm in record.arms if arm.lane == lane), None)
    certified = record.certificate(task, lane)
    row = Row(
        task=task,
        lane=lane,
        tier=arm.tier if arm else None,
        gradient=arm.gradient if arm else "",
        buffers=arm.buffers if arm else "",
        compiled=arm.compiled if arm else "",
        verdict=verdict,
        parity_share=parity_share(record, task, lane),
        proof=certified.certificate.status if certified else "not run",
        accuracy=certified.accuracy if certified else None,
    )
    time = None if verdict.word in TIMELESS else time_per_step(record, task, lane)
    if time is None:
        return row.model_copy(update={"blank": verdict.reason or "no block was finished"})
    work = record.work(task)
    floor = floor_per_step(record, task)
    times = {
        "time": time,
        "samples_per_second": work.samples / work.steps / time.value,
        **_cold(record, task, lane),
        "break_even": None if lane == baseline else break_even(record, task, lane, baseline),
        "cpu_per_wall": cpu_per_wall(record, task, lane),
        "floor": floor,
        "above_floor": floor and time.value / floor,
    }
    return row.model_copy(update=times | {"notes": _notes(record, task, lane, time, floor)})


def time_per_step(record: Record, task: str, lane: str) -> Interval | None:
    """Geometric mean over blocks of the median over rounds, with its 95% interval; seconds."""
    logs = list(block_times(log_times(record, task, lane)).values())
    return interval(logs, scale=1 / record.work(task).steps) if logs else None


def cpu_per_wall(record: Record, task: str, lane: str) -> float:
    """CPU seconds for each second of the timed runs."""
    pieces = [piece for _, piece in slices(record, task, lane)]
    return sum(piece.cpu_ns for piece in pieces) / sum(piece.elapsed_ns for piece in pieces)


def parity_share(record: Record, task: str, lane: str) -> float | None:
    """The largest share of its bound that any quantity used at any step, in the task's own dtype."""
    certified = record.certificate(task, lane)
    if certified is None or not certified.certificate.evidence:
        return None
    worst = certified.certificate.evidence[-1].judgement.quantities.values()
    return max((quantity.share for quantity in worst), default=None)


def floor_per_step(record: Record, task: str) -> float | None:
    """The least seconds of a full step; None where the machine's limits were not measured or are absurd."""
    ceiling = next((ceiling for ceiling in record.ceilings if ceiling.task == task), None)
    least = floor(record.work(task), ceiling) if ceiling else math.inf
    return least if math.isfinite(least) else None


def _cold(record: Record, task: str, lane: str) -> dict[str, float | int | None]:
    colds = cold_calls(record, task, lane)
    if not colds:
        return {}
    return {
        "import_s": median(cold.import_s for cold in colds),
        "first_call_s": median(cold.first_call_s for cold in colds),
        "peak_memory": max(cold.peak_memory for cold in colds),
    }


def cold_calls(record: Record, task: str, lane: str) -> list[Cold]:
    """The cold first calls of a lane on a task."""
    return [cold for cold in record.colds if (cold.task, cold.lane) == (task, lane)]


def break_even(record: Record, task: str, lane: str, baseline: str) -> BreakEven | None:
    """(C_lane - C_baseline) / (s_baseline - s_lane), C being a first call beyond its own run's steady time.

    The interval takes the ends of the ratio's 95% interval and the extremes of the cold calls. None where no
    first call or no ratio was measured.
    """
    ratios = list(block_ratios(log_times(record, task, lane), log_times(record, task, baseline)).values())
    own, other = _start_up(record, task, lane), _start_up(record, task, baseline)
    base = time_per_step(record, task, baseline)
    if not (ratios and own and other and base):
        return None
    ratio = interval(ratios)
    cost = median(own) - median(other)
    if cost <= 0:
        if ratio.value <= 1:
            return BreakEven(steps=None, reason="from the first step")
        return BreakEven(steps=None, reason="never: cheaper to start, slower for each step")
    if ratio.value >= 1:
        return BreakEven(steps=None, reason="never: no faster for each step")
    least, most = max(0.0, min(own) - max(other)), max(own) - min(other)
    saved = [base.value * (1 - end) for end in (ratio.low, ratio.high)]
    high = most / saved[1] if saved[1] > 0 else math.inf
    steps = Interval(value=cost / (base.value * (1 - ratio.value)), low=least / saved[0], high=high)
    return BreakEven(steps=steps)


def _start_up(record: Record, task: str, lane: str) -> list[float]:
    """What each first call took beyond a steady run, seconds."""
    time = time_per_step(record, task, lane)
    if time is None:
        return []
    steady = time.value * record.work(task).steps
    return [cold.first_call_s - steady for cold in cold_calls(record, task, lane)]


def control(record: Record, task: str, lane: str, kind: Kind) -> Interval | None:
    """Time of the control slices over that of the race, in the same blocks; None with fewer than two."""
    race = block_times(log_times(record, task, lane))
    other = block_times(log_times(record, task, lane, kind=kind))
    gaps = [other[block] - race[block] for block in race.keys() & other.keys()]
    return interval(gaps) if len(gaps) > 1 else None


def _notes(record: Record, task: str, lane: str, time: Interval, floor: float | None) -> tuple[str, ...]:
    notes = []
    for kind, words in CONTROLS.items():
        found = control(record, task, lane, kind)
        if found and (math.log(found.low) > MARGIN or math.log(found.high) < -MARGIN):
            notes.append(f"{words} it takes {found.value:.3f} times as long")
    used = cpu_per_wall(record, task, lane)
    if record.plan.threads == "one" and record.plan.on_cpu and used < BUSY:
        notes.append(f"it had the CPU for only {used:.0%} of the time: other programs were running")
    proof = record.certificate(task, lane)
    if proof and proof.certificate.products == "tf32":
        notes.append(
            "matrix products of TF32 inputs (11 bits): proven within their bound, wider than float32's"
        )
    if floor is None:
        known = (
            "the machine's limits were not measured"
            if record.plan.on_cpu
            else "only the CPU's limits are measured"
        )
        notes.append(f"no floor: {known}")
    elif time.high < floor:
        notes.append("below the measured floor: caches or fusion can do that; look at it")
    measured = len(block_times(log_times(record, task, lane)))
    if measured < record.plan.effort.blocks:
        notes.append(f"{measured} of {record.plan.effort.blocks} blocks")
    return tuple(notes)
