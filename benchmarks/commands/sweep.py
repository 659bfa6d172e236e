"""`samestep sweep`: which lane is fastest at which size, over a grid of batch sizes and feature counts.

With the lanes of `--compiled` every second size is left out, since they compile for each cell.
With `--rows` the sizes are numbers of rows, and the steps are the same at all of them.
Each size is a task of its own: linear regression with mse, float32, on synthetic data. The sizes, the
order of the blocks and the effort are fixed. A time budget decides only how many whole blocks of all cells are
measured, by how long the first one took and by nothing that it showed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from samestep import backends

from ..analysis import RecordAnalysis
from ..console.choices import counted
from ..console.errors import InputError
from ..console.progress import Progress, progress
from ..measure import BenchmarkRun, RunRequest, duration
from ..measure.able_lanes import has_device
from ..measure.exclusive import made_folder
from ..measure.grid import SWEEP, grid, row_counts
from ..measure.options import Options
from ..measure.request import begun_earlier, by_tier, resolve, seconds_of, supported
from ..record import Record
from ..report.sweep_tables import sweep_document
from .compare import interrupted, show

MINUTES = 20.0
COMPILED = dict.fromkeys(("torch:compile", "torch:fused"), "compiles anew for every cell; add --compiled")


def sweep(options: Options, *, compiled: bool = False, rows: bool = False, minutes: float = MINUTES) -> int:
    """Measure the sizes and print the map; 0, or 1 when a lane failed its proof or its run.

    130 or 143 when it was interrupted; what was measured has been kept and printed.

    Raises:
        InputError: the options cannot be used.
    """
    seconds = seconds_of(minutes, f"{minutes:g}")
    request = resumed(options, compiled, rows) if options.resume else chosen(options, compiled, rows)
    with made_folder(request.out):
        try:
            with progress(sweep_expected(request, seconds), quiet=options.quiet) as report:
                analysis = RecordAnalysis(within(request, seconds, report))
            show(analysis, request.out, sweep_document)
        except KeyboardInterrupt as stop:
            return interrupted(stop, request.out, "sweep", sweep_document)
    done, planned = len(analysis.record.blocks), analysis.record.plan.effort.blocks
    if done < planned:
        fitted = f"{done} of {planned} blocks fitted into {counted(float(minutes), 'minute')}"
        print(f"samestep: {fitted}; go on with: samestep sweep --resume {request.out}", file=sys.stderr)
    return int(any(row.time is None for row in analysis.rows))


def chosen(options: Options, compiled: bool, rows: bool = False) -> RunRequest:
    """A new sweep: all lanes that can run here; those that compile for each cell only where they are asked for.

    Raises:
        InputError: the lanes cannot be chosen so.
    """
    if compiled and options.lane:
        raise InputError(
            "--compiled adds to the default lanes: with --lane, name torch:compile and torch:fused"
        )
    # which lanes have a device is asked of their frameworks: of those alone that are named, where some are
    names = () if options.lane else tuple(filter(has_device, by_tier(backends.names())))
    left_out = {} if compiled else {name: COMPILED[name] for name in names if name in COMPILED}
    lanes = options.lane or [name for name in names if name not in left_out]
    request = resolve(replace(options, task=["lesson"], lane=lanes))  # the cells take longer to make
    missing = {lane: reason for lane, reason in left_out.items() if lane not in request.lanes}
    tasks = row_counts() if rows else grid(coarse=not COMPILED.keys().isdisjoint(request.lanes))
    cells = replace(request, tasks=tasks, missing_lanes={**request.missing_lanes, **missing}, effort=SWEEP)
    return supported(cells, options)


def resumed(options: Options, compiled: bool, rows: bool = False) -> RunRequest:
    """The sweep that was begun in a folder.

    Raises:
        InputError: there is none, or other options go with it.
    """
    request = begun_earlier(options, str(options.resume))
    for name, given in (("--compiled", compiled), ("--rows", rows)):
        if given:
            raise InputError(f"--resume goes on as {options.resume} was begun: leave out {name}")
    if request.effort.name != SWEEP.name:
        raise InputError(f"{options.resume}: holds a comparison; go on with: samestep compare --resume")
    return request


def sweep_expected(request: RunRequest, seconds: float) -> dict[str, float]:
    """Seconds of each stage: certificates, then as many blocks as fit into the rest, and one in any case."""
    certify, block = duration.expected(request)["certify"], duration.block(request)
    fit = max(1, min(int((seconds - certify) / block), request.effort.blocks))
    return {"certify": certify, "race": fit * block}


def within(request: RunRequest, seconds: float, report: Progress) -> Record:
    """One more block in any case, then as many as fit into what is left if each takes as long as that one."""
    begin, race_begins = time.monotonic(), list[float]()

    def watch(phase: str, done: int, total: int, text: str) -> None:
        if phase == "race":
            race_begins.append(time.monotonic())
        report(phase, done, total, text)

    run = BenchmarkRun.begin(request, progress=watch)
    first = len(run.folder.blocks()) + 1
    run.certify()
    run.race(first)
    now = time.monotonic()
    block_s = now - race_begins[0]
    fit = min(first + int((begin + seconds - now) / block_s), run.plan.effort.blocks)
    if fit > first:
        report("blocks", first, fit, f"of {block_s / 60:.1f} minutes each")
        run.race(fit)
    return run.folder.record()
