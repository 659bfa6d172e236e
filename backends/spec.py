"""What is trained: a `Task` and its parts. Frozen, validated, with a JSON round trip and a digest.

A Task says everything that fixes the work: the data, the layers, the initial values, the loss, the optimizer, the
batch size, the seed of the row order and the dtype. No framework is imported, so that every process (coordinator,
worker, report) reads the same specification. Field names are keys of records and enter digests.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    model_validator,
)

from . import losses
from .dataset_spec import Dataset as Dataset
from .dataset_spec import File as File
from .dataset_spec import Missing as Missing
from .dataset_spec import Packaged as Packaged
from .dataset_spec import Reading as Reading
from .dataset_spec import Synthetic as Synthetic
from .strict_model import Count as Count
from .strict_model import Finite as Finite
from .strict_model import Name as Name
from .strict_model import NonNegative as NonNegative
from .strict_model import Number as Number
from .strict_model import Positive as Positive
from .strict_model import Spec as Spec

Dtype: TypeAlias = Literal["float32", "float64"]
Distribution: TypeAlias = Literal["uniform", "normal"]
Reduction: TypeAlias = losses.Reduction

# --- model ----------------------------------------------------------------------------------------


class Linear(Spec):
    """A fully connected layer, x W + b, with W (in_features, out_features) and b (out_features,)."""

    kind: Literal["linear"] = "linear"
    in_features: Count
    out_features: Count


class ReLU(Spec):
    """max(0, x); the derivative at 0 is 0."""

    kind: Literal["relu"] = "relu"


class LeakyReLU(Spec):
    """x where x > 0, else negative_slope x."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Finite = 0.01


class Sigmoid(Spec):
    """1 / (1 + exp(-x))."""

    kind: Literal["sigmoid"] = "sigmoid"


class Tanh(Spec):
    """tanh(x)."""

    kind: Literal["tanh"] = "tanh"


Nonlinearity: TypeAlias = ReLU | LeakyReLU | Sigmoid | Tanh
Layer: TypeAlias = Annotated[Linear | Nonlinearity, Field(discriminator="kind")]

# --- initialization -------------------------------------------------------------------------------


class Constant(Spec):
    """Every element is `value`."""

    kind: Literal["constant"] = "constant"
    value: Finite = 0.0


class Normal(Spec):
    """N(mean, std^2)."""

    kind: Literal["normal"] = "normal"
    mean: Finite = 0.0
    std: NonNegative = 1.0


class Uniform(Spec):
    """U(low, high)."""

    kind: Literal["uniform"] = "uniform"
    low: Finite = 0.0
    high: Finite = 1.0


class TruncatedNormal(Spec):
    """N(mean, std^2) conditioned on [low, high]; low and high are absolute, as in torch.nn.init.trunc_normal_."""

    kind: Literal["truncated_normal"] = "truncated_normal"
    mean: Finite = 0.0
    std: Positive = 1.0
    low: Finite = -2.0
    high: Finite = 2.0


class Xavier(Spec):
    """Variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""

    kind: Literal["xavier"] = "xavier"
    distribution: Distribution = "uniform"
    gain: Positive = 1.0


class Kaiming(Spec):
    """Variance gain^2 / fan (He et al., 2015); mode names the fan."""

    kind: Literal["kaiming"] = "kaiming"
    distribution: Distribution = "uniform"
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    gain: Positive = math.sqrt(2.0)


class Default(Spec):
    """Whatever the framework's own linear layer does when nothing is said."""

    kind: Literal["default"] = "default"


Initializer: TypeAlias = Annotated[
    Constant | Normal | Uniform | TruncatedNormal | Xavier | Kaiming | Default, Field(discriminator="kind")
]


class Initialization(Spec):
    """How every Linear layer starts. Xavier and Kaiming need two dimensions, so they are for weights only."""

    weight: Initializer = Normal(std=0.01)
    bias: Constant | Normal | Uniform | Default = Field(default=Constant(), discriminator="kind")


# --- loss and optimizer ---------------------------------------------------------------------------


def _pairs(value: Any) -> Any:
    """Options are written as a mapping and kept as sorted pairs, so that a frozen spec cannot be edited."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


OptionValue: TypeAlias = bool | int | float | str | tuple[float, ...]
Options: TypeAlias = Annotated[
    tuple[tuple[str, OptionValue], ...], BeforeValidator(_pairs), PlainSerializer(lambda pairs: dict(pairs))
]


class Loss(Spec):
    """A loss of the table in `backends.losses`, by its name there, with its reduction and options."""

    name: str = "mse"
    reduction: Reduction = "mean"
    options: Options = ()

    @model_validator(mode="after")
    def _declared(self) -> Self:
        losses.get(self.name).check_options(self.arguments)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """Reduction and options as one mapping: what every backend's loss takes."""
        return {"reduction": self.reduction, **dict(self.options)}


class ConstantRate(Spec):
    """The learning rate never changes."""

    kind: Literal["constant"] = "constant"


class StepDecay(Spec):
    """Multiplied by gamma after every `every` steps (torch's StepLR, advanced once per step)."""

    kind: Literal["step"] = "step"
    every: Count
    gamma: Positive = 0.1


class Cosine(Spec):
    """From the learning rate down to `final` over the run: final + (h - final)(1 + cos(pi t / T)) / 2."""

    kind: Literal["cosine"] = "cosine"
    final: NonNegative = 0.0


Schedule: TypeAlias = Annotated[ConstantRate | StepDecay | Cosine, Field(discriminator="kind")]


class SGD(Spec):
    """Stochastic gradient descent as torch.optim.SGD defines it.

    g = grad, negated if `maximize`; g += weight_decay theta; the buffer is b_1 = g and then
    b = momentum b + (1 - dampening) g; the direction is b, or g + momentum b if `nesterov`;
    theta -= learning_rate direction.
    """

    learning_rate: NonNegative = 0.03
    momentum: NonNegative = 0.0
    dampening: Finite = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0
    maximize: bool = False
    schedule: Schedule = ConstantRate()

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")
        return self

    def learning_rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of each of `steps` steps, float64 (steps,)."""
        t = np.arange(steps, dtype=np.float64)
        match self.schedule:
            case StepDecay(every=every, gamma=gamma):
                return self.learning_rate * gamma ** (t // every)
            case Cosine(final=final):
                return final + (self.learning_rate - final) * (1 + np.cos(np.pi * t / steps)) / 2
            case ConstantRate():
                return np.full(steps, self.learning_rate)
            case _:
                assert_never(self.schedule)


# --- the task -------------------------------------------------------------------------------------


class Task(Spec):
    """One piece of training work, the same in every backend.

    `most_steps`: an epoch ends after so many steps, however many rows are left; by default it takes all rows.
    """

    name: Name = Field(min_length=1)
    dataset: Dataset
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=1_000)
    init: Initialization = Initialization()
    loss: Loss = Loss()
    optimizer: SGD = SGD()
    batch_size: Count = 10
    epochs: Count = 3
    seed: int = Field(default=0, ge=0)
    dtype: Dtype = "float32"
    most_steps: Count | None = Field(
        default=None, exclude_if=lambda steps: steps is None
    )  # digests came before

    @model_validator(mode="after")
    def _layers_fit_and_loss_trains(self) -> Self:
        linear = [layer for layer in self.layers if isinstance(layer, Linear)]
        if not linear or not isinstance(self.layers[-1], Linear | Sigmoid):
            raise ValueError("layers need a Linear, and must end in Linear or Sigmoid")
        for before, after in pairwise(linear):
            if before.out_features != after.in_features:
                raise ValueError(
                    f"a layer of {before.out_features} outputs feeds one of {after.in_features} inputs"
                )
        name = self.loss.name
        if not losses.get(name).trains:
            raise ValueError(f"loss {name!r} does not take (prediction, target): it cannot train a model")
        if self.loss.reduction == "none":
            raise ValueError("training needs a loss reduced to one number: reduction mean or sum")
        return self

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, torch Sequential's names, weights as (in, out)."""
        shapes: dict[str, tuple[int, ...]] = {}
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Linear):
                shapes[f"{index}.weight"] = (layer.in_features, layer.out_features)
                shapes[f"{index}.bias"] = (layer.out_features,)
        return shapes

    def steps(self, rows: int) -> int:
        """Steps of an epoch over `rows` rows: ceil(rows / batch_size), the last one partial; or `most_steps`."""
        steps = -(-rows // self.batch_size)
        return min(steps, self.most_steps or steps)

    def row_order(self, rows: int, epoch: int) -> NDArray[np.int64]:
        """The rows of one epoch in order, int64 (rows,): one permutation per (seed, epoch), the same for all.

        With `most_steps` as many rows as it takes, drawn without making a permutation of all.
        """
        rng = np.random.default_rng([self.seed, epoch])
        if self.most_steps is None:
            return rng.permutation(rows)
        return rng.choice(rows, min(rows, self.most_steps * self.batch_size), replace=False)

    def learning_rates(self, rows: int) -> NDArray[Any]:
        """Learning rates (epochs, steps): computed once in float64 and rounded once to the task's dtype."""
        rates = self.optimizer.learning_rates(self.epochs * self.steps(rows))
        return rates.astype(self.dtype).reshape(self.epochs, self.steps(rows))
