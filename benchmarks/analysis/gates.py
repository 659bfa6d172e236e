"""What keeps a time from being shown or judged: each gate gives its reason in one line, or None."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean, median

from ..console.choices import counted
from ..record import Record1, Slice, TimedSlice
from ..record.layout import is_out
from ..record.version_1 import Slice1
from ..statistics.inference import FEWEST_BLOCKS, MARGIN, Interval, Sample, drift
from . import gates_version_1
from .lane_samples import LaneSamples

CPU_PER_WALL = 1.05
HELP = (0.05, 600_000)  # of a slice, and nanoseconds: the larger may be CPU time of child processes
CLOCK = (0.02, 600_000)  # of a slice, and nanoseconds of CPU time: the larger may lie between two clocks
WAITING = (0.10, 5_000_000)  # the same of wall time, where other programs may delay messages
ENOUGH = 10  # slices that have a median which some delays do not move
SHORTEST_NS = 50_000  # a slice below it says more of the clock than of the lane
STEAL = 0.10
QUOTA = 0.10  # of the slices of a lane
TWIN, TWIN_LEVEL = math.log(1.01), 0.99


def failed(lane: LaneSamples) -> str | None:
    """Why a lane has no complete set of times: it raised, or its process died, hung or grew too large twice."""
    failures = lane.failures
    if not is_out(failures):
        return None
    failure = next((failure for failure in failures if not failure.died), failures[0])
    return f"{failure.phase}: {failure.reason}"


def invalid(lane: LaneSamples) -> str | None:
    """Why a lane's times do not count: parity, compiling, work that was not done, clocks or threads."""
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
    record = lane.record
    if isinstance(record, Record1):
        former = [timed for timed in slices if isinstance(timed, Slice1)]
        reason = gates_version_1.unproven(lane, record, certified, former, one_core=_one_core(lane))
        return reason or (_former_threads(slices) if _one_core(lane) else None)
    sealed = [timed for timed in slices if isinstance(timed, Slice)]
    return (
        _audit(lane)
        or _first_call(lane)
        or _clock(sealed, one_core=_one_core(lane))
        or _recompilation(sealed)
        or _resolution(sealed)
        or (_threads(sealed) if _one_core(lane) else None)
    )


def counted_time(lane: LaneSamples) -> Interval | None:
    """The time per step, if it counts: the lane is neither invalid nor failed."""
    return None if invalid(lane) or failed(lane) else lane.time_per_step


def untested(lane: LaneSamples) -> str:
    """Why a lane cannot be set against others: no time that counts, or too few blocks; empty where it can."""
    if reason := invalid(lane):
        return f"INVALID: {reason}"
    if reason := failed(lane):
        return f"FAILED: {reason}"
    if lane.blocks_measured < FEWEST_BLOCKS:
        return too_few(lane.blocks_measured, lane.record.blocks_intended)
    return ""


def too_few(blocks: int, planned: int, beside: str = "") -> str:
    """What is said of so few blocks: neither a test nor an interval is made of them."""
    return f"{blocks} of {planned} blocks were measured{beside}; a test needs {FEWEST_BLOCKS}"


def _audit(lane: LaneSamples) -> str | None:
    """An audit that found something wrong; or a block in which none of the lane's slices was audited."""
    for twin in (False, True):
        pairs = lane.analysis.slices(lane.task, lane.lane, twin=twin)
        audits = Counter(block for block, timed in pairs if isinstance(timed, Slice) and timed.audit)
        for block, timed in pairs:
            if isinstance(timed, Slice) and timed.audit and timed.audit.reason:
                return f"audit: {timed.audit.reason} (block {block + 1}, round {timed.round + 1})"
            if not audits[block]:
                return f"audit: no slice of block {block + 1} was done once more"
    return None


def _first_call(lane: LaneSamples) -> str | None:
    for cold in lane.cold_calls:
        if cold.audit is None:
            return "first call: it was not done once more"
        if cold.audit.reason:
            return f"first call: {cold.audit.reason}"
    return None


def _clock(slices: list[Slice], *, one_core: bool) -> str | None:
    """The lane's process and the coordinator disagree about time.

    On one core nothing takes more CPU time than time, and a busy host does not lengthen CPU time: the median of
    the slices counts. For lanes that wait, the wall time of most slices must be far off, since a busy host
    delays messages.
    """
    inside = [timed.elapsed_ns - timed.charged_ns for timed in slices]
    allowed = max(CLOCK[0] * median(inside), CLOCK[1])
    if not any(timed.children for timed in slices):
        clocks = [timed.cpu_ns for timed in slices]
        if one_core and _cores(slices) <= CPU_PER_WALL:
            clocks = list(map(min, clocks, inside))
        used = median(timed.outside_cpu_ns - ns for timed, ns in zip(slices, clocks, strict=True))
        if used > allowed:
            return f"clock: slices used {used / 1e3:.0f} us more CPU time {_disagreement(allowed)}"
    allowed = max(WAITING[0] * median(inside), WAITING[1])
    gaps = sorted(timed.outside_ns - ns for timed, ns in zip(slices, inside, strict=True))
    if len(gaps) >= ENOUGH and (gap := gaps[len(gaps) // 4]) > allowed:
        return f"clock: slices took {gap / 1e3:.0f} us longer {_disagreement(allowed)}"
    return None


def _cores(slices: list[Slice]) -> float:
    """CPU seconds for each second, by the coordinator's clocks: the median, or the mean where each is at least 1.

    A helper may find a core of its own in fewer than half of the slices; to wait in others makes up for none.
    The longer of both clocks counts there, since a busy host delays messages.
    """
    longer = (max(timed.outside_ns, timed.elapsed_ns - timed.charged_ns) for timed in slices)
    mean = fmean(max(1.0, timed.outside_cpu_ns / ns) for timed, ns in zip(slices, longer, strict=True))
    middle = median(timed.outside_cpu_ns / timed.outside_ns for timed in slices)
    return max(middle, mean)


def _disagreement(allowed: float) -> str:
    return f"outside than by the clock of the lane's process ({allowed / 1e3:.0f} us allowed)"


def _recompilation(slices: list[Slice]) -> str | None:
    compiled = sum(timed.compilations != 0 for timed in slices)
    return f"recompilation: in {compiled} of {len(slices)} timed slices" if compiled else None


def _resolution(slices: list[Slice]) -> str | None:
    length = median(timed.elapsed_ns for timed in slices)
    if length >= SHORTEST_NS:
        return None
    return f"resolution: a slice of {length / 1e3:.3g} us is shorter than clocks can tell"


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


def _threads(slices: list[Slice]) -> str | None:
    """More CPU time than wall time, by the coordinator's clocks or the lane's own, child processes included."""
    inside = median(timed.cpu_ns / max(timed.elapsed_ns - timed.charged_ns, 1) for timed in slices)
    used = max(_cores(slices), inside)
    if used > CPU_PER_WALL:
        beside = ", those of child processes included," if any(timed.children for timed in slices) else ""
        return f"threads: {used:.2f} CPU seconds per second{beside} under --threads one"
    return _helpers(slices)


def _helpers(slices: list[Slice]) -> str | None:
    """Child processes that work while their lane is timed, on average over its slices.

    Where other programs keep all cores busy, a lane and a helper on another core have no more than one core
    together, and still more of the machine than a lane without help.
    """
    used = fmean(timed.outside_cpu_ns - timed.cpu_ns if timed.children else 0 for timed in slices)
    allowed = max(HELP[0] * median(timed.elapsed_ns - timed.charged_ns for timed in slices), HELP[1])
    if used <= allowed:
        return None
    limit = f"({allowed / 1e3:.0f} us allowed)"
    return f"threads: child processes used {used / 1e3:.0f} us of CPU time in a slice under --threads one {limit}"


def _former_threads(slices: list[TimedSlice]) -> str | None:
    used = median(timed.cpu_ns / timed.elapsed_ns for timed in slices)
    return f"threads: {used:.2f} CPU seconds per second under --threads one" if used > CPU_PER_WALL else None


def unstable(lane: LaneSamples) -> str | None:
    """Why nothing may be claimed of a lane on its task: its times, the baseline's, or the ratio of the two."""
    reason, baseline = shaken(lane), lane.baseline
    if lane is baseline or counted_time(baseline) is None:
        return reason
    if of_baseline := shaken(baseline):
        also = f"the baseline {baseline.lane} is UNSTABLE"
        return f"{reason}; {also} too" if reason else f"{also}: {of_baseline}"
    return reason or drifted(lane, baseline)


def shaken(lane: LaneSamples) -> str | None:
    """Why a lane's own times cannot be trusted: the A/A control of its task, stolen time, or a CPU quota.

    The A/A control counts only when its 99% interval lies wholly beyond the limit.
    """
    controls = lane.aa_ratios
    if len(controls) > 1:
        low, high = Sample.of(controls).ends(TWIN_LEVEL)
        if low > TWIN or high < -TWIN:
            return f"twin: an identical arm took {math.exp(low):.3f} to {math.exp(high):.3f} times as long"
    if lane.stolen_ratio > STEAL:
        return f"steal: the host took {lane.stolen_ratio:.0%} of the time away"
    return _quota(lane)


def _quota(lane: LaneSamples) -> str | None:
    """The cgroup stopped the lane in too many of its slices, since a period's CPU time was used up."""
    stopped, count = lane.throttled_slices, len(lane.slices())
    if stopped <= QUOTA * count:
        return None
    quota = lane.record.plan.environment.quota
    allowed = f"of {counted(quota, 'CPU')} " if quota else ""
    return f"quota: the cgroup's limit {allowed}stopped it in {stopped} of {count} slices"


def drifted(lane: LaneSamples, other: LaneSamples) -> str | None:
    """That the ratio of two lanes moved while it was measured: the 99% interval lies wholly beyond the margin."""
    moved = drift(lane.ratios_to(other))
    if moved <= MARGIN:
        return None
    return f"drift: the ratio moved by more than {math.expm1(moved):.1%} between halves"
