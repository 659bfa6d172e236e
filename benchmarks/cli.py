"""The command line: argument parsing only. `samestep` and `python -m samestep` are the same.

Exit codes: 0 done, 1 a check failed, 2 bad usage or input, or output that cannot be written, 130 interrupted,
143 ended by SIGTERM. Errors are one line on stderr. A pipe whose reader has seen enough is no error.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from samestep import backends

from .console import completion
from .console.command_group import CommandGroup, StoppedCommand, usage_message
from .console.errors import InputError, cause
from .console.escapes import visible
from .console.interrupts import exit_code, interrupts_delivered
from .console.safe_path import safe_path
from .console.streams import failure, tolerant_streams
from .measure.options import Declaration, Options, declared
from .proposals import completer

F = TypeVar("F", bound=Callable[..., Any])
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=CommandGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
RecordBaseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="LANE",
        help="The lane that the others are compared with; default the record's own. Another is exploratory.",
        autocompletion=completer("LANE"),
    ),
]
Result = Annotated[Path, typer.Argument(metavar="RESULT", help="A run's folder, or its benchmark.json.")]
Json = Annotated[bool, typer.Option("--json", help="Data instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress: the result alone, and errors.")]


def takes(command: str) -> Callable[[F], F]:
    """Give a function the options that a command is declared with; they come as keywords, for `Options`."""

    def decorate(function: F) -> F:
        explicit = [
            parameter
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        options = [_parameter(option) for option in declared(command)]
        function.__signature__ = inspect.Signature([*options, *explicit])  # type: ignore[attr-defined]
        return function

    return decorate


def _parameter(option: Declaration) -> inspect.Parameter:
    """An option as typer reads it."""
    made = typer.Option(
        option.flag,
        metavar=option.metavar or None,
        help=option.help,
        autocompletion=completer(option.metavar),
    )
    kind: Any = bool if option.is_flag else str if option.default is not None else str | None
    default: Any = option.default
    if option.repeats:  # a list is made anew for every call, so that it is not behind the parameter
        kind, default = list[str], inspect.Parameter.empty
        made.default_factory, made.show_default = list, False
    annotation = Annotated[kind, made]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"samestep {version('samestep')}")
        raise typer.Exit


@app.callback()
def samestep(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The same training step in NumPy, PyTorch and JAX: proven the same, then timed."""


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lanes, devices, tasks and datasets; what is missing here, and why."""
    import json as codec

    from .commands import list as listing

    print(codec.dumps(listing.data(), indent=1, allow_nan=False) if json else listing.shown())


@app.command()
@takes("lesson")
def lesson(
    *,
    batch: Annotated[int, typer.Option(metavar="ROWS", help="Rows of a batch, 1 to 1000.")] = 10,
    json: Json = False,
    **options: Any,
) -> None:
    """The linear-regression lesson, exercises included, in each backend side by side. Exit 1 if a lane fails."""
    from .commands.lesson import lesson as run

    raise typer.Exit(run(options["lane"], batch, json=json, quiet=options["quiet"]))


@app.command()
@takes("compare")
def compare(**options: Any) -> None:
    """Certify that the lanes do the same work, measure them, record it, and print the comparison."""
    from .commands.compare import compare as run

    raise typer.Exit(run(Options(**options)))


@app.command(context_settings={**HELP, "ignore_unknown_options": True, "allow_interspersed_args": False})
def pytest(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGUMENTS", help="pytest's; samestep pytest -- --help lists them."),
    ] = None,
) -> None:
    """The run of `compare` through pytest-benchmark, from any folder: pytest --benchmark-only ARGUMENTS."""
    from .commands.pytest import pytest as run

    run(arguments or [])


@app.command()
@takes("sweep")
def sweep(
    *,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compiled",
            help="Also torch:compile and torch:fused, which compile for each size; the grid has nine.",
        ),
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="Instead 1000 to 10 million rows of 8 features, in batches of 10.")
    ] = False,
    minutes: Annotated[
        float,
        typer.Option(metavar="MINUTES", help="Time for the whole; it decides how many blocks are measured."),
    ] = 20.0,
    **options: Any,
) -> None:
    """Batch sizes 1 to 4096 by feature counts 2 to 1024: which lane is fastest where, and what a step costs."""
    from .commands.sweep import sweep as run

    raise typer.Exit(run(Options(**options), compiled=compiled, rows=rows, minutes=minutes))


@app.command()
@takes("parity")
def parity(
    *,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="LANE",
            help="Also show how far the lanes end from this one.",
            autocompletion=completer("LANE"),
        ),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write the certificates to this file.")
    ] = None,
    **options: Any,
) -> None:
    """Certificates alone: is every lane's every step the same work? Exit 1 if any fails."""
    from .commands.parity import parity as run

    raise typer.Exit(run(Options(**options), json, against))


@app.command()
@takes("ceilings")
def ceilings(*, json: Json = False, **options: Any) -> None:
    """What this machine can do at a task's size: memory, BLAS, and each framework's cheapest call."""
    from .commands.ceilings import ceilings as run

    raise typer.Exit(run(Options(**options), json=json))


@app.command()
def verify(
    result: Result,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The file that was trained on, if it lies elsewhere now."),
    ] = None,
    against_code: Annotated[
        bool,
        typer.Option("--against-code", help="Also certify every lane again that can run here: minutes."),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Work a record out again: data, order, steps, slices, statistics, verdicts. Exit 1 if any disagrees."""
    from .commands.verify import verify as run

    raise typer.Exit(run(result, data, against_code=against_code, json=json, quiet=quiet))


@app.command()
def table(
    result: Result,
    format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="rich, markdown, csv, json or html.",
            autocompletion=completer("FORMAT"),
        ),
    ] = "rich",
    baseline: RecordBaseline = None,
) -> None:
    """Tables from a record; needs no framework. Another baseline than the record's own is exploratory."""
    from .commands.table import table as run

    raise typer.Exit(run(result, format, baseline))


@app.command()
def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Such as FASTER, twin, 'bound used' or a column; default all.",
            autocompletion=completer("WORD"),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """What a word, a column or a mark of the tables means."""
    from .commands.explain import explain as run

    raise typer.Exit(run(words or [], json=json))


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
    result: Result,
    other: Annotated[
        Path | None,
        typer.Argument(metavar="OTHER", help="A later run: the page shows what changed, as `diff` does."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page's file; default report.html beside the record, changes.html beside OTHER; with "
            "--baseline also its LANE.",
        ),
    ] = None,
    baseline: RecordBaseline = None,
) -> None:
    """One HTML page from a record, or of what changed between two: one file that needs no network."""
    from .commands.report import report as run

    raise typer.Exit(run(result, other, out, baseline))


def main(arguments: list[str] | None = None, commands: typer.Typer = app) -> NoReturn:
    """Run a command; every expected error is one line and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with tolerant_streams():
        code = _run(commands, arguments or ["--help"])
        if reason := failure(sys.stdout):
            code = code or _fail(f"standard output: {reason}; what was printed is not complete")
    sys.exit(code)


def _run(commands: typer.Typer, arguments: list[str]) -> int:
    """A command's exit code."""
    try:
        with safe_path(), interrupts_delivered():
            return commands(args=arguments, prog_name=_program(arguments), standalone_mode=False) or 0
    except (InputError, backends.DuplicateLane) as error:
        return _fail(str(error))
    except typer.TyperException as error:
        return _fail(usage_message(error))
    except (KeyboardInterrupt, StoppedCommand) as stop:
        print("samestep: interrupted; nothing more was written", file=sys.stderr)
        return exit_code(stop.stop if isinstance(stop, StoppedCommand) else stop)
    except OSError as error:  # a file or a folder that is missing, full, not ours, or has too long a name
        return _fail(f"{error.filename}: {cause(error)}" if error.filename else cause(error))


def _program(arguments: list[str]) -> str | None:
    """The program's name where a shell's completion is concerned, however it was started; else as it was."""
    if not completion.is_asked_for(arguments):
        return None
    completion.use_own_scripts()
    return completion.PROGRAM


def _fail(message: str) -> int:
    print("samestep: " + visible(" ".join(message.split())), file=sys.stderr)
    return 2
