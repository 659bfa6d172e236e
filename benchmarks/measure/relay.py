"""The race: blocks of fresh workers that hand a baton round, so that only one of them works at any time.

In a round every slot runs one slice, in an order balanced for position and predecessor. One slot is an A/A
control: a second worker with the same lane as another slot, another lane in each block. In records and for
readers it is the twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pydantic import BaseModel

from samestep.backends.interface import Device

from ..record import Block, Calibration, Failure, Kind, Plan, Slice, Unseen
from ..record.machine import Accelerator
from ..record.plan import Effort
from ..statistics.williams import orders
from . import accelerator
from .efforts import WorkerLimits
from .environment import allowed_cpus
from .folder import Calibrations, RunFolder
from .process import FAILURE_PHASES, Worker, WorkerError, WorkerPool, described, worker_environment
from .worker import Reply

M = TypeVar("M", bound=BaseModel)
BlockProgress: TypeAlias = Callable[[float, str], None]  # the part of the block that is done, and what it was
STARTING = 0.5  # of a block's time, roughly: importing and compiling
CONTROLS: tuple[Kind, ...] = ("gc", "alone")  # the second has no other lane before it
BLOCK_SEEDS = 1 << 20  # keeps the generators of blocks apart from those of the preparation


@dataclass
class Slot:
    """A lane and its worker in this block; `tasks` are those that it can still run."""

    lane: str
    is_control: bool
    tasks: list[str]
    worker: Worker

    @property
    def name(self) -> str:
        return f"twin of {self.lane}" if self.is_control else self.lane


class BlockRace:
    """One block of a run: `lane_tasks` are the tasks that each lane may run; `progress` hears of every round."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        limits: WorkerLimits,
        *,
        index: int,
        lane_tasks: Mapping[str, list[str]],
        progress: BlockProgress,
    ) -> None:
        self.folder, self.plan, self.limits, self.index = folder, plan, limits, index
        self.lane_tasks, self.progress = lane_tasks, progress
        self.control_lane = sorted(lane_tasks)[(index + plan.seed) % len(lane_tasks)]
        self.rng = np.random.default_rng([plan.seed, BLOCK_SEEDS + index])
        self.tasks = [work.task.name for work in plan.works]
        self.slots: list[Slot] = []
        self.slices: list[Slice] = []
        self.unseen: list[Unseen] = []
        self.failures: list[Failure] = []

    def run(self) -> Block:
        """The whole block; its workers are gone when it ends, however it ends."""
        cpus, gpus_before = allowed_cpus(), self.gpus()
        racing_cpus = [cpus[-1 - self.index % len(cpus)]] if self.plan.threads == "one" else []
        with ThreadPoolExecutor(len(self.lane_tasks) + 1) as threads, WorkerPool(self.limits.memory) as pool:
            self.slots = self.start(pool, cpus)
            for opened in [threads.submit(self.open, slot) for slot in self.slots]:
                opened.result()
            for slot in self.slots:
                self.ask(slot, self.limits.start, "pin", cpus=racing_cpus)
            calibrations = self.calibrate()
            self.progress(STARTING, "workers are ready")
            for tasks_done, place in enumerate(self.rng.permutation(len(self.tasks))):
                task = self.tasks[place]
                by_lane = {c.lane: c for c in calibrations if c.task == task}
                self.race(task, by_lane, tasks_done)
                if self.index % self.plan.effort.controls == 0:
                    self.control(task, by_lane)
        return Block(
            index=self.index,
            cpus=tuple(racing_cpus or cpus),
            twin=self.control_lane,
            started=tuple(slot.name for slot in self.slots),
            slices=tuple(self.slices),
            failures=tuple(self.failures),
            unseen=tuple(self.unseen),
            gpus_before=gpus_before,
            gpus_after=self.gpus(),
        )

    def gpus(self) -> tuple[Accelerator, ...]:
        """The clocks of the GPUs at this moment, where lanes run on one."""
        return accelerator.read() if Device.parse(self.plan.device).kind == "cuda" else ()

    def start(self, pool: WorkerPool, cpus: tuple[int, ...]) -> list[Slot]:
        """A worker for every lane and the control, in random order, spread over the CPUs while they start."""
        lanes = [(lane, False) for lane in self.lane_tasks] + [(self.control_lane, True)]
        slots = []
        for place, chosen in enumerate(self.rng.permutation(len(lanes))):
            lane, is_control = lanes[chosen]
            environment = worker_environment(
                threads=self.plan.threads,
                cpus=[cpus[place % len(cpus)]],
                device=Device.parse(self.plan.device),
                cache=self.folder.warm,
                rng=self.rng,
            )
            slots.append(Slot(lane, is_control, list(self.lane_tasks[lane]), pool.start(environment)))
        return slots

    def open(self, slot: Slot) -> None:
        """Import, load every task, and let it compile what it compiles."""
        self.ask(slot, self.limits.start, "open", lane=slot.lane, device=self.plan.device)
        for task in list(slot.tasks):
            index = self.tasks.index(task)
            final = str(self.folder.final(index, self.plan.lanes.index(slot.lane)))
            folder = str(self.folder.work(index))
            self.ask(slot, self.limits.start, "load", task=task, folder=folder, final=final)
            if task in slot.tasks:
                self.ask(slot, self.limits.start, "first", task=task)

    def ask(self, slot: Slot, limit: float, verb: str, **arguments: Any) -> Reply | None:
        """The reply, or None after noting why the slot is out: of this task, or of all if its worker is gone."""
        if not slot.tasks:
            return None
        try:
            return slot.worker.ask(verb, limit=limit, **arguments)
        except WorkerError as error:
            self.note(slot, arguments.get("task"), error)
            return None

    def note(self, slot: Slot, task: str | None, error: WorkerError) -> None:
        """Note why the slot is out: of this task, or of all if its worker is gone."""
        phase = FAILURE_PHASES.get(error.verb, error.verb)
        for lost in [task] if task else slot.tasks:
            self.failures.append(Failure(task=lost, lane=slot.lane, phase=phase, reason=str(error)))
        slot.tasks = [other for other in slot.tasks if error.alive and task and other != task]

    def piece(self, kind: type[M], slot: Slot, verb: str, values: dict[str, Any]) -> M | None:
        """The piece of the record that a reply describes, or None after noting that it describes none."""
        try:
            return described(kind, verb, {"lane": slot.lane, **values})
        except WorkerError as error:
            self.note(slot, values["task"], error)
            return None

    def calibrate(self) -> tuple[Calibration, ...]:
        """How many runs make a slice, for every task and lane; found when first needed, then frozen."""
        frozen = self.folder.piece(Calibrations)
        calibrations = {(c.task, c.lane): c for c in frozen.calibrations} if frozen else {}
        target = round(self.plan.effort.slice_ms * 1e6)
        for slot in self.slots:
            for task in [task for task in slot.tasks if (task, slot.lane) not in calibrations]:
                if reply := self.ask(slot, self.limits.slice, "calibrate", task=task, target_ns=target):
                    piece = self.piece(Calibration, slot, "calibrate", {"task": task, **reply})
                    calibrations |= {(task, slot.lane): piece} if piece else {}
        self.folder.keep(Calibrations(calibrations=tuple(calibrations.values())))
        return tuple(calibrations.values())

    def race(self, task: str, calibrations: dict[str, Calibration], tasks_done: int) -> None:
        """All rounds of a task: in each, every slot runs one slice."""
        slots = sorted(
            (slot for slot in self.slots if task in slot.tasks and slot.lane in calibrations),
            key=lambda slot: (slot.is_control, slot.lane),  # the same place in every block: squares go on
        )
        if not slots:
            return
        count = rounds(self.plan.effort, calibrations.values())
        rng = np.random.default_rng([self.plan.seed, self.tasks.index(task), len(slots)])
        first = self.index * count
        for number, order in enumerate(islice(orders(len(slots), rng), first, first + count)):
            before: Slot | None = None
            for position, place in enumerate(order):
                slot = slots[place]
                self.slice(slot, task, calibrations, "race", number, position, before)
                before = slot
            part = (tasks_done + (number + 1) / count) / len(self.tasks)
            self.progress(STARTING + (1 - STARTING) * part, f"{task}, round {number + 1} of {count}")

    def control(self, task: str, calibrations: dict[str, Calibration]) -> None:
        """Each lane: work that it never saw; a slice with the garbage collector on; one without handing over."""
        slots = [
            slot
            for slot in self.slots
            if task in slot.tasks and slot.lane in calibrations and not slot.is_control
        ]
        before: Slot | None = None
        for position, place in enumerate(self.rng.permutation(len(slots))):
            slot = slots[place]
            seed = int(self.rng.integers(2**32))
            if not self.has_failed(slot, task) and (
                reply := self.ask(slot, self.limits.slice, "unseen", task=task, seed=seed)
            ):
                unseen = self.piece(Unseen, slot, "unseen", {"task": task, **reply})
                self.unseen += [unseen] if unseen else []
            for number, kind in enumerate(CONTROLS):
                self.slice(slot, task, calibrations, kind, number, position, before)
                before = slot

    def has_failed(self, slot: Slot, task: str) -> bool:
        """Whether the lane has failed on this task, in this slot or in its control's."""
        return any(failure.task == task and failure.lane == slot.lane for failure in self.failures)

    def slice(
        self,
        slot: Slot,
        task: str,
        calibrations: dict[str, Calibration],
        kind: Kind,
        round: int,
        position: int,
        before: Slot | None,
    ) -> None:
        """One slice of one slot, unless it is out of this task by now."""
        if self.has_failed(slot, task):
            return
        calibration = calibrations[slot.lane]
        repeats = calibration.repeats
        limit = self.limits.slice + 20 * repeats * (calibration.run_ns + calibration.reset_ns) / 1e9
        reply = self.ask(slot, limit, "slice", task=task, repeats=repeats, collect=kind == "gc")
        if reply is None:
            return
        reply |= {"round": round, "position": position, "predecessor": before and before.name}
        timed = self.piece(
            Slice, slot, "slice", {"task": task, "twin": slot.is_control, "kind": kind, **reply}
        )
        self.slices += [timed] if timed else []


def rounds(effort: Effort, calibrations: Iterable[Calibration]) -> int:
    """Rounds of a block: as many as fit the effort's seconds, counting a warm-up, a fetch and the resets."""
    ns = sum((c.repeats + 2) * (c.run_ns + c.reset_ns) for c in calibrations)
    fewest, most = effort.rounds
    return int(np.clip(effort.block_seconds * 1e9 // max(ns, 1), fewest, most))
