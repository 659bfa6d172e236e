"""Work that no lane has seen: a start and row orders drawn from seeds, so that it can be done once more.

Doing it once more is the worker's half of an audit.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from samestep.backends.interface import Arrays, Host, RowOrder, Trace

from .task_files import TaskFiles, save_arrays, short_digest

if TYPE_CHECKING:
    from .clock import TimedWork

SPREAD = 0.01  # standard deviation of what is added to every initial parameter
SEED_BITS = 62  # of a seed that nobody can foresee; a record holds integers of up to 63 bits
MOST_BYTES = 64 << 20  # of a traced run that is judged; of a longer one a stretch is taken
TABLES = ("params", "buffers", "gradients")


def new_seed() -> int:
    """A seed from the system's source of randomness."""
    return secrets.randbits(SEED_BITS)


def drawn_start(files: TaskFiles, seed: int) -> dict[str, Host]:
    """The initial parameters, each moved a little: as far from the solution as before, and never seen."""
    rng = np.random.default_rng(seed)
    return {
        name: value + rng.normal(0, SPREAD, value.shape).astype(value.dtype)
        for name, value in files.start.items()
    }


def drawn_orders(files: TaskFiles, count: int, seed: int) -> list[RowOrder]:
    """Row orders of `count` runs: consecutive pieces of permutations of all rows, drawn in one native call.

    Of an epoch that ends before all rows only that beginning is drawn: freeing a long permutation takes time.
    """
    rows, samples, rng = len(files.x), len(files.row_order), np.random.default_rng(seed)
    pieces = rows // samples  # of a permutation
    if files.task.most_steps and count <= pieces:
        return list(rng.choice(rows, count * samples, replace=False).reshape(count, samples))
    every = np.broadcast_to(np.arange(rows), (-(-count // pieces), rows))
    drawn = rng.permuted(every, axis=1)[:, : pieces * samples].reshape(-1, samples)
    return list(np.ascontiguousarray(drawn[:count]))


def is_stretch(parameter_bytes: int, steps: int) -> bool:
    """Whether a recorded run of a model with so many bytes of parameters is too large to be judged whole."""
    return len(TABLES) * parameter_bytes * steps > MOST_BYTES


def copies(values: Arrays) -> dict[str, Host]:
    """Copies of the lane's arrays: whatever it does to its own afterwards does not change what was timed."""
    return {name: np.array(value) for name, value in values.items()}


class Ending(NamedTuple):
    """Digests of where a slice ended: parameters with buffers, and all losses."""

    final: str
    losses: str

    @classmethod
    def of(cls, params: Arrays, buffers: Arrays, losses: Host) -> Ending:
        """The digests of these arrays, 16 digits each."""
        return cls(short_digest(state_arrays(params, buffers)), short_digest({"losses": losses}))


def state_arrays(params: Arrays, buffers: Arrays) -> dict[str, Host]:
    """Parameters and buffers under different names."""
    return {**params, **{f"buffers/{name}": value for name, value in buffers.items()}}


class DrawnRuns(NamedTuple):
    """The seeds of a slice, and how many chained runs it has."""

    start_seed: int
    order_seed: int
    repeats: int

    def start(self, files: TaskFiles) -> dict[str, Host]:
        """The parameters at the start."""
        return drawn_start(files, self.start_seed)

    def orders(self, files: TaskFiles) -> list[RowOrder]:
        """The row order of every run."""
        return drawn_orders(files, self.repeats, self.order_seed)


# --- the same work once more, in the worker ---------------------------------------------------------------------


def trace_again(work: TimedWork, runs: DrawnRuns, epoch: int, first: int, path: Path) -> Ending:
    """Trace all runs; the file gets what run `epoch` began with and its steps from `first` on, and all losses."""
    backend, (_, size, learning_rates), losses = work.backend, work.inputs, list[Host]()
    arrays: dict[str, Host] = {}
    with work.precision():
        state = work.reset(runs.start(work.files))
        for number, order in enumerate(runs.orders(work.files)):
            if number == epoch:
                before = copies(backend.params(state)), copies(backend.buffers(state))
            state, trace = backend.trace(state, work.data, order, size, learning_rates)
            losses.append(np.ravel(trace.losses))
            if number == epoch:
                arrays = stretch(trace, *before, first)
        params, buffers = backend.params(state), backend.buffers(state)
    save_arrays(path, arrays | {"losses": np.concatenate(losses)})
    return Ending.of(params, buffers, np.concatenate(losses))


def stretch(trace: Trace, params: Arrays, buffers: Arrays, first: int) -> dict[str, Host]:
    """The steps of a trace from `first` on, as many as fit, and what the first of them began with."""
    if first:
        params, buffers = (
            {name: v[first - 1] for name, v in t.items()} for t in (trace.params, trace.buffers)
        )
    each = sum(value[:1].nbytes for table in TABLES for value in getattr(trace, table).values())
    steps = slice(first, first + max(1, MOST_BYTES // max(each, 1)))
    arrays = {f"before/params/{name}": value for name, value in params.items()}
    arrays |= {f"before/buffers/{name}": value for name, value in buffers.items()}
    for table in TABLES:
        arrays |= {f"{table}/{name}": value[steps] for name, value in getattr(trace, table).items()}
    return arrays | {"trace losses": trace.losses[steps]}


def run_again(work: TimedWork, runs: DrawnRuns, epoch: int, path: Path) -> str:
    """Run the timed program again, to its final digest; the file gets the state before and after run `epoch`."""
    backend, (_, size, learning_rates) = work.backend, work.inputs
    arrays: dict[str, Host] = {}
    with work.precision():
        state = work.reset(runs.start(work.files))
        for number, order in enumerate(runs.orders(work.files)):
            if number == epoch:
                arrays |= prefixed("before/", backend.params(state), backend.buffers(state))
            state, _ = backend.epoch(state, work.data, order, size, learning_rates)
            backend.sync(state)
            if number == epoch:
                arrays |= prefixed("after/", backend.params(state), backend.buffers(state))
        params, buffers = backend.params(state), backend.buffers(state)
    save_arrays(path, arrays | prefixed("end/", params, buffers))
    return short_digest(state_arrays(params, buffers))


def prefixed(prefix: str, params: Arrays, buffers: Arrays) -> dict[str, Host]:
    """Arrays of a state under names for a file."""
    arrays = {f"{prefix}params/{name}": np.array(value) for name, value in params.items()}
    return arrays | {f"{prefix}buffers/{name}": np.array(value) for name, value in buffers.items()}


def table(arrays: Mapping[str, Host], prefix: str) -> dict[str, Host]:
    """The arrays of a file whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
