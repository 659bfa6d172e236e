"""`samestep.compare`: the comparison from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .backends.spec import Task
from .benchmarks import tasks as named_tasks
from .benchmarks.analysis import RecordAnalysis
from .benchmarks.console.progress import progress
from .benchmarks.measure import measure
from .benchmarks.measure.folder import made_folder
from .benchmarks.measure.options import Options
from .benchmarks.measure.request import resolve
from .benchmarks.pytest_plugin.run_folder import write_run
from .benchmarks.record import Record
from .benchmarks.report.tables import record_document
from .benchmarks.report.text_table import markdown


def compare(
    tasks: Sequence[str | Task] = (),
    lanes: Sequence[str] = (),
    *,
    data: str | None = None,
    target: str | None = None,
    features: Sequence[str] = (),
    dtype: str = "float32",
    device: str = "cpu",
    threads: str = "one",
    effort: str = "quick",
    baseline: str | None = None,
    out: str | Path | None = None,
    phases: bool = False,
) -> Record:
    """Certify that the lanes do the same work, measure them, and write the run's folder; gives the record.

    The arguments are the options of `samestep compare`, with the same defaults; a task is a name or a Task.
    Progress goes to stderr.

    Raises:
        InputError: a name is unknown, data cannot be used, or the folder `out` holds another run.
    """
    options = Options(
        lane=lanes,
        data=data,
        target=target,
        features=",".join(features) or None,
        dtype=dtype,
        device=device,
        threads=threads,
        effort=effort,
        baseline=baseline,
        out=None if out is None else str(out),
        phases=phases,
    )
    chosen = [task if isinstance(task, Task) else named_tasks.get(task, dtype=dtype) for task in tasks]
    request = resolve(options, tasks=chosen)
    with made_folder(request.out), progress() as report:
        record = measure(request, progress=report)
    analysis = RecordAnalysis(record)
    write_run(analysis, request.out, markdown(record_document(analysis)))
    return record
