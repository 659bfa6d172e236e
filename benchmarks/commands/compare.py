"""`samestep compare`: certify, measure, record and show."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ..analysis import RecordAnalysis
from ..console.progress import progress
from ..console.terminal import terminal_width
from ..measure import BenchmarkRun
from ..measure.folder import RunFolder, made_folder
from ..measure.options import Options
from ..measure.request import resolve
from ..pytest_plugin.run_folder import write_run
from ..report.tables import record_document
from ..report.text_table import markdown, plain

INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended


def compare(options: Options) -> int:
    """Measure and print the comparison; 0, or 1 when a lane failed its proof or its run.

    130 when it was interrupted; what was measured has been kept and printed.

    Raises:
        InputError: the options or the data cannot be used.
    """
    request = resolve(options)
    try:
        with made_folder(request.out), progress() as report:
            run = BenchmarkRun.begin(request, progress=report)
            run.certify()
            run.race()
    except KeyboardInterrupt:
        return interrupted(request.out, "compare", show)
    analysis = RecordAnalysis(run.folder.record())
    show(analysis, request.out)
    return int(any(row.time is None for row in analysis.rows))


def show(analysis: RecordAnalysis, out: Path) -> Path:
    """Leave the run's folder whole and print the tables; gives the path of the JSON."""
    document = record_document(analysis)
    path = write_run(analysis, out, markdown(document))
    print(plain(document, width=terminal_width()))
    print(f"\nrecord: {path}")
    return path


def interrupted(out: Path, command: str, show: Callable[[RecordAnalysis, Path], Path]) -> int:
    """Keep and show what was measured until Ctrl-C, and say how to go on; gives the exit code."""
    folder, again = RunFolder(out), f"go on with: samestep {command} --resume {out}"
    if not folder.begun:
        message = "nothing was measured yet"
    elif not folder.blocks():
        message = f"no block was finished yet; {again}"
    else:
        record = folder.record()
        path = show(RecordAnalysis(record), out)
        message = f"{len(record.blocks)} of {record.plan.effort.blocks} blocks are in {path}; {again}"
    print(f"samestep: interrupted; {message}", file=sys.stderr)
    return INTERRUPTED
