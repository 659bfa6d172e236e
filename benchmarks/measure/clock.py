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
from .task_files import Prepared, digest, distance, load

AGREE = 0.10  # two calls agree when they differ by at most this share
MOST_WARMUPS = 5
MOST_SPAN = 6  # a slice's resets may take this many times its target
LONG_NS = 100_000_000  # above this a run is its own warm-up
PAIRS = 7  # runs of unseen work, each beside one of the certified


@dataclass(frozen=True)
class Reading:
    """One run between two readings of the clock, and what became of it."""

    elapsed_ns: int
    cpu_ns: int
    resync_ns: int
    fetch_ns: int
    final: str
    apart: float


class Run:
    """One task in one backend, its data on the device, ready to be timed."""

    def __init__(self, backend: Backend, work: Prepared, final: Path | None = None) -> None:
        self.backend, self.work = backend, work
        self.typical: float | None = None
        self.final = load(final) if final else {}
        self.certified = digest(self.final)
        with self.precision():
            self.data = backend.put(work.x), backend.put(work.y)
            backend.sync(self.data)

    def precision(self) -> Any:
        return self.backend.precision(self.work.task.dtype)

    @property
    def inputs(self) -> tuple[RowOrder, int, Host]:
        return self.work.order, self.work.task.batch_size, self.work.rates

    def reset(self) -> State:
        """A state at the start, computed before the clock starts."""
        state = self.backend.init(self.work.task, params=self.work.start)
        self.backend.sync(state)
        return state

    def fetch(self, result: Any) -> tuple[int, dict[str, Host]]:
        """Nanoseconds that a sync and a fetch of the parameters take, and the parameters."""
        begin = time.perf_counter_ns()
        self.backend.sync(result)
        params = self.backend.params(result[0])
        return time.perf_counter_ns() - begin, params

    def time(self) -> Reading:
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
        final = digest(params)
        apart = 0.0 if final == self.certified else distance(params, self.final)
        return Reading(end - begin, cpu, resync, fetch, final, apart)

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
            readings = [self.time() for _ in range(repeats)]
            span = time.perf_counter_ns() - begin
            after = context_switches()
            elapsed = sum(reading.elapsed_ns for reading in readings)
            self.typical = elapsed / repeats
            return {
                "repeats": repeats,
                "warmups": warmups,
                "elapsed_ns": elapsed,
                "cpu_ns": sum(reading.cpu_ns for reading in readings),
                "span_ns": span,
                "steal_ns": steal_ns() - steal,
                "switches": (after[0] - switches[0], after[1] - switches[1]),
                "resync_ns": readings[-1].resync_ns,
                "fetch_ns": readings[-1].fetch_ns,
                "compilations": compilations() - compiled,
                "final": readings[-1].final,
                "finals": len({reading.final for reading in readings}),
                "apart": max(reading.apart for reading in readings),
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
            run, reset = min(self.time().elapsed_ns for _ in range(3)), min(resets)
        repeats = min(-(-target_ns // run), MOST_SPAN * target_ns // (run + reset))
        return {"repeats": max(1, repeats), "run_ns": run, "reset_ns": reset}

    def unseen(self, seed: int) -> dict[str, int]:
        """Runs from starts and in orders that nobody saw before, against the certified run beside them.

        Who remembers a result instead of computing it takes longer for these, or ends where the other ends. The
        least of several runs, since other programs may hold up any of them.
        """
        rng, certified, known, unseen = np.random.default_rng(seed), self.work, [], []
        with self.precision(), garbage(False):
            for _ in range(PAIRS):
                known.append(self.time())
                self.work = shuffled(certified, rng)
                unseen.append(self.time())
                self.work = certified
        return {
            "known_ns": min(reading.elapsed_ns for reading in known),
            "known_cpu_ns": min(reading.cpu_ns for reading in known),
            "unseen_ns": min(reading.elapsed_ns for reading in unseen),
            "unseen_cpu_ns": min(reading.cpu_ns for reading in unseen),
            "same": sum(reading.final == self.certified for reading in unseen),
        }

    def first_call(self) -> float:
        """Seconds of the first run in this process: trace, compile, run."""
        with self.precision(), garbage(False):
            return self.time().elapsed_ns / 1e9

    def train(self) -> dict[str, Host]:
        """The parameters after all epochs of the task, on all rows."""
        task, rows = self.work.task, len(self.work.x)
        rates = task.learning_rates(rows)
        with self.precision():
            state = self.reset()
            for epoch in range(task.epochs):
                order = task.order(rows, epoch)
                state, _ = self.backend.epoch(state, self.data, order, task.batch_size, rates[epoch])
            self.backend.sync(state)
            return self.backend.params(state)


def shuffled(work: Prepared, rng: np.random.Generator) -> Prepared:
    """The same amount of work from another start, its rows in another order."""
    start = {
        name: value + rng.normal(0, 0.01, value.shape).astype(value.dtype)
        for name, value in work.start.items()
    }
    return replace(work, start=start, order=rng.permutation(work.order))


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
