"""Ctrl-C, as a terminal sends it to all processes of a command, at any moment of every command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.paths import DATA
from tests.helpers.processes import hears, side_by_side, without_progress

SMALL = str(DATA / "record-2.json")
LANES = ("--lane", "numpy", "--lane", "numpy:tuned")
JOBS = {
    "sweep": (*LANES, "--baseline", "numpy", "--minutes", "0.3", "--out", "run"),
    "parity": (*LANES, "--task", "lesson", "--json", "proof.json"),
    "ceilings": ("--task", "lesson"),
    "verify": (SMALL,),
    "report": (SMALL, "--out", "page.html"),
}
# seconds from the start: the end, workers, certificates, or imports; 0: as soon as it hears it. Two run side by
# side: the longest come first, so that none is waited for alone
MOMENTS = (6.0, 3.0, 1.6, 0.8, 0.0)


def pressed(command: str, after: float, folder: Path) -> tuple[bool, int, str, str, list[int]]:
    """Whether the command line had started when Ctrl-C came; exit code, output, the processes that are left."""
    folder.mkdir()
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    words = [sys.executable, "-m", "samestep", command, *JOBS[command]]
    with subprocess.Popen(words, cwd=folder, text=True, start_new_session=True, **pipes) as process:
        if after == 0:
            wait_until_it_hears(process)
        try:
            process.wait(after)
            started = True  # and ended before that moment
        except subprocess.TimeoutExpired:
            started = hears(process.pid, signal.SIGTERM)  # Python itself has no handler for that
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    return started, process.returncode, out, err, left_of(process.pid)


def wait_until_it_hears(process: subprocess.Popen[str]) -> None:
    """However long a busy machine takes to start Python."""
    end = time.monotonic() + 120
    while process.poll() is None and not hears(process.pid, signal.SIGTERM):
        assert time.monotonic() < end
        time.sleep(0.005)


def left_of(session: int) -> list[int]:
    """The processes of a session that still run."""
    left = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return left


@pytest.mark.slow
@pytest.mark.parametrize("command", JOBS)
def test_ctrl_c_is_one_line_and_leaves_nothing_half_done(command: str, tmp_path: Path) -> None:
    runs = [(command, after, tmp_path / f"after {after}") for after in MOMENTS]
    stopped = 0
    ended = side_by_side(pressed, runs)
    for (_, after, folder), (started, code, out, err, left) in zip(runs, ended, strict=True):
        assert left == [], after
        for file in folder.rglob("*.json"):
            json.loads(file.read_text())
        for page in folder.glob("*.html"):
            assert page.read_text().rstrip().endswith("</html>")
        if code in (0, 1):  # it was done before, and said all
            assert out.endswith("\n")
            continue
        if not started:
            continue
        assert "Traceback" not in err, (after, err)
        stopped += 1
        assert code == 130, (after, err)
        said = without_progress(err)
        assert len(said) == 1, (after, err)
        assert said[0].startswith("samestep: interrupted; "), (after, err)
    assert stopped
