"""`samestep pytest`: the benchmarks from any folder, whatever settings of pytest lie there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.processes import samestep


@pytest.mark.slow
def test_it_runs_in_the_folder_of_another_project(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('not ours')\n")
    words = ("--lane=numpy", "--baseline=numpy", "--task=lesson", "--effort=smoke", "--out=run")
    done = samestep("pytest", *words, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SPEED" in done.stdout
    assert "1 passed" in done.stdout
    assert "samestep" in json.loads((tmp_path / "run/benchmark.json").read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conftest.py", "pytest.ini", "run"]


@pytest.mark.slow
def test_its_arguments_are_those_of_pytest(tmp_path: Path) -> None:
    done = samestep("pytest", "--lane=nump", cwd=tmp_path)
    assert done.returncode == 4
    assert "unknown lane 'nump': did you mean 'numpy'?" in done.stderr
