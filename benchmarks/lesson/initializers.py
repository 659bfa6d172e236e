"""S11: every initializer in each framework's own words, its law, and what a lane really draws from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import truncnorm

from samestep.backends import gains, spec

from .models import Drawn, GainRow, InitializerRow
from .training import Session

FAN_IN, FAN_OUT = 200, 100  # 20,000 weights: the measured deviation is within about 2% of the law's
RELU = gains.gain("relu")


class _Initializer(NamedTuple):
    """What to draw, the formula of its standard deviation and its value here, and where each framework has it."""

    name: str
    how: spec.Initializer
    law: str
    std: float | None
    numpy: str
    torch: str
    jax: str


_XAVIER = "gain sqrt(2 / (fan_in + fan_out))", math.sqrt(2 / (FAN_IN + FAN_OUT))
_KAIMING = "gain / sqrt(fan), here gain sqrt(2)", RELU / math.sqrt(FAN_IN)
_SCALED = "scaled(law, gain * math.sqrt(2 / sum(shape)), ...)", "scaled(law, gain / math.sqrt(...), ...)"
_VARIANCE = (
    'initializers.variance_scaling(gain**2, "fan_avg", law)',
    "initializers.variance_scaling(gain**2, mode, law)",
)

TABLE = (
    _Initializer(
        "constant",
        spec.Constant(value=0.5),
        "0",
        0.0,
        "np.full",
        "nn.init.constant_",
        "initializers.constant",
    ),
    _Initializer(
        "normal",
        spec.Normal(std=0.01),
        "std",
        0.01,
        "rng.normal",
        "nn.init.normal_",
        "jax.random.normal",
    ),
    _Initializer(
        "uniform",
        spec.Uniform(),
        "(high - low) / sqrt(12)",
        1 / math.sqrt(12),
        "rng.uniform",
        "nn.init.uniform_",
        "jax.random.uniform",
    ),
    _Initializer(
        "truncated normal",
        spec.TruncatedNormal(),
        "that of N(mean, std) cut to [low, high], here 2 std either side",
        float(truncnorm.std(-2, 2)),
        "truncated_normal",
        "nn.init.trunc_normal_",
        "jax.random.truncated_normal",
    ),
    _Initializer(
        "xavier uniform",
        spec.Xavier(distribution="uniform"),
        *_XAVIER,
        _SCALED[0],
        "nn.init.xavier_uniform_",
        _VARIANCE[0],
    ),
    _Initializer(
        "xavier normal",
        spec.Xavier(distribution="normal"),
        *_XAVIER,
        _SCALED[0],
        "nn.init.xavier_normal_",
        _VARIANCE[0],
    ),
    _Initializer(
        "kaiming uniform",
        spec.Kaiming(distribution="uniform", gain=RELU),
        *_KAIMING,
        _SCALED[1],
        "nn.init.kaiming_uniform_",
        _VARIANCE[1],
    ),
    _Initializer(
        "kaiming normal",
        spec.Kaiming(distribution="normal", gain=RELU),
        *_KAIMING,
        _SCALED[1],
        "nn.init.kaiming_normal_",
        _VARIANCE[1],
    ),
    _Initializer(
        "default",
        spec.Default(),
        "torch, and numpy after it: 1 / sqrt(3 fan_in); flax: 1 / sqrt(fan_in)",
        None,
        "rng.uniform(-1, 1, shape) / math.sqrt(fan_in)",
        "nn.Linear",
        "nnx.nn.linear.default_kernel_init",
    ),
)


def rows() -> tuple[InitializerRow, ...]:
    """The initializers by name, law and each framework's own name."""
    return tuple(
        InitializerRow(
            name=each.name,
            law=each.law,
            std=each.std,
            names={"numpy": each.numpy, "torch": each.torch, "jax": each.jax},
        )
        for each in TABLE
    )


def drawn(session: Session) -> tuple[Drawn, ...]:
    """Mean and standard deviation of a weight (200, 100) from the lane's own form of every initializer."""
    layer = spec.Linear(in_features=FAN_IN, out_features=FAN_OUT)
    found = []
    for each in TABLE:
        init = spec.Initialization(weight=each.how)
        task = session.task.model_copy(update={"layers": (layer,), "init": init})
        weight = session.backend.params(session.backend.init(task))["0.weight"].astype(np.float64)
        found.append(Drawn(name=each.name, mean=float(weight.mean()), std=float(weight.std())))
    return tuple(found)


def gain_rows() -> tuple[GainRow, ...]:
    """The recommended gains; a leaky ReLU at its default slope of 0.01."""
    return tuple(
        GainRow(nonlinearity=name, formula=formula, gain=gains.gain(name))
        for name, formula in gains.FORMULAS.items()
    )
