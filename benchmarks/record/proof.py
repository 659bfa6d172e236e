"""What a certificate says: frozen, strict models with a JSON round trip. Steps count from 1.

A bound ratio (`share`) is deviation over bound, for the worst component: at most 1 for correct arithmetic.
`slack` is its inverse. `likely` is the ratio to the probabilistic bound, which has the square root of n in the
place of n; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from samestep.backends.interface import MatmulPrecision
from samestep.backends.spec import Count, Dtype, Number, Spec

from .machine import Natural

Base64: TypeAlias = Annotated[str, Field(max_length=1_400_000)]  # of at most a million bytes
Status: TypeAlias = Literal["not run", "pass", "fail", "diverged"]
SCHEMA_VERSION: Literal[1] = 1

# What the doctor can name, in the order in which a step computes things.
Cause: TypeAlias = Literal[
    "dtype",  # arrays of another dtype than the task's
    "shape",  # names, shapes or the number of steps are not the task's
    "error",  # the lane raised
    "start",  # other initial values
    "rows",  # other rows than the order's, targets included
    "features",  # the right rows with features that were changed
    "labels",  # the right rows with the targets of others
    "partial batch",  # the last batch divided by the nominal size, dropped or filled up
    "loss",  # another formula or another option: delta, beta, weight, smoothing
    "scale",  # a constant factor on loss or gradients: one half, two, sum for mean
    "activation",  # another activation, or its derivative left out or wrong
    "transposed",  # a weight or its gradient the other way round
    "stale",  # gradients of earlier parameters or an earlier batch, or added to those before
    "left out",  # a parameter that is not trained or gets no gradient
    "sign",  # uphill for downhill
    "optimizer",  # another optimizer than the task's
    "momentum",
    "dampening",
    "nesterov",
    "weight decay",
    "learning rate",
    "precision",  # narrower arithmetic than the dtype's: TF32, bfloat16, float32 inside float64
    "timed program",  # what is timed is not what was traced
    "prediction",  # the finished model predicts something else
    "unknown",
]


class WorstRatio(Spec):
    """The largest bound ratio of a quantity over a run, where it was, and the largest probabilistic one."""

    share: Number = 0.0
    step: Natural = 0
    tensor: str = ""
    slack: Number = float("inf")
    likely: Number = 0.0


class Violation(Spec):
    """The first number outside its bound."""

    step: Natural
    quantity: str
    tensor: str
    index: tuple[Natural, ...]
    recorded: Number
    reference: Number
    deviation: Number
    bound: Number


class Diagnosis(Spec):
    """The doctor's answer: one word, and one sentence with the numbers that led to it.

    `alternatives` are other causes that explain the same numbers as well.
    """

    cause: Cause
    sentence: str
    alternatives: tuple[Cause, ...] = ()


class BoundRatios(Spec):
    """The bound ratios of one step, by quantity."""

    step: Count
    shares: dict[str, Number]


class KeptStep(Spec):
    """One step's arrays by name, each as base64 of its bytes (`benchmarks.record.arrays`)."""

    step: Count
    arrays: dict[str, Base64]


class Overall(Spec):
    """Distance at the end from the reference's own run, against the bound propagated along the run.

    eps_next = ||(1 - h decay) I - (2h/N) Z^T Z|| eps + ||tau||, for one Linear layer with MSE and no momentum.
    `share` is the largest ratio over the run; `ulps` is the distance in units in the last place of the
    parameters' norm; `to_solution` the distance from the exact least-squares solution, where there is no decay.
    """

    distance: Number
    bound: Number
    share: Number
    ulps: Number
    to_solution: Number | None


class Judgement(Spec):
    """One dtype's run against the reference.

    `resolution` is the median over the steps of ||tau|| over the length of the step taken: the part of a step
    that could be wrong unseen. `allowance` is what two such runs may be apart at the end, and `contraction` says
    whether the steps' own contraction went into it or none was assumed. `unrecorded` are quantities that the
    trace did not hold. `sample` are the bound ratios of a fixed sample of the steps, `kept` the arrays of some.
    """

    dtype: Dtype
    reference: str
    status: Status = "not run"
    reason: str = "not run"
    steps: Natural = 0
    quantities: dict[str, WorstRatio] = Field(default_factory=dict)
    unrecorded: tuple[str, ...] = ()
    failure: Violation | None = None
    diagnosis: Diagnosis | None = None
    sample: tuple[BoundRatios, ...] = ()
    kept: tuple[KeptStep, ...] = ()
    resolution: Number | None = None
    allowance: Number | None = None
    contraction: bool = False
    overall: Overall | None = None


class Untraced(Spec):
    """The program that is timed, after `steps` steps from the same start, against the traced run.

    Equal bit for bit, or else within the allowance: the sum over the steps of 2 ||tau||.
    """

    steps: Count
    equal: bool
    distance: Number
    allowance: Number
    final: str


class Evidence(Spec):
    """Everything about one dtype: digests of start and final parameters, and what was checked.

    `output` is the bound ratio of the finished model's predictions, and `probe` that of one step, and of an epoch
    in one program, on rows with a single non-zero entry, where reduced precision shows at any size; None: not
    checked.
    """

    judgement: Judgement
    start: str
    final: str | None = None
    output: Number | None = None
    probe: Number | None = None
    untraced: tuple[Untraced, ...] = ()


class Certificate(Spec):
    """Whether a lane did a task's work. Digests are SHA-256; `final` is left out beyond 10,000 parameters.

    `products`: to what the lane declared that it rounds the inputs of its matrix products, and was judged by.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    lane: str
    device: str
    versions: dict[str, str]
    task: str
    task_digest: str
    dtype: Dtype
    data: str
    order: str
    products: MatmulPrecision = "full"
    status: Status = "not run"
    reason: str = "not run"
    evidence: tuple[Evidence, ...] = ()
    final: dict[str, tuple[Number, ...]] | None = None

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The quantities that were not shown in the task's own dtype."""
        return self.evidence[-1].judgement.unrecorded if self.evidence else ()


def not_shown(unrecorded: Collection[str]) -> str:
    """Which quantities a run did not show, and how they are judged all the same; "" where it showed all."""
    through = " and ".join(name for name in ("gradients", "buffers") if name in unrecorded)
    led = f"{through} not shown: judged by the parameters that they led to"
    return "; ".join(
        text
        for text, absent in (("loss not shown: not judged", "loss" in unrecorded), (led, through))
        if absent
    )
