"""`samestep compare`: certify, measure, record and show."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from ..analysis import RecordAnalysis
from ..console.interrupts import exit_code
from ..console.progress import progress
from ..console.terminal import terminal_width
from ..measure import BenchmarkRun, duration
from ..measure.exclusive import made_folder
from ..measure.folder import RunFolder
from ..measure.options import Options
from ..measure.request import resolve
from ..pytest_plugin.run_folder import write_run
from ..record import WHOLE
from ..report.tables import record_document
from ..report.text_table import TextDocument, markdown, plain

DocumentMaker: TypeAlias = Callable[[RecordAnalysis], TextDocument]


def compare(options: Options) -> int:
    """Measure and print the comparison; 0, or 1 when a lane failed its proof or its run.

    130 or 143 when it was interrupted; what was measured has been kept and printed.

    Raises:
        InputError: the options or the data cannot be used.
    """
    request = resolve(options)
    with made_folder(request.out):
        try:
            expected = duration.expected(request)
            with progress(expected, first=request.told_first, quiet=options.quiet) as report:
                run = BenchmarkRun.begin(request, progress=report)
                run.certify()
                run.race()
            unfinished, analysis = run.lacks(), RecordAnalysis(run.folder.record())
            show(analysis, request.out)
        except KeyboardInterrupt as stop:
            return interrupted(stop, request.out, "compare")
    if unfinished and request.seconds and analysis.record.blocks:
        ended = f"ended after {len(analysis.record.blocks)} blocks: the next look would come too late"
        print(f"samestep: {ended}; go on with: samestep compare --resume {request.out}", file=sys.stderr)
    return int(any(row.time is None for row in analysis.rows))


def show(analysis: RecordAnalysis, out: Path, document_of: DocumentMaker = record_document) -> Path:
    """Leave the run's folder whole and print its tables, of tasks or of sizes; gives the path of the JSON."""
    document = document_of(analysis)
    path = write_run(analysis, out, markdown(document))
    print(plain(document, width=terminal_width()))
    print(f"\nrecord: {path}")
    return path


def interrupted(
    stop: KeyboardInterrupt, out: Path, command: str, document_of: DocumentMaker = record_document
) -> int:
    """Keep and show what was measured until Ctrl-C or SIGTERM, and say how to go on; gives the exit code."""
    folder, again = RunFolder(out), f"go on with: samestep {command} --resume {out}"
    if not folder.begun and folder.is_finished:
        message = f"all was measured, and is in {out / WHOLE}"
    elif not folder.begun:
        message = "nothing was measured yet"
    elif not folder.blocks():
        message = f"no block was finished yet; {again}"
    else:
        record = folder.record()
        path = show(RecordAnalysis(record), out, document_of)
        done, are = len(record.blocks), "is" if len(record.blocks) == 1 else "are"
        message = f"{done} of {record.plan.effort.blocks} blocks {are} in {path}; {again}"
    print(f"samestep: interrupted; {message}{scratch_clause(folder)}", file=sys.stderr)
    return exit_code(stop)


def scratch_clause(folder: RunFolder) -> str:
    """How much a run that was interrupted leaves for going on, and where, as the end of a message."""
    size = folder.scratch_bytes()
    if not folder.begun or not size:
        return ""
    outside = "" if folder.cache.is_relative_to(folder.root) else f" and {folder.cache}"
    stays = f"for that {max(1, round(size / 1e6))} MB of scratch stay in {folder.root}{outside}"
    return f"; {stays}: to give the run up, remove them"
