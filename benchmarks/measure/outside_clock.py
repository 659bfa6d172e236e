"""The coordinator's own readings of a slice: a lane's process is not believed alone about its clocks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .host import throttled_periods
from .instructions import counter_of

if TYPE_CHECKING:
    from .process import Worker


class OutsideClock:
    """Wall time, CPU time and child processes of a worker, from before its clock begins until it has ended.

    And in how many periods meanwhile a CPU quota stopped it, and how many instructions it retired.

    The worker waits for `begin` and for `end`, so that its own times lie within these. They are longer by two
    messages. Waiting lengthens the wall time, never the CPU time.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.children = len(worker.descendants())
        self.throttled = throttled_periods()
        self.begin_ns = self.begin_cpu_ns = self.end_ns = self.end_cpu_ns = 0
        self.instructions: int | None = None
        self.begin()  # for a worker that never says so

    def begin(self) -> None:
        """The worker's clock is about to begin."""
        self.counter = counter_of(self.worker.pid)
        self.begin_cpu_ns = self.worker.cpu_ns()
        self.begin_ns = time.perf_counter_ns()

    def end(self) -> None:
        """The worker's clock has ended."""
        self.end_ns = time.perf_counter_ns()
        self.end_cpu_ns = self.worker.cpu_ns()
        if self.counter:
            self.instructions = self.counter.read()
            self.counter.close()

    def readings(self) -> dict[str, int | None]:
        """What was read, as fields of a slice; a worker that did not say that it has ended ends now."""
        if not self.end_ns:
            self.end()
        return {
            "outside_ns": max(self.end_ns - self.begin_ns, 1),
            "outside_cpu_ns": max(self.end_cpu_ns - self.begin_cpu_ns, 0),
            "children": max(self.children, len(self.worker.descendants())),
            "throttled": max(throttled_periods() - self.throttled, 0),
            "instructions": self.instructions,
        }
