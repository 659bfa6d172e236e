"""A sweep of a few sizes, for a process of its own: `python -c CODE OPTIONS`."""

from __future__ import annotations

from collections.abc import Sequence

LANES = ("--lane", "numpy", "--lane", "numpy:tuned", "--baseline", "numpy")


def sweep_code(
    *,
    batches: Sequence[int] = (1, 8),
    features: Sequence[int] = (2, 8),
    rows: Sequence[int] = (1_000,),
    blocks: int = 3,
) -> str:
    """The program: every batch size by every feature count, or numbers of rows, as little of each as can be."""
    return f"""
import sys
from samestep.benchmarks import cli
from samestep.benchmarks.commands import sweep as command
from samestep.benchmarks.measure import grid as sweep
from samestep.benchmarks.record import Effort

sweep.BATCHES, sweep.FEATURES, sweep.ROWS = {tuple(batches)}, {tuple(features)}, {tuple(rows)}
command.SWEEP = sweep.SWEEP = Effort(
    name="small sweep", blocks={blocks}, rounds=(1, 1), slice_ms=1.0, controls=9
)
cli.main(["sweep", *sys.argv[1:]])
"""
