"""S10: the losses that the registry declares, and each of them on one small example in every lane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.backends import losses
from samestep.backends.interface import Backend
from samestep.backends.losses import LossSpec

from .models import LossRow

Floats = NDArray[Any]


def rows() -> tuple[LossRow, ...]:
    """Every loss with each framework's name for it."""
    specs = [losses.get(name) for name in losses.names()]
    return tuple(
        LossRow(name=each.name, torch_name=each.torch_name, jax_name=each.jax_name, formula=each.formula)
        for each in specs
    )


def values(backend: Backend) -> dict[str, float]:
    """Each loss at its default options, reduction mean, on its example in float32."""
    return {
        name: float(backend.loss_and_gradient(name, example(losses.get(name)), {})[0])
        for name in losses.names()
    }


def example(loss: LossSpec) -> tuple[Floats, ...]:
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
    shares: Floats = z / z.sum(axis=1, keepdims=True)
    return shares
