"""The race: blocks of fresh workers that hand a baton round, so that only one of them works at any time.

In a round every arm runs one slice, in an order balanced for position and predecessor. The twin is a second,
identical arm of one lane, another lane in each block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from ..record import Block, Calibration, Failure, Kind, Plan, Slice, Unseen
from ..record.machine import Accelerator
from ..record.plan import Effort
from ..statistics.williams import orders
from . import accelerator
from .efforts import Limits
from .environment import allowed_cpus
from .folder import Calibrations, Folder
from .process import PHASES, Crew, Worker, WorkerError, surroundings
from .worker import Reply

Step: TypeAlias = Callable[[float, str], None]  # the share of the block that is done, and what was just done
STARTING = 0.5  # of a block's time, roughly: importing and compiling
CONTROLS: tuple[Kind, ...] = ("gc", "alone")  # the second has no other arm before it
BLOCKS = 1 << 20  # keeps the generators of blocks apart from those of the jobs


@dataclass
class Seat:
    """An arm in this block; `tasks` are those that it can still run."""

    lane: str
    twin: bool
    tasks: list[str]
    worker: Worker

    @property
    def name(self) -> str:
        return f"twin of {self.lane}" if self.twin else self.lane


class Race:
    """One block of a session: `entrants` are the tasks that each lane may run; `step` hears of every round."""

    def __init__(
        self,
        folder: Folder,
        plan: Plan,
        limits: Limits,
        *,
        index: int,
        entrants: dict[str, list[str]],
        step: Step,
    ) -> None:
        self.folder, self.plan, self.limits, self.index, self.step = folder, plan, limits, index, step
        self.entrants = entrants
        self.twin = sorted(entrants)[(index + plan.seed) % len(entrants)]
        self.rng = np.random.default_rng([plan.seed, BLOCKS + index])
        self.tasks = [work.task.name for work in plan.works]
        self.seats: list[Seat] = []
        self.slices: list[Slice] = []
        self.unseen: list[Unseen] = []
        self.failures: list[Failure] = []

    def run(self) -> Block:
        """The whole block; its workers are gone when it ends, however it ends."""
        cpus, before = allowed_cpus(), self.gpus()
        own = [cpus[-1 - self.index % len(cpus)]] if self.plan.threads == "one" else []
        with ThreadPoolExecutor(len(self.entrants) + 1) as pool, Crew(self.limits.memory) as crew:
            self.seats = self.hire(crew, cpus)
            for ready in [pool.submit(self.start, seat) for seat in self.seats]:
                ready.result()
            for seat in self.seats:
                self.ask(seat, self.limits.start, "pin", cpus=own)
            calibrated = self.calibrate()
            self.step(STARTING, "workers are ready")
            for done, index in enumerate(self.rng.permutation(len(self.tasks))):
                task = self.tasks[index]
                found = {c.lane: c for c in calibrated if c.task == task}
                self.race(task, found, done)
                if self.index % self.plan.effort.controls == 0:
                    self.control(task, found)
        return Block(
            index=self.index,
            cpus=tuple(own or cpus),
            twin=self.twin,
            started=tuple(seat.name for seat in self.seats),
            slices=tuple(self.slices),
            failures=tuple(self.failures),
            unseen=tuple(self.unseen),
            gpus_before=before,
            gpus_after=self.gpus(),
        )

    def gpus(self) -> tuple[Accelerator, ...]:
        """The clocks of the GPUs at this moment, where lanes run on one."""
        return accelerator.read() if self.plan.device.startswith("cuda") else ()

    def hire(self, crew: Crew, cpus: tuple[int, ...]) -> list[Seat]:
        """A worker for every arm, in random order, spread over the CPUs while they start."""
        arms = [(lane, False) for lane in self.entrants] + [(self.twin, True)]
        seats = []
        for place, arm in enumerate(self.rng.permutation(len(arms))):
            lane, twin = arms[arm]
            env = surroundings(
                threads=self.plan.threads,
                cpus=[cpus[place % len(cpus)]],
                device=self.plan.device,
                cache=self.folder.warm,
                rng=self.rng,
            )
            seats.append(Seat(lane, twin, list(self.entrants[lane]), crew.hire(env)))
        return seats

    def start(self, seat: Seat) -> None:
        """Import, load every task, and let it compile what it compiles."""
        self.ask(seat, self.limits.start, "open", lane=seat.lane, device=self.plan.device)
        for task in list(seat.tasks):
            at = self.tasks.index(task)
            final = self.folder.final(at, self.plan.lanes.index(seat.lane))
            folder = self.folder.scratch(at)
            self.ask(seat, self.limits.start, "load", task=task, folder=folder, final=final)
            if task in seat.tasks:
                self.ask(seat, self.limits.start, "first", task=task)

    def ask(self, seat: Seat, limit: float, verb: str, **arguments: Any) -> Reply | None:
        """The reply, or None after noting why the arm is out: of this task, or of all if its worker is gone."""
        if not seat.tasks:
            return None
        try:
            return seat.worker.ask(verb, limit=limit, **arguments)
        except WorkerError as error:
            task: str | None = arguments.get("task")
            for lost in [task] if task else seat.tasks:
                phase = PHASES.get(error.verb, error.verb)
                self.failures.append(Failure(task=lost, lane=seat.lane, phase=phase, reason=str(error)))
            seat.tasks = [t for t in seat.tasks if error.alive and task and t != task]
            return None

    def calibrate(self) -> tuple[Calibration, ...]:
        """How many runs make a slice, for every task and lane; found when first needed, then frozen."""
        known = self.folder.calibrations()
        found = {(c.task, c.lane): c for c in known.calibrations} if known else {}
        target = round(self.plan.effort.slice_ms * 1e6)
        for seat in self.seats:
            for task in [task for task in seat.tasks if (task, seat.lane) not in found]:
                if reply := self.ask(seat, self.limits.slice, "calibrate", task=task, target_ns=target):
                    found[task, seat.lane] = Calibration(task=task, lane=seat.lane, **reply)
        self.folder.keep(Calibrations(calibrations=tuple(found.values())))
        return tuple(found.values())

    def race(self, task: str, found: dict[str, Calibration], done: int) -> None:
        """All rounds of a task: in each, every arm runs one slice."""
        seats = sorted(
            (seat for seat in self.seats if task in seat.tasks and seat.lane in found),
            key=lambda seat: (seat.twin, seat.lane),  # the same arm in every block, so that squares go on
        )
        count = rounds(self.plan.effort, found.values())
        rng = np.random.default_rng([self.plan.seed, self.tasks.index(task), len(seats)])
        first = self.index * count
        for number, order in enumerate(
            islice(orders(len(seats), rng), first, first + count) if seats else ()
        ):
            before: Seat | None = None
            for position, place in enumerate(order):
                seat = seats[place]
                self.slice(seat, task, found, kind="race", round=number, position=position, before=before)
                before = seat
            share = (done + (number + 1) / count) / len(self.tasks)
            self.step(STARTING + (1 - STARTING) * share, f"{task}, round {number + 1} of {count}")

    def control(self, task: str, found: dict[str, Calibration]) -> None:
        """Each arm: work that it never saw; a slice with the garbage collector on; one without handing over."""
        seats = [seat for seat in self.seats if task in seat.tasks and seat.lane in found and not seat.twin]
        before: Seat | None = None
        for position, place in enumerate(self.rng.permutation(len(seats))):
            seat = seats[place]
            seed = int(self.rng.integers(2**32))
            if not self.out(seat, task) and (
                reply := self.ask(seat, self.limits.slice, "unseen", task=task, seed=seed)
            ):
                self.unseen.append(Unseen(task=task, lane=seat.lane, **reply))
            for number, kind in enumerate(CONTROLS):
                self.slice(seat, task, found, kind=kind, round=number, position=position, before=before)
                before = seat

    def out(self, seat: Seat, task: str) -> bool:
        """Whether the arm, or its twin, has failed on this task."""
        return any(f.task == task and f.lane == seat.lane for f in self.failures)

    def slice(
        self,
        seat: Seat,
        task: str,
        found: dict[str, Calibration],
        *,
        kind: Kind,
        round: int,
        position: int,
        before: Seat | None,
    ) -> None:
        """One slice of one arm, unless it is out of this task by now."""
        if self.out(seat, task):
            return
        calibration = found[seat.lane]
        repeats = calibration.repeats
        limit = self.limits.slice + 20 * repeats * (calibration.run_ns + calibration.reset_ns) / 1e9
        reply = self.ask(seat, limit, "slice", task=task, repeats=repeats, collect=kind == "gc")
        if reply is None:
            return
        place: dict[str, Any] = {"round": round, "position": position, "predecessor": before and before.name}
        reply["switches"] = tuple(reply["switches"])
        self.slices.append(Slice(task=task, lane=seat.lane, twin=seat.twin, kind=kind, **place | reply))


def rounds(effort: Effort, calibrations: Iterable[Calibration]) -> int:
    """Rounds of a block: as many as fit the effort's seconds, counting a warm-up, a fetch and the resets."""
    ns = sum((c.repeats + 2) * (c.run_ns + c.reset_ns) for c in calibrations)
    fewest, most = effort.rounds
    return int(np.clip(effort.block_seconds * 1e9 // max(ns, 1), fewest, most))
