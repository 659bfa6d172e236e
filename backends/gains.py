"""Recommended gains for `spec.Xavier` and `spec.Kaiming`: how far to widen the weights before an activation.

The standard deviation of a weight is multiplied by the gain, so that a signal keeps its scale through a deep
chain. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

# by nonlinearity; the convolutions are linear, whatever their dimensions
FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "linear": "1",
        **{f"{kind}{dims}d": "1" for kind in ("conv", "conv_transpose") for dims in (1, 2, 3)},
        "sigmoid": "1",
        "tanh": "5/3",
        "relu": "sqrt(2)",
        "leaky_relu": "sqrt(2 / (1 + slope^2))",
        "selu": "3/4",
    }
)
_VALUES = {"1": 1.0, "5/3": 5 / 3, "sqrt(2)": math.sqrt(2.0), "3/4": 0.75}


def gain(nonlinearity: str, *, slope: float = 0.01) -> float:
    """The recommended gain for weights that are followed by `nonlinearity`, one of `FORMULAS`.

    `slope` is the negative slope of leaky_relu; nothing else depends on it.

    Raises:
        ValueError: no such nonlinearity, or a slope that is not finite.

    Source: PyTorch documentation, torch.nn.init.calculate_gain; He et al. (2015) for the rectifiers.
    """
    if nonlinearity not in FORMULAS:
        raise ValueError(f"no gain for {nonlinearity!r}; the nonlinearities are {', '.join(FORMULAS)}")
    if not math.isfinite(slope):
        raise ValueError(f"the negative slope of a leaky ReLU must be a finite number, not {slope!r}")
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + slope * slope))
    return _VALUES[FORMULAS[nonlinearity]]
