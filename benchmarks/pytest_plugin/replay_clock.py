"""The timer that pytest-benchmark is given: it replays what the workers measured."""

from __future__ import annotations


class ReplayClock:
    """A timer that stands still except while a sample is replayed; seconds, like time.perf_counter."""

    __name__ = "worker-measured time"

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let a sample pass. Starting from zero keeps the difference of two readings exact."""
        self.now = seconds

    def rewind(self) -> None:
        """Back to zero, before the next sample."""
        self.now = 0.0


CLOCK = ReplayClock()
