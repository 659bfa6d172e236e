"""What test modules share: the lanes that can run here on the CPU, and one small real run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
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


def interrupted(command: Sequence[str], cwd: Path) -> tuple[int, str, str]:
    """Exit code and output of a run with --out run that Ctrl-C reaches after its first block."""
    pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=cwd, text=True, start_new_session=True, **pipes) as process:
        blocks = cwd / "run" / "relay" / "blocks"
        end = time.monotonic() + 120
        while not (blocks.is_dir() and any(blocks.glob("*.json"))) and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder and the output of a small run of `samestep compare`, from a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("smoke")
    done = samestep("compare", *SMOKE, "--out", str(folder / "run"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done
