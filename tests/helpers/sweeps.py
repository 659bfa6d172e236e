"""A sweep on a grid of two by two, for a process of its own: `python -c SMALL OPTIONS`."""

from __future__ import annotations

SMALL = """
import sys
from samestep.benchmarks import cli
from samestep.benchmarks.commands import sweep as command
from samestep.benchmarks.measure import grid as sweep
from samestep.benchmarks.record import Effort

sweep.BATCHES, sweep.FEATURES = (1, 8), (2, 8)
command.SWEEP = sweep.SWEEP = Effort(name="small sweep", blocks=3, rounds=(1, 1), slice_ms=1.0, controls=9)
cli.main(["sweep", *sys.argv[1:]])
"""
LANES = ("--lane", "numpy", "--lane", "numpy:tuned", "--baseline", "numpy")
