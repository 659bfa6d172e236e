"""In a folder with files of the user's own that are called like modules, none of these files is run."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.helpers.outside_lanes import hide_frameworks, install
from tests.helpers.paths import ROOT
from tests.helpers.processes import ONE_LANE, samestep, side_by_side
from tests.helpers.sweeps import sweep_code

pytestmark = pytest.mark.slow

# What `python -m` itself may import from the current folder, before any line of ours; `samestep` does not.
OF_PYTHON = {"runpy", "importlib", "warnings", "contextlib", "collections", "keyword", "operator", "reprlib"}
OF_PYTHON |= {"functools", "types"}
INSTALLED = {name for name in packages_distributions() if name.isidentifier()}
NAMES = (
    ({"backends", "benchmarks", "conftest"} | sys.stdlib_module_names | INSTALLED) - OF_PYTHON - {"samestep"}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each file there says that it was run, and fails."""
    place = tmp_path_factory.mktemp("own")
    for name in sorted(NAMES):
        path = place / f"{name}.py"
        if name == "benchmarks":
            path = place / name / "__init__.py"
            path.parent.mkdir()
        path.write_text(
            f"open({str(place / 'ran')!r}, 'a').write('{name} ')\nraise SystemExit('{name} was run')\n"
        )
    return place


@pytest.fixture(scope="module")
def compared(folder: Path) -> Path:
    """A comparison there; what a project tells its pytest does not concern it either."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", "--no-such-option")
        done = samestep("compare", *ONE_LANE, "--out", "run", cwd=folder)
    check(done, folder)
    return folder / "run"


def check(done: CompletedProcess[str], folder: Path) -> None:
    """A command ended well, and none of the files was run."""
    ran = (folder / "ran").read_text() if (folder / "ran").exists() else ""
    assert ran == ""
    assert done.returncode == 0, done.stdout + done.stderr


COMMANDS = (
    "list",
    "--version",
    "lesson --lane numpy",
    "parity --task lesson --lane numpy",
    "ceilings --task lesson",  # of every framework, each in a worker that imports it
    "table run --format markdown",
    "report run",
    "verify run",
    "diff run run",
)


@pytest.fixture(scope="module")
def ended(folder: Path, compared: Path) -> dict[str, CompletedProcess[str]]:
    """How each command ended there."""

    def run(command: str) -> CompletedProcess[str]:
        return samestep(*command.split(), cwd=folder)

    return dict(zip(COMMANDS, side_by_side(run, [(command,) for command in COMMANDS]), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_them(command: str, folder: Path, ended: dict[str, CompletedProcess[str]]) -> None:
    check(ended[command], folder)


def test_a_sweep_runs_none_of_them(folder: Path) -> None:
    """Python's own -P: with -c it would put the folder into the path by itself."""
    command = [
        sys.executable,
        "-P",
        "-c",
        sweep_code(batches=[1], features=[2], blocks=2, limits=False),
        *("--lane", "numpy", "--baseline", "numpy", "--out", "sweep"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    check(done, folder)


def test_a_lane_that_imports_the_former_names_is_told_what_to_write(tmp_path: Path) -> None:
    install(tmp_path, "numpy:old", "Old", "from backends.numpy_backend import NumpyBackend as Old\n")
    hide_frameworks(tmp_path)  # which take seconds to import
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "samestep").symlink_to(ROOT / "samestep")  # the package and nothing beside it
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "site")])
    command = [sys.executable, "-m", "samestep", "list"]
    env = os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.split()[:1] == ["numpy:old"]]
    assert "write `from samestep.backends import ...`" in line
