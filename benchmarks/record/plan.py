"""What a run sets out to do, written down before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from datetime import datetime
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from samestep.backends.interface import Device
from samestep.backends.spec import Count, Name, Positive, Spec, Task

from .. import tasks
from ..datasets.split import Transform
from .machine import Environment, Natural

MOST_STEPS = 60  # of a run, that stay in its certificate


def _date_and_time(text: str) -> str:
    datetime.fromisoformat(text)  # raises ValueError for what is none
    return text


Moment = Annotated[str, AfterValidator(_date_and_time)]  # ISO 8601


class Effort(Spec):
    """How much a run measures.

    blocks: groups of fresh workers; the statistic has blocks - 1 degrees of freedom.
    cold: cold first calls per task and lane, each in a process with empty compiler caches.
    rounds: fewest and most rounds of a block; between them, as many as fit `block_seconds` per task.
    slice_ms: timed work of a slice; runs shorter than this are repeated.
    controls: every how many blocks the control slices (garbage collector on, arm alone) are run.
    jobs: how many processes work side by side while certifying; times taken then say so.
    kept: how many steps of a certified run stay in the record at most, to be judged again by anybody.
    looks: after how many blocks a run ends if every comparison is decided by then, or cannot be.
    """

    name: str = Field(min_length=1)
    blocks: Count
    cold: Count = 1
    rounds: tuple[Count, Count] = (5, 10)
    block_seconds: Positive = 4.0
    slice_ms: Positive = 30.0
    controls: Count = 2
    jobs: Count = 2
    kept: Count = MOST_STEPS
    looks: tuple[Count, ...] = Field(default=(), max_length=100)


class Facts(Spec):
    """Where the data come from and what was done to them before training.

    `transform` maps what was trained on back to original units; `dropped` are constant columns, `skipped_rows`
    rows with gaps, `rank` that of the training features, None of very large data.
    """

    source: str
    columns: tuple[Name, ...]
    target: Name
    transform: Transform
    dropped: tuple[Name, ...]
    skipped_rows: Natural
    rank: Natural | None


class PlannedWork(Spec):
    """A task, and how much a timed run of it is: `steps` steps over `samples` rows; digests of data and start.

    bytes_per_step: of the rows of a full step, and of the parameters, read and written.
    """

    task: Task
    rows: Count
    features: Count
    steps: Count
    samples: Count
    data: str
    start: str
    bytes_per_step: Count
    flops_per_step: Count
    facts: Facts | None = None

    @property
    def row_bytes_per_step(self) -> int:
        """Bytes of the rows of a full step: every form must read those, and can keep its parameters nearby."""
        parameters = sum(math.prod(shape) for shape in self.task.parameters.values())
        return self.bytes_per_step - 2 * parameters * np.dtype(self.task.dtype).itemsize


Threads = Literal["one", "all"]


class Comparison(Spec):
    """A lane against the baseline on a task: one member of the family that the verdicts are corrected for."""

    task: str
    lane: str


class Unsupported(Spec):
    """A task that a lane declared that it cannot do, before anything was measured, and why."""

    task: str
    lane: str
    reason: str


class Plan(Spec):
    """What a run sets out to do, written down before anything is measured.

    `environment` is the coordinator's; `settings` are the variables that every worker gets on top, `unset` those
    of the coordinator that none gets, since they change what is run; `missing` are the lanes that were chosen but
    cannot run here, and the default tasks that have no data here, with the reason. `unsupported` are tasks that
    lanes in the race of others cannot do.
    """

    created: Moment
    works: tuple[PlannedWork, ...]
    lanes: tuple[Name, ...]
    baseline: str
    family: tuple[Comparison, ...]
    effort: Effort
    threads: Threads
    device: str
    seed: Natural
    environment: Environment
    settings: dict[str, str]
    unset: dict[str, str] = Field(default_factory=dict, max_length=1_000)
    missing: dict[Name, str] = Field(default_factory=dict, max_length=1_000)
    unsupported: tuple[Unsupported, ...] = Field(default=(), max_length=10_000)
    phases: bool = False

    @property
    def layout_seed(self) -> str:
        """What the order of slices follows from; the looks are in it, so that nobody leaves them out later."""
        return "/".join(map(str, (self.seed, *self.effort.looks)))

    @property
    def unsupported_pairs(self) -> dict[tuple[str, str], str]:
        """By task and lane why that lane cannot do that task."""
        return {(one.task, one.lane): one.reason for one in self.unsupported}

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Task and lane of all that is to be measured, task by task."""
        return work_pairs([work.task.name for work in self.works], self.lanes, self.unsupported_pairs)

    @property
    def on_cpu(self) -> bool:
        """Whether the lanes run on a CPU, whichever of several."""
        return Device.parse(self.device).kind == "cpu"

    @property
    def left_out_tasks(self) -> dict[str, str]:
        """The default tasks among what is missing: tasks have names that lanes do not."""
        return {name: reason for name, reason in self.missing.items() if name in tasks.names()}

    @property
    def missing_lanes(self) -> dict[str, str]:
        """The lanes among what is missing."""
        return {name: reason for name, reason in self.missing.items() if name not in self.left_out_tasks}


def work_pairs(
    task_names: Sequence[str], lanes: Sequence[str], unsupported: Container[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Every task with every lane that can do it, task by task."""
    return tuple(pair for pair in product(task_names, lanes) if pair not in unsupported)
