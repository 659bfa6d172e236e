"""`python -m validation NAME`, from a checkout: run one of the acceptance experiments and keep its result."""

from __future__ import annotations

from typing import Annotated

import typer

from samestep.benchmarks.cli import main

from .experiment import experiment as run

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def experiment(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="mutants, alarms or slack (docs/parity.md); aa, power or traps (docs/trust.md).",
        ),
    ],
    cases: Annotated[
        int | None,
        typer.Option(metavar="COUNT", help="Random tasks for alarms (500), or sessions for traps (10)."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", help="Time to race for aa (40) or power (60); goes on where it ended."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Folder for the result; default results/parity or results/trust."
        ),
    ] = None,
) -> None:
    """An acceptance experiment of the suite itself; its result is a small JSON. Exit 1 if it shows a fault."""
    raise typer.Exit(run(name, cases=cases, minutes=minutes, out=out))


if __name__ == "__main__":
    main(commands=app)
