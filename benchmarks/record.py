"""What was measured: one record, versioned; `benchmarks.files` reads and writes it.

A record holds the plan as it was fixed before measuring, the certificates and every raw sample. Times per step,
ratios, intervals and verdicts are not in it: `measure.summary` and `measure.verdict` compute them from here.
Times are in nanoseconds where a clock gave integers, otherwise in seconds; memory in bytes. Non-finite numbers
are strings.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from backends.interface import Products, Tier
from backends.spec import Count, Finite, Number, Positive, Spec
from benchmarks.accuracy import Accuracy
from benchmarks.learning_curve import Point
from benchmarks.measure.accelerator import Accelerator
from benchmarks.measure.effort import Effort
from benchmarks.measure.environment import Environment, Pool
from benchmarks.measure.work import Work
from benchmarks.parity.verdicts import Certificate, Untraced

SCHEMA_VERSION: Literal[1] = 1
KEY, WHOLE = "samestep", "benchmark.json"  # our record's key in pytest-benchmark's JSON, and that JSON's name
Threads = Literal["one", "all"]
Kind = Literal["race", "gc", "alone"]


class Comparison(Spec):
    """A lane against the baseline on a task: one member of the family that the verdicts are corrected for."""

    task: str
    lane: str


class Plan(Spec):
    """What a session sets out to do, written down before anything is measured.

    `environment` is the coordinator's; `settings` are the variables that every worker gets on top; `missing`
    are the lanes that were asked for but cannot run here, and the default tasks that have no data here, with
    the reason.
    """

    created: str
    works: tuple[Work, ...]
    lanes: tuple[str, ...]
    baseline: str
    family: tuple[Comparison, ...]
    effort: Effort
    threads: Threads
    device: str
    seed: int
    environment: Environment
    settings: dict[str, str]
    missing: dict[str, str] = Field(default_factory=dict)
    phases: bool = False

    @property
    def on_cpu(self) -> bool:
        """Whether the lanes run on a CPU, whichever of several."""
        return self.device.partition(":")[0] == "cpu"


class Arm(Spec):
    """A lane as it described itself in its own process."""

    lane: str
    framework: str
    tier: Tier
    gradient: str
    buffers: str
    compiled: str
    products: Products = "full"
    device: str
    versions: dict[str, str]
    pools: tuple[Pool, ...]


class Cold(Spec):
    """A first call in a fresh process with empty compiler caches; `beside` other processes ran at the time."""

    task: str
    lane: str
    repeat: int
    import_s: Finite
    first_call_s: Finite
    peak_memory: int
    beside: int


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
        """What the timed program was found to end in after so many steps, in the task's own dtype."""
        runs = self.certificate.evidence[-1].untraced if self.certificate.evidence else ()
        return next((run for run in runs if run.steps == steps), None)


class Failure(Spec):
    """Why a lane has no times on a task: it raised, died, hung or ran out of memory."""

    task: str
    lane: str
    phase: str
    reason: str


class Calibration(Spec):
    """Found once per task and lane, then frozen: runs per slice; the time of a run and of the reset before it."""

    task: str
    lane: str
    repeats: Count
    run_ns: Count
    reset_ns: Count


class Dispatch(Spec):
    """The shortest call that a framework can make, seconds."""

    framework: str
    call: str
    seconds: float


class Ceiling(Spec):
    """What the machine can do at a task's size: bytes read and copied, BLAS operations, per second."""

    task: str
    working_set: Count
    read_rate: Positive
    copy_rate: Positive
    blas_rate: Positive


class Ledger(Spec):
    """Where a step's time goes, seconds: phases that add up to `run_s`, or the reason why there are none.

    `transfer_s` is what putting all data on the device took, once.
    """

    task: str
    lane: str
    run_s: float
    transfer_s: float
    phases: dict[str, float]
    reason: str


class Slice(Spec):
    """One timed slice: `repeats` runs of the certified work, each from the certified start.

    elapsed and CPU time are those of the runs alone; `span_ns`, `steal_ns` and the context switches include the
    resets between them. Kind "race" is judged; "gc" (the collector left on) and "alone" (no other arm before it)
    are the controls. `resync_ns` is what a second sync and the first fetch of the parameters took right after the
    last run's clock stopped, `fetch_ns` what both took once more. `finals` counts the different final parameters
    among the repeats, `apart` is their largest distance from the certified ones (the norm over all parameters).
    """

    task: str
    lane: str
    twin: bool
    kind: Kind
    round: int
    position: int
    predecessor: str | None
    repeats: Count
    warmups: int
    elapsed_ns: Count
    cpu_ns: int
    span_ns: Count
    steal_ns: int
    switches: tuple[int, int]
    resync_ns: int
    fetch_ns: int
    compilations: int
    final: str
    finals: int
    apart: Number


class Unseen(Spec):
    """The certified run of a lane beside runs of as much work that it had never seen: the least, nanoseconds.

    CPU time as well, which other programs do not lengthen. `same` counts the unseen runs that ended in the
    certified parameters, which none can honestly do.
    """

    task: str
    lane: str
    known_ns: Count
    unseen_ns: Count
    same: int
    known_cpu_ns: int = 0
    unseen_cpu_ns: int = 0


class Block(Spec):
    """One group of fresh workers and all that they measured."""

    index: int
    cpus: tuple[int, ...]
    twin: str
    started: tuple[str, ...]
    slices: tuple[Slice, ...]
    failures: tuple[Failure, ...]
    unseen: tuple[Unseen, ...] = ()
    gpus_before: tuple[Accelerator, ...] = ()
    gpus_after: tuple[Accelerator, ...] = ()


class Record(Spec):
    """One session, whole or interrupted."""

    schema_version: Literal[1] = SCHEMA_VERSION
    plan: Plan
    arms: tuple[Arm, ...]
    certified: tuple[Certified, ...]
    colds: tuple[Cold, ...]
    calibrations: tuple[Calibration, ...]
    ceilings: tuple[Ceiling, ...]
    dispatches: tuple[Dispatch, ...]
    blocks: tuple[Block, ...]
    failures: tuple[Failure, ...]
    ledgers: tuple[Ledger, ...] = ()

    @model_validator(mode="after")
    def _speaks_of_its_plan(self) -> Self:
        """Every piece is about a task and a lane of the plan, so that no figure comes from a stray one."""
        pieces: list[Certified | Cold | Calibration | Failure | Slice | Unseen | Ledger]
        pieces = [*self.certified, *self.colds, *self.calibrations, *self.failures, *self.ledgers]
        for block in self.blocks:
            pieces += [*block.slices, *block.unseen]
        known = {(task, lane) for task in self.tasks for lane in self.plan.lanes}
        for piece in pieces:
            if (piece.task, piece.lane) not in known:
                raise ValueError(f"{type(piece).__name__} of {piece.lane} on {piece.task} is not of the plan")
        if self.plan.baseline not in self.plan.lanes:
            raise ValueError(f"the baseline {self.plan.baseline} is not a lane of the plan")
        return self

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in the plan's order."""
        return tuple(work.task.name for work in self.plan.works)

    def work(self, task: str) -> Work:
        """The description of a task."""
        return next(work for work in self.plan.works if work.task.name == task)

    def certificate(self, task: str, lane: str) -> Certified | None:
        """What was certified of a lane on a task, None where it never came to that."""
        return next((c for c in self.certified if (c.task, c.lane) == (task, lane)), None)
