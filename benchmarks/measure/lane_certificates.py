"""Certificates alone: a run that certifies, each lane in a process of its own, and measures nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from samestep.backends.interface import Device
from samestep.backends.spec import Task

from ..console.progress import Progress, silent
from ..record import MOST_STEPS, Certified, Failure, Plan, Record, Threads
from ..record.plan import Effort
from ..record.proof import Certificate
from . import compiler_cache
from .able_lanes import Pair
from .benchmark_run import BenchmarkRun, certifying
from .efforts import WorkerLimits
from .exclusive import made_folder
from .preparation import Preparation
from .request import RunRequest

NOTHING: Mapping[Pair, str] = MappingProxyType({})
PROOF = Effort(name="proof", blocks=1)  # of a run that certifies and measures nothing


def certify_lanes(
    tasks: Sequence[Task],
    lanes: Sequence[str],
    *,
    device: Device = Device("cpu"),  # noqa: B008 - frozen
    unsupported: Mapping[Pair, str] = NOTHING,
    progress: Progress = silent,
    limits: WorkerLimits | None = None,
) -> tuple[Certified, ...]:
    """The certificate of every lane on every task, each from a process of its own, nothing timed.

    A lane that raises, dies or hangs gets a certificate that says so. `unsupported`: the tasks, with their lanes,
    that get none.

    Raises:
        InputError: as for `measure`.
    """
    record = certification(
        tasks, lanes, device=device, unsupported=unsupported, progress=progress, limits=limits
    )
    failures = {(failure.task, failure.lane): failure for failure in record.failures}
    pairs = record.plan.pairs
    return tuple(record.certificate(*pair) or _uncertified(record.plan, failures[pair]) for pair in pairs)


def certification(
    tasks: Sequence[Task],
    lanes: Sequence[str],
    *,
    device: Device = Device("cpu"),  # noqa: B008 - frozen
    threads: Threads = "one",
    kept: int = MOST_STEPS,
    unsupported: Mapping[Pair, str] = NOTHING,
    progress: Progress = silent,
    limits: WorkerLimits | None = None,
) -> Record:
    """The record of a run that certifies and measures nothing; `kept`: the most steps in a certificate.

    Raises:
        InputError: as for `measure`.
    """
    baseline, effort = lanes[0] if lanes else "", PROOF.model_copy(update={"kept": kept})
    with tempfile.TemporaryDirectory() as out, made_folder(Path(out)):
        request = RunRequest(
            tuple(tasks),
            tuple(lanes),
            baseline,
            effort,
            Path(out),
            threads=threads,
            device=device,
            unsupported=unsupported,
            seed=0,
        )
        run = BenchmarkRun.begin(request, progress=progress, limits=limits)
        compiler_cache.make(run.folder.cache)
        try:
            Preparation(run.folder, run.plan, run.limits, certifying(run), train=False).run()
            return run.folder.record()
        finally:
            run.folder.remove_scratch()  # also what lies outside the folder


def _uncertified(plan: Plan, failure: Failure) -> Certified:
    """The certificate of a lane that did not live to get one."""
    work = next(work for work in plan.works if work.task.name == failure.task)
    certificate = Certificate(
        lane=failure.lane,
        device=plan.device,
        versions={},
        task=failure.task,
        task_digest=work.task.digest(),
        dtype=work.task.dtype,
        data=work.data,
        order="",
        status="fail",
        reason=f"{failure.phase}: {failure.reason}",
    )
    return Certified(task=failure.task, lane=failure.lane, certificate=certificate)
