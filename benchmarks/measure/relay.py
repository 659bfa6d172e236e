"""The race: blocks of fresh workers that hand a baton round, so that only one of them works at any time.

Whoever does not hold it is stopped, with all that it has started: nothing of a lane runs beside another.

In a round every slot runs one slice, in an order balanced for position and predecessor. One slot is an A/A
control: a second worker with the same lane as another slot, another lane in each block. In records and for
readers it is the twin. After the slices of a task some are chosen at random, one for each slot, and audited, two
at a time, each on a CPU of its own where lanes are held to one: nothing is timed then.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pydantic import BaseModel

from samestep.backends.interface import Device

from ..record import Arm, Audit, Block, Calibration, Failure, Plan, Slice
from ..record.layout import (
    LOST,
    LaneTasks,
    PlannedSlice,
    arm_name,
    block_cpu,
    control_lane,
    layout,
    slice_ns,
    start_cpus,
    start_order,
)
from ..record.machine import Accelerator
from . import accelerator
from .audit import Auditor, refused, workload_of
from .drawn_work import DrawnRuns, Ending, new_seed
from .duration import start_s
from .efforts import WorkerLimits
from .environment import allowed_cpus
from .folder import Calibrations, RunFolder
from .outside_clock import OutsideClock
from .process import FAILURE_PHASES, Worker, WorkerError, WorkerPool, described, worker_environment
from .worker import Reply

M = TypeVar("M", bound=BaseModel)
BlockProgress: TypeAlias = Callable[[float, str], None]  # the part of the block that is done, and what it was
STARTING = 0.5  # of a block's time, roughly: importing and compiling
BLOCK_SEEDS = 1 << 20  # keeps the generators of blocks apart from those of the preparation


@dataclass
class Slot:
    """A lane and its worker in this block; `tasks` are those that it can still run."""

    lane: str
    is_control: bool
    tasks: list[str]
    worker: Worker
    products: Any = "full"

    @property
    def name(self) -> str:
        return arm_name(self.lane, self.is_control)


@dataclass
class TaskRace:
    """The slices of a task in this block; which of each slot is audited is chosen before, and told nobody."""

    audited: dict[str, PlannedSlice]
    slices: dict[str, int] = field(default_factory=dict)  # of each slot, where the audited one stands


class BlockRace:
    """One block of a run: `lane_tasks` that each lane may run, and `arms`, what lanes said of themselves."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        limits: WorkerLimits,
        *,
        index: int,
        lane_tasks: LaneTasks,
        arms: Sequence[Arm],
        progress: BlockProgress,
    ) -> None:
        self.folder, self.plan, self.limits, self.index = folder, plan, limits, index
        self.lane_tasks, self.progress = lane_tasks, progress
        self.arms = {arm.lane: arm for arm in arms}
        self.raced: set[str] = set()  # tasks that are done in this block
        self.rng = np.random.default_rng([plan.seed, BLOCK_SEEDS + index])
        self.tasks = [work.task.name for work in plan.works]
        self.slots: list[Slot] = []
        self.slices: list[Slice] = []
        self.failures: list[Failure] = []
        self.calibrations: dict[tuple[str, str], Calibration] = {}
        self.place: int | None = (
            None  # of the slice that is run, among those of the block; None before the first
        )

    def run(self) -> Block:
        """The whole block; its workers are gone when it ends, however it ends."""
        cpus, gpus_before = allowed_cpus(), self.gpus()
        racing_cpus = [block_cpu(cpus, self.index)] if self.plan.threads == "one" else []
        with ThreadPoolExecutor(len(self.lane_tasks) + 1) as threads, WorkerPool(self.limits.memory) as pool:
            self.slots = self.start(pool, cpus)
            for opened in [threads.submit(self.open, slot) for slot in self.slots]:
                opened.result()
            for slot in self.slots:
                self.ask(slot, self.limits.start, "pin", cpus=racing_cpus)
            self.calibrate()
            for slot in self.slots:
                slot.worker.pause()
            self.progress(STARTING, "workers are ready")
            self.race(threads)
        return Block(
            index=self.index,
            cpus=tuple(racing_cpus or cpus),
            twin=control_lane(self.plan, self.index, self.lane_tasks),
            started=tuple(slot.name for slot in self.slots),
            slices=tuple(self.slices),
            failures=tuple(self.failures),
            gpus_before=gpus_before,
            gpus_after=self.gpus(),
        )

    def gpus(self) -> tuple[Accelerator, ...]:
        """The clocks of the GPUs at this moment, where lanes run on one."""
        return accelerator.read() if Device.parse(self.plan.device).kind == "cuda" else ()

    # --- before the slices

    def start(self, pool: WorkerPool, cpus: tuple[int, ...]) -> list[Slot]:
        """A worker for every lane and the control, in random order, spread over the CPUs while they start."""
        slots, arms = [], start_order(self.plan, self.index, self.lane_tasks)
        cpus = start_cpus(self.plan, self.index, cpus)
        for (lane, is_control), cpu in zip(
            arms, longest_first([self.start_s(lane) for lane, _ in arms], cpus), strict=True
        ):
            environment = worker_environment(
                threads=self.plan.threads,
                cpus=[cpu],
                device=Device.parse(self.plan.device),
                cache=self.folder.warm,
                rng=self.rng,
            )
            slots.append(Slot(lane, is_control, list(self.lane_tasks[lane]), pool.start(environment)))
        return slots

    def start_s(self, lane: str) -> float:
        """About how long a lane takes to start, by what its own process said of it: nothing is imported here."""
        arm = self.arms[lane]
        return start_s(arm.framework, arm.framework == "torch" and arm.compiled != "no")

    def open(self, slot: Slot) -> None:
        """Import, load every task, and let it compile what it compiles."""
        opened = self.ask(slot, self.limits.start, "open", lane=slot.lane, device=self.plan.device)
        slot.products = opened["arm"]["products"] if opened else "full"
        for task in list(slot.tasks):
            folder = str(self.folder.work(self.tasks.index(task)))
            self.ask(slot, self.limits.start, "load", task=task, folder=folder)
            if task in slot.tasks:
                self.ask(
                    slot,
                    self.limits.start,
                    "first",
                    task=task,
                    start_seed=new_seed(),
                    order_seed=new_seed(),
                    losses=None,
                )

    def losses_path(self, slot: Slot, task: str) -> Path:
        """Where a slot leaves the losses of a slice."""
        name = f"{self.index}-{self.tasks.index(task)}-{self.plan.lanes.index(slot.lane)}-{slot.is_control:d}"
        return self.folder.audits() / f"{name}.npy"

    def ask(
        self, slot: Slot, limit: float, verb: str, clock: OutsideClock | None = None, **arguments: Any
    ) -> Reply | None:
        """The reply, or None after noting why the slot is out: of this task, or of all if its worker is gone."""
        if not slot.tasks:
            return None
        try:
            return slot.worker.ask(verb, limit=limit, clock=clock, **arguments)
        except WorkerError as error:
            self.note(slot, error, arguments.get("task"))
            return None

    def note(self, slot: Slot, error: WorkerError, task: str | None) -> None:
        """Note a failure, and where the process is gone also the tasks that it had still to race."""
        phase = FAILURE_PHASES.get(error.verb, error.verb)
        for lost in [other for other in slot.tasks if not task or other == task]:
            self.failures.append(self.failure(slot, lost, phase, str(error), died=not error.alive))
        if task and not error.alive:
            reason = f"its process was gone after {task}: {error}"
            others = [other for other in slot.tasks if other != task and other not in self.raced]
            self.failures += [self.failure(slot, other, LOST, reason, died=True) for other in others]
        slot.tasks = [other for other in slot.tasks if error.alive and task and other != task]

    def failure(self, slot: Slot, task: str, phase: str, reason: str, *, died: bool) -> Failure:
        """A failure at this place of the block."""
        return Failure(
            task=task,
            lane=slot.lane,
            phase=phase,
            reason=reason,
            died=died,
            block=self.index,
            place=self.place,
            twin=slot.is_control,
        )

    def piece(self, kind: type[M], slot: Slot, verb: str, values: dict[str, Any]) -> M | None:
        """The piece of the record that a reply describes, or None after noting that it describes none."""
        try:
            return described(kind, verb, {"lane": slot.lane, **values})
        except WorkerError as error:
            self.note(slot, error, values["task"])
            return None

    def calibrate(self) -> None:
        """How many runs make a slice, for every task and lane; found when first needed, then frozen."""
        frozen = self.folder.piece(Calibrations)
        self.calibrations = {(c.task, c.lane): c for c in frozen.calibrations} if frozen else {}
        target = slice_ns(self.plan.effort)
        for slot in self.slots:
            for task in [task for task in slot.tasks if (task, slot.lane) not in self.calibrations]:
                if reply := self.ask(slot, self.limits.slice, "calibrate", task=task, target_ns=target):
                    piece = self.piece(Calibration, slot, "calibrate", {"task": task, **reply})
                    self.calibrations |= {(task, slot.lane): piece} if piece else {}
        self.folder.keep(Calibrations(calibrations=tuple(self.calibrations.values())))

    # --- the slices

    def race(self, threads: Executor) -> None:
        """Every slice of the block as it is laid out, but for lanes that have failed; audits after each task.

        `threads` outlive the workers, so that an interrupt does not wait for audits.
        """
        planned = list(layout(self.plan, self.index, self.lane_tasks, self.failures, self.calibrations))
        slots = {(slot.lane, slot.is_control): slot for slot in self.slots}
        numbered = enumerate(planned)
        for task, pieces in groupby(numbered, key=lambda pair: pair[1].task):
            of_task = list(pieces)
            race = self.task_race(task, [piece for _, piece in of_task])
            for self.place, piece in of_task:
                slot = slots[piece.lane, piece.twin]
                self.slice(slot, piece, race)
                slot.worker.pause()  # it holds the baton no more
                part = (self.place + 1) / len(planned)
                self.progress(STARTING + (1 - STARTING) * part, f"{task}, round {piece.round + 1}")
            self.place = of_task[-1][0] + 1
            workload_of(self.folder.work(self.tasks.index(task)))  # read once for all audits
            lanes, cpus = list(self.lane_tasks), allowed_cpus()[-self.plan.effort.jobs :]
            place = dict(zip(lanes, longest_first(list(map(self.start_s, lanes)), cpus), strict=True))
            list(threads.map(partial(self.audits, task, race, place), cpus))
            self.raced.add(task)

    def task_race(self, task: str, planned: list[PlannedSlice]) -> TaskRace:
        """Choose which slice of each slot will be audited."""
        audited: dict[str, PlannedSlice] = {}
        for slot in self.slots:
            arm = slot.lane, slot.is_control
            of_slot = [piece for piece in planned if (piece.lane, piece.twin) == arm and piece.kind == "race"]
            if of_slot:
                audited[slot.name] = secrets.choice(of_slot)
        return TaskRace(audited)

    def has_failed(self, lane: str, task: str) -> bool:
        """Whether the lane has failed on this task in this block, in its own slot or in the control's."""
        return any((failure.task, failure.lane) == (task, lane) for failure in self.failures)

    def slice(self, slot: Slot, piece: PlannedSlice, race: TaskRace) -> None:
        """One sealed slice of one slot, unless its lane is out of this task by now."""
        task, start_seed, order_seed = piece.task, new_seed(), new_seed()
        if self.has_failed(piece.lane, task):
            return
        calibration = self.calibrations[task, piece.lane]
        limit = self.limits.slice + 20 * calibration.repeats * calibration.run_ns / 1e9
        collect = piece.kind == "gc"
        if self.ask(slot, limit, "ready", task=task, start_seed=start_seed, collect=collect) is None:
            return
        clock = OutsideClock(slot.worker)
        runs = {"order_seed": order_seed, "repeats": calibration.repeats}
        went = self.ask(slot, limit, "go", clock=clock, task=task, **runs)
        readings, losses = clock.readings(), self.losses_path(slot, task)
        # of every slice, so that the worker cannot tell which one is chosen
        reply = self.ask(slot, limit, "report", task=task, losses=str(losses)) if went is not None else None
        if reply is None:
            return
        if reason := reply.pop("malformed"):
            reply["audit"] = refused(reason)
        elif race.audited[slot.name] == piece:
            with contextlib.suppress(FileNotFoundError):  # which the audit will say
                losses.replace(chosen(losses))
            race.slices[slot.name] = len(self.slices)
        reply |= piece._asdict() | readings | {"start_seed": start_seed, "order_seed": order_seed}
        if timed := self.piece(Slice, slot, "report", reply):
            self.slices.append(timed)

    def audits(self, task: str, race: TaskRace, place: Mapping[str, int], cpu: int) -> None:
        """The audits of the lanes that have their place on a CPU, each with its A/A control if that raced."""
        for slot in self.slots:
            if place[slot.lane] == cpu:
                self.audit(slot, cpu, task, race)

    def audit(self, slot: Slot, cpu: int, task: str, race: TaskRace) -> None:
        """Have the chosen slice of a slot done once more; then its worker is stopped again."""
        number = race.slices.get(slot.name)
        if number is None or self.has_failed(slot.lane, task):
            return
        timed, losses = self.slices[number], self.losses_path(slot, task)
        auditor = Auditor(self.folder.work(self.tasks.index(task)), losses.with_suffix(""))

        def ask(verb: str, **arguments: Any) -> Reply | None:
            return self.ask(slot, self.limits.certify, verb, task=task, cpus=[cpu], **arguments)

        audit: Audit | None = auditor.audit(
            ask,
            DrawnRuns(timed.start_seed, timed.order_seed, timed.repeats),
            Ending(timed.final, timed.losses),
            chosen(losses),
            slot.products,
        )
        self.slices[number] = timed.model_copy(update={"audit": audit})
        slot.worker.pause()


def longest_first(seconds: Sequence[float], cpus: Sequence[int]) -> list[int]:
    """A CPU for each of some jobs: the longest first, each to the CPU with the least to do (Graham, 1969)."""
    load, given = dict.fromkeys(cpus, 0.0), list(cpus[:1]) * len(seconds)
    for place in sorted(range(len(seconds)), key=seconds.__getitem__, reverse=True):
        cpu = min(cpus, key=load.__getitem__)
        given[place], load[cpu] = cpu, load[cpu] + seconds[place]
    return given


def chosen(losses: Path) -> Path:
    """Where the losses of the slice that will be audited are kept."""
    return losses.with_suffix(".chosen.npy")
