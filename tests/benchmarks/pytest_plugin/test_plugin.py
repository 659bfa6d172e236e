"""`pytest --benchmark-only` as pytest-benchmark's users know it, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.helpers.outside_lanes import python_path
from tests.helpers.paths import ROOT
from tests.helpers.processes import ONLY, run_pytest
from tests.helpers.raced import PLUGIN

pytestmark = pytest.mark.slow

# As pytest-timeout's signal does it: a test that takes longer fails; by CPU time, so that a busy machine is none.
LIMITS_TESTS = """
import signal
import pytest

def over(*_):
    pytest.fail("Timeout (>0.5s)")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, 0.5)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
"""


def test_benchmark_only_is_the_comparison(tmp_path: Path) -> None:
    """No path is needed; both tables are shown, and the record and Markdown are in the run's folder."""
    done = run_pytest("--benchmark-only", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'lesson': 2 tests" in done.stdout  # pytest-benchmark's own
    assert "SPEED" in done.stdout  # and ours
    assert "2 passed" in done.stdout
    document = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert document["samestep"]["plan"]["lanes"] == ["numpy", "numpy:tuned"]
    (path,) = re.findall(r"^record: (\S+)$", done.stdout, re.MULTILINE)
    assert Path(path) == tmp_path / "run" / "benchmark.json"
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["benchmark.json", "table.md"]
    assert "AssertRewriteWarning" not in done.stdout


@pytest.mark.parametrize("saved", [False, True])
def test_a_folder_for_saved_runs_stays_only_with_something_in_it(saved: bool, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(benchmark): benchmark(int)\n")
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", "test_one.py"]
    words = ["--benchmark-autosave"] if saved else []
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / ".benchmarks").exists() == saved


@pytest.fixture(scope="module")
def selected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """A run of one lane of several, beside a plugin that limits the time of a test; and what was said."""
    folder = tmp_path_factory.mktemp("selected")
    (folder / "limits_tests.py").write_text(LIMITS_TESTS)
    env = os.environ | {"PYTHONPATH": python_path(folder, ROOT)}
    words = ("--task", "lesson-huber", "-k", "huber and tuned")
    plugins = ("-p", "limits_tests", "-p", "tests.helpers.no_limits")
    return folder / "run", run_pytest(*ONLY, *words, *plugins, out=folder / "run", env=env)


def test_a_limit_on_the_time_of_a_test_does_not_end_the_run(
    selected: tuple[Path, CompletedProcess[str]],
) -> None:
    """All is measured before the first test; the tests take no time."""
    folder, done = selected
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.json", "table.md"]


def test_only_what_is_selected_races_and_its_baseline(
    selected: tuple[Path, CompletedProcess[str]],
) -> None:
    folder, done = selected
    assert "collected 4 items / 3 deselected / 1 selected" in done.stdout, done.stdout + done.stderr
    found = json.loads((folder / "benchmark.json").read_text())["samestep"]
    assert found["plan"]["lanes"] == ["numpy", "numpy:tuned"]
    assert [work["task"]["name"] for work in found["plan"]["works"]] == ["lesson-huber"]


@pytest.mark.parametrize("words", [("--collect-only",), ("--benchmark-only", "--collect-only")])
def test_collecting_measures_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run_pytest("benchmarks/bench_training.py", *words, out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 tests collected" in done.stdout
    assert not (tmp_path / "run").exists()


def test_disabled_benchmarks_run_once_without_the_relay(tmp_path: Path) -> None:
    done = run_pytest("benchmarks/bench_training.py", "--benchmark-disable", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert not (tmp_path / "run").exists()


def test_nothing_selected_is_no_fault_and_leaves_nothing(tmp_path: Path) -> None:
    done = run_pytest(*ONLY, "-k", "nomatch", out=tmp_path / "run")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_other_tests_are_skipped_as_ever(tmp_path: Path) -> None:
    """pytest-benchmark skips what is no benchmark: no reason to make a folder, or to mourn an empty save."""
    done = run_pytest(
        "--benchmark-only", "tests/benchmarks/statistics/test_williams.py", out=tmp_path / "run"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_bad_options_are_one_usage_error(tmp_path: Path) -> None:
    done = run_pytest(*ONLY, "--task", "nothing", out=tmp_path / "run")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown task 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
