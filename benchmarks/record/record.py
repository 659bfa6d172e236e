"""What was measured: one record, versioned; `record.files` reads and writes it.

A record holds the plan as it was fixed before measuring, the certificates and every raw sample. Times per step,
ratios, intervals and verdicts are not in it: `analysis` computes them from here. Times are in nanoseconds where a
clock gave integers, otherwise in seconds; memory in bytes. Non-finite numbers are strings.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from samestep.backends.spec import Spec

from ..console.choices import counted
from .machine import Natural
from .measurements import (
    Arm,
    Block,
    Calibration,
    Cold,
    Dispatch,
    Failure,
    MeasuredBlock,
    PhaseBreakdown,
    RooflineLimits,
)
from .outcome import Accuracy, Point
from .plan import Moment, Plan, PlannedWork
from .proof import Certificate, Untraced

SCHEMA_VERSION: Literal[2] = 2
B = TypeVar("B", bound=MeasuredBlock[Any])
C = TypeVar("C", bound=Calibration)
KEY, WHOLE = "samestep", "benchmark.json"  # our record's key in pytest-benchmark's JSON, and that JSON's name


class Certified(Spec):
    """The certificate of a lane on a task; for one that passes, also what its training reaches.

    `curve` says what was reached after each step that the certificate keeps.
    """

    task: str
    lane: str
    certificate: Certificate
    accuracy: Accuracy | None = None
    curve: tuple[Point, ...] = ()

    def ending(self, steps: int) -> Untraced | None:
        """Where the timed program ended after so many steps, in the task's own dtype."""
        runs = self.certificate.evidence[-1].untraced if self.certificate.evidence else ()
        return next((run for run in runs if run.steps == steps), None)


class Resumption(Spec):
    """An interrupted run was gone on with: when, and how many finished pieces of each kind lay in its folder."""

    when: Moment
    cold_results: Natural
    blocks: Natural


class MeasuredRecord(Spec, Generic[B, C]):
    """What every version of the record holds."""

    plan: Plan
    arms: tuple[Arm, ...]
    certified: tuple[Certified, ...]
    colds: tuple[Cold, ...]
    calibrations: tuple[C, ...]
    ceilings: tuple[RooflineLimits, ...]
    dispatches: tuple[Dispatch, ...]
    blocks: tuple[B, ...] = Field(max_length=10_000)
    failures: tuple[Failure, ...] = Field(max_length=100_000)
    ledgers: tuple[PhaseBreakdown, ...] = Field(default=(), max_length=2_000)
    # tasks and frameworks whose limits could not be measured, with the reason
    unmeasured: dict[str, str] = Field(default_factory=dict)
    resumptions: tuple[Resumption, ...] = ()

    def __repr__(self) -> str:
        """One line: a whole record is megabytes of text."""
        plan = self.plan
        counts = f"{counted(len(self.tasks), 'task')}, {counted(len(plan.lanes), 'lane')}"
        blocks = f"{len(self.blocks)} of {self.blocks_intended} blocks"
        return (
            f"Record({counts}, baseline {plan.baseline}, {blocks}, effort {plan.effort.name}, {plan.created})"
        )

    __str__ = __repr__

    @model_validator(mode="after")
    def _speaks_of_its_plan(self) -> Self:
        """Every piece is about a task and a lane of the plan, so that no figure comes from a stray one."""
        pieces: list[Any]
        pieces = [*self.certified, *self.colds, *self.calibrations, *self.failures, *self.ledgers]
        for block in self.blocks:
            pieces += [*block.slices, *getattr(block, "unseen", ())]
        planned = set(self.plan.pairs)
        for piece in pieces:
            if (piece.task, piece.lane) not in planned:
                name = type(piece).__name__.removesuffix("1")
                raise ValueError(f"{name} of {piece.lane} on {piece.task} is not of the plan")
        if self.plan.baseline not in self.plan.lanes:
            raise ValueError(f"the baseline {self.plan.baseline} is not a lane of the plan")
        return self

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in the plan's order."""
        return tuple(work.task.name for work in self.plan.works)

    @property
    def blocks_intended(self) -> int:
        """The blocks of a whole run; a run with looks is whole at each of them."""
        effort, measured = self.plan.effort, len(self.blocks)
        return measured if measured in effort.looks else effort.blocks

    def work(self, task: str) -> PlannedWork:
        """The description of a task."""
        return next(work for work in self.plan.works if work.task.name == task)

    def certificate(self, task: str, lane: str) -> Certified | None:
        """What was certified of a lane on a task, None where it never came to that."""
        return next((c for c in self.certified if (c.task, c.lane) == (task, lane)), None)


class Record(MeasuredRecord[Block, Calibration]):
    """One run, whole or interrupted."""

    schema_version: Literal[2] = SCHEMA_VERSION
