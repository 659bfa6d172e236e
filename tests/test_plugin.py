"""`pytest --benchmark-only` as pytest-benchmark's users know it, in processes of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMOKE

ROOT = Path(__file__).parents[1]


def run_pytest(*words: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *SMOKE, "--out", str(out), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_benchmark_only_is_the_comparison(tmp_path: Path) -> None:
    """No path is needed; both tables are shown, and the record and Markdown are in the run's folder."""
    done = run_pytest("--benchmark-only", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'lesson': 2 tests" in done.stdout  # pytest-benchmark's own
    assert "SPEED" in done.stdout  # and ours
    assert "2 passed" in done.stdout
    document = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert document["samestep"]["plan"]["lanes"] == ["numpy", "numpy:tuned"]
    (told,) = re.findall(r"Wrote benchmark data in: (\S+)", done.stdout + done.stderr)
    assert Path(told) == tmp_path / "run" / "benchmark.json"
    assert "AssertRewriteWarning" not in done.stdout


def test_a_selected_lane_still_brings_its_baseline(tmp_path: Path) -> None:
    done = run_pytest("--benchmark-only", "-k", "tuned", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 deselected" in done.stdout
    document = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert document["samestep"]["plan"]["lanes"] == ["numpy", "numpy:tuned"]


def test_the_users_own_json_is_respected(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    done = run_pytest("--benchmark-only", f"--benchmark-json={mine}", "-k", "tuned", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "samestep" in json.loads(mine.read_text())
    assert not (tmp_path / "run" / "benchmark.json").exists()


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
    done = run_pytest("--benchmark-only", "-k", "nomatch", out=tmp_path / "run")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_other_tests_are_skipped_as_ever(tmp_path: Path) -> None:
    """pytest-benchmark skips what is no benchmark: no reason to make a folder, or to mourn an empty save."""
    done = run_pytest("--benchmark-only", "tests/test_measure_order.py", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_bad_options_are_one_usage_error(tmp_path: Path) -> None:
    done = run_pytest("--benchmark-only", "--task", "nothing", out=tmp_path / "run")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown task 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
