"""The coordinator's own readings of a slice: a lane's process is not believed alone about its clocks."""

from __future__ import annotations

import time

from .process import Worker


class OutsideClock:
    """Wall time between a worker's word that it begins and its reply, its CPU time, and its child processes.

    The word and the reply take 30 to 290 us to come over, both of them, so that the difference is small.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.children = len(worker.descendants())
        self.begin_ns = self.begin_cpu_ns = 0
        self.begin()  # for a worker that never says so

    def begin(self) -> None:
        """The worker's clock begins."""
        self.begin_ns, self.begin_cpu_ns = time.perf_counter_ns(), self.worker.cpu_ns()

    def end(self) -> dict[str, int]:
        """The readings, as fields of a slice."""
        elapsed = time.perf_counter_ns() - self.begin_ns
        used = self.worker.cpu_ns() - self.begin_cpu_ns
        return {
            "outside_ns": max(elapsed, 1),
            "outside_cpu_ns": max(used, 0),
            "children": max(self.children, len(self.worker.descendants())),
        }
