"""`python -m validation COMMAND`, from a checkout: run one of the experiments and keep its result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from samestep.benchmarks import tasks
from samestep.benchmarks.cli import main
from samestep.benchmarks.console.command_group import CommandGroup
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.console.progress import progress
from validation import aa, alarms, cpu_lanes, float32, packed, permuted, power, slack, store, traps
from validation.mutants import experiment as seeded_bugs

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The suite tried on itself. The result is a small JSON; exit 1 if it shows a fault.",
)
Out = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder for the result; default results/parity or results/trust."),
]
Minutes = Annotated[float, typer.Option(metavar="MINUTES", min=0, max=1e6, help="Time to race.")]


@app.command()
def mutants(out: Out = None) -> None:
    """Seeded bugs: does the certificate catch each, and does the doctor name it? A minute. docs/parity.md"""
    finish("mutants", seeded_bugs.run(), seeded_bugs.faults, out)


@app.command("alarms")
def alarms_(
    cases: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Random tasks.")] = alarms.CASES,
    out: Out = None,
) -> None:
    """Random tasks: is a correct lane ever called wrong? Half an hour; resumes by itself. docs/parity.md"""
    if find_spec("hypothesis") is None:
        raise InputError("alarms draws its tasks with Hypothesis: pip install 'samestep[dev]'")
    with progress() as report:
        result = alarms.run(cpu_lanes(), cases, Path("results", "local", "alarms"), report)
    finish("alarms", result, alarms.faults, out)


@app.command("slack")
def slack_(out: Out = None) -> None:
    """Named tasks: how much of its bound does each lane use? Minutes. docs/parity.md"""
    with progress() as report:
        result = slack.run(cpu_lanes(), tasks.names(), report)
    finish("slack", result, slack.faults, out)


@app.command("float32")
def float32_(out: Out = None) -> None:
    """Mistakes in float32 alone: what does a run show, and what a probe? Seconds. docs/parity.md"""
    finish("float32", float32.run(), float32.faults, out)


@app.command("aa")
def aa_(minutes: Minutes = aa.MINUTES, out: Out = None) -> None:
    """Identical copies: how often is one called faster or slower? Resumes by itself. docs/trust.md"""
    race("aa", aa, minutes, out)


@app.command("permuted")
def permuted_(out: Out = None) -> None:
    """The copies of aa under other labels and at the margin: how often is a word wrong? Minutes. docs/trust.md"""
    finish("permuted", permuted.run(), permuted.faults, out)


@app.command("power")
def power_(minutes: Minutes = power.MINUTES, out: Out = None) -> None:
    """Known extra work: how often is it found? Resumes by itself. docs/trust.md"""
    race("power", power, minutes, out)


@app.command("traps")
def traps_(
    cases: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Sessions.")] = traps.SESSIONS,
    out: Out = None,
) -> None:
    """Lanes that go wrong: is each found out, with its cause, and no other? Ten minutes. docs/trust.md"""
    with progress() as report:
        result = traps.run(cpu_lanes(), cases, report)
    finish("traps", result, traps.faults, out)


def race(name: str, experiment: ModuleType, minutes: float, out: Path | None) -> None:
    """Race for so long, keep the raw data, and take the figures from what was kept.

    Raises:
        InputError: a package is missing, or the time was too short.
    """
    for package, extra in (("torch", "all"), ("jax", "all"), ("pyarrow", "arrow")):
        if find_spec(package) is None:
            raise InputError(f"{name} needs {package}: pip install 'samestep[{extra}]'")
    with progress() as report:
        records = experiment.measured(minutes, report)
    if not records:
        raise InputError("nothing was measured in that time: give it more --minutes")
    folder = (out or store.FOLDERS[name]) / name
    shutil.rmtree(folder, ignore_errors=True)  # frameworks of another run do not belong to this result
    for framework, record in records.items():
        packed.write(record, folder / framework)
    finish(name, packed.result(folder, experiment.summary), experiment.faults, out)


def finish(
    name: str, result: dict[str, Any], faults: Callable[[dict[str, Any]], list[str]], out: Path | None
) -> None:
    """Keep a result, print where it lies and what it should not have shown; exit 1 if there is such a thing."""
    print(store.keep(name, result, out or store.FOLDERS[name]))
    lines = faults(result)
    print("\n".join(lines) if lines else "as it should be")
    raise typer.Exit(int(bool(lines)))


if __name__ == "__main__":
    main(commands=app)
