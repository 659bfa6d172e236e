"""Workers as real processes: what they start ends with them, and how they ended is said rightly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep.backends.interface import Device
from samestep.benchmarks.measure import process_tree
from samestep.benchmarks.measure.process import Worker, WorkerError, worker_environment
from samestep.benchmarks.measure.process_tree import MARK, is_alive, oom_kills, started_so_far
from tests.helpers.process_lanes import BURN_S

pytestmark = pytest.mark.slow
LIMIT = 60.0
TICKS_S = 0.04  # of the processes that have ended, times are known to a tick of 10 ms each
MEMORY = 400 << 20


def environment(deed: str, cache: Path = Path("unused")) -> dict[str, str]:
    rng = np.random.default_rng(0)
    variables = worker_environment(threads="one", cpus=[], device=Device("cpu"), cache=cache, rng=rng)
    return variables | {"DEED": deed}


@contextmanager
def worker_for(deed: str) -> Iterator[Worker]:
    worker = Worker(environment(deed), memory=MEMORY)
    try:
        yield worker
    finally:
        worker.close()
        assert not survivors(worker.tree.mark)


def do_deed(worker: Worker, limit: float = LIMIT) -> None:
    worker.ask("open", limit=limit, lane="tests.helpers.process_lanes:DeedLane", device="cpu")


def reason(deed: str, limit: float = LIMIT) -> str:
    with worker_for(deed) as worker, pytest.raises(WorkerError) as raised:
        do_deed(worker, limit)
    assert not raised.value.alive
    return str(raised.value)


def survivors(mark: str) -> list[psutil.Process]:
    """Living processes that carry a mark."""
    alive = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except (psutil.Error, OSError):
            continue
    return alive


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
            do_deed(worker, limit=10.0)
    assert reason("hang", limit=0.5) == "hung: no answer within 0.5 s"


def test_memory_that_children_share_counts_once() -> None:
    with worker_for("share") as worker:
        do_deed(worker)
        assert len(worker.descendants()) == 4
        assert worker.tree.resident(1) < 200 << 20 < worker.tree.resident(10 << 30)


@pytest.mark.parametrize("deed", ["fork", "setsid", "double fork", "new program"])
def test_what_a_worker_starts_is_known_and_ends_with_it(deed: str) -> None:
    with worker_for(deed) as worker:
        assert worker.descendants() == ()
        do_deed(worker)
        (pid,) = worker.descendants()
        child = psutil.Process(pid)
        assert psutil.Process(worker.pid).is_running()
    assert not child.is_running()


def test_a_process_that_flees_is_caught() -> None:
    with worker_for("flee") as worker:
        do_deed(worker)


@pytest.mark.parametrize("deed", ["fork", "setsid", "double fork", "new program"])
def test_what_a_worker_starts_ends_when_the_worker_dies(deed: str) -> None:
    with worker_for(deed) as worker:
        do_deed(worker)
        child = psutil.Process(worker.descendants()[0])
        os.kill(worker.pid, signal.SIGKILL)
        worker.tree.guard.wait(LIMIT)
        assert not child.is_running()


def test_nothing_survives_a_guard_that_is_killed() -> None:
    assert reason("kill the guard") == "its guard died of SIGKILL"


def test_nothing_survives_a_guard_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samestep.benchmarks.measure.process_tree.GUARD_S", 1.0)
    with worker_for("stop the guard") as worker:
        do_deed(worker)
        processes = [psutil.Process(pid) for pid in worker.descendants()]
        assert len(processes) == 2
    assert not [process for process in processes if is_alive(process)]


COORDINATOR = """
import sys
from tests.benchmarks.measure.test_process import Worker, do_deed, environment
workers = []
for deed in sys.argv[1:]:
    workers.append(Worker(environment(deed), memory=1 << 30))
    do_deed(workers[-1])
    print(workers[-1].tree.mark, flush=True)
for worker in workers:
    worker.ask("pin", limit=60, cpus=[])
sys.stdin.read()
"""


def test_nothing_survives_the_coordinator() -> None:
    """Of all that its workers have started: a guard and a worker for each deed, and a process of the worker's."""
    deeds = ("nothing", "fork", "setsid", "double fork", "new program")
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", COORDINATOR, *deeds], env=variables, **pipes) as process:
        assert process.stdout
        marks = {deed: process.stdout.readline().strip() for deed in deeds}
        guards = psutil.Process(process.pid).children()
        trees = [[guard, *guard.children(recursive=True)] for guard in guards]
        assert sorted(map(len, trees)) == [2, 3, 3, 3, 3]
        for deed, mark in marks.items():
            assert len(survivors(mark)) >= 2, deed
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([one for tree in trees for one in tree], timeout=LIMIT)
    assert not alive
    for deed, mark in marks.items():
        assert not survivors(mark), deed


def test_ctrl_c_reaches_the_coordinator_alone() -> None:
    with worker_for("nothing") as worker:
        do_deed(worker)
        assert len({os.getsid(pid) for pid in (0, worker.pid, worker.tree.guard.pid)}) == 3


@pytest.mark.parametrize(
    "deed",
    [
        "burn",
        "burn in a child",
        "burn in a child that ends",
        "burn in a child that ends unnoticed",
        "burn far away",
        "burn far away and end",
    ],
)
def test_the_cpu_time_is_that_of_everything_a_worker_has_started(deed: str) -> None:
    with worker_for(deed) as worker:
        worker.ask("open", limit=LIMIT, lane="numpy", device="cpu")  # what it imports is not counted
        before = worker.cpu_ns()
        do_deed(worker)
        deadline = time.monotonic() + LIMIT
        while (burned := (worker.cpu_ns() - before) / 1e9) < BURN_S - TICKS_S:
            assert time.monotonic() < deadline, burned
            time.sleep(0.05)
        time.sleep(0.2)
        assert (worker.cpu_ns() - before) / 1e9 < 1.5 * BURN_S  # twice, if it were counted twice


def test_the_cpu_time_of_a_worker_that_is_gone_is_no_error() -> None:
    with worker_for("double fork") as worker:
        do_deed(worker)
        before = worker.cpu_ns()
        os.kill(worker.pid, signal.SIGKILL)
        for _ in range(200):
            assert worker.cpu_ns() >= 0
            assert isinstance(worker.descendants(), tuple)
        assert before > 0
        worker.kill()
        assert (worker.cpu_ns(), worker.descendants()) == (0, ())


@pytest.mark.skipif(
    started_so_far() is None, reason="the system does not say how many processes it has started"
)
def test_processes_are_listed_again_only_when_one_may_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, list_children = [], psutil.Process.children

    def counted(*given: Any, **options: Any) -> Any:
        lists.append(given)
        return list_children(*given, **options)

    with worker_for("keep burning in a child") as worker:
        worker.ask("open", limit=LIMIT, lane="numpy", device="cpu")
        monkeypatch.setattr(psutil.Process, "children", counted)
        end = time.monotonic() + LIMIT
        while True:  # until nothing else is started on this machine meanwhile
            lists.clear()
            before = started_so_far()
            assert all(worker.tree.processes(anew=False) for _ in range(9))
            if before == started_so_far():
                break
            assert time.monotonic() < end
        assert len(lists) <= 2
        assert not worker.descendants()
        do_deed(worker)
        assert worker.descendants()


def test_a_number_that_never_changes_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree, "started_so_far", lambda: 7)
    with worker_for("keep burning in a child") as worker:
        assert not worker.descendants()
        do_deed(worker)
        assert worker.descendants()


@pytest.mark.parametrize("deed", ["keep burning in a child", "keep burning far away"])
def test_nothing_of_a_worker_runs_while_it_is_paused(deed: str) -> None:
    with worker_for(deed) as worker:
        do_deed(worker)
        worker.pause()
        before = -1
        while before != worker.cpu_ns():  # each is stopped when it would run again
            before = worker.cpu_ns()
            time.sleep(0.1)
        time.sleep(0.3)
        assert worker.cpu_ns() == before
        worker.ask("pin", limit=LIMIT, cpus=[])  # asked again, it goes on
        end = time.monotonic() + LIMIT  # others may have the CPUs
        while worker.cpu_ns() <= before + 50_000_000:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert worker.descendants()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says in which state a thread is")
def test_what_is_being_started_when_a_worker_is_paused_stands_too() -> None:
    with worker_for("fork without end") as worker:
        do_deed(worker)
        for _ in range(20):
            worker.pause()
            for pause in (0.0, 0.03):
                time.sleep(pause)
                found = [process.pid for process in worker.tree.processes()]
                states = {state for pid in found for state in process_tree._thread_states(pid)}
                assert found
                assert states <= set("TtZX"), states
            worker.ask("pin", limit=LIMIT, cpus=[])


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


@pytest.mark.parametrize(
    ("group", "file", "expected"),
    [
        ("0::/jobs/1\n", "sys/fs/cgroup/jobs/1/memory.events", 7),
        ("5:devices:/\n4:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.oom_control", 7),
        ("0::/elsewhere\n", "sys/fs/cgroup/memory.events.local", 3),
    ],
)
def test_kills_for_lack_of_memory_are_those_of_the_control_group(
    group: str, file: str, expected: int, tmp_path: Path
) -> None:
    texts = {
        "proc/self/cgroup": group,
        "proc/vmstat": "nr_free_pages 5\noom_kill 3\n",
        file: "low 0\noom 9\noom_kill 7\noom_group_kill 1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert oom_kills(tmp_path) == expected
    assert oom_kills(tmp_path / "nothing") == 0
