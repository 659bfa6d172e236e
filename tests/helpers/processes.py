"""The commands in processes of their own, as a user runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from tests.helpers.paths import ROOT

T = TypeVar("T")
InProcess: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]  # the command line in this process
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


def side_by_side(call: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> list[T]:
    """What a call gives for each tuple of arguments, two calls at a time; each waits for another process."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda one: call(*one), arguments))


def samestep(*words: str, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "samestep", *words]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def interrupted(command: Sequence[str], cwd: Path) -> tuple[int, str, str]:
    """Exit code and output of a run with --out run that Ctrl-C reaches after its first block."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=cwd, text=True, start_new_session=True, **pipes) as process:
        blocks = cwd / "run" / "relay" / "blocks"
        end = time.monotonic() + 120
        while not (blocks.is_dir() and any(blocks.glob("*.json"))) and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


ONLY = (
    "--benchmark-only",
    "benchmarks/bench_training.py",
)  # with the path: else pytest loads tests/conftest.py


def run_pytest(
    *words: str,
    out: Path | None = None,
    resume: Path | None = None,
    race: Sequence[str] = SMOKE,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """pytest on a small race into a folder, or on the race that was begun in one."""
    which = [f"--resume={resume}"] if resume else [*race, f"--out={out}"]
    plain = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]  # neither is needed; the second costs a second
    command = [sys.executable, "-m", "pytest", *plain, *which, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
