"""The coordinator's own readings of a slice: a lane's process is not believed alone about its clocks."""

from __future__ import annotations

import time

from .process import Worker


class OutsideClock:
    """Wall time, CPU time and child processes of a worker, from before its clock begins until its reply is here.

    The worker waits for `begin`, so that its own times lie within these. They are longer by two messages: 60 to
    500 us on a quiet host. Waiting lengthens the wall time, never the CPU time.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.children = len(worker.descendants())
        self.begin_ns = self.begin_cpu_ns = 0
        self.begin()  # for a worker that never says so

    def begin(self) -> None:
        """The worker's clock is about to begin."""
        self.begin_cpu_ns = self.worker.cpu_ns()
        self.begin_ns = time.perf_counter_ns()

    def end(self) -> dict[str, int]:
        """The readings, as fields of a slice."""
        elapsed = time.perf_counter_ns() - self.begin_ns
        used = self.worker.cpu_ns() - self.begin_cpu_ns
        return {
            "outside_ns": max(elapsed, 1),
            "outside_cpu_ns": max(used, 0),
            "children": max(self.children, len(self.worker.descendants())),
        }
