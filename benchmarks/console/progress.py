"""Progress of a long run on stderr: bars with the time left where a terminal can move its cursor, else lines."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from .escapes import visible
from .forecast import Forecast, about
from .interrupts import interrupts_delivered, raise_interrupts
from .streams import tolerant
from .terminal import terminal_width

Progress: TypeAlias = Callable[[str, int, int, str], None]  # phase, done, total, what was just done
SHORT_S = 5.0  # what is left of less is not told
QUIET_S = 15.0  # without bars: at most a line in so many seconds within a stage
HANGING = " " * 12  # before what a line is continued with


@contextmanager
def progress(
    expected: Mapping[str, float] | None = None,
    *,
    first: Sequence[str] = (),
    lines_in_files: bool = True,
    quiet: bool = False,
) -> Iterator[Progress]:
    """Gives a function of (phase, done, total, text) that writes to stderr: stdout stays clean for pipes.

    Where stderr is no terminal it writes lines, as a log of a long run; without `lines_in_files` nothing.
    `first`: lines that are told before anything else, such as how a file was read.
    `expected`: seconds of each stage; they are told before the run, and the time left while it runs.
    """
    raise_interrupts()
    stream = tolerant(sys.stderr)
    console = Console(file=stream, force_jupyter=False)
    forecast = Forecast(expected or {})
    is_heard = not quiet and (lines_in_files or stream.isatty())
    if is_heard:
        _tell(first, stream)
    if expected and is_heard:
        whole = about(sum(expected.values()))
        print(f"[    0 s] takes about {whole}; Ctrl-C keeps what was measured", file=stream, flush=True)
    drawn = stream.isatty() and not console.is_dumb_terminal
    shown = _bars(console, forecast) if drawn and is_heard else _lines(stream, forecast)
    with interrupts_delivered(), shown as report:
        yield report if is_heard else silent
    stream.flush()


def _tell(lines: Sequence[str], stream: TextIO) -> None:
    """Print lines, wrapped, each continued below its beginning; names in them come from files and are escaped."""
    width = terminal_width()
    for line in lines:
        for piece in textwrap.wrap(visible(line), width, subsequent_indent=HANGING, break_on_hyphens=False):
            print(piece, file=stream, flush=True)


@contextmanager
def _bars(console: Console, forecast: Forecast) -> Iterator[Progress]:
    columns = TextColumn("{task.description:9}"), BarColumn(24), TextColumn("{task.completed}/{task.total}")
    times = TimeElapsedColumn(), TextColumn("{task.fields[left]}"), TextColumn("{task.fields[text]}")
    with Bars(*columns, *times, console=console, transient=True) as bars:
        phases: dict[str, TaskID] = {}

        def report(phase: str, done: int, total: int, text: str) -> None:
            if phase not in phases:
                for earlier in phases.values():
                    bars.update(earlier, left="")
                phases[phase] = bars.add_task(phase, total=total, text="", left="")
            left = _left(forecast, phase, done, total)
            bars.update(phases[phase], completed=done, total=total, text=text, left=left)

        yield report


def _left(forecast: Forecast, phase: str, done: int, total: int) -> str:
    """The time left for the whole run, in words; empty where nothing is known of it."""
    seconds = forecast.left(time.monotonic(), phase, done, total)
    return "" if seconds is None or seconds < SHORT_S else f"{about(seconds)} left in all"


@contextmanager
def _lines(stream: TextIO, forecast: Forecast) -> Iterator[Progress]:
    begin, last_phase, last_time = time.monotonic(), "", 0.0

    def report(phase: str, done: int, total: int, text: str) -> None:
        nonlocal last_phase, last_time
        now, left = time.monotonic(), _left(forecast, phase, done, total)
        if phase != last_phase or done == total or now - last_time > QUIET_S:
            last_phase, last_time = phase, now
            line = f"[{now - begin:5.0f} s] {phase} {done}/{total} {text}"
            print(line.rstrip() + (f" ({left})" if left else ""), file=stream, flush=True)

    yield report


def silent(phase: str, done: int, total: int, text: str) -> None:
    """The progress of a run that nobody watches."""
