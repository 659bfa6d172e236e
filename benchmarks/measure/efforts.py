"""How much is measured. An effort changes the number of blocks, so the widths of intervals, never the test."""

from __future__ import annotations

from samestep.backends.spec import Count, Positive, Spec

from ..record.plan import Effort


class WorkerLimits(Spec):
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
        Effort(name="quick", blocks=6, block_seconds=6.0),
        Effort(name="standard", blocks=12, cold=3, block_seconds=6.0),
        Effort(name="rigorous", blocks=24, cold=3, block_seconds=6.0),
    )
}
# what a run may go on until: looks at half, three quarters and all of the blocks
UNTIL = {"decided": Effort(name="until decided", blocks=24, cold=3, block_seconds=6.0, looks=(12, 18))}
