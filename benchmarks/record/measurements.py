"""What was measured: every raw piece of a run, as its worker reported it."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from samestep.backends.interface import MatmulPrecision, Tier
from samestep.backends.spec import Count, Finite, Number, Positive, Spec

from .machine import Accelerator, Natural, Pool

Kind = Literal["race", "gc", "alone"]
MOST_SECONDS = 1_000_000  # of anything that is timed: eleven days
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Nanoseconds = Annotated[int, Field(ge=0, le=MOST_SECONDS * 10**9)]
Elapsed = Annotated[int, Field(gt=0, le=MOST_SECONDS * 10**9)]  # nanoseconds of what takes some
S = TypeVar("S", bound="TimedSlice")


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


class Audit(Spec):
    """What came of doing a slice once more, untimed and with everything recorded.

    epoch: the chained run that was judged step by step, from 0, chosen after the clock had stopped.
    steps: how many steps the reference judged. ratio: the largest ratio of a rounding error to its bound.
    equal: the recorded run ended in the timed one's parameters and buffers, bit for bit.
    distance, allowance: where it did not, how far the timed program is from the reference after that run from the
        same parameters, and how far correct ones can be with high probability.
    reason: what is wrong; "" where nothing is.
    """

    epoch: Natural
    steps: Natural
    ratio: Number
    equal: bool
    distance: Number = 0.0
    allowance: Number = 0.0
    reason: str = ""


class Cold(Spec):
    """A first call in a fresh process with empty compiler caches; `beside` other processes ran at the time.

    import_s, first_call_s: seconds. peak_memory: bytes of resident memory after it. programs_compiled: what the
        framework had compiled by its end, None where nobody counts. audit: the first call done once more.
    """

    task: str
    lane: str
    repeat: Natural
    import_s: Seconds
    first_call_s: Seconds
    peak_memory: Count
    beside: Natural
    programs_compiled: Natural | None = None
    audit: Audit | None = None


class Failure(Spec):
    """What a lane came to on a task: it raised, died, hung or ran out of memory.

    died: its process was gone. A process that dies once is tried again; what it died of stays here.
    block, place: in which block, and how many slices it had planned before; None before it and its first slice.
    twin: whether it was the A/A control.
    """

    task: str
    lane: str
    phase: str
    reason: str
    died: bool = False
    block: Natural | None = None
    place: Natural | None = None
    twin: bool = False


class Calibration(Spec):
    """How long a slice is, measured once per task and lane and then frozen.

    repeats: chained runs in a slice. run_ns: nanoseconds of a run.
    """

    task: str
    lane: str
    repeats: Count
    run_ns: Elapsed


class Dispatch(Spec):
    """The shortest call that a framework can make, seconds."""

    framework: str
    call: str
    seconds: Positive


class RooflineLimits(Spec):
    """What the machine can do at a task's size, per second: bytes read and copied, operations.

    blas_rate: of the products of one step, with the cost of their calls. peak_rate: the machine's best in that
        dtype; None in records whose `read_rate` holds the cost of calls too, so that they have no floor.
    """

    task: str
    working_set: Count
    read_rate: Positive
    copy_rate: Positive
    blas_rate: Positive
    peak_rate: Positive | None = None


PHASES = ("row gathering", "forward and backward", "update", "Python")  # of a step, in this order


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


class TimedSlice(Spec):
    """What every version of the schema says of a timed slice: `repeats` runs of a lane.

    twin: whether it is the A/A control's.
    kind: "race" is judged; "gc" (the collector left on) and "alone" (no other lane before it) are controls.
    round, position, predecessor: its place in the block; who ran before it.
    elapsed_ns, cpu_ns: of what is timed alone. span_ns, steal_ns, switches (voluntary and involuntary context
        switches): of the whole slice.
    final: digest of the parameters and buffers at the end, 16 digits.
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
    compilations: Natural
    final: str


class Slice(TimedSlice):
    """One sealed slice: `repeats` chained runs from an unseen start, in orders drawn when the lane was ready.

    fetch_ns: of `elapsed_ns`, what fetching parameters and buffers to the host took at the end.
    charged_ns: of `elapsed_ns`, what fetching the losses afterwards took beyond a plain copy of as many arrays.
    outside_ns, outside_cpu_ns: the same stretch by the coordinator's clock, and the CPU time of the worker and
        all that it started, read from outside.
    children: processes that the worker had started and that lived before or after the slice.
    throttled: periods in which a CPU quota of the cgroup stopped it; absent from records where there is none.
    instructions: those that all of it retired meanwhile, in user space; absent where nobody counts.
    start_seed, order_seed: from which start and orders were drawn. losses: digest of all losses, 16 digits.
    audit: of the slices that were chosen at random afterwards, one at least for each lane, task and block.
    """

    fetch_ns: Nanoseconds
    charged_ns: Nanoseconds
    outside_ns: Elapsed
    outside_cpu_ns: Nanoseconds
    children: Natural
    start_seed: Natural
    order_seed: Natural
    losses: str
    audit: Audit | None = None
    throttled: Natural = Field(default=0, exclude_if=lambda count: count == 0)
    instructions: Natural | None = Field(default=None, exclude_if=lambda count: count is None)


class MeasuredBlock(Spec, Generic[S]):
    """One group of fresh workers and all that they measured.

    cpus: those that raced. twin: the lane of the A/A control. started: the workers in the order of their start.
    """

    index: Natural
    cpus: tuple[Natural, ...]
    twin: str
    started: tuple[str, ...]
    slices: tuple[S, ...]
    failures: tuple[Failure, ...]
    gpus_before: tuple[Accelerator, ...] = ()
    gpus_after: tuple[Accelerator, ...] = ()


class Block(MeasuredBlock[Slice]):
    """A block of sealed slices."""
