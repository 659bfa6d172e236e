"""How long a run still takes: what its stages were expected to take, corrected by what they took."""

from __future__ import annotations

from collections.abc import Mapping

SETTLED_S = 5.0  # of a stage, before its own pace counts
FASTEST, SLOWEST = 0.2, 5.0  # limits of the correction


class Forecast:
    """The time left for the whole of a run, from the expected seconds of its stages, in their order."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self.expected = dict(expected)
        self.stage, self.began, self.first_done = "", 0.0, 0
        self.took: dict[str, float] = {}  # the finished stages

    @property
    def pace(self) -> float:
        """What the finished stages took over what was expected of them."""
        expected = sum(self.expected[stage] for stage in self.took)
        pace = sum(self.took.values()) / expected if expected else 1.0
        return min(max(pace, FASTEST), SLOWEST)

    def left(self, now: float, stage: str, done: int, total: int) -> float | None:
        """Seconds left when `done` of `total` parts of a stage are done; None where nothing is expected of it."""
        if stage not in self.expected:
            return None
        if stage != self.stage:
            if self.stage:
                self.took[self.stage] = now - self.began
            self.stage, self.began, self.first_done = stage, now, done
        stages = list(self.expected)
        later = sum(self.expected[name] for name in stages[stages.index(stage) + 1 :])
        return self._of_stage(now, done, total) + self.pace * later

    def _of_stage(self, now: float, done: int, total: int) -> float:
        elapsed, parts = now - self.began, done - self.first_done
        if parts > 0 and elapsed > SETTLED_S:
            return elapsed / parts * (total - done)
        expected = self.pace * self.expected[self.stage]
        return expected * (1 - done / total) if parts > 0 else max(expected - elapsed, 0.0)


def about(seconds: float) -> str:
    """A duration as people say it: 40 s, 6 min, 1 h 20 min."""
    if seconds < 90:
        return f"{max(round(seconds, -1), 10):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
