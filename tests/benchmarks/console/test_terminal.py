"""A terminal is asked for its width; text is the same wherever it is made; progress is seen on any terminal."""

from __future__ import annotations

import io
import json
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from samestep import backends
from samestep.benchmarks import tasks
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.diff import diff
from samestep.benchmarks.console import terminal
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import certificate_tables, diff_tables, limits_tables, tables
from samestep.benchmarks.report import formatting as fmt
from tests.helpers.page_records import awkward, grid
from tests.helpers.paths import DATA, ROOT
from tests.helpers.processes import in_terminal

SMALL = DATA / "record-2.json"


def test_the_width_is_that_of_the_terminal_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, width in ((0, 100), (20, 40), (80, 80), (95, 95), (300, 120)):
        assert terminal.within_limits(columns) == width
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("COLUMNS", "50")
    assert terminal.terminal_width() == 100


class NotebookShell:
    """What a notebook's get_ipython() gives, as far as rich looks at it."""


def test_text_is_the_same_in_a_notebook_and_under_any_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """rich writes nothing into the text of a console that believes it is in a notebook, but shows it there."""
    analysis = RecordAnalysis(awkward())
    expected = tables.render(analysis, "rich")
    shell = type("ZMQInteractiveShell", (NotebookShell,), {})()
    monkeypatch.setattr("builtins.get_ipython", lambda: shell, raising=False)
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "dumb"), ("JUPYTER_COLUMNS", "30"), ("COLUMNS", "30")):
        monkeypatch.setenv(name, value)
        assert tables.render(analysis, "rich") == expected
    assert len(expected) > 2000
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("make", [awkward, grid])
def test_no_line_of_a_table_is_longer_than_its_width_or_cut(make: types.FunctionType, width: int) -> None:
    analysis = RecordAnalysis(make())
    text = tables.render(analysis, "rich", width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    for row in analysis.rows:
        whole = [line for line in text.splitlines() if line.split()[:1] == [row.lane]]
        assert len(whole) >= 3  # speed, cost, accuracy: each row is one line
    for row in analysis.rows:
        if row.verdict.ratio:
            assert fmt.between(row.verdict.ratio) in text


def wide_tables() -> Iterator[Callable[..., str]]:
    """What each command that prints tables makes of a width."""
    reference = load(ROOT / "results" / "reference")
    for record in (awkward(), grid(), reference):
        yield partial(render_of, RecordAnalysis(record))
    for other in (reference, reference.model_copy(update={"plan": awkward().plan})):
        yield partial(diff_tables.plain, diff(reference, other), reference, other)
    certified, absent = reference.certified, {"torch:tf32": "no GPU is visible to this framework here"}
    for against in (None, "torch"):
        yield partial(certificates, certified, absent, unsupported={}, against=against)
    rates = [{**rate.as_json(), **STEP} for rate in reference.ceilings]
    limits = {
        "cpu": "Processor of a name that is as long as those of processors are",
        **{"allowed_cpus": 1, "threads": "one", "tasks": rates, "missing": absent, "failed": {}},
        **{"calls": [call.as_json() for call in reference.dispatches], "settings": {}, "unset": {}},
    }
    yield lambda width: limits_tables.limits_text(limits, width=width)


STEP = {"row_bytes_per_step": 80, "flops_per_step": 100, "floor_s": 1e-8}


def render_of(analysis: RecordAnalysis, width: int) -> str:
    return tables.render(analysis, "rich", width=width)


def certificates(*given: Any, width: int = 0, **more: Any) -> str:
    return certificate_tables.parity(*given, width=width, **more)


def test_no_table_is_wider_than_any_terminal() -> None:
    for make in wide_tables():
        for width in (40, 41, 42, 43, 45, 48, 52, 57, 63, 71, 80, 100, 120):
            for line in make(width=width).splitlines():
                assert cell_len(line) <= width, line


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80])
def test_a_command_takes_the_width_of_its_terminal(columns: int, tmp_path: Path) -> None:
    code, text = in_terminal("table", str(SMALL), cwd=tmp_path, columns=columns)
    assert code == 0
    assert max(map(cell_len, text.splitlines())) <= columns
    assert f"not shown in {columns} columns: " in text


@pytest.mark.slow
def test_a_list_keeps_its_names_in_a_column_of_their_own(tmp_path: Path) -> None:
    code, text = in_terminal("list", cwd=tmp_path, columns=70)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 70
    assert [line for line in text.splitlines() if line.startswith(" " * 18)]
    first = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {*backends.names(), *tasks.names()} <= first


@pytest.mark.slow
@pytest.mark.parametrize("words", [("verify", str(SMALL)), ("lesson", "--lane", "numpy")])
def test_progress_is_plain_lines_where_the_cursor_cannot_move(words: tuple[str, ...], tmp_path: Path) -> None:
    for term in ("dumb", "xterm"):
        code, text = in_terminal(*words, cwd=tmp_path, term=term, out=tmp_path / "out")
        assert code == 0
        assert f"{words[0]} " in text
        assert ("\x1b" in text) == (term == "xterm")
        assert ("s] " in text) == (term == "dumb")


@pytest.mark.slow
@pytest.mark.parametrize("words", [("verify", str(SMALL)), ("lesson", "--lane", "numpy")])
def test_quiet_shows_no_progress_in_a_terminal(words: tuple[str, ...], tmp_path: Path) -> None:
    code, text = in_terminal(*words, "--quiet", cwd=tmp_path, term="dumb", out=tmp_path / "out")
    assert (code, text) == (0, "")
    assert (tmp_path / "out").read_text()


@pytest.mark.slow
def test_verify_says_which_certificate_it_is_at(tmp_path: Path) -> None:
    record = json.loads(SMALL.read_text())["samestep"]
    _, text = in_terminal("verify", str(SMALL), cwd=tmp_path, term="dumb")
    total = len(record["certified"]) + 1
    assert f"verify 0/{total} the plan" in text
    assert f"verify {total}/{total} done" in text
    assert max(map(len, text.splitlines())) <= 80
