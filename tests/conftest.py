"""What test modules share: the lanes that can run here on the CPU, and one small real run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import backends

LANES = tuple(
    name
    for name in backends.names()
    if backends.missing(name) is None and "cpu" in backends.lane_class(name).devices()
)
COMPILED = frozenset({"torch:compile", "torch:fused"})  # seconds for each new program: fewer cases
SMOKE = (
    "--effort",
    "smoke",
    "--task",
    "lesson",
    "--lane",
    "numpy",
    "--lane",
    "numpy:tuned",
    "--baseline",
    "numpy",
)


def samestep(*words: str, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder and the output of a small run of `samestep compare`, from a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("smoke")
    done = samestep("compare", *SMOKE, "--out", str(folder / "run"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done
