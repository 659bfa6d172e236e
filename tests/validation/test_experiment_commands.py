"""`python -m validation`: bad usage is one line, a fault is exit code 1, and a result says how it was made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from samestep.benchmarks.cli import main
from samestep.benchmarks.console.errors import InputError
from tests.helpers.lanes import NEEDS_TORCH
from tests.helpers.paths import ROOT
from validation import store
from validation.__main__ import app, finish


@pytest.mark.parametrize(
    "words",
    [
        "mutant",
        "mutants --cases 3",
        "aa --cases 3",
        "alarms --cases 0",
        "traps --minutes 3",
        "power --minutes -1",
        "power --minutes nan",
    ],
)
def test_bad_usage_is_one_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words.split(), commands=app)
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith(("samestep: No such", "samestep: Invalid value"))


@NEEDS_TORCH
def test_a_run_without_time_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["aa", "--minutes", "0", "--out", "results"], commands=app)
    assert end.value.code == 2
    assert "give it more --minutes" in capsys.readouterr().err
    assert not Path(tmp_path, "results").exists()


@pytest.mark.slow
def test_the_module_runs_from_a_checkout() -> None:
    done = subprocess.run([sys.executable, "-m", "validation"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in store.FOLDERS:
        assert f"  {name} " in done.stdout


def test_a_fault_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for faults, code, text in (([], 0, "as it should be\n"), (["a", "b"], 1, "a\nb\n")):
        with pytest.raises(typer.Exit) as end:
            finish("slack", {"tasks": {}}, lambda result, lines=faults: lines, tmp_path)  # type: ignore[misc]
        assert end.value.exit_code == code
        assert capsys.readouterr().out == f"{tmp_path / 'slack.json'}\n{text}"


def test_a_result_is_kept_with_its_command_and_versions(tmp_path: Path) -> None:
    path = store.keep("mutants", {"mutants": []}, tmp_path / store.PARITY)
    kept = json.loads(path.read_text())
    assert kept["command"] == "python -m validation mutants"
    assert kept["versions"]["numpy"]
    assert store.read("mutants", tmp_path)["mutants"] == []
    with pytest.raises(InputError, match="make it with: python -m validation slack"):
        store.read("slack", tmp_path)
