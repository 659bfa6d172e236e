"""What the registry offers: every loss (S10), every initializer and gain (S11), and what a lane makes of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import truncnorm

from samestep.backends import gains, losses, spec
from samestep.backends.interface import Backend
from samestep.backends.losses import LossSpec

from .models import DrawnWeights, GainRow, InitializerRow, LossRow
from .training import LessonLane

Floats = NDArray[Any]

# --- losses ---------------------------------------------------------------------------------------------------


def loss_rows() -> tuple[LossRow, ...]:
    """S10: every loss with each framework's name for it."""
    declared = [losses.get(name) for name in losses.names()]
    return tuple(
        LossRow(name=loss.name, torch_name=loss.torch_name, jax_name=loss.jax_name, formula=loss.formula)
        for loss in declared
    )


def loss_values(backend: Backend) -> dict[str, float]:
    """Each loss at its default options, reduction mean, on its example in float32."""
    return {
        name: float(backend.loss_and_gradient(name, loss_example(losses.get(name)), {})[0])
        for name in losses.names()
    }


def loss_example(loss: LossSpec) -> tuple[Floats, ...]:
    """Inputs that a loss takes: 4 rows of 3 columns or classes, always the same numbers, float32."""
    rng = np.random.default_rng(0)
    shape = (4, 3, 2, 2) if loss.dims == (4, 4) else (4, 3)
    inputs = [rng.normal(size=shape) for _ in loss.inputs[:-1]]
    if loss.name == "bce":
        inputs[0] = _sigmoid(inputs[0])
    if loss.name in ("kl_div", "nll", "nll2d"):
        inputs[0] = np.log(_softmax(inputs[0]))
    target = _target(loss, shape, rng)
    return (*(array.astype(np.float32) for array in inputs), target)


def _target(loss: LossSpec, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """The last input of a loss, by what it declares its target to be."""
    match loss.target:
        case "class" | "class or probabilities":
            return rng.integers(shape[1], size=(shape[0], *shape[2:]))
        case "class set":
            return np.array([[0, 2, -1], [1, -1, -1], [2, 1, -1], [0, -1, 1]])
        case "sign":
            rows = shape[:1] if loss.name == "cosine_embedding" else shape
            return rng.choice([-1.0, 1.0], size=rows).astype(np.float32)
        case "binary":
            return rng.integers(2, size=shape).astype(np.float32)
        case "probability":
            return rng.uniform(size=shape).astype(np.float32)
        case "distribution":
            return _softmax(rng.normal(size=shape)).astype(np.float32)
        case _:
            return rng.normal(size=shape).astype(np.float32)


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Floats) -> Floats:
    z: Floats = np.exp(x)
    probabilities: Floats = z / z.sum(axis=1, keepdims=True)
    return probabilities


# --- initializers ---------------------------------------------------------------------------------------------

FAN_IN, FAN_OUT = 200, 100  # 20,000 weights: the measured deviation is within about 2% of the distribution's
RELU = gains.gain("relu")


Code = tuple[str, str, str]
"""In NumPy, in PyTorch and in JAX."""


class Deviation(NamedTuple):
    """A standard deviation as a formula, and its value for a weight (200, 100); None where lanes differ."""

    formula: str
    value: float | None


class InitializerEntry(NamedTuple):
    """What to draw, its standard deviation, and each framework's code for it."""

    name: str
    initializer: spec.Initializer
    std: Deviation
    code: Code


def _xavier(distribution: str) -> Code:
    numpy = "centered(distribution, gain * math.sqrt(2 / sum(shape)), ...)"
    return (
        numpy,
        f"nn.init.xavier_{distribution}_",
        'initializers.variance_scaling(gain**2, "fan_avg", distribution)',
    )


def _kaiming(distribution: str) -> Code:
    numpy = "centered(distribution, gain / math.sqrt(...), ...)"
    return (
        numpy,
        f"nn.init.kaiming_{distribution}_",
        "initializers.variance_scaling(gain**2, mode, distribution)",
    )


_UNIFORM = Deviation("(high - low) / sqrt(12)", 1 / math.sqrt(12))
_TRUNCATED = Deviation(
    "that of N(mean, std) cut to [low, high], here 2 std either side", float(truncnorm.std(-2, 2))
)
_XAVIER = Deviation("gain sqrt(2 / (fan_in + fan_out))", math.sqrt(2 / (FAN_IN + FAN_OUT)))
_KAIMING = Deviation("gain / sqrt(fan), here gain sqrt(2)", RELU / math.sqrt(FAN_IN))
_DEFAULT = Deviation("torch, and numpy after it: 1 / sqrt(3 fan_in); flax: 1 / sqrt(fan_in)", None)

INITIALIZERS = (
    InitializerEntry(
        "constant",
        spec.Constant(value=0.5),
        Deviation("0", 0.0),
        ("np.full", "nn.init.constant_", "initializers.constant"),
    ),
    InitializerEntry(
        "normal",
        spec.Normal(std=0.01),
        Deviation("std", 0.01),
        ("rng.normal", "nn.init.normal_", "jax.random.normal"),
    ),
    InitializerEntry(
        "uniform", spec.Uniform(), _UNIFORM, ("rng.uniform", "nn.init.uniform_", "jax.random.uniform")
    ),
    InitializerEntry(
        "truncated normal",
        spec.TruncatedNormal(),
        _TRUNCATED,
        ("truncated_normal", "nn.init.trunc_normal_", "jax.random.truncated_normal"),
    ),
    InitializerEntry("xavier uniform", spec.Xavier(distribution="uniform"), _XAVIER, _xavier("uniform")),
    InitializerEntry("xavier normal", spec.Xavier(distribution="normal"), _XAVIER, _xavier("normal")),
    InitializerEntry(
        "kaiming uniform", spec.Kaiming(distribution="uniform", gain=RELU), _KAIMING, _kaiming("uniform")
    ),
    InitializerEntry(
        "kaiming normal", spec.Kaiming(distribution="normal", gain=RELU), _KAIMING, _kaiming("normal")
    ),
    InitializerEntry(
        "default",
        spec.Default(),
        _DEFAULT,
        ("rng.uniform(-1, 1, shape) / math.sqrt(fan_in)", "nn.Linear", "nnx.nn.linear.default_kernel_init"),
    ),
)


def initializer_rows() -> tuple[InitializerRow, ...]:
    """S11: the initializers by name, standard deviation and each framework's own name."""
    return tuple(
        InitializerRow(
            name=entry.name,
            law=entry.std.formula,
            std=entry.std.value,
            names=dict(zip(("numpy", "torch", "jax"), entry.code, strict=True)),
        )
        for entry in INITIALIZERS
    )


def drawn_weights(lane: LessonLane) -> tuple[DrawnWeights, ...]:
    """Mean and standard deviation of a weight (200, 100) from the lane's own form of every initializer."""
    layer = spec.Linear(in_features=FAN_IN, out_features=FAN_OUT)
    drawn = []
    for entry in INITIALIZERS:
        init = spec.Initialization(weight=entry.initializer)
        task = lane.task.model_copy(update={"layers": (layer,), "init": init})
        weight = lane.backend.params(lane.backend.init(task))["0.weight"].astype(np.float64)
        drawn.append(DrawnWeights(name=entry.name, mean=float(weight.mean()), std=float(weight.std())))
    return tuple(drawn)


def gain_rows() -> tuple[GainRow, ...]:
    """S11: the recommended gains; a leaky ReLU at its default negative slope of 0.01."""
    return tuple(
        GainRow(nonlinearity=name, formula=formula, gain=gains.gain(name))
        for name, formula in gains.FORMULAS.items()
    )
