"""`samestep.compare`: the comparison from Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from .backends.spec import Task
from .benchmarks import tasks as named_tasks
from .benchmarks.console.errors import InputError
from .benchmarks.console.progress import progress
from .benchmarks.datasets import frames
from .benchmarks.datasets.spelling import text_of
from .benchmarks.measure import RunRequest, duration, measure
from .benchmarks.measure.exclusive import made_folder
from .benchmarks.measure.folder import RunFolder
from .benchmarks.measure.options import Options
from .benchmarks.measure.request import default_folder, resolve
from .benchmarks.pytest_plugin.run_folder import write_run
from .benchmarks.report.tables import record_document
from .benchmarks.report.text_table import markdown
from .result import Result

DATA = "data.parquet"  # in the run's folder: data that came from Python


class ReadingOptions(TypedDict, total=False):
    """How data are read where they do not tell, as in `samestep compare`; one name alone needs no list."""

    separator: str | None
    decimal: str | None
    encoding: str | None
    null: str | Sequence[str]
    no_header: bool
    skip: str | Sequence[str]
    categorical: str | Sequence[str]
    missing: str


def compare(
    tasks: str | Task | Sequence[str | Task] = (),
    lanes: str | Sequence[str] = (),
    *,
    data: object = None,
    target: str | None = None,
    features: str | Sequence[str] = (),
    dtype: str = "float32",
    device: str = "cpu",
    threads: str = "one",
    effort: str = "quick",
    until: str | None = None,
    minutes: float | None = None,
    baseline: str | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    phases: bool = False,
    quiet: bool = False,
    **reading: Unpack[ReadingOptions],
) -> Result:
    """Certify that the lanes do the same work, measure them, and write the run's folder; gives the result.

    The arguments are the options of `samestep compare`, with the same defaults; a task is a name or a Task, and
    one alone needs no list. Progress goes to stderr. After Ctrl-C `resume=FOLDER` goes on with the run in `out`.
    data: a file's name; a frame (pandas, polars, Arrow: what narwhals knows), a mapping of names to columns, or
    arrays (x (n, k), y (n,)), kept as data.parquet in the run's folder. reading: separator, decimal and so on.

    Raises:
        InputError: a name is unknown, data cannot be used, or the folder `out` holds another run.
    """
    options = Options(
        lane=_several(lanes),
        target=target,
        features=features if isinstance(features, str) else text_of(features),
        dtype=dtype,
        device=device,
        threads=threads,
        effort=effort,
        until=until,
        minutes=_text(minutes),
        baseline=baseline,
        out=_text(out),
        resume=_text(resume),
        phases=phases,
        quiet=quiet,
        **{name: _as_typed(name, value) for name, value in reading.items()},
    )
    with _in_a_file(data, options) as options:
        request = resolve(options, tasks=_chosen(tasks, options))
    return _measured(request, quiet)


def _measured(request: RunRequest, quiet: bool) -> Result:
    """Measure what was asked for and write the run's folder."""
    with made_folder(request.out):
        with progress(duration.expected(request), first=request.told_first, quiet=quiet) as report:
            record = measure(request, progress=report)
        result = Result(record)
        write_run(result.analysis, request.out, markdown(record_document(result.analysis)))
    return result


def _chosen(tasks: str | Task | Sequence[str | Task], options: Options) -> list[Task]:
    """Tasks by name or as they are.

    Raises:
        InputError: a name is unknown, or a run that is gone on with has its own.
    """
    if options.resume is not None and tasks:
        raise InputError(f"resume goes on as {options.resume} was begun: leave out tasks")
    given = [tasks] if isinstance(tasks, str | Task) else tasks
    return [task if isinstance(task, Task) else named_tasks.get(task, dtype=options.dtype) for task in given]


def _as_typed(name: str, value: Any) -> Any:
    """An option of reading as the command line has it: a list where it may be given more than once."""
    return _several(value) if name in ("null", "skip", "categorical") else value


def _text(value: str | Path | float | None) -> str | None:
    return None if value is None else str(value)


def _several(names: str | Sequence[str]) -> Sequence[str]:
    """One name alone as a list of it."""
    return [names] if isinstance(names, str) else names


@contextmanager
def _in_a_file(data: object, options: Options) -> Iterator[Options]:
    """The options with the data in a file; one that was written for it goes again if they cannot be used.

    Raises:
        InputError: the data are no table, or the run's folder holds such a file.
    """
    if data is None or isinstance(data, str | os.PathLike):
        yield replace(options, data=None if data is None else os.fspath(data))
        return
    out = Path(options.out) if options.out else default_folder()
    path = out / DATA
    if os.path.lexists(path):
        raise InputError(f"{out}: already holds {DATA}; name another folder")
    RunFolder(out).check_writable()
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        target = frames.write(data, path, options.target)
        yield replace(options, data=str(path), target=target, out=str(out))
    except InputError:
        path.unlink(missing_ok=True)
        for folder in made:
            folder.rmdir()
        raise
