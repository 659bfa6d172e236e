"""What keeps a time from being shown or judged: each gate gives its reason in one line, or None."""

from __future__ import annotations

import math
from statistics import median

from ..record import Block, Certified, Record, Slice, Unseen
from ..statistics.inference import MARGIN, Sample, drift
from .samples import block_ratios, log_times, slices, twin_ratios

CPU_PER_WALL = 1.05
RESYNC = (0.02, 50_000)  # of a run, and nanoseconds: the larger is allowed
UNSEEN = 2.0  # times as long as the certified run
STEAL = 0.10
TWIN, TWIN_LEVEL = math.log(1.01), 0.99


def failed(record: Record, task: str, lane: str) -> str | None:
    """Why a lane has no complete set of times: it raised, died, hung or ran out of memory."""
    for failure in record.failures:
        if (failure.task, failure.lane) == (task, lane):
            return f"{failure.phase}: {failure.reason}"
    return None


def invalid(record: Record, task: str, lane: str) -> str | None:
    """Why a lane's times do not count: parity, final parameters, memory, sync, recompilation or threads."""
    certified = record.certificate(task, lane)
    if certified is None:
        return None  # it never came to a certificate, which is a failure of its own
    if certified.certificate.status != "pass":
        return f"parity: {certified.certificate.reason}"
    pieces = [piece for twin in (False, True) for _, piece in slices(record, task, lane, twin=twin)]
    if not pieces:
        return None
    if wrong := _wrong(record, certified, pieces):
        return f"final parameters: {wrong} of {len(pieces)} slices did not end in the certified ones"
    if compiled := sum(piece.compilations for piece in pieces):
        return f"recompilation: {compiled} inside {len(pieces)} timed slices"
    if remembered := _memory(record, task, lane):
        return remembered
    return _sync(pieces) or (_threads(pieces) if _one_core(record) else None)


def _wrong(record: Record, certified: Certified, pieces: list[Slice]) -> int:
    """Slices that ended elsewhere: another bit on one CPU thread, beyond the allowance elsewhere."""
    ending = certified.ending(record.work(certified.task).steps)
    if ending is None:
        return len(pieces)
    if _one_core(record):
        return sum(piece.finals != 1 or piece.final != ending.final[:16] for piece in pieces)
    return sum(not piece.apart <= ending.allowance for piece in pieces)


def _one_core(record: Record) -> bool:
    """Whether every lane was held to one core and nothing but it."""
    return record.plan.threads == "one" and record.plan.on_cpu


def _memory(record: Record, task: str, lane: str) -> str | None:
    """A result that was remembered and not computed: work that the lane had not seen tells.

    The least of the blocks: who remembers does so in every block, noise comes in some. The known run beside it
    comes after other work, where a lane that keeps only its last result has forgotten; so the race counts too.
    """
    own = [(block, one) for block in record.blocks for one in block.unseen]
    own = [(block, one) for block, one in own if (one.task, one.lane) == (task, lane)]
    if any(one.same for _, one in own):
        return "memory: a run from another start ended in the certified parameters"
    longer = min((_longer(block, one) for block, one in own if one.known_cpu_ns), default=1.0)
    if longer <= UNSEEN:
        return None
    return f"memory: work that it had not seen before takes {longer:.1f} times as long"


def _longer(block: Block, one: Unseen) -> float:
    """Unseen work over the least that the certified run took in a block: by the wall and by CPU time, the lesser.

    Other programs make the first longer, and not the second; so without the second nothing is judged.
    """
    raced = [p for p in block.slices if (p.task, p.lane) == (one.task, one.lane)]
    wall = one.unseen_ns / min([one.known_ns, *(p.elapsed_ns / p.repeats for p in raced)])
    cpu = one.unseen_cpu_ns / min([one.known_cpu_ns, *(p.cpu_ns / p.repeats for p in raced)])
    return min(wall, cpu)


def _sync(pieces: list[Slice]) -> str | None:
    """A second sync and a fetch right after the stop, beyond what they cost once more.

    The lower quartile: who lets the clock stop too early does so in every slice, noise comes in some.
    """
    late = sorted(piece.resync_ns - piece.fetch_ns for piece in pieces)[len(pieces) // 4]
    allowed = max(RESYNC[0] * median(piece.elapsed_ns / piece.repeats for piece in pieces), RESYNC[1])
    if late <= allowed:
        return None
    return (
        f"sync: work went on for {late / 1e3:.0f} us after the clock stopped ({allowed / 1e3:.0f} us allowed)"
    )


def _threads(pieces: list[Slice]) -> str | None:
    used = median(piece.cpu_ns / piece.elapsed_ns for piece in pieces)
    return f"threads: {used:.2f} CPU seconds per second under --threads one" if used > CPU_PER_WALL else None


def unstable(record: Record, task: str, lane: str, baseline: str) -> str | None:
    """Why a comparison with the baseline cannot be judged: the twin, stolen time, or drift.

    Twin and drift count only when their 99% interval lies wholly beyond the limit.
    """
    twins = list(twin_ratios(record, task).values())
    if len(twins) > 1:
        low, high = Sample.of(twins).ends(TWIN_LEVEL)
        if low > TWIN or high < -TWIN:
            return f"twin: an identical arm took {math.exp(low):.3f} to {math.exp(high):.3f} times as long"
    stolen = _stolen(record, task, lane, baseline)
    if stolen > STEAL:
        return f"steal: the host took {stolen:.0%} of the time away"
    return _drift(record, task, lane, baseline)


def amiss(record: Record, task: str, lane: str, baseline: str) -> float:
    """By how much a log ratio may be off at most, by its twins and by the time that the host took away.

    Drift is left out: it widens the interval of the ratio itself.
    """
    twins = list(twin_ratios(record, task).values())
    apart = max(map(abs, Sample.of(twins).ends(TWIN_LEVEL))) if len(twins) > 1 else 0.0
    stolen = min(_stolen(record, task, lane, baseline), 0.99)
    return apart - math.log1p(-stolen)


def _stolen(record: Record, task: str, *lanes: str) -> float:
    """The share of its time that the host took away from a lane; of several, the most."""
    pieces = ([piece for _, piece in slices(record, task, lane)] for lane in lanes)
    spans = ((sum(p.steal_ns for p in own), sum(p.span_ns for p in own)) for own in pieces)
    return max(stolen / span if span else 0.0 for stolen, span in spans)


def _drift(record: Record, task: str, lane: str, baseline: str) -> str | None:
    ratios = block_ratios(log_times(record, task, lane), log_times(record, task, baseline))
    moved = drift(list(ratios.values()))
    return (
        f"drift: the ratio moved by more than {math.expm1(moved):.1%} between halves"
        if moved > MARGIN
        else None
    )
