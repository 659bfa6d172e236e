"""Workers that do a deed when they open their lane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from samestep.backends.interface import Device
from samestep.benchmarks.measure.process import Worker, WorkerError, worker_environment
from samestep.benchmarks.measure.process_tree import MARK

LIMIT = 60.0
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
