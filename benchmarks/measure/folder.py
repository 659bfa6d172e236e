"""A run on disk: every finished piece is a file of its own, whole or absent, so that an end loses nothing.

plan.json is written last of the planning and before anything is measured; then one file for each cold process,
the limits of the machine, the calibrations, and one file for each block. work/ and cache/ are scratch, removed
when all blocks are there. One process at a time writes here: see run_lock.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from samestep.backends.spec import Spec

from ..console.errors import InputError
from ..record import (
    WHOLE,
    Arm,
    Block,
    Calibration,
    Certified,
    Cold,
    Dispatch,
    Failure,
    PhaseBreakdown,
    Plan,
    Record,
    Resumption,
    RooflineLimits,
)
from ..record.files import load, read_model, write
from . import compiler_cache, task_files
from .run_lock import check_locked

M = TypeVar("M", bound=Spec)
TABLE = "table.md"
OVERWRITTEN = (WHOLE, TABLE, "report.html", "relay")  # what a run and its page write into a run's folder


class ColdResult(Spec):
    """What one cold process gave: its lane's description, its times, and the first time also the certificate."""

    arm: Arm | None = None
    cold: Cold | None = None
    certified: Certified | None = None
    failures: tuple[Failure, ...] = ()


class MachineLimits(Spec):
    """The machine's measured limits and each framework's cheapest call."""

    ceilings: tuple[RooflineLimits, ...] = ()
    dispatches: tuple[Dispatch, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)  # of tasks and frameworks that have none


class Calibrations(Spec):
    """How many runs make a slice, for every task and lane that came so far."""

    calibrations: tuple[Calibration, ...] = ()


class PhaseBreakdowns(Spec):
    """Where the time of a step goes, for every task and lane that is proven."""

    ledgers: tuple[PhaseBreakdown, ...] = ()


class Resumptions(Spec):
    """Every time that the run was gone on with."""

    resumptions: tuple[Resumption, ...] = ()


PIECES: dict[type[Spec], str] = {
    MachineLimits: "ceilings.json",
    Calibrations: "calibrations.json",
    PhaseBreakdowns: "ledgers.json",
    Resumptions: "resumptions.json",
}


class RunFolder:
    """The files of one run; those of the relay are in the folder relay/ of the run's folder."""

    def __init__(self, run: str | Path) -> None:
        self.run = Path(run)
        self.root = self.run / "relay"
        self.cache = compiler_cache.cache_of(self.root)
        self.warm = self.cache / "warm"  # compiled programs that the blocks share

    @property
    def is_finished(self) -> bool:
        """Whether a whole record lies here."""
        return os.path.exists(self.run / WHOLE)  # which raises nothing, whatever the name

    @property
    def begun(self) -> bool:
        """Whether a run has been planned here."""
        return os.path.exists(self.root / "plan.json")

    # --- places

    def cold_path(self, task: int, lane: int, repeat: int) -> Path:
        """The file of a cold process."""
        return self.root / "jobs" / f"{task}-{lane}-{repeat}.json"

    def block_path(self, index: int) -> Path:
        """The file of a block."""
        return self.root / "blocks" / f"{index:03d}.json"

    def work(self, task: int) -> Path:
        """The folder of a task's data, an absolute path, so that a worker can use it from anywhere."""
        return (self.root / "work" / str(task)).resolve()

    def audits(self) -> Path:
        """The folder through which workers hand over what is audited; an absolute path."""
        folder = (self.root / "audits").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # --- begin and go on

    def check_free(self) -> None:
        """Raise InputError unless a new run can be written here and overwrites nothing."""
        if os.path.lexists(self.run) and not os.path.isdir(self.run):
            raise InputError(f"{self.run}: is a file; name a folder")
        if self.begun:
            raise InputError(f"{self.run}: already holds a run; name another folder")
        present = [name for name in OVERWRITTEN if os.path.lexists(self.run / name)]
        if self.is_half_planned:
            present.remove(self.root.name)
        if present:
            what = "a run" if self.is_finished else "something"
            raise InputError(f"{self.run}: already holds {what} ({present[0]}); name another folder")

    def check_writable(self) -> None:
        """Raise InputError where no run can be written, before any work is done for one."""
        run = self.run.absolute()
        place = next(folder for folder in (run, *run.parents) if os.path.isdir(folder))
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"{self.run}: {place} cannot be written to; choose another folder with --out")

    @property
    def is_half_planned(self) -> bool:
        """Whether nothing but the data of tasks lies here: an end came before the plan was written."""
        files = [path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir()]
        ours = os.path.isdir(self.root) and not self.root.is_symlink()
        return ours and all(path.name in task_files.NAMES or path.name.startswith(".plan") for path in files)

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Within it a new run is planned and begun here; an end before that leaves nothing.

        Raises:
            InputError: something is here that would be overwritten.
        """
        self.check_free()
        shutil.rmtree(self.root, ignore_errors=True)
        try:
            yield
        finally:
            if not self.begun:
                shutil.rmtree(self.root, ignore_errors=True)

    def check_begun(self) -> None:
        """Raise InputError unless a run has been begun here, and what it has shown so far is its own."""
        if not self.begun:
            content = "a finished run" if self.is_finished else "no run"
            raise InputError(f"{self.run}: holds {content}, so there is nothing to go on with")
        if self.is_finished and self.plan() != load(self.run).plan:
            raise InputError(f"{self.run / WHOLE}: is of another run, and would be overwritten; move it away")

    # --- pieces

    def begin(self, plan: Plan) -> None:
        """Fix the plan; from here on the run can be resumed."""
        check_locked(self.run)
        for folder in ("jobs", "blocks"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.write(self.root / "plan.json", plan)

    def plan(self) -> Plan:
        """The plan of the run here.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        return read_model(self.root / "plan.json", Plan)

    def write(self, path: Path, piece: Spec) -> None:
        """Write a piece, whole or not at all.

        Raises:
            InputError: the folder has been removed or replaced since this process began to measure in it.
            OSError: it cannot be written.
        """
        check_locked(self.run)
        write(path, piece)

    def keep(self, piece: MachineLimits | Calibrations | PhaseBreakdowns | Resumptions) -> None:
        """Write a piece of which there is one in a run."""
        self.write(self.root / PIECES[type(piece)], piece)

    def piece(self, kind: type[M]) -> M | None:
        """The one piece of a kind, None where it has not been measured yet."""
        path = self.root / PIECES[kind]
        return read_model(path, kind) if path.exists() else None

    def cold_results(self) -> tuple[ColdResult, ...]:
        """What the cold processes gave so far."""
        return tuple(read_model(path, ColdResult) for path in sorted((self.root / "jobs").glob("*.json")))

    def blocks(self) -> tuple[Block, ...]:
        """The finished blocks, in their order."""
        return tuple(read_model(path, Block) for path in sorted((self.root / "blocks").glob("*.json")))

    def note_resumption(self) -> None:
        """Note that the run is gone on with now, and what of it is here."""
        earlier = (self.piece(Resumptions) or Resumptions()).resumptions
        now = Resumption(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            cold_results=len(self.cold_results()),
            blocks=len(self.blocks()),
        )
        self.keep(Resumptions(resumptions=(*earlier, now)))

    def record(self) -> Record:
        """All that was measured so far.

        Raises:
            InputError: there is no run here, or a file of it cannot be read.
        """
        cold_results, blocks = self.cold_results(), self.blocks()
        limits = self.piece(MachineLimits) or MachineLimits()
        failures = [failure for result in cold_results for failure in result.failures]
        failures += [failure for block in blocks for failure in block.failures]
        return Record(
            plan=self.plan(),
            arms=tuple({result.arm.lane: result.arm for result in cold_results if result.arm}.values()),
            certified=tuple(result.certified for result in cold_results if result.certified),
            colds=tuple(result.cold for result in cold_results if result.cold),
            calibrations=(self.piece(Calibrations) or Calibrations()).calibrations,
            ceilings=limits.ceilings,
            dispatches=limits.dispatches,
            blocks=blocks,
            failures=tuple(failures),
            ledgers=(self.piece(PhaseBreakdowns) or PhaseBreakdowns()).ledgers,
            unmeasured=limits.reasons,
            resumptions=(self.piece(Resumptions) or Resumptions()).resumptions,
        )

    # --- scratch

    def check_work(self, plan: Plan) -> None:
        """Raise InputError unless the work on disk is the plan's."""
        for index, planned in enumerate(plan.works):
            if not task_files.matches(self.work(index), planned):
                raise InputError(
                    f"{self.work(index)}: not the data of task {planned.task.name!r}; start a new run"
                )

    @property
    def scratch(self) -> tuple[Path, ...]:
        """The folders that only a running measurement needs."""
        return self.root / "work", self.root / "audits", self.cache

    def scratch_bytes(self) -> int:
        """The size of these folders in bytes."""
        files = (Path(at, name) for top in self.scratch for at, _, names in os.walk(top) for name in names)
        return sum(file.lstat().st_size for file in files)

    def remove_scratch(self) -> None:
        """Remove what only a running measurement needs."""
        for folder in self.scratch:
            shutil.rmtree(folder, ignore_errors=True)
