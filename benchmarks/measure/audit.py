"""A slice is done once more by its own lane, untimed, with everything recorded: it must end in the same bits.

Which slices is chosen at random after their clocks have stopped. The worker draws the same start and orders from
their seeds and traces all runs; one of them, chosen at random too, goes to the coordinator, which judges its
steps against the reference. The reference's numbers never reach the worker.

Where a lane's bits differ, since tracing it takes another program, the timed program does the slice again. It
must come to the same end, and over the chosen run it must stay within the probabilistic bound of the reference's
run from the same parameters. The derived bound is no help there: over a run it is wider than a step is long.
"""

from __future__ import annotations

import secrets
import stat
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np

from samestep.backends.interface import Host, MatmulPrecision, RowOrder, Trace

from ..parity.drawn_run import JudgedSteps, judge_end, judge_trace
from ..parity.workload import Workload
from ..record import Audit
from .drawn_work import TABLES, DrawnRuns, Ending, is_stretch, table
from .task_files import TaskFiles, load_arrays, read

# a verb of the worker, with its arguments; None: the worker failed
Ask: TypeAlias = Callable[..., dict[str, Any] | None]
MOST_FILE = 1 << 30  # bytes of what a worker hands over
NOT_READABLE = (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, BadZipFile, zlib.error)


@lru_cache(maxsize=2)
def workload_of(folder: Path) -> tuple[TaskFiles, Workload]:
    """A task's files, and its work for the reference; read once for many audits."""
    files = read(folder)
    return files, Workload.of(files.task, files.split)


def refused(reason: str) -> Audit:
    """The audit of a slice that shows without one that the work was not done."""
    return Audit(epoch=0, steps=0, ratio=0.0, equal=False, reason=reason)


class Auditor:
    """Audits of one task. `folder` holds its files; `scratch` takes what a worker hands over, and is emptied."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.scratch = scratch
        self.files, self.workload = workload_of(folder)

    def audit(
        self, ask: Ask, runs: DrawnRuns, ended: Ending, losses: Path, products: MatmulPrecision
    ) -> Audit | None:
        """Have a slice done again; `losses` holds those that it gave. None: the worker failed meanwhile."""
        steps = len(self.files.learning_rates)
        epoch = secrets.randbelow(runs.repeats)
        first = secrets.randbelow(steps) if is_stretch(self.parameter_bytes, steps) else 0
        again = self.scratch.with_suffix(".traced.npz")
        reply = ask("trace_again", runs=[*runs], epoch=epoch, first=first, path=str(again))
        if reply is None:
            return None
        try:
            judged = self.judge(handed_over(again), runs, epoch, first, products)
            reason, traced = judged.reason, Ending(**reply)
            if not reason and traced.losses != ended.losses:
                timed = np.load(regular(losses))[epoch * steps :][first : first + len(judged.losses)]
                reason = differing_losses(timed, judged.losses, judged.loss_bounds, first)
        except NOT_READABLE as error:
            return refused(unreadable(error))
        equal = traced.final == ended.final
        audit = Audit(epoch=epoch, steps=judged.steps, ratio=judged.ratio, equal=equal, reason=reason)
        if not reason and not equal:
            return self.replayed(ask, audit, runs, ended, products)
        return audit

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters."""
        return sum(value.nbytes for value in self.files.start.values())

    def judge(
        self,
        arrays: Mapping[str, Host],
        runs: DrawnRuns,
        epoch: int,
        first: int,
        products: MatmulPrecision,
    ) -> JudgedSteps:
        """The recorded steps of a run from step `first` on, against the reference."""
        trace = Trace(arrays["trace losses"], *(table(arrays, f"{name}/") for name in TABLES))
        begins, order = epoch == first == 0, runs.orders(self.files)[epoch]
        start = runs.start(self.files) if begins else table(arrays, "before/params/")
        work = self.of_run(order, first, len(trace.losses), start, products)
        return judge_trace(work, None if begins else table(arrays, "before/buffers/"), trace)

    def of_run(
        self, order: RowOrder, first: int, steps: int, start: dict[str, Host], products: MatmulPrecision
    ) -> Workload:
        """The work of some steps of a run, from given parameters."""
        size = self.files.task.batch_size
        rows = order[first * size : (first + steps) * size]
        learning_rates = self.files.learning_rates[first : first + steps][None]
        return replace(
            self.workload,
            orders=(rows,),
            learning_rates=learning_rates,
            start=start,
            matmul_precision=products,
        )

    def replayed(
        self,
        ask: Ask,
        audit: Audit,
        runs: DrawnRuns,
        ended: Ending,
        products: MatmulPrecision,
    ) -> Audit | None:
        """The audit of a lane that ends in other bits when it is traced: its timed program, once more."""
        path = self.scratch.with_suffix(".again.npz")
        reply = ask("run_again", runs=[*runs], epoch=audit.epoch, path=str(path))
        if reply is None:
            return None
        order, steps = runs.orders(self.files)[audit.epoch], len(self.files.learning_rates)
        try:
            arrays = handed_over(path)
            start = table(arrays, "before/params/") if audit.epoch else runs.start(self.files)
            buffers = table(arrays, "before/buffers/") if audit.epoch else None
            work = self.of_run(order, 0, steps, start, products)
            end = judge_end(work, buffers, table(arrays, "after/params/"))
        except NOT_READABLE as error:
            return refused(unreadable(error))
        reason = ""
        if reply["final"] != ended.final:
            reason = "the timed program came to another end when it ran again"
        elif not end.distance <= end.allowance:
            reason = (
                f"run {audit.epoch + 1} of {runs.repeats} ended {end.distance:.2g} from the reference's, "
                f"{end.allowance:.2g} allowed"
            )
        update = {"distance": end.distance, "allowance": end.allowance, "reason": reason}
        return audit.model_copy(update=update)


def regular(path: Path) -> Path:
    """A file that a worker handed over.

    Raises:
        OSError, ValueError: it is not there, is no plain file, or is too large.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_FILE:
        raise ValueError("no plain file, or too large")
    return path


def handed_over(path: Path) -> dict[str, Host]:
    """The arrays that a worker handed over."""
    return load_arrays(regular(path))


def unreadable(error: BaseException) -> str:
    """Why what a worker handed over proves nothing."""
    return f"what it handed over cannot be read ({type(error).__name__})"


def differing_losses(timed: Host, traced: Host, bounds: Host, first: int) -> str:
    """The first loss that is further from the traced one than two correct ones can be, or nothing."""
    outside = np.flatnonzero(~(abs(timed - traced) <= 2 * bounds))
    if not outside.size:
        return ""
    at = int(outside[0])
    pair = f"{timed[at]:.9g} when it was timed, {traced[at]:.9g} when traced"
    return f"the loss at step {first + at + 1} was {pair}"
