"""How much is measured. An effort changes the number of blocks, so the widths of intervals, never the test."""

from __future__ import annotations

from pydantic import Field

from backends.spec import Count, Positive, Spec
from benchmarks.parity.work import MOST_STEPS


class Effort(Spec):
    """One session's amount of work.

    blocks: groups of fresh workers; the statistic has blocks - 1 degrees of freedom.
    cold: cold first calls per task and lane, each in a process with empty compiler caches.
    rounds: fewest and most rounds of a block; between them, as many as fit `block_seconds` per task.
    slice_ms: timed work of a slice; runs shorter than this are repeated.
    controls: every how many blocks the control slices (garbage collector on, arm alone) are run.
    jobs: how many processes work side by side while certifying; times taken then say so.
    kept: steps of a certified run that stay in the record, to be judged again by anybody, at most.
    """

    name: str = Field(min_length=1)
    blocks: Count
    cold: Count = 1
    rounds: tuple[Count, Count] = (5, 10)
    block_seconds: Positive = 4.0
    slice_ms: Positive = 30.0
    controls: Count = 2
    jobs: Count = 2
    kept: Count = MOST_STEPS


class Limits(Spec):
    """When a worker counts as hung or out of memory: seconds per request, bytes of resident memory."""

    start: Positive = 300.0
    certify: Positive = 1800.0
    slice: Positive = 120.0
    memory: Count | None = None


EFFORTS = {
    effort.name: effort
    for effort in (
        # smoke is for trying things in seconds, not for claims
        Effort(name="smoke", blocks=2, rounds=(1, 1), slice_ms=1.0, controls=9),
        Effort(name="quick", blocks=6, rounds=(3, 10), block_seconds=1.5),
        Effort(name="standard", blocks=12, cold=3, block_seconds=6.0),
        Effort(name="rigorous", blocks=24, cold=3, block_seconds=6.0),
    )
}
