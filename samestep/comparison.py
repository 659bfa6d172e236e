"""`samestep.compare`: the comparison from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .backends.spec import Task
from .benchmarks import tasks as named_tasks
from .benchmarks.console.errors import InputError
from .benchmarks.console.progress import progress
from .benchmarks.measure import duration, measure
from .benchmarks.measure.exclusive import made_folder
from .benchmarks.measure.options import Options
from .benchmarks.measure.request import resolve
from .benchmarks.pytest_plugin.run_folder import write_run
from .benchmarks.report.tables import record_document
from .benchmarks.report.text_table import markdown
from .result import Result


def compare(
    tasks: str | Task | Sequence[str | Task] = (),
    lanes: str | Sequence[str] = (),
    *,
    data: str | None = None,
    target: str | None = None,
    features: str | Sequence[str] = (),
    dtype: str = "float32",
    device: str = "cpu",
    threads: str = "one",
    effort: str = "quick",
    baseline: str | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    phases: bool = False,
    quiet: bool = False,
) -> Result:
    """Certify that the lanes do the same work, measure them, and write the run's folder; gives the result.

    The arguments are the options of `samestep compare`, with the same defaults; a task is a name or a Task, and
    one alone needs no list. Progress goes to stderr. After Ctrl-C `resume=FOLDER` goes on with the run in `out`.

    Raises:
        InputError: a name is unknown, data cannot be used, or the folder `out` holds another run.
    """
    options = Options(
        lane=[lanes] if isinstance(lanes, str) else lanes,
        data=data,
        target=target,
        features=(features if isinstance(features, str) else ",".join(features)) or None,
        dtype=dtype,
        device=device,
        threads=threads,
        effort=effort,
        baseline=baseline,
        out=None if out is None else str(out),
        resume=None if resume is None else str(resume),
        phases=phases,
        quiet=quiet,
    )
    if resume is not None and tasks:
        raise InputError(f"resume goes on as {resume} was begun: leave out tasks")
    given = [tasks] if isinstance(tasks, str | Task) else tasks
    chosen = [task if isinstance(task, Task) else named_tasks.get(task, dtype=dtype) for task in given]
    request = resolve(options, tasks=chosen)
    with made_folder(request.out):
        with progress(duration.expected(request), quiet=quiet) as report:
            record = measure(request, progress=report)
        result = Result(record)
        write_run(result.analysis, request.out, markdown(record_document(result.analysis)))
    return result
