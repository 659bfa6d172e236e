"""One timed slice: the certified work from the certified start, between two readings of the clock.

Resets, checks and garbage collection are outside the clock. Each run is ended by the backend's own sync on its
result; afterwards the final parameters are fetched and their digest goes into the sample.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Host, RowOrder, State

from .counters import compilations, context_switches, steal_ns
from .task_files import TaskFiles, float64_distance, load_arrays, short_digest

AGREE = 0.10  # two runs agree when their times differ by at most this part
MOST_WARMUPS = 5
MOST_SPAN = 6  # a slice's resets may take this many times its target
LONG_NS = 100_000_000  # above this a run is its own warm-up
PAIRS = 7  # runs of unseen work, each beside a run of the certified


@dataclass(frozen=True)
class TimedRun:
    """One run between two readings of the clock, and what became of it."""

    elapsed_ns: int
    cpu_ns: int
    resync_ns: int
    fetch_ns: int
    final: str
    apart: float


class TimedWork:
    """One task in one backend, its data on the device, ready to be timed."""

    def __init__(self, backend: Backend, files: TaskFiles, final: Path | None = None) -> None:
        self.backend, self.files = backend, files
        self.typical: float | None = None
        self.final = load_arrays(final) if final else {}
        self.certified = short_digest(self.final)
        with self.precision():
            self.data = backend.put(files.x), backend.put(files.y)
            backend.sync(self.data)

    def precision(self) -> Any:
        return self.backend.precision(self.files.task.dtype)

    @property
    def inputs(self) -> tuple[RowOrder, int, Host]:
        return self.files.row_order, self.files.task.batch_size, self.files.learning_rates

    def reset(self) -> State:
        """A state at the start, computed before the clock starts."""
        state = self.backend.init(self.files.task, params=self.files.start)
        self.backend.sync(state)
        return state

    def fetch(self, result: Any) -> tuple[int, dict[str, Host]]:
        """Nanoseconds that a sync and a fetch of the parameters take, and the parameters."""
        begin = time.perf_counter_ns()
        self.backend.sync(result)
        params = self.backend.params(result[0])
        return time.perf_counter_ns() - begin, params

    def time(self) -> TimedRun:
        """One run from the start."""
        backend = self.backend
        state, inputs = self.reset(), self.inputs
        cpu = time.process_time_ns()
        begin = time.perf_counter_ns()
        result = backend.epoch(state, self.data, *inputs)
        backend.sync(result)
        end = time.perf_counter_ns()
        cpu = time.process_time_ns() - cpu
        resync, params = self.fetch(result)
        fetch, _ = self.fetch(result)
        final = short_digest(params)
        apart = 0.0 if final == self.certified else float64_distance(params, self.final)
        return TimedRun(end - begin, cpu, resync, fetch, final, apart)

    def rewarm(self) -> int:
        """Untimed runs until two agree, the last slice's typical run being one of them; at most a few."""
        last = self.typical
        for count in range(1, MOST_WARMUPS + 1):
            elapsed = self.time().elapsed_ns
            if elapsed > LONG_NS or (last and abs(elapsed - last) <= AGREE * last):
                return count
            last = elapsed
        return MOST_WARMUPS

    def slice(self, repeats: int, *, collect: bool) -> dict[str, Any]:
        """Re-warm, then `repeats` runs; `collect` leaves the garbage collector on, for the control."""
        with self.precision(), garbage(collect):
            warmups = self.rewarm()
            compiled, steal, switches = compilations(), steal_ns(), context_switches()
            begin = time.perf_counter_ns()
            runs = [self.time() for _ in range(repeats)]
            span = time.perf_counter_ns() - begin
            after = context_switches()
            elapsed = sum(run.elapsed_ns for run in runs)
            self.typical = elapsed / repeats
            return {
                "repeats": repeats,
                "warmups": warmups,
                "elapsed_ns": elapsed,
                "cpu_ns": sum(run.cpu_ns for run in runs),
                "span_ns": span,
                "steal_ns": steal_ns() - steal,
                "switches": (after[0] - switches[0], after[1] - switches[1]),
                "resync_ns": runs[-1].resync_ns,
                "fetch_ns": runs[-1].fetch_ns,
                "compilations": compilations() - compiled,
                "final": runs[-1].final,
                "finals": len({run.final for run in runs}),
                "apart": max(run.apart for run in runs),
            }

    def calibrate(self, target_ns: int) -> dict[str, int]:
        """How many runs make a slice of at least `target_ns`, resets taking at most a few times as long."""
        with self.precision(), garbage(False):
            self.rewarm()
            resets = []
            for _ in range(3):
                begin = time.perf_counter_ns()
                self.reset()
                resets.append(time.perf_counter_ns() - begin)
            run_ns, reset_ns = min(self.time().elapsed_ns for _ in range(3)), min(resets)
        repeats = min(-(-target_ns // run_ns), MOST_SPAN * target_ns // (run_ns + reset_ns))
        return {"repeats": max(1, repeats), "run_ns": run_ns, "reset_ns": reset_ns}

    def unseen(self, seed: int) -> dict[str, int]:
        """Runs from starts and in orders that nobody saw before, against the certified run beside them.

        A lane that remembers a result instead of computing it takes longer for these, or ends where the certified
        run ends. The least of several runs, since other programs may hold up any of them.
        """
        rng, certified = np.random.default_rng(seed), self.files
        certified_runs, unseen_runs = list[TimedRun](), list[TimedRun]()
        with self.precision(), garbage(False):
            for _ in range(PAIRS):
                certified_runs.append(self.time())
                self.files = shuffled(certified, rng)
                unseen_runs.append(self.time())
                self.files = certified
        return {
            "known_ns": min(run.elapsed_ns for run in certified_runs),
            "known_cpu_ns": min(run.cpu_ns for run in certified_runs),
            "unseen_ns": min(run.elapsed_ns for run in unseen_runs),
            "unseen_cpu_ns": min(run.cpu_ns for run in unseen_runs),
            "same": sum(run.final == self.certified for run in unseen_runs),
        }

    def first_call(self) -> float:
        """Seconds of the first run in this process: trace, compile, run."""
        with self.precision(), garbage(False):
            return self.time().elapsed_ns / 1e9

    def train(self) -> dict[str, Host]:
        """The parameters after all epochs of the task, on all rows."""
        task, rows = self.files.task, len(self.files.x)
        learning_rates = task.learning_rates(rows)
        with self.precision():
            state = self.reset()
            for epoch in range(task.epochs):
                order = task.row_order(rows, epoch)
                state, _ = self.backend.epoch(state, self.data, order, task.batch_size, learning_rates[epoch])
            self.backend.sync(state)
            return self.backend.params(state)


def shuffled(files: TaskFiles, rng: np.random.Generator) -> TaskFiles:
    """The same amount of work from another start, its rows in another order."""
    start = {
        name: value + rng.normal(0, 0.01, value.shape).astype(value.dtype)
        for name, value in files.start.items()
    }
    return replace(files, start=start, row_order=rng.permutation(files.row_order))


@contextmanager
def garbage(collect: bool) -> Iterator[None]:
    """Collect, then disable the collector; with `collect` leave it on, over everything that is alive."""
    if collect:
        gc.unfreeze()
        gc.enable()
    else:
        gc.collect()
        gc.freeze()  # what survives need not be walked again before the next slice
        gc.disable()
    try:
        yield
    finally:
        gc.disable()
