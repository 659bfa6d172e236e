"""A whole session: plan, certify, race, record. It prints nothing; `progress` is told of everything."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from samestep.backends.spec import Task

from .. import datasets
from ..console.choices import pick
from ..console.errors import InputError
from ..console.progress import Progress, silent
from ..parity.workload import initial_parameters
from ..record import Certified, Comparison, Failure, Plan, Record, Threads
from ..record.files import write
from ..record.plan import Effort
from ..record.proof import Certificate
from . import environment
from . import task_files as work
from .efforts import EFFORTS, Limits
from .folder import Folder
from .jobs import Jobs, measure_ceilings, measure_phases
from .process import settings
from .relay import Race


def measure(
    tasks: Sequence[Task],
    lanes: Sequence[str],
    *,
    baseline: str,
    effort: str | Effort = "quick",
    threads: Threads = "one",
    device: str = "cpu",
    folder: str | Path,
    progress: Progress = silent,
    limits: Limits | None = None,
    seed: int | None = None,
    missing: Mapping[str, str] | None = None,
    phases: bool = False,
    blocks: int | None = None,
) -> Record:
    """Certify and race lanes on tasks; every finished piece is kept in `folder`, so that `resume` can go on.

    A lane is a registered name, or "module:Class". Lanes that cannot run are failures in the record, not errors.
    `phases`: also where the time of their steps goes. `blocks`: go no further than so many blocks for now.

    Raises:
        InputError: the selection makes no sense, data cannot be loaded, or the folder already holds a session.
    """
    place = Folder(folder)
    if place.begun:
        raise InputError(f"{folder}: already holds a session; name another folder")
    plan = _plan(
        place, tasks, lanes, baseline, _effort(effort), threads, device, progress, seed, missing or {}
    )
    place.begin(plan.model_copy(update={"phases": phases}))
    return resume(folder, progress=progress, limits=limits, blocks=blocks)


def resume(
    folder: str | Path,
    *,
    progress: Progress = silent,
    limits: Limits | None = None,
    blocks: int | None = None,
) -> Record:
    """Finish the session in a folder, or take it to `blocks` blocks in all; what is there is not measured again.

    Raises:
        InputError: there is no session, or it was begun on another boot, with other packages or other code.
    """
    place, limits = Folder(folder), limits or Limits()
    plan = place.plan()
    until = plan.effort.blocks if blocks is None else min(blocks, plan.effort.blocks)
    if len(place.blocks()) < until or (plan.phases and not place.ledgers()):
        _same(plan)
        place.check_work(plan)
        Jobs(place, plan, limits, _counted(place, plan, progress)).run()
        if not place.ceilings():
            measure_ceilings(place, plan, limits)
        progress("ceilings", 1, 1, "memory, BLAS, calls")
        _race(place, plan, limits, progress, until)
        if plan.phases and not place.ledgers():
            measure_phases(place, plan, limits, lambda text: progress("phases", 0, 0, text))
    if until == plan.effort.blocks:
        place.sweep()
    return place.record()


def certify(
    tasks: Sequence[Task],
    lanes: Sequence[str],
    *,
    device: str = "cpu",
    progress: Progress = silent,
    limits: Limits | None = None,
) -> tuple[Certified, ...]:
    """The certificate of every lane on every task, each from a process of its own, nothing timed.

    A lane that raises, dies or hangs gets a certificate that says so.

    Raises:
        InputError: as for `measure`.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Folder(folder)
        plan = _plan(place, tasks, lanes, lanes[0] if lanes else "", PROOF, "one", device, progress, 0, {})
        place.begin(plan)
        Jobs(place, plan, limits or Limits(), _counted(place, plan, progress), train=False).run()
        record = place.record()
    broken = {(failure.task, failure.lane): failure for failure in record.failures}
    keys = [(task, lane) for task in record.tasks for lane in lanes]
    return tuple(record.certificate(*key) or _uncertified(plan, broken[key]) for key in keys)


PROOF = Effort(name="proof", blocks=1)


def _counted(place: Folder, plan: Plan, progress: Progress) -> Callable[[str], None]:
    """Progress of the jobs, by the files that they leave."""
    total = len(plan.works) * len(plan.lanes) * plan.effort.cold
    return lambda text: progress("certify", len(place.jobs()), total, text)


def _uncertified(plan: Plan, failure: Failure) -> Certified:
    """The certificate of a lane that did not live to get one."""
    described = next(work for work in plan.works if work.task.name == failure.task)
    certificate = Certificate(
        lane=failure.lane,
        device=plan.device,
        versions={},
        task=failure.task,
        task_digest=described.task.digest(),
        dtype=described.task.dtype,
        data=described.data,
        order="",
        status="fail",
        reason=f"{failure.phase}: {failure.reason}",
    )
    return Certified(task=failure.task, lane=failure.lane, certificate=certificate)


def _effort(effort: str | Effort) -> Effort:
    if isinstance(effort, Effort):
        return effort
    return EFFORTS[pick("effort", effort, tuple(EFFORTS))]


def _plan(
    place: Folder,
    tasks: Sequence[Task],
    lanes: Sequence[str],
    baseline: str,
    effort: Effort,
    threads: Threads,
    device: str,
    progress: Progress,
    seed: int | None,
    missing: Mapping[str, str],
) -> Plan:
    """Check the selection and lay out the work."""
    names = [task.name for task in tasks]
    for what, given in (("task", names), ("lane", lanes)):
        if not given:
            raise InputError(f"no {what} to measure: name at least one")
        if doubled := {name for name in given if given.count(name) > 1}:
            raise InputError(f"{what} {min(doubled)!r} is named twice: name it once")
    if baseline not in lanes:
        raise InputError(f"the baseline {baseline!r} is not among the lanes {', '.join(lanes)}: add it")
    works = []
    for index, task in enumerate(tasks):
        works.append(
            work.write(place.work(index), task, datasets.load(task.dataset), initial_parameters(task))
        )
        progress("prepare", index + 1, len(tasks), task.name)
    return Plan(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        works=tuple(works),
        lanes=tuple(lanes),
        baseline=baseline,
        family=tuple(
            Comparison(task=task, lane=lane) for task in names for lane in lanes if lane != baseline
        ),
        effort=effort,
        threads=threads,
        device=device,
        seed=int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed,
        environment=environment.read(),
        settings=settings(threads=threads, device=device),
        missing=dict(missing),
    )


def _same(plan: Plan) -> None:
    """Raise InputError unless boot, packages, code and settings are those that the session began with."""
    now = environment.read()
    for what, field in (
        ("boot of this host", "boot"),
        ("set of packages", "installed"),
        ("version of the code", "source"),
        ("number of CPUs", "allowed_cpus"),
        ("set of thread and library settings", "settings"),
    ):
        if getattr(now, field) != getattr(plan.environment, field):
            raise InputError(
                f"this session was begun with another {what}, so its times would not compare: start anew"
            )


def _race(place: Folder, plan: Plan, limits: Limits, progress: Progress, until: int) -> None:
    """All of the first `until` blocks that are missing."""
    present, total = {block.index for block in place.blocks()}, 100 * until
    for index in range(until):
        if index not in present and (entrants := _entrants(place.record())):

            def step(share: float, text: str, done: int = index) -> None:
                progress("race", round(100 * (done + share)), total, f"block {done + 1}: {text}")

            step(0, "starting workers")
            race = Race(place, plan, limits, index=index, entrants=entrants, step=step)
            write(place.block_path(index), race.run())
    progress("race", total, total, "done")


def _entrants(record: Record) -> dict[str, list[str]]:
    """The tasks that each lane may still run: those it is certified for and has not failed."""
    failed = {(failure.task, failure.lane) for failure in record.failures}
    sound = {(c.task, c.lane) for c in record.certified if c.certificate.status == "pass"} - failed
    found = {lane: [task for task in record.tasks if (task, lane) in sound] for lane in record.plan.lanes}
    return {lane: tasks for lane, tasks in found.items() if tasks}
