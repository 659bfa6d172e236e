"""The walk of the lesson as data: frozen, strict, with a JSON round trip.

Every key is described in docs/lesson-json.md. Losses are in the target's units, squared; "above best" is the loss
less that of the exact least-squares solution. S1 to S13 number the parts of the lesson.
"""

from __future__ import annotations

from typing import Literal

from samestep.backends.interface import Tier
from samestep.backends.spec import Dtype, Number, Reduction, Spec

Vector = tuple[Number, ...]
SCHEMA_VERSION: Literal[1] = 1


class Tensor(Spec):
    """An array in a framework's own name and shape, its values row by row."""

    name: str
    shape: tuple[int, ...]
    values: Vector


class LessonSetting(Spec):
    """S1: the data and how it is trained on; the same for every lane."""

    rows: int
    features: int
    labels_shape: tuple[int, ...]
    weights: Vector
    bias: Number
    noise: Number
    batch_size: int
    steps_per_epoch: int
    last_batch: int
    epochs: int
    learning_rate: Number
    initial_std: Number
    dtype: Dtype
    seed: int
    best_loss: Number
    data: str
    order: str
    start: str


class Quotation(Spec):
    """One thing the lesson does, in a framework: `code` as it stands in its backend, and a remark."""

    row: str
    what: str
    code: tuple[str, ...]
    remark: str


class FirstBatch(Spec):
    """The first batch of an epoch: its row numbers, and the features and labels of its first few rows."""

    rows: tuple[int, ...]
    features: tuple[Vector, ...]
    labels: Vector


class DataIterator(Spec):
    """S2: first batches in the shared order (`training`), as stored (`evaluation`), and by its own shuffler."""

    training: FirstBatch
    evaluation: FirstBatch
    own: FirstBatch
    full_passes: bool
    new_order_each_epoch: bool


class HeldDigests(Spec):
    """SHA-256 of what the lane holds: the data it was given, the rows its iterator gave, and its start."""

    data: str
    order: str
    start: str
    same: bool


class ModelParameters(Spec):
    """S3 and S4: the parameters as the lane drew them, and after they were replaced by the shared start."""

    drawn: tuple[Tensor, ...]
    start: tuple[Tensor, ...]
    replaced_exactly: bool


class FirstStep(Spec):
    """S7: the first step, from the shared start."""

    loss: Number
    gradients: tuple[Tensor, ...]
    after: tuple[Tensor, ...]


class ParitySummary(Spec):
    """S7: the parity certificate in short; `shares`: the worst step over the allowed rounding, by quantity."""

    status: str
    reason: str
    shares: dict[str, Number]


class TrainingResult(Spec):
    """S7 and S8: the loss on all rows after each epoch, the certificate, the estimate against the truth."""

    losses: Vector
    above_best: Vector
    certificate: ParitySummary
    weights: Vector
    bias: Number
    weights_error: Vector
    bias_error: Number


class TrainingRun(Spec):
    """One training run from the shared start, judged in float64 after each epoch."""

    name: str
    loss: str
    reduction: Reduction
    learning_rate: Number | None
    batch_size: int
    sums: Vector
    means: Vector
    above_best: Vector


class Equality(Spec):
    """How near the final parameters of two runs are: bit for bit, or by how many units in the last place."""

    left: str
    right: str
    bit_for_bit: bool
    ulps: Number


class OrderRatio(Spec):
    """How far run C is above the best, over run A, after the first and the last epoch, in one order."""

    seed: int
    first: Number
    last: Number


class PartialBatch(Spec):
    """A batch that does not divide the rows: E mean, F sum at rate / batch, G sum at rate / own rows."""

    last_batch: int
    runs: tuple[TrainingRun, ...]
    equal: tuple[Equality, ...]


class Exercise1(Spec):
    """S9: reduction or learning rate? `continued` is run A trained on for as long again, not reset."""

    runs: tuple[TrainingRun, ...]
    equal: tuple[Equality, ...]
    gradient_ratio: Number
    continued: TrainingRun
    ratios: tuple[OrderRatio, ...]
    partial: PartialBatch


class OneHalf(Spec):
    """The book's two tabs: squared error with the factor one half (its JAX tab) and without (its PyTorch tab)."""

    gradient_ratio: Number
    run: TrainingRun
    equal: Equality


class HuberRelation(Spec):
    """SmoothL1(beta=sigma) and Huber(delta=sigma) on the same residuals; ratios are huber / smooth_l1."""

    sigma: Number
    smooth_l1: Number
    huber: Number
    ratio: Number
    gradient_ratio: Number


class HuberExercise(Spec):
    """S10: training with the lesson's Huber loss, which is SmoothL1(beta=sigma)."""

    sigma: Number
    losses: Vector
    means: Vector
    weights_error: Vector
    bias_error: Number
    relations: tuple[HuberRelation, ...]


class DrawnWeights(Spec):
    """S11: mean and standard deviation of the weights that the lane's own initializer drew."""

    name: str
    mean: Number
    std: Number


class Exercise3(Spec):
    """S12: gradients of the last batch and of all rows, both where the last step started from."""

    last_batch: tuple[Tensor, ...]
    all_rows: tuple[Tensor, ...]


class DeeperChain(Spec):
    """S13: a deeper chain through the same loop; the loss on all rows before training and after each epoch."""

    parameters: tuple[Tensor, ...]
    before: Number
    losses: Vector


class LaneWalk(Spec):
    """Everything one lane did."""

    held: HeldDigests
    iterator: DataIterator
    model: ModelParameters
    step: FirstStep
    training: TrainingResult
    exercise1: Exercise1
    half: OneHalf
    loss_values: dict[str, Number]
    huber: HuberExercise
    initialisers: tuple[DrawnWeights, ...]
    exercise3: Exercise3
    deeper: DeeperChain


class LaneReport(Spec):
    """A lane: why it cannot run here or where it failed, or what it did."""

    name: str
    missing: str | None
    failed: bool = False
    framework: str | None = None
    tier: Tier | None = None
    form: str | None = None
    versions: dict[str, str] | None = None
    words: tuple[Quotation, ...] = ()
    walk: LaneWalk | None = None


class LossRow(Spec):
    """S10: a loss of the registry and each framework's name for it."""

    name: str
    torch_name: str
    jax_name: str
    formula: str


class InitializerRow(Spec):
    """S11: an initializer and each framework's name for it."""

    name: str
    law: str
    std: Number | None
    names: dict[str, str]


class GainRow(Spec):
    """S11: the recommended gain before a nonlinearity."""

    nonlinearity: str
    formula: str
    gain: Number


class Walk(Spec):
    """The whole walk."""

    schema_version: Literal[1] = SCHEMA_VERSION
    setting: LessonSetting
    lanes: tuple[LaneReport, ...]
    between_lanes: tuple[Equality, ...]
    deeper_layers: tuple[str, ...]
    losses: tuple[LossRow, ...]
    initialisers: tuple[InitializerRow, ...]
    gains: tuple[GainRow, ...]
