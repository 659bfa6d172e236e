"""`samestep sweep`: which lane is fastest at which size, over a grid of batch sizes and feature counts.

Each cell of the grid is a task of its own: linear regression with mse, float32, on synthetic data. The cells, the
order of the blocks and the effort are fixed. A time budget decides only how many whole blocks of all cells are
measured, by how long the first one took and by nothing that it showed.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_benchmark.stats import Stats

from samestep import backends

from ..analysis.samples import slices
from ..analysis.summary import TIMELESS, Row, summarize
from ..console.errors import InputError
from ..console.progress import Progress, progress
from ..measure import measure, resume
from ..measure.folder import Folder
from ..measure.grid import SWEEP, grid
from ..measure.options import Options, Session, by_tier, interrupted, placed, resolve
from ..record import KEY, WHOLE, Record
from ..record.files import write_text
from ..report import sweep_tables as tables

MINUTES = 20.0
COMPILED = dict.fromkeys(("torch:compile", "torch:fused"), "compiles anew for every cell; add --compiled")
INTERRUPTED = 130


def sweep(options: Options, *, compiled: bool = False, minutes: float = MINUTES) -> int:
    """Measure the grid and print the map; 0, or 1 when a lane failed its proof or its run.

    130 when it was interrupted; what was measured has been kept and printed.

    Raises:
        InputError: the options cannot be used.
    """
    if not 0 < minutes < math.inf:
        raise InputError(f"--minutes {minutes:g}: name a number of minutes above 0")
    return run(begun(options, compiled) if options.resume else chosen(options, compiled), minutes)


def chosen(options: Options, compiled: bool) -> Session:
    """A new sweep: all lanes that can run here, of the slow compilers only those that were asked for.

    Raises:
        InputError: the lanes cannot be chosen so.
    """
    if compiled and options.lane:
        raise InputError(
            "--compiled adds to the default lanes: with --lane, name torch:compile and torch:fused"
        )
    names = tuple(filter(placed, by_tier(backends.names())))
    left = {} if compiled or options.lane else {k: why for k, why in COMPILED.items() if k in names}
    lanes = options.lane or [name for name in names if name not in left]
    asked = resolve(replace(options, task=["lesson"], lane=lanes))  # whose data need no package
    missing = asked.missing | {lane: why for lane, why in left.items() if lane not in asked.lanes}
    return replace(asked, tasks=grid(), missing=missing, effort=SWEEP)


def begun(options: Options, compiled: bool) -> Session:
    """The sweep that was begun in a folder."""
    asked = interrupted(options, str(options.resume))
    if compiled:
        raise InputError(f"--resume goes on as {options.resume} was begun: leave out --compiled")
    if asked.effort.name != SWEEP.name:
        raise InputError(f"{options.resume}: holds a comparison; go on with: samestep compare --resume")
    return asked


def run(asked: Session, minutes: float) -> int:
    """Measure what fits into the minutes, keep it and print it; gives the exit code."""
    place, again = Folder(asked.out), f"go on with: samestep sweep --resume {asked.out}"
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        with progress() as report:
            found = within(asked, 60 * minutes, report)
    except OSError as error:
        raise InputError(f"{asked.out}: {error.strerror}; choose another folder with --out") from error
    except KeyboardInterrupt:
        if place.begun and place.blocks():
            show(place.record(), asked.out)
        kept = f"what was measured is kept; {again}" if place.begun else "nothing was measured yet"
        print(f"samestep: interrupted; {kept}", file=sys.stderr)
        return INTERRUPTED
    rows = show(found, asked.out)
    done, planned = len(found.blocks), found.plan.effort.blocks
    if done < planned:
        fitted = f"{done} of {planned} blocks fitted into {minutes:g} minutes"
        print(f"samestep: {fitted}; {again}", file=sys.stderr)
    return int(any(row.verdict.word in TIMELESS for row in rows))


def within(asked: Session, seconds: float, report: Progress) -> Record:
    """One more block in any case, then as many as fit into what is left if each takes as long as that one."""
    begin, raced = time.monotonic(), list[float]()

    def watch(phase: str, done: int, total: int, text: str) -> None:
        if phase == "race":
            raced.append(time.monotonic())
        report(phase, done, total, text)

    until = len(Folder(asked.out).blocks()) + 1
    found = start(asked, until, watch)
    now = time.monotonic()
    block = now - raced[0] if raced else math.inf
    fit = min(until + int((begin + seconds - now) / block), found.plan.effort.blocks)
    if fit <= until:
        return found
    report("blocks", until, fit, f"of {block / 60:.1f} minutes each")
    return resume(asked.out, blocks=fit, progress=report)


def start(asked: Session, blocks: int, report: Progress) -> Record:
    """Begin the session, or go on with it."""
    if asked.resumed:
        return resume(asked.out, blocks=blocks, progress=report)
    return measure(
        asked.tasks,
        asked.lanes,
        baseline=asked.baseline,
        effort=asked.effort,
        threads=asked.threads,
        device=asked.device,
        folder=asked.out,
        missing=asked.missing,
        blocks=blocks,
        progress=report,
    )


# --- the result -----------------------------------------------------------------------------------


def show(record: Record, out: Path) -> tuple[Row, ...]:
    """Keep the record and its tables in the run's folder, and print these; gives the rows of all cells."""
    rows = summarize(record)
    document = {"benchmarks": list(entries(record, rows)), KEY: record.model_dump(mode="json")}
    write_text(out / WHOLE, json.dumps(document, separators=(",", ":")))
    write_text(out / "table.md", tables.markdown(record))
    if len(record.blocks) == record.plan.effort.blocks:
        shutil.rmtree(out / "relay", ignore_errors=True)  # every piece is in the record
    print(tables.plain(record))
    print(f"\nrecord: {out / WHOLE}")
    return rows


def entries(record: Record, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The samples as pytest-benchmark writes them, with its own statistics: an entry for each lane with times."""
    new: Callable[[], Any] = Stats
    for row in (row for row in rows if row.time is not None):
        work, stats, name = record.work(row.task), new(), f"{row.task}-{row.lane}"
        for _, piece in slices(record, row.task, row.lane):
            stats.update(piece.elapsed_ns / piece.repeats / work.steps / 1e9)
        about = {"task": row.task, "lane": row.lane}
        said = {"unit": "seconds per training step", "verdict": row.verdict.word}
        yield {
            "group": row.task,
            "name": f"sweep[{name}]",
            "fullname": f"sweep[{name}]",
            "params": about,
            "param": name,
            "extra_info": about | said,
            "options": {"timer": "worker-measured time"},
            "stats": stats.as_dict() | {"data": stats.data, "iterations": 1},
        }
