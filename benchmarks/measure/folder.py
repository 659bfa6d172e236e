"""A session on disk: every finished piece is a file of its own, whole or absent, so that an end loses nothing.

plan.json is written last of the preparations and first of the session; then one file per cold job, the
ceilings, the calibrations, and one per block. work/ and cache/ are scratch, removed when all blocks are there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from samestep.backends.spec import Spec

from ..console.errors import InputError
from ..record import (
    Arm,
    Block,
    Calibration,
    Ceiling,
    Certified,
    Cold,
    Dispatch,
    Failure,
    Ledger,
    Plan,
    Record,
)
from ..record.files import read_model, write
from . import task_files as work


class Job(Spec):
    """What one cold process gave: its lane's words, its times, and the first time also the certificate."""

    arm: Arm | None = None
    cold: Cold | None = None
    certified: Certified | None = None
    failures: tuple[Failure, ...] = ()


class Ceilings(Spec):
    """The machine's measured limits and each framework's cheapest call."""

    ceilings: tuple[Ceiling, ...] = ()
    dispatches: tuple[Dispatch, ...] = ()


class Calibrations(Spec):
    """How many runs make a slice, for every task and lane that got so far."""

    calibrations: tuple[Calibration, ...] = ()


class Ledgers(Spec):
    """Where the time goes, for every task and lane that was asked."""

    ledgers: tuple[Ledger, ...] = ()


class Folder:
    """The files of one session."""

    def __init__(self, run: str | Path) -> None:
        self.root = Path(run) / "relay"
        self.cache = self.root / "cache"
        self.warm = self.cache / "warm"

    def job_path(self, task: int, lane: int, repeat: int) -> Path:
        return self.root / "jobs" / f"{task}-{lane}-{repeat}.json"

    def block_path(self, index: int) -> Path:
        return self.root / "blocks" / f"{index:03d}.json"

    def work(self, task: int) -> Path:
        return self.root / "work" / str(task)

    def scratch(self, task: int) -> str:
        """The work of a task, in words that a worker can use from anywhere."""
        return str(self.work(task).resolve())

    def final(self, task: int, lane: int) -> str:
        """Where the certified final parameters of a lane's run are kept while the session runs."""
        return str(self.work(task).resolve() / f"final-{lane}.npz")

    def plan(self) -> Plan:
        """The plan of the session here.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        return read_model(self.root / "plan.json", Plan)

    @property
    def begun(self) -> bool:
        """Whether a session has been planned here."""
        return (self.root / "plan.json").exists()

    def begin(self, plan: Plan) -> None:
        """Fix the plan; from here on the session can be resumed."""
        write(self.root / "plan.json", plan)

    def jobs(self) -> tuple[Job, ...]:
        return tuple(read_model(path, Job) for path in sorted((self.root / "jobs").glob("*.json")))

    def blocks(self) -> tuple[Block, ...]:
        return tuple(read_model(path, Block) for path in sorted((self.root / "blocks").glob("*.json")))

    def ceilings(self) -> Ceilings | None:
        path = self.root / "ceilings.json"
        return read_model(path, Ceilings) if path.exists() else None

    def calibrations(self) -> Calibrations | None:
        path = self.root / "calibrations.json"
        return read_model(path, Calibrations) if path.exists() else None

    def ledgers(self) -> Ledgers | None:
        path = self.root / "ledgers.json"
        return read_model(path, Ledgers) if path.exists() else None

    def keep(self, piece: Ceilings | Calibrations | Ledgers) -> None:
        write(self.root / f"{type(piece).__name__.lower()}.json", piece)

    def check_work(self, plan: Plan) -> None:
        """Raise InputError unless the work on disk is the plan's."""
        for index, planned in enumerate(plan.works):
            if not work.matches(self.work(index), planned):
                raise InputError(
                    f"{self.work(index)}: not the data of task {planned.task.name!r}; start a new run"
                )

    def record(self) -> Record:
        """All that was measured so far.

        Raises:
            InputError: there is no session here, or a file of it cannot be read.
        """
        jobs, blocks = self.jobs(), self.blocks()
        ceilings, calibrations = self.ceilings() or Ceilings(), self.calibrations() or Calibrations()
        failures = [
            *(f for job in jobs for f in job.failures),
            *(f for block in blocks for f in block.failures),
        ]
        return Record(
            plan=self.plan(),
            arms=tuple({job.arm.lane: job.arm for job in jobs if job.arm}.values()),
            certified=tuple(job.certified for job in jobs if job.certified),
            colds=tuple(job.cold for job in jobs if job.cold),
            calibrations=calibrations.calibrations,
            ceilings=ceilings.ceilings,
            dispatches=ceilings.dispatches,
            blocks=blocks,
            failures=tuple(failures),
            ledgers=(self.ledgers() or Ledgers()).ledgers,
        )

    def sweep(self) -> None:
        """Remove what only a running session needs."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)
