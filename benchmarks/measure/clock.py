"""One sealed slice: chained runs of work that the lane has never seen, between two readings of the clock.

The lane is warmed up on other work and put at a start that it has never seen. Only when it is told to go are the
row orders drawn, after the last call into the lane. The clock runs over all runs, each ended by the backend's own
sync, and over one fetch of parameters and buffers: a run is over when its values exist on the host. The losses
are fetched afterwards; what that takes beyond a plain copy of as many arrays is charged.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Host, RowOrder, State

from ..record.layout import repeats_of
from .counters import compilations, context_switches, steal_ns
from .drawn_work import copies, drawn_orders, drawn_start, new_seed
from .task_files import TaskFiles, drop_pages

AGREE = 0.10  # two runs agree when their times differ by at most this part
MOST_WARMUPS = 5
WARM_NS = 30_000_000  # of runs that warm up: after as long as a slice takes, another one changes little
PLAIN_COPIES = 3  # times a plain copy that the losses' fetch may take
SAMPLED = 50  # arrays of the plain copy
MOST_COPY_NS = 60_000  # of one array in it, and a nanosecond a byte: a slow `get` buys nothing


def nobody() -> None:
    """Hears when a clock begins or has ended."""


@dataclass(frozen=True)
class SealedRun:
    """What became of the runs of a slice: host copies, and the losses as the lane gave them."""

    elapsed_ns: int
    cpu_ns: int
    fetch_ns: int
    params: dict[str, Host]
    buffers: dict[str, Host]
    losses: list[Any]


@dataclass
class OpenSlice:
    """A slice between its requests: from "ready" to "report"."""

    state: State
    warmups: int
    collect: bool
    begin_ns: int = 0
    run: SealedRun | None = None
    orders: list[RowOrder] = field(
        default_factory=list
    )  # to be freed when the coordinator has read its clock
    steal_ns: int = 0
    switches: tuple[int, int] = (0, 0)
    compilations: int = 0


class TimedWork:
    """One task in one backend, its data on the device, ready to be timed."""

    def __init__(self, backend: Backend, files: TaskFiles) -> None:
        self.backend, self.files = backend, files
        self.plain = documented_lane(backend)
        self.typical: float | None = None  # nanoseconds of the last run that warmed up
        with self.precision():
            self.data = self.placed(files.x), self.placed(files.y)
            self.placed(files.y[:1])  # JAX frees what it has copied from only at a later call
        for array in (files.x, files.y):
            drop_pages(array)

    def placed(self, array: Host) -> Any:
        """An array on the device, when it has arrived there."""
        there = self.backend.put(array)
        self.backend.sync(there)
        return there

    def precision(self) -> Any:
        return self.backend.precision(self.files.task.dtype)

    @property
    def inputs(self) -> tuple[RowOrder, int, Host]:
        return self.files.row_order, self.files.task.batch_size, self.files.learning_rates

    def reset(self, start: Mapping[str, Host] | None = None) -> State:
        """A state at a start, by default the task's, computed before the clock starts."""
        state = self.backend.init(self.files.task, params=start or self.files.start)
        self.backend.sync(state)
        return state

    # --- a slice, request by request

    def ready(self, start_seed: int, *, collect: bool) -> OpenSlice:
        """Warm up on other work, and put the lane at a start that it has never seen.

        `collect` leaves the garbage collector on, for the control.
        """
        with self.precision(), garbage(collect):
            warmups = self.rewarm()
            return OpenSlice(self.reset(drawn_start(self.files, start_seed)), warmups, collect)

    def go(
        self,
        piece: OpenSlice,
        order_seed: int,
        repeats: int,
        begins: Callable[[], None] = nobody,
        ended: Callable[[], None] = nobody,
    ) -> SealedRun:
        """Draw the orders and run; who is told that the clock begins and that it has ended."""
        with self.precision(), collecting(piece.collect):
            piece.orders = drawn_orders(self.files, repeats, order_seed)
            piece.begin_ns = time.perf_counter_ns()
            piece.steal_ns, piece.switches, piece.compilations = (
                steal_ns(),
                context_switches(),
                compilations(),
            )
            piece.run = self.chain(piece.state, piece.orders, begins, ended)
        return piece.run

    def chain(
        self,
        state: State,
        orders: list[RowOrder],
        begins: Callable[[], None] = nobody,
        ended: Callable[[], None] = nobody,
    ) -> SealedRun:
        """Runs in these orders, one from the end of the other, and a fetch: what is timed."""
        backend, (_, size, learning_rates), losses = self.backend, self.inputs, list[Any]()
        begins()
        cpu, begin = time.process_time_ns(), time.perf_counter_ns()
        for order in orders:
            state, given = backend.epoch(state, self.data, order, size, learning_rates)
            backend.sync((state, given))
            losses.append(given)
        computed = time.perf_counter_ns()
        params, buffers = copies(backend.params(state)), copies(backend.buffers(state))
        end = time.perf_counter_ns()
        cpu = time.process_time_ns() - cpu
        ended()  # nothing stands between: the coordinator counts the CPU time of whatever does
        return SealedRun(end - begin, cpu, end - computed, params, buffers, losses)

    def report(self, piece: OpenSlice) -> tuple[dict[str, Any], Host]:
        """What the record holds of a slice that has been run, without the digests, and its losses."""
        assert piece.run
        run, after, span = piece.run, context_switches(), time.perf_counter_ns() - piece.begin_ns
        stolen, compiled = steal_ns() - piece.steal_ns, compilations() - piece.compilations
        with self.precision():
            losses, charged = self.losses(run.losses)
        return {
            "repeats": len(run.losses),
            "warmups": piece.warmups,
            "elapsed_ns": run.elapsed_ns + charged,
            "cpu_ns": run.cpu_ns,
            "span_ns": max(span, 1),
            "steal_ns": stolen,
            "switches": (after[0] - piece.switches[0], after[1] - piece.switches[1]),
            "compilations": compiled,
            "fetch_ns": run.fetch_ns,
            "charged_ns": charged,
        }, losses

    def losses(self, given: list[Any]) -> tuple[Host, int]:
        """The losses of all runs, one after another, and the nanoseconds to charge for fetching them.

        The framework's documented lane fetches them, so that a lane's own `get` can neither compute nor buy time.

        max(0, what the fetch took - PLAIN_COPIES times a plain copy of as many arrays)
        """
        parts = [
            part for losses in given for part in (losses if isinstance(losses, list | tuple) else [losses])
        ]
        begin = time.perf_counter_ns()
        try:
            values = [np.ravel(self.plain.get(part)) for part in parts]
        except Exception:  # it is no array of the framework; its form is named as wrong
            values = []
        taken = time.perf_counter_ns() - begin
        losses = np.concatenate(values) if values else np.empty(0)
        if losses.dtype == object:
            losses = np.empty(0)
        charged = max(0, taken - PLAIN_COPIES * self.plain_copy_ns(values))
        return losses, charged

    def malformed(self, losses: Host, repeats: int) -> str:
        """What is wrong with the form of the losses of some runs, or nothing."""
        wanted, dtype = repeats * len(self.files.learning_rates), self.files.task.dtype
        if losses.size == wanted and losses.dtype == dtype:
            return ""
        if not losses.size:
            return "its losses were no arrays of its framework when it was timed"
        return f"it gave {losses.size} losses of {losses.dtype} when it was timed, not {wanted} of {dtype}"

    def plain_copy_ns(self, values: list[Host]) -> int:
        """Nanoseconds that fetching such arrays takes where nothing is left to compute, by a sample."""
        if not values:
            return 0
        sample = values[:: -(-len(values) // SAMPLED)]
        arrays = [self.plain.put(np.array(value)) for value in sample]
        self.plain.sync(arrays)
        begin = time.perf_counter_ns()
        for array in arrays:
            self.plain.get(array)
        taken = time.perf_counter_ns() - begin
        most = sum(MOST_COPY_NS + value.nbytes for value in sample)
        return min(taken, most) * len(values) // len(sample)

    # --- before the slices

    def unseen_run(self) -> SealedRun:
        """One run of work that is new to the lane."""
        state = self.reset(drawn_start(self.files, new_seed()))
        return self.chain(state, drawn_orders(self.files, 1, new_seed()))

    def rewarm(self) -> int:
        """Untimed runs until two agree, the last before being one of them, or they took as long as a slice.

        At least one and at most a few.
        """
        whole_ns = 0
        for count in range(1, MOST_WARMUPS + 1):
            last, self.typical = self.typical, self.unseen_run().elapsed_ns
            whole_ns += self.typical
            if whole_ns > WARM_NS or (last and abs(self.typical - last) <= AGREE * last):
                return count
        return MOST_WARMUPS

    def calibrate(self, target_ns: int) -> dict[str, int]:
        """How many chained runs make a slice of at least `target_ns`."""
        with self.precision(), garbage(False):
            self.rewarm()
            once = min(self.unseen_run().elapsed_ns for _ in range(3))
            # of several: a single run would count its own fetch and hand-over for each of them
            several = min(-(-target_ns // once), 10)
            state = self.reset(drawn_start(self.files, new_seed()))
            chained = self.chain(state, drawn_orders(self.files, several, new_seed())).elapsed_ns
        run_ns = max(1, min(once, chained // several))
        return {"repeats": repeats_of(run_ns, target_ns), "run_ns": run_ns}

    def first_call(self, start_seed: int, order_seed: int) -> tuple[float, SealedRun, Host]:
        """Seconds of the first run in this process: trace, compile, run; with its end and losses."""
        with garbage(False), self.precision():
            state = self.reset(drawn_start(self.files, start_seed))
            run = self.chain(state, drawn_orders(self.files, 1, order_seed))
            losses, charged = self.losses(run.losses)
        return (run.elapsed_ns + charged) / 1e9, run, losses

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


def documented_lane(backend: Backend) -> Backend:
    """The documented lane of a backend's framework on the same device; the backend itself where there is none."""
    from samestep import backends

    if backend.framework in backends.names():
        return backends.load(backend.framework, backend.device)
    return backend


@contextmanager
def garbage(collect: bool) -> Iterator[None]:
    """Collect, then disable the collector; with `collect` leave it on, over everything that is alive."""
    if collect:
        gc.unfreeze()
    else:
        gc.collect()
        gc.freeze()  # what survives need not be walked again before the next slice
    with collecting(collect):
        yield


@contextmanager
def collecting(collect: bool) -> Iterator[None]:
    """With the garbage collector on or off; afterwards it is off."""
    (gc.enable if collect else gc.disable)()
    try:
        yield
    finally:
        gc.disable()
