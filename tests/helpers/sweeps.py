"""A sweep of a few sizes, for a process of its own: `python -c CODE OPTIONS`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.paths import ROOT

LANES = ("--lane", "numpy", "--lane", "numpy:tuned", "--baseline", "numpy")


def sweep_code(
    *,
    batches: Sequence[int] = (1, 8),
    features: Sequence[int] = (2, 8),
    rows: Sequence[int] = (1_000,),
    blocks: int = 3,
    rounds: int = 1,
    controls: int = 9,
    limits: bool = True,
) -> str:
    """The program: every batch size by every feature count, or numbers of rows, as little of each as can be.

    `limits`: whether it measures those of the machine too.
    """
    return f"""
import sys
from samestep.benchmarks import cli
from samestep.benchmarks.commands import sweep as command
from samestep.benchmarks.measure import grid as sweep
from samestep.benchmarks.record import Effort

sweep.BATCHES, sweep.FEATURES, sweep.ROWS = {tuple(batches)}, {tuple(features)}, {tuple(rows)}
command.SWEEP = sweep.SWEEP = Effort(
    name="small sweep", blocks={blocks}, rounds=({rounds}, {rounds}), slice_ms=1.0, controls={controls}
)
if not {limits}:
    sys.path.append({str(ROOT)!r})  # where tests are found; at the end, so that it hides nothing
    from tests.helpers.no_limits import leave_out
    leave_out()
cli.main(["sweep", *sys.argv[1:]])
"""


def small_sweep(*words: str, cwd: Path, code: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, on the sizes of a program."""
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900)
