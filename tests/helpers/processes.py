"""The commands in processes of their own, as a user runs them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
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
# the same where one lane shows all that there is to see
ONE_LANE = ("--effort", "smoke", "--task", "lesson", "--lane", "numpy", "--baseline", "numpy")


def side_by_side(call: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> list[T]:
    """What a call gives for each tuple of arguments, two calls at a time; each waits for another process."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda one: call(*one), arguments))


def samestep(*words: str, cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "samestep", *words]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether a process of Linux has a handler for a signal: before, Python itself has not started yet."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def without_progress(said: str) -> list[str]:
    """The lines of standard error that tell something else than how far a run has come."""
    return [line for line in said.splitlines() if not line.startswith("[")]


def in_terminal(
    *words: str, cwd: Path, columns: int = 80, term: str = "xterm", out: Path | None = None
) -> tuple[int, str]:
    """Exit code and all that the command line writes in a terminal of so many columns; `out` takes its stdout."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "PYTHONSAFEPATH")}
    stdout = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if out else side
    command = [sys.executable, "-m", "samestep", *words]
    with subprocess.Popen(
        command, cwd=cwd, env=env | {"TERM": term}, stdin=side, stdout=stdout, stderr=side
    ) as process:
        for descriptor in {side, stdout}:
            os.close(descriptor)
        text = b""
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while chunk := os.read(main, 1 << 16):
                text += chunk
    os.close(main)
    return process.returncode, text.decode(errors="replace").replace("\r\n", "\n")


def interrupted(
    command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code and output of a run with --out run that Ctrl-C reaches after its first block."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=cwd, env=env, text=True, start_new_session=True, **pipes) as process:
        blocks = cwd / "run" / "relay" / "blocks"
        end = time.monotonic() + 120
        while not (blocks.is_dir() and any(blocks.glob("*.json"))) and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=300)
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
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)
