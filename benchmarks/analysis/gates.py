"""What keeps a time from being shown or judged: each gate gives its reason in one line, or None."""

from __future__ import annotations

import math
from statistics import median

from ..record import Block, Certified, Slice, Unseen
from ..statistics.inference import MARGIN, Interval, Sample, drift
from .lane_samples import LaneSamples

CPU_PER_WALL = 1.05
RESYNC = (0.02, 50_000)  # of a run, and nanoseconds: the larger is allowed
UNSEEN = 2.0  # times as long as the certified run
STEAL = 0.10
TWIN, TWIN_LEVEL = math.log(1.01), 0.99


def failed(lane: LaneSamples) -> str | None:
    """Why a lane has no complete set of times: it raised, died, hung or ran out of memory."""
    for failure in lane.record.failures:
        if (failure.task, failure.lane) == (lane.task, lane.lane):
            return f"{failure.phase}: {failure.reason}"
    return None


def invalid(lane: LaneSamples) -> str | None:
    """Why a lane's times do not count: parity, compiling, final parameters, memory, sync or threads."""
    certified = lane.certified
    if certified is None:
        return None  # it never came to a certificate, which is a failure of its own
    if certified.certificate.status != "pass":
        return f"parity: {certified.certificate.reason}"
    if reason := _not_compiled(lane):
        return reason
    slices = [*lane.slices(), *lane.slices(twin=True)]
    if not slices:
        return None
    if wrong := _wrong_endings(lane, certified, slices):
        return f"final parameters: {wrong} of {len(slices)} slices did not end in the certified ones"
    if compiled := sum(timed.compilations for timed in slices):
        return f"recompilation: {compiled} inside {len(slices)} timed slices"
    return _memory(lane) or _sync(slices) or (_threads(slices) if _one_core(lane) else None)


def counted_time(lane: LaneSamples) -> Interval | None:
    """The time per step, if it counts: the lane is neither invalid nor failed."""
    return None if invalid(lane) or failed(lane) else lane.time_per_step


def _wrong_endings(lane: LaneSamples, certified: Certified, slices: list[Slice]) -> int:
    """Slices that ended elsewhere: another bit on one CPU thread, beyond the allowance elsewhere."""
    ending = certified.ending(lane.work.steps)
    if ending is None:
        return len(slices)
    if _one_core(lane):
        return sum(timed.finals != 1 or timed.final != ending.final[:16] for timed in slices)
    return sum(not timed.apart <= ending.allowance for timed in slices)


def _not_compiled(lane: LaneSamples) -> str | None:
    """A lane that says it is compiled, in a process where its framework compiled no program at all."""
    arm = next((arm for arm in lane.record.arms if arm.lane == lane.lane), None)
    if arm is None or arm.compiled == "no":
        return None
    if all(cold.programs_compiled != 0 for cold in lane.cold_calls):  # None: nobody counts
        return None
    return f"not compiled: its {arm.compiled} is said to be one program, and {arm.framework} compiled none"


def _one_core(lane: LaneSamples) -> bool:
    """Whether every lane was held to one core and nothing but it."""
    return lane.record.plan.threads == "one" and lane.record.plan.on_cpu


def _memory(lane: LaneSamples) -> str | None:
    """A result that was remembered and not computed: work that the lane had not seen takes longer.

    The least of the blocks counts: a lane that remembers does so in every block, noise comes in some. The
    certified run beside it comes after other work, where a lane that keeps only its last result has forgotten
    it; so the times of the race count too.
    """
    key = lane.task, lane.lane
    runs = [
        (block, run) for block in lane.record.blocks for run in block.unseen if (run.task, run.lane) == key
    ]
    if any(run.same for _, run in runs):
        return "memory: a run from another start ended in the certified parameters"
    longer = min((_slowdown(block, run) for block, run in runs if run.known_cpu_ns), default=1.0)
    if longer <= UNSEEN:
        return None
    return f"memory: work that it had not seen before takes {longer:.1f} times as long"


def _slowdown(block: Block, run: Unseen) -> float:
    """Unseen work over the least that the certified run took in a block: by the wall and by CPU time, the lesser.

    Other programs lengthen the wall time and not the CPU time; so without CPU time nothing is judged.
    """
    raced = [timed for timed in block.slices if (timed.task, timed.lane) == (run.task, run.lane)]
    wall = run.unseen_ns / min([run.known_ns, *(timed.elapsed_ns / timed.repeats for timed in raced)])
    cpu = run.unseen_cpu_ns / min([run.known_cpu_ns, *(timed.cpu_ns / timed.repeats for timed in raced)])
    return min(wall, cpu)


def _sync(slices: list[Slice]) -> str | None:
    """A second sync and a fetch right after the stop, beyond what they cost once more.

    The lower quartile counts: a lane whose clock stops too early does so in every slice, noise comes in some.
    """
    late = sorted(timed.resync_ns - timed.fetch_ns for timed in slices)[len(slices) // 4]
    allowed = max(RESYNC[0] * median(timed.elapsed_ns / timed.repeats for timed in slices), RESYNC[1])
    if late <= allowed:
        return None
    return (
        f"sync: work went on for {late / 1e3:.0f} us after the clock stopped ({allowed / 1e3:.0f} us allowed)"
    )


def _threads(slices: list[Slice]) -> str | None:
    used = median(timed.cpu_ns / timed.elapsed_ns for timed in slices)
    return f"threads: {used:.2f} CPU seconds per second under --threads one" if used > CPU_PER_WALL else None


def unstable(lane: LaneSamples, other: LaneSamples) -> str | None:
    """Why a comparison of two lanes cannot be judged: the A/A control, stolen time, or drift.

    A/A control and drift count only when their 99% interval lies wholly beyond the limit.
    """
    controls = lane.aa_ratios
    if len(controls) > 1:
        low, high = Sample.of(controls).ends(TWIN_LEVEL)
        if low > TWIN or high < -TWIN:
            return f"twin: an identical arm took {math.exp(low):.3f} to {math.exp(high):.3f} times as long"
    stolen = max(lane.stolen_ratio, other.stolen_ratio)
    if stolen > STEAL:
        return f"steal: the host took {stolen:.0%} of the time away"
    moved = drift(lane.ratios_to(other))
    return (
        f"drift: the ratio moved by more than {math.expm1(moved):.1%} between halves"
        if moved > MARGIN
        else None
    )


def largest_bias(lane: LaneSamples, other: LaneSamples) -> float:
    """By how much a log ratio may be wrong at most, by its A/A controls and by the time that the host took away.

    Drift is left out: it widens the interval of the ratio itself.
    """
    controls = lane.aa_ratios
    distance = max(map(abs, Sample.of(controls).ends(TWIN_LEVEL))) if len(controls) > 1 else 0.0
    stolen = min(max(lane.stolen_ratio, other.stolen_ratio), 0.99)
    return distance - math.log1p(-stolen)
