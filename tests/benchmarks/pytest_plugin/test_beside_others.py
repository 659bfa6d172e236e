"""Beside other plugins, and without the loading of any: the run is shown, or one line says what cannot be."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers.outside_lanes import python_path
from tests.helpers.paths import ROOT
from tests.helpers.processes import ONLY, run_pytest, without_progress
from tests.helpers.raced import PLUGIN, Raced

pytestmark = pytest.mark.slow

# As pytest-codspeed does it: it switches pytest-benchmark's session off and puts its own fixture in the place of
# the other's.
SWITCHES_OFF = """
import pytest

enabled = []

def pytest_addoption(parser):
    parser.addoption("--codspeed", action="store_true")

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if config.getoption("codspeed"):
        enabled.append(True)
        config.option.benchmark_disable = True
        config.pluginmanager.set_blocked("pytest-benchmark")

@pytest.fixture
def codspeed_benchmark():
    return lambda function, *arguments: function(*arguments)

def pytest_plugin_registered(plugin, manager):
    definitions = getattr(plugin, "_arg2fixturedefs", None)
    if definitions and enabled:
        definitions["benchmark"] = definitions["codspeed_benchmark"]
"""


def with_plugin(folder: Path, name: str, code: str) -> Mapping[str, str]:
    """An environment in which a plugin can be imported."""
    (folder / f"{name}.py").write_text(code)
    return os.environ | {"PYTHONPATH": python_path(folder)}


def test_whatever_switches_pytest_benchmark_off_is_one_line(tmp_path: Path) -> None:
    env = with_plugin(tmp_path, "switches_off", SWITCHES_OFF)
    words = ("-p", "switches_off", "--codspeed")
    done = run_pytest("benchmarks/bench_training.py", *words, out=tmp_path / "run", env=env)
    said = done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, said
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    assert "only pytest-benchmark shows their times: leave out what switches it off (--codspeed" in error
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_other_benchmarks_run_without_pytest_benchmarks_session(tmp_path: Path) -> None:
    env = with_plugin(tmp_path, "switches_off", SWITCHES_OFF)
    (tmp_path / "test_other.py").write_text("def test_other(benchmark): assert benchmark(sum, [1, 2]) == 3\n")
    words = (*PLUGIN, "-p", "switches_off", "--codspeed")
    done = run_pytest(*words, race=(), out=tmp_path / "run", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_pytest_benchmark_is_there_where_no_plugin_is_loaded_by_itself(raced: Raced, tmp_path: Path) -> None:
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = raced.again(tmp_path / "run", "--benchmark-columns=min", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'lesson': 2 tests" in done.stdout
    assert "SPEED" in done.stdout
    left_out = run_pytest(ONLY[1], "-p", "no:benchmark", out=tmp_path / "other", env=env)
    assert left_out.returncode == pytest.ExitCode.USAGE_ERROR
    assert "needs pytest-benchmark: leave out -p no:benchmark" in left_out.stderr


def test_a_skip_of_someone_elses_measures_nothing(tmp_path: Path) -> None:
    code = (
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        item.add_marker(pytest.mark.skip(reason='not today'))\n"
    )
    env = with_plugin(tmp_path, "skips_all", code)
    done = run_pytest(*ONLY, "-p", "skips_all", out=tmp_path / "run", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 skipped" in done.stdout
    assert not (tmp_path / "run").exists()


def test_without_pytests_capture_the_run_is_shown(raced: Raced, tmp_path: Path) -> None:
    done = raced.again(tmp_path / "run", "-p", "no:capture")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SPEED" in done.stdout


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("2>&1 | head -1", 0, ""),
        ("| head -1", 0, ""),
        (
            ">/dev/full",
            4,
            "samestep: standard output: No space left on device; what was printed is not complete",
        ),
    ],
)
def test_output_that_nobody_reads_is_no_failed_check(
    where: str, code: int, said: str, raced: Raced, tmp_path: Path
) -> None:
    shutil.copytree(raced.pieces / "relay", tmp_path / "run" / "relay")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *ONLY, f"--resume={tmp_path / 'run'}"]
    script = f"{shlex.join(words)} {where}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    assert "\n".join(without_progress(done.stderr)) == said
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["benchmark.json", "table.md"]
