"""What was measured: every raw piece of a run, as its worker reported it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from samestep.backends.interface import MatmulPrecision, Tier
from samestep.backends.spec import Count, Finite, Number, Positive, Spec

from .machine import Accelerator, Natural, Pool

Kind = Literal["race", "gc", "alone"]
MOST_SECONDS = 1_000_000  # of anything that is timed: eleven days
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Nanoseconds = Annotated[int, Field(ge=0, le=MOST_SECONDS * 10**9)]
Elapsed = Annotated[int, Field(gt=0, le=MOST_SECONDS * 10**9)]  # nanoseconds of what takes some


class Arm(Spec):
    """A lane as it described itself in its own process."""

    lane: str
    framework: str
    tier: Tier
    gradient: str
    buffers: str
    compiled: str
    products: MatmulPrecision = "full"
    device: str
    versions: dict[str, str]
    pools: tuple[Pool, ...]


class Cold(Spec):
    """A first call in a fresh process with empty compiler caches; `beside` other processes ran at the time.

    import_s, first_call_s: seconds. peak_memory: bytes of resident memory after it. programs_compiled: what the
        framework had compiled by its end, None where nobody counts.
    """

    task: str
    lane: str
    repeat: Natural
    import_s: Seconds
    first_call_s: Seconds
    peak_memory: Count
    beside: Natural
    programs_compiled: Natural | None = None


class Failure(Spec):
    """Why a lane has no times on a task: it raised, died, hung or ran out of memory."""

    task: str
    lane: str
    phase: str
    reason: str


class Calibration(Spec):
    """How long a slice is, measured once per task and lane and then frozen.

    repeats: runs in a slice. run_ns, reset_ns: nanoseconds of a run, and of the reset before it.
    """

    task: str
    lane: str
    repeats: Count
    run_ns: Elapsed
    reset_ns: Elapsed


class Dispatch(Spec):
    """The shortest call that a framework can make, seconds."""

    framework: str
    call: str
    seconds: Positive


class RooflineLimits(Spec):
    """What the machine can do at a task's size: bytes read and copied, BLAS operations, per second."""

    task: str
    working_set: Count
    read_rate: Positive
    copy_rate: Positive
    blas_rate: Positive


class PhaseBreakdown(Spec):
    """Where a step's time goes, seconds: phases that add up to `run_s`, or the reason why there are none.

    `transfer_s` is what putting all data on the device took, once.
    """

    task: str
    lane: str
    run_s: Finite
    transfer_s: Finite
    phases: dict[str, Finite]
    reason: str


class Slice(Spec):
    """One timed slice: `repeats` runs of the certified work, each from the certified start.

    twin: whether it is the A/A control's.
    kind: "race" is judged; "gc" (the collector left on) and "alone" (no other lane before it) are controls.
    round, position, predecessor: its place in the block; who ran before it.
    elapsed_ns, cpu_ns: of the runs alone. span_ns, steal_ns, switches (voluntary and involuntary context
        switches): with the resets between them.
    resync_ns: what a second sync and the first fetch of the parameters took right after the last run's clock
        stopped. fetch_ns: what both took once more.
    final: digest of the last run's final parameters. finals: how many different ones the runs ended in.
    apart: the largest distance of a run's end from the certified end (the norm over all parameters).
    """

    task: str
    lane: str
    twin: bool
    kind: Kind
    round: Natural
    position: Natural
    predecessor: str | None
    repeats: Count
    warmups: Natural
    elapsed_ns: Elapsed
    cpu_ns: Nanoseconds
    span_ns: Elapsed
    steal_ns: int
    switches: tuple[Natural, Natural]
    resync_ns: Nanoseconds
    fetch_ns: Nanoseconds
    compilations: Natural
    final: str
    finals: Count
    apart: Number


class Unseen(Spec):
    """The certified run of a lane beside as much work that it had never seen: the least of several, nanoseconds.

    CPU time as well, which other programs do not lengthen. `same` counts the unseen runs that ended in the
    certified parameters, which none can honestly do.
    """

    task: str
    lane: str
    known_ns: Elapsed
    unseen_ns: Elapsed
    same: Natural
    known_cpu_ns: Nanoseconds = 0
    unseen_cpu_ns: Nanoseconds = 0


class Block(Spec):
    """One group of fresh workers and all that they measured.

    cpus: those that raced. twin: the lane of the A/A control. started: the workers in the order of their start.
    """

    index: Natural
    cpus: tuple[Natural, ...]
    twin: str
    started: tuple[str, ...]
    slices: tuple[Slice, ...]
    failures: tuple[Failure, ...]
    unseen: tuple[Unseen, ...] = ()
    gpus_before: tuple[Accelerator, ...] = ()
    gpus_after: tuple[Accelerator, ...] = ()
