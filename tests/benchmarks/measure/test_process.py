"""Workers as real processes: how they ended is said rightly, and their memory and time are watched."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from samestep.benchmarks.measure import process_tree
from samestep.benchmarks.measure.process import WorkerError
from tests.helpers.workers import LIMIT, do_deed, reason, worker_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("deed", "expected"),
    {
        "exit with a message": "exited with status 1: no license in license.txt",
        "exit": "exited with status 3",
        "exit as if nothing were wrong": "exited with status 0",
        "segmentation fault": "died of SIGSEGV",
        "abort": "died of SIGABRT",
        "killed": "died of SIGKILL",
        "real-time signal": f"died of signal {signal.SIGRTMIN + 1}",
        "kill the group": "died of SIGKILL",
        "a child holds the pipe": "exited with status 4",
    }.items(),
)
def test_the_cause_of_death_is_always_the_right_one(deed: str, expected: str) -> None:
    with ThreadPoolExecutor(4) as threads:  # on a busy machine
        assert list(threads.map(reason, [deed] * 8)) == [expected] * 8


@pytest.mark.parametrize("deed", ["nothing", "fork"])
def test_a_worker_that_dies_while_it_is_asked_nothing_has_its_cause_too(deed: str) -> None:
    """The child keeps the pipe of requests open, so that writing to it still works."""
    with worker_for(deed) as worker:
        do_deed(worker)
        os.kill(worker.pid, signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(WorkerError, match="died of SIGTERM"):
            worker.ask("pin", limit=LIMIT, cpus=[])


def test_a_child_that_holds_the_pipe_does_not_make_a_dead_worker_hung() -> None:
    expected = pytest.raises(WorkerError, match="exited with status 4")
    with worker_for("a child holds the pipe") as worker, expected:
        do_deed(worker)


def test_a_worker_that_closes_its_pipe_is_said_to_have_done_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samestep.benchmarks.measure.process.DEATH_S", 1.0)
    assert reason("close every file") == "closed its pipe"


@pytest.mark.parametrize("deed", ["fill", "fill in a child"])
def test_memory_is_that_of_the_worker_and_its_children(deed: str) -> None:
    assert reason(deed).startswith("out of memory: ")


def test_memory_is_looked_at_before_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samestep.benchmarks.measure.process.POLL_S", LIMIT)
    with worker_for("fill") as worker:
        worker.ask("open", limit=LIMIT, lane="numpy", device="cpu")  # imports take their time
        with pytest.raises(WorkerError, match="out of memory: "):
            do_deed(worker, limit=5.0)  # all of which is waited for
    assert reason("hang", limit=0.5) == "hung: no answer within 0.5 s"


def test_a_worker_that_cannot_be_stopped_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree, "_thread_states", lambda pid: {"R"})
    monkeypatch.setattr(process_tree, "STOP_S", 0.1)
    with worker_for("nothing") as worker:
        do_deed(worker)
        worker.pause()
        with pytest.raises(WorkerError, match="could not be stopped for the slices of others"):
            worker.ask("pin", limit=LIMIT, cpus=[])


def test_a_closed_worker_is_asked_in_vain() -> None:
    with worker_for("nothing") as worker:
        worker.close()
        with pytest.raises(WorkerError, match="closed"):
            do_deed(worker)
