"""The gates of records of version 1: runs from the certified start must end in the certified parameters."""

from __future__ import annotations

from statistics import median

from ..record import Certified
from ..record.version_1 import Block1, Record1, Slice1, Unseen
from .lane_samples import LaneSamples

RESYNC = (0.02, 50_000)  # of a run, and nanoseconds: the larger is allowed
UNSEEN = 2.0  # times as long as the certified run


def unproven(
    lane: LaneSamples, record: Record1, certified: Certified, slices: list[Slice1], *, one_core: bool
) -> str | None:
    """Why timed slices are not the certified work, but for recompilations and threads."""
    if wrong := _wrong_endings(lane, certified, slices, one_core=one_core):
        return f"final parameters: {wrong} of {len(slices)} slices did not end in the certified ones"
    if compiled := sum(timed.compilations for timed in slices):
        return f"recompilation: {compiled} inside {len(slices)} timed slices"
    return _memory(lane, record) or _sync(slices)


def _wrong_endings(lane: LaneSamples, certified: Certified, slices: list[Slice1], *, one_core: bool) -> int:
    """Slices that ended elsewhere: another bit on one CPU thread, beyond the allowance elsewhere."""
    ending = certified.ending(lane.work.steps)
    if ending is None:
        return len(slices)
    if one_core:
        return sum(timed.finals != 1 or timed.final != ending.final[:16] for timed in slices)
    return sum(not timed.apart <= ending.allowance for timed in slices)


def _memory(lane: LaneSamples, record: Record1) -> str | None:
    """A result that was remembered and not computed: work that the lane had not seen takes longer.

    The least of the blocks counts: a lane that remembers does so in every block, noise comes in some. The
    certified run beside it comes after other work, where a lane that keeps only its last result has forgotten
    it; so the times of the race count too.
    """
    key = lane.task, lane.lane
    runs = [(block, run) for block in record.blocks for run in block.unseen if (run.task, run.lane) == key]
    if any(run.same for _, run in runs):
        return "memory: a run from another start ended in the certified parameters"
    longer = min((_slowdown(block, run) for block, run in runs if run.known_cpu_ns), default=1.0)
    if longer <= UNSEEN:
        return None
    return f"memory: work that it had not seen before takes {longer:.1f} times as long"


def _slowdown(block: Block1, run: Unseen) -> float:
    """Unseen work over the least that the certified run took in a block: by the wall and by CPU time, the lesser.

    Other programs lengthen the wall time and not the CPU time; so without CPU time nothing is judged.
    """
    raced = [timed for timed in block.slices if (timed.task, timed.lane) == (run.task, run.lane)]
    wall = run.unseen_ns / min([run.known_ns, *(timed.elapsed_ns / timed.repeats for timed in raced)])
    cpu = run.unseen_cpu_ns / min([run.known_cpu_ns, *(timed.cpu_ns / timed.repeats for timed in raced)])
    return min(wall, cpu)


def _sync(slices: list[Slice1]) -> str | None:
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
