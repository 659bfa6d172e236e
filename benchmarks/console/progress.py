"""Progress of a long run on stderr: bars with the time left where a terminal can move its cursor, else lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from .interrupts import interrupts_delivered, raise_interrupts
from .streams import tolerant

Progress: TypeAlias = Callable[[str, int, int, str], None]  # phase, done, total, what was just done
QUIET_S = 15.0  # without bars: at most a line in so many seconds within a stage


@contextmanager
def progress(*, lines_in_files: bool = True) -> Iterator[Progress]:
    """Gives a function of (phase, done, total, text) that writes to stderr: stdout stays clean for pipes.

    Where stderr is no terminal it writes lines, as a log of a long run; without `lines_in_files` nothing.
    """
    raise_interrupts()
    stream = tolerant(sys.stderr)
    console = Console(file=stream, force_jupyter=False)
    shown = _bars(console) if stream.isatty() and not console.is_dumb_terminal else _lines(stream)
    with interrupts_delivered(), shown as report:
        yield report if lines_in_files or stream.isatty() else silent
    stream.flush()


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = TextColumn("{task.description:9}"), BarColumn(24), TextColumn("{task.completed}/{task.total}")
    times = TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[text]}")
    with Bars(*columns, *times, console=console, transient=True) as bars:
        phases: dict[str, TaskID] = {}

        def report(phase: str, done: int, total: int, text: str) -> None:
            if phase not in phases:
                phases[phase] = bars.add_task(phase, total=total, text="")
            bars.update(phases[phase], completed=done, total=total, text=text)

        yield report


@contextmanager
def _lines(stream: TextIO) -> Iterator[Progress]:
    begin, last_phase, last_time = time.monotonic(), "", 0.0

    def report(phase: str, done: int, total: int, text: str) -> None:
        nonlocal last_phase, last_time
        now = time.monotonic()
        if phase != last_phase or done == total or now - last_time > QUIET_S:
            last_phase, last_time = phase, now
            line = f"[{now - begin:5.0f} s] {phase} {done}/{total} {text}"
            print(line.rstrip(), file=stream, flush=True)

    yield report


def silent(phase: str, done: int, total: int, text: str) -> None:
    """The progress of a run that nobody watches."""
