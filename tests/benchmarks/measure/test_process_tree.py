"""All that a worker starts is known, is stopped with it, and ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from samestep.benchmarks.measure import process_tree
from samestep.benchmarks.measure.process_tree import is_alive, oom_kills, started_so_far
from tests.helpers.process_lanes import BURN_S
from tests.helpers.workers import LIMIT, do_deed, reason, survivors, worker_for

pytestmark = pytest.mark.slow
TICKS_S = 0.04  # of the processes that have ended, times are known to a tick of 10 ms each


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
from tests.helpers.workers import Worker, do_deed, environment
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
