"""The command line: argument parsing only. `samestep` and `python -m samestep` are the same.

Exit codes: 0 done, 1 a check failed, 2 bad usage or input, 130 interrupted. Errors are one line on stderr.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from samestep import backends

from .console.errors import InputError
from .console.escapes import visible
from .console.interrupts import kept

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The same training step in NumPy, PyTorch and JAX: proven the same, then timed.",
)


def _lanes(default: str) -> Any:
    """The option --lane; lists are made anew for every call, so their default is not behind a parameter."""
    words = f"A lane, such as torch:fused; repeat for more. Default: {default}."
    return typer.Option("--lane", metavar="LANE", default_factory=list, show_default=False, help=words)


Lanes = Annotated[list[str], _lanes("all that can run here")]
LessonLanes = Annotated[list[str], _lanes("numpy, torch and jax")]
SweepLanes = Annotated[list[str], _lanes("all that can run here, but for those of --compiled")]
Tasks = Annotated[
    list[str],
    typer.Option(
        "--task",
        metavar="TASK",
        default_factory=list,
        show_default=False,
        help="A named task, see `samestep list`; repeat for more. Default: lesson and diabetes.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A CSV or Parquet file as a task, instead of the default tasks or beside those of --task.",
    ),
]
Target = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of --data to predict.")]
Features = Annotated[
    str | None,
    typer.Option(metavar="COLUMNS", help="Columns of --data to predict from, with commas; default all."),
]
DtypeOption = Annotated[str, typer.Option(metavar="DTYPE", help="float32 or float64.")]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="cpu, cuda (or gpu; the second: cuda:1), mps, tpu.")
]
Threads = Annotated[
    str,
    typer.Option(metavar="THREADS", help="one: each lane on one core; all: each framework as shipped."),
]
Effort = Annotated[
    str,
    typer.Option(metavar="EFFORT", help="smoke (to try), quick (6 blocks), standard (12), rigorous (24)."),
]
Baseline = Annotated[
    str | None,
    typer.Option(metavar="LANE", help="The lane that the others are compared with; default torch."),
]
RecordBaseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="LANE",
        help="The lane that the others are compared with; default the record's own. Another is exploratory.",
    ),
]
Out = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Folder for the run's results; default results/local/TIME."),
]
Resume = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Go on with the interrupted run in this folder.")
]
Json = Annotated[bool, typer.Option("--json", help="Data instead of text.")]


@app.command("list")
def list_() -> None:
    """Lanes, devices, tasks and datasets; what is missing here, and why."""
    from .commands import list as listing

    print(listing.text())


@app.command()
def lesson(
    lane: LessonLanes,
    batch: Annotated[int, typer.Option(metavar="ROWS", help="Rows of a batch, 1 to 1000.")] = 10,
    json: Json = False,
) -> None:
    """The linear-regression lesson, exercises included, in each backend side by side. Exit 1 if a lane fails."""
    from .commands.lesson import lesson as run

    raise typer.Exit(run(lane, batch, json=json))


@app.command()
def compare(
    task: Tasks,
    lane: Lanes,
    data: Data = None,
    target: Target = None,
    features: Features = None,
    dtype: DtypeOption = "float32",
    device: Device = "cpu",
    threads: Threads = "one",
    effort: Effort = "quick",
    baseline: Baseline = None,
    out: Out = None,
    resume: Resume = None,
    phases: Annotated[
        bool, typer.Option("--phases", help="Also show where the time of a step goes.")
    ] = False,
) -> None:
    """Certify that the lanes do the same work, measure them, record it, and print the comparison."""
    from .commands.compare import compare as run
    from .measure.options import Options

    options = Options(
        task, lane, data, target, features, dtype, device, threads, effort, baseline, out, resume, phases
    )
    raise typer.Exit(run(options))


@app.command()
def sweep(
    lane: SweepLanes,
    compiled: Annotated[
        bool,
        typer.Option("--compiled", help="Also torch:compile and torch:fused, which compile for each size."),
    ] = False,
    threads: Threads = "one",
    device: Device = "cpu",
    minutes: Annotated[
        float,
        typer.Option(metavar="MINUTES", help="Time for the whole; it decides how many blocks are measured."),
    ] = 20.0,
    baseline: Baseline = None,
    out: Out = None,
    resume: Resume = None,
) -> None:
    """Batch sizes 1 to 4096 by feature counts 2 to 1024: which lane is fastest where, and what a step costs."""
    from .commands.sweep import sweep as run
    from .measure.options import Options

    options = Options(lane=lane, threads=threads, device=device, baseline=baseline, out=out, resume=resume)
    raise typer.Exit(run(options, compiled=compiled, minutes=minutes))


@app.command()
def parity(
    task: Tasks,
    lane: Lanes,
    data: Data = None,
    target: Target = None,
    features: Features = None,
    dtype: DtypeOption = "float32",
    device: Device = "cpu",
    against: Annotated[
        str | None, typer.Option(metavar="LANE", help="Also show how far the lanes end from this one.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write the certificates to this file.")
    ] = None,
) -> None:
    """Certificates alone: is every lane's every step the same work? Exit 1 if any fails."""
    from .commands.parity import parity as run
    from .measure.options import Options

    raise typer.Exit(run(Options(task, lane, data, target, features, dtype, device), json, against))


@app.command()
def ceilings(task: Tasks, threads: Threads = "one", json: Json = False) -> None:
    """What this machine can do at a task's size: memory, BLAS, and each framework's cheapest call."""
    from .commands.ceilings import ceilings as run
    from .measure.options import Options

    raise typer.Exit(run(Options(task=task, threads=threads), json=json))


@app.command()
def verify(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A run's folder, or its benchmark.json.")],
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The file that was trained on, if it lies elsewhere now."),
    ] = None,
) -> None:
    """Work a record out again: data, order, steps, slices, statistics, verdicts. Exit 1 if any disagrees."""
    from .commands.verify import verify as run

    raise typer.Exit(run(result, data))


@app.command()
def table(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A run's folder, or its benchmark.json.")],
    format: Annotated[str, typer.Option(metavar="FORMAT", help="rich, markdown, csv or html.")] = "rich",
    baseline: RecordBaseline = None,
) -> None:
    """Tables from a record; needs no framework. Another baseline than the record's own is exploratory."""
    from .commands.table import table as run

    raise typer.Exit(run(result, format, baseline))


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run's folder, or its benchmark.json.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The same of the run that it is compared with.")],
    baseline: RecordBaseline = None,
    json: Json = False,
) -> None:
    """What changed from record A to record B, by their ratios to the baseline. Exit 0 whatever it finds."""
    from .commands.diff import diff as run

    raise typer.Exit(run(a, b, baseline, json=json))


@app.command()
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A run's folder, or its benchmark.json.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page's file; default report.html beside the record, or report-LANE.html with --baseline.",
        ),
    ] = None,
    baseline: RecordBaseline = None,
) -> None:
    """One HTML page from a record: sortable table and charts, in one file that needs no network."""
    from .commands.report import report as run

    raise typer.Exit(run(result, out, baseline))


def main(arguments: list[str] | None = None, commands: typer.Typer = app) -> None:
    """Run a command; every expected error is one line and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with kept():
            code: Any = commands(args=arguments or ["--help"], standalone_mode=False)
    except (InputError, backends.DuplicateLane) as error:
        code = _fail(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)  # usage errors have one
        code = _fail(error.format_message() + (f" (see {context.command_path} --help)" if context else ""))
    except (KeyboardInterrupt, typer.Abort):
        print("\nsamestep: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader of a pipe left: nothing more to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code or 0)


def _fail(message: str) -> int:
    print("samestep: " + visible(" ".join(message.split())), file=sys.stderr)
    return 2
