"""A whole run, step by step: plan, certify, race. It prints nothing; `progress` is told of everything."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np

from .. import datasets
from ..analysis import RecordAnalysis
from ..analysis.looks import reason_to_end
from ..console.errors import InputError
from ..console.progress import Progress, silent
from ..parity.workload import initial_parameters
from ..record import Arm, Comparison, Plan, Record, Unsupported, layout
from ..record.layout import LaneTasks, runnable
from . import compiler_cache, duration, environment, settings, task_files
from .efforts import WorkerLimits
from .exclusive import alone, made_folder
from .folder import MachineLimits, PhaseBreakdowns, RunFolder
from .preparation import Done, Preparation, measure_limits, measure_phases
from .process import worker_settings
from .relay import BlockRace
from .request import RunRequest

MUST_AGREE = {
    "boot": "boot of this host",
    "installed": "set of packages",
    "source": "version of the code",
    "allowed_cpus": "number of CPUs",
    "settings": "set of thread and library settings",
}


class BenchmarkRun:
    """A run in its folder: certify, then race. What an earlier end left there is not measured again."""

    def __init__(
        self, folder: str | Path, *, progress: Progress = silent, limits: WorkerLimits | None = None
    ) -> None:
        """Open the run that was begun in a folder.

        Raises:
            InputError: there is none, or its plan cannot be read.
        """
        self.folder, self.progress, self.limits = RunFolder(folder), progress, limits or WorkerLimits()
        self.plan = self.folder.plan()
        self.is_resumed = True
        self.seconds: float | None = None  # to go on past a look only as far as this allows
        self.block_s = 0.0  # what a block is expected to take
        self.began = time.monotonic()

    @classmethod
    def begin(
        cls, request: RunRequest, *, progress: Progress = silent, limits: WorkerLimits | None = None
    ) -> Self:
        """Plan what is requested in the folder of the request, or open the run that was begun there.

        Raises:
            InputError: the selection makes no sense, data cannot be loaded, or the folder holds another run.
        """
        with made_folder(request.out) as folder:
            if request.resumed:
                folder.check_begun()
            else:
                with folder.planning():
                    folder.begin(make_plan(request, folder, progress))
            run = cls(request.out, progress=progress, limits=limits)
            run.is_resumed = request.resumed
            if request.seconds is not None:
                run.seconds, run.block_s = request.seconds, duration.block(request)
            return run

    def lacks(self, blocks: int | None = None) -> bool:
        """Whether anything of the run, or of its first so many blocks, is still to be measured."""
        measured = len(self.folder.blocks())
        if measured < self.until(blocks):
            record = self.folder.record()
            certified = len(record.certified) == len(self.plan.pairs)
            return not certified or bool(runnable(self.plan, record.certified, record.failures))
        return self.lacks_phases

    @property
    def lacks_phases(self) -> bool:
        """Whether the plan asks for phase breakdowns that are still to be measured."""
        return self.plan.phases and not self.folder.piece(PhaseBreakdowns)

    def until(self, blocks: int | None) -> int:
        """How many blocks there are in the end: so many, or the plan's and those that make up for deaths.

        Or as many as there are, at a look at which everything is decided or cannot be.
        """
        measured = self.folder.blocks()
        if len(measured) in self.plan.effort.looks and reason_to_end(RecordAnalysis(self.folder.record())):
            return len(measured)
        if blocks is not None and blocks < self.plan.effort.blocks:
            return blocks
        return layout.until(self.plan, measured)

    def has_time(self, measured: int, until: int, block_s: float) -> bool:
        """Whether the blocks up to the next look fit into the time that was given; at no look nobody asks."""
        looks = self.plan.effort.looks
        if self.seconds is None or measured not in looks:
            return True
        following = min((look for look in looks if look > measured), default=until)
        return time.monotonic() - self.began + (following - measured) * block_s <= self.seconds

    @alone
    def certify(self) -> None:
        """Cold first calls, certificates and accuracy of every lane on every task; the machine's limits.

        Raises:
            InputError: the run was begun on another boot, with other packages, settings, code or data.
        """
        if not self.lacks():
            return
        check_same(self.plan)
        self.folder.check_work(self.plan)
        compiler_cache.make(self.folder.cache)
        if self.is_resumed:
            self.folder.note_resumption()
        Preparation(self.folder, self.plan, self.limits, certifying(self)).run()
        if not self.folder.piece(MachineLimits):
            measure_limits(self.folder, self.plan, self.limits)
        self.progress("ceilings", 1, 1, "memory, BLAS, calls")

    @alone
    def race(self, blocks: int | None = None) -> None:
        """The blocks that are missing, by default all; then phases, where the plan has them."""
        compiler_cache.make(self.folder.cache)
        begin, first = time.monotonic(), len(self.folder.blocks())
        for index in count(first):
            until = self.until(blocks)  # a block may add another
            block_s = (time.monotonic() - begin) / (index - first) if index > first else self.block_s
            if not self.has_time(index, until, block_s):
                return
            if index >= until:
                break
            record = self.folder.record()
            lane_tasks = runnable(self.plan, record.certified, record.failures, before=index)
            if lane_tasks and not self.folder.block_path(index).exists():
                self.block(index, until, lane_tasks, record.arms)
        self.progress("race", 100 * until, 100 * until, "done")
        if self.lacks_phases:
            measure_phases(
                self.folder, self.plan, self.limits, lambda text: self.progress("phases", 0, 0, text)
            )
        if not self.lacks():
            self.folder.remove_scratch()

    def block(self, index: int, until: int, lane_tasks: LaneTasks, arms: Sequence[Arm]) -> None:
        """Measure one block and keep it."""

        def report(part: float, text: str) -> None:
            self.progress("race", int(100 * (index + part)), 100 * until, f"block {index + 1}: {text}")

        report(0, "starting workers")
        race = BlockRace(
            self.folder,
            self.plan,
            self.limits,
            index=index,
            lane_tasks=lane_tasks,
            arms=arms,
            progress=report,
        )
        self.folder.write(self.folder.block_path(index), race.run())

    @alone
    def finish(self, blocks: int | None = None) -> Record:
        """Certify and race whatever is missing, or go no further than so many blocks; gives the record."""
        if self.lacks(blocks):
            self.certify()
            self.race(blocks)
        elif not self.lacks():
            self.folder.remove_scratch()
        return self.folder.record()


def measure(
    request: RunRequest,
    *,
    progress: Progress = silent,
    limits: WorkerLimits | None = None,
    blocks: int | None = None,
) -> Record:
    """Certify and race; every finished piece is kept in the request's folder, so that `resume` can go on.

    Lanes that cannot run are failures in the record, not errors. `blocks`: go no further than so many for now.

    Raises:
        InputError: as for `BenchmarkRun.begin`.
    """
    with made_folder(request.out):
        return BenchmarkRun.begin(request, progress=progress, limits=limits).finish(blocks)


def resume(
    folder: str | Path,
    *,
    progress: Progress = silent,
    limits: WorkerLimits | None = None,
    blocks: int | None = None,
) -> Record:
    """Finish the run in a folder, or take it to `blocks` blocks in all; what is there is not measured again.

    Raises:
        InputError: there is no run, or it was begun on another boot, with other packages or other code.
    """
    return BenchmarkRun(folder, progress=progress, limits=limits).finish(blocks)


def certifying(run: BenchmarkRun) -> Done:
    """Progress of the cold processes, by the files that they leave."""
    total = len(run.plan.pairs) * run.plan.effort.cold
    return lambda text: run.progress("certify", len(run.folder.cold_results()), total, text)


def make_plan(request: RunRequest, folder: RunFolder, progress: Progress) -> Plan:
    """Check the selection, lay out the work on disk, and write down what will be compared.

    Raises:
        InputError: the selection makes no sense, or data cannot be loaded.
    """
    check_selection(request)
    works = []
    for index, task in enumerate(request.tasks):
        data = datasets.load(task.dataset)
        works.append(task_files.write(folder.work(index), task, data, initial_parameters(task)))
        progress("prepare", index + 1, len(request.tasks), task.name)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if request.seed is None else request.seed
    return Plan(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        works=tuple(works),
        lanes=request.lanes,
        baseline=request.baseline,
        family=tuple(
            Comparison(task=task, lane=lane) for task, lane in request.pairs if lane != request.baseline
        ),
        effort=request.effort,
        threads=request.threads,
        device=str(request.device),
        seed=seed,
        environment=environment.read(),
        settings=recorded_worker_settings(request),
        unset=settings.unset(os.environ),
        missing=request.missing,
        unsupported=tuple(
            Unsupported(task=task, lane=lane, reason=why) for (task, lane), why in request.unsupported.items()
        ),
        phases=request.phases,
    )


def recorded_worker_settings(request: RunRequest) -> dict[str, str]:
    """What every worker gets on top, as it is recorded."""
    given = worker_settings(threads=request.threads, device=request.device)
    return {name: settings.recordable(name, value) for name, value in given.items()}


def check_selection(request: RunRequest) -> None:
    """Raise InputError unless there are tasks and lanes, none twice, and the baseline among the lanes."""
    for what, names in (("task", [task.name for task in request.tasks]), ("lane", list(request.lanes))):
        if not names:
            raise InputError(f"no {what} to measure: name at least one")
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InputError(f"{what} {min(repeated)!r} is named twice: name it once")
    if request.baseline not in request.lanes:
        lanes = ", ".join(request.lanes)
        raise InputError(f"the baseline {request.baseline!r} is not among the lanes {lanes}: add it")


def check_same(plan: Plan) -> None:
    """Raise InputError unless boot, packages, code and settings are those that the run began with."""
    now = environment.read()
    for name, what in MUST_AGREE.items():
        if getattr(now, name) != getattr(plan.environment, name):
            raise InputError(
                f"this run was begun with another {what}, so its times would not compare: start anew"
            )
