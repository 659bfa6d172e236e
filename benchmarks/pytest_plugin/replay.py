"""What pytest-benchmark is given to time: the race of a session, and a clock that replays its samples."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from ..console.errors import InputError

if TYPE_CHECKING:  # the plugin is loaded with every pytest run: nothing heavy before it is needed
    from ..measure.options import Session
    from ..record import Record


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


class Race:
    """The record of this session, measured when first asked for."""

    def __init__(self, config: pytest.Config, asked: Session, chosen: set[tuple[str, str]]) -> None:
        self.config, self.asked = config, asked
        self.tasks = [task for task in self.asked.tasks if task.name in {name for name, _ in chosen}]
        selected = {lane for _, lane in chosen} | {
            self.asked.baseline
        }  # -k torch:tuned still needs its yardstick
        self.lanes = [lane for lane in self.asked.lanes if lane in selected]

    @cached_property
    def record(self) -> Record:
        from ..console.progress import progress
        from ..measure import measure, resume

        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled(), progress() as report:
            try:
                if self.asked.resumed:
                    return resume(self.asked.out, progress=report)
                return measure(
                    self.tasks,
                    self.lanes,
                    baseline=self.asked.baseline,
                    effort=self.asked.effort,
                    threads=self.asked.threads,
                    device=self.asked.device,
                    folder=self.asked.out,
                    progress=report,
                    missing=self.asked.missing | self.asked.left_out,
                    phases=self.asked.phases,
                )
            except InputError as error:  # data that cannot be used concern every test alike
                pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))

    @cached_property
    def rows(self) -> dict[tuple[str, str], Any]:
        from ..analysis.summary import summarize

        return {(row.task, row.lane): row for row in summarize(self.record)}

    def barred(self, task: str, lane: str) -> str | None:
        """Why this lane shows no time, or None."""
        row = self.rows[task, lane]
        return f"{row.verdict.word}: {row.verdict.reason}" if row.time is None else None

    def seconds_per_step(self, task: str, lane: str) -> list[float]:
        """The raw samples in the order in which they were measured."""
        from ..analysis.samples import seconds_per_step

        return seconds_per_step(self.record, task, lane)

    def facts(self, task: str, lane: str) -> dict[str, Any]:
        """What pytest-benchmark's JSON says beside the samples."""
        row = self.rows[task, lane]
        return {"task": task, "lane": lane, "unit": "seconds per training step", "verdict": row.verdict.word}

    def run_once(self, task: str, lane: str) -> None:
        """Under --benchmark-disable: one untimed epoch in this process, to see that it runs."""
        from samestep import backends

        from .. import datasets, parity

        spec = next(each for each in self.asked.tasks if each.name == task)
        backend = backends.load(lane, self.asked.device)
        x, y = datasets.load(spec.dataset).rounded(spec.dtype)
        with backend.precision(spec.dtype):
            state = backend.init(spec, params=parity.initial_parameters(spec))
            data = backend.put(x), backend.put(y)
            rates = spec.learning_rates(len(x))[0]
            backend.sync(backend.epoch(state, data, spec.order(len(x), 0), spec.batch_size, rates))
