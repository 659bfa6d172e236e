"""README's table is the committed reference result's, and every command it shows exists."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from benchmarks import cli, tasks
from benchmarks.report import readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_the_table_is_current() -> None:
    assert readme.updated(TEXT) == TEXT
    assert "torch:fused" in readme.section()


def test_every_command_and_option_shown_exists() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    shown = re.findall(r"^(?:\.venv/bin/)?samestep (\w+)(.*)$", TEXT, flags=re.MULTILINE)
    assert len(shown) >= 6
    for name, rest in shown:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--\w+", rest.partition("#")[0])) <= options


def test_every_task_named_exists() -> None:
    assert set(re.findall(r"--task ([\w-]+)", TEXT)) <= set(tasks.names())


def test_links_to_files_resolve() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (Path(readme.ROOT) / target).exists(), target
