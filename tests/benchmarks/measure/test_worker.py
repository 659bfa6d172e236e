"""What a worker does when it is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.numpy_modes import NumpyTuned
from samestep.benchmarks.measure.worker import LaneServer, pin
from tests.helpers.sessions import prepared, small_task

CPUS = tuple(range(os.cpu_count() or 1))


def allowed() -> set[frozenset[int]]:
    """The CPUs on which the threads of this process may run: one set, if all may run on the same."""
    return {frozenset(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")}


class Noting(NumpyTuned):
    """Notes on which CPUs its threads may run when it is timed, and when it is traced."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.timed = list[set[frozenset[int]]]()
        self.traced = list[set[frozenset[int]]]()

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.timed.append(allowed())
        return super().epoch(state, data, rows, batch_size, learning_rates)

    def trace(self, *arguments: Any) -> Any:
        self.traced.append(allowed())
        return super().trace(*arguments)


@pytest.fixture
def cpus() -> Iterator[tuple[int, int]]:
    """Two CPUs; the process is back on its own afterwards."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system holds nothing to a CPU")
    before = sorted(os.sched_getaffinity(0))
    try:
        pin(CPUS)
        everywhere = sorted(os.sched_getaffinity(0))
        if len(everywhere) < 2:
            pytest.skip("there is one CPU")
        yield everywhere[0], everywhere[-1]
    finally:
        pin(before)  # all threads, as the worker does


@pytest.mark.parametrize("is_held", [True, False])
def test_an_audit_is_done_on_its_own_cpu_and_nothing_stays_there(
    is_held: bool, cpus: tuple[int, int], tmp_path: Path
) -> None:
    timed, audited = cpus
    server = LaneServer(lambda line: None)
    server.open(f"{__name__}:Noting", "cpu")
    prepared(tmp_path / "work", small_task())
    server.load("t", str(tmp_path / "work"))
    server.pin([timed] if is_held else [])
    before = allowed()
    assert len(before) == 1
    lane: Any = server.backend
    ends = []
    for verb, further in ((server.trace_again, {"first": 0}), (server.run_again, {})):
        lane.timed.clear()
        lane.traced.clear()
        ends.append(verb("t", [3, 4, 2], epoch=1, path=str(tmp_path / "a.npz"), cpus=[audited], **further))
        assert lane.timed or lane.traced
        assert all(
            seen == ({frozenset([audited])} if is_held else before) for seen in lane.timed + lane.traced
        )
        assert allowed() == before
    assert ends[0]["final"] == ends[1]["final"]
    with pytest.raises(FileNotFoundError):
        server.trace_again(
            "t", [3, 4, 2], epoch=1, first=0, path=str(tmp_path / "no" / "a.npz"), cpus=[audited]
        )
    assert allowed() == before
