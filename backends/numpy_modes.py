"""NumPy, faster: the same step with every array reused and every operation in place.

Read side by side with torch_modes.py and jax_modes.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from . import numpy_backend, spec
from .interface import Arrays, Batch, Host, RowOrder, Tier, Traits
from .numpy_backend import Activation, Floats, LossFunction, NumpyBackend

# --- tuned ----------------------------------------------------------------------------------------


class TunedLinear(numpy_backend.LinearLayer):
    """Output and gradients live in arrays made once for each number of rows."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        super().__init__(weight, bias)
        self.weight, self.bias = weight, bias
        self.grads = {"weight": np.empty_like(weight), "bias": np.empty_like(bias)}
        self.outputs: dict[int, tuple[Floats, Floats]] = {}

    def forward(self, x: Floats) -> Floats:
        rows = len(x)
        if rows not in self.outputs:
            self.outputs[rows] = np.empty((rows, len(self.bias)), x.dtype), np.ones(rows, x.dtype)
        self.x = x
        z, self.ones = self.outputs[rows]
        np.dot(x, self.weight, z)
        return np.add(z, self.bias, z)

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        np.dot(self.x.T, dz, self.grads["weight"])
        np.dot(self.ones, dz, self.grads["bias"])  # one BLAS call costs less than a sum over an axis
        return dz @ self.weight.T if need_dx else dz


class TunedSequential(numpy_backend.Sequential):
    """The chain with its names spelled out once: its parameters and gradients stay the same arrays for good."""

    def __init__(self, layers: Sequence[numpy_backend.LinearLayer | Activation]) -> None:
        super().__init__(layers)
        self.named = super().params
        self.grads = {f"{i}.{name}": g for i, layer in enumerate(layers) for name, g in layer.grads.items()}
        self.downwards = [(layer, index > 0) for index, layer in reversed(list(enumerate(layers)))]

    def backward(self, dz: Floats) -> dict[str, Floats]:
        for layer, need_dx in self.downwards:
            dz = layer.backward(dz, need_dx=need_dx)
        return self.grads

    @property
    def params(self) -> dict[str, Floats]:
        return self.named


class TunedMSE:
    """Mean or summed squared error, value sum(e^2) / n and gradient 2 e / n, in an array made once per shape."""

    def __init__(self, *, mean: bool) -> None:
        self.mean = mean
        self.errors: dict[int, tuple[Floats, Floats, Any]] = {}

    def __call__(self, prediction: Floats, target: Host) -> tuple[Any, Floats]:
        size = prediction.size
        if size not in self.errors:
            e = np.empty_like(prediction)
            self.errors[size] = e, e.reshape(-1), e.dtype.type(size if self.mean else 1)
        e, flat, count = self.errors[size]
        np.subtract(prediction, target, e)
        return flat.dot(flat) / count, np.multiply(e, 2 / count, e)


class TunedSGD(numpy_backend.SGDOptimizer):
    """The update without a temporary: the direction is computed in the gradient's own array."""

    def step(
        self, params: Mapping[str, Floats], gradients: Mapping[str, Floats], learning_rate: float
    ) -> None:
        plain = not (self.buffers or self.options.weight_decay or self.options.maximize)
        for name, theta in params.items():
            g = gradients[name]
            direction = g if plain else self.direction(name, theta, g)
            np.multiply(direction, learning_rate, g)
            np.subtract(theta, g, theta)
        self.started = True


class NumpyTuned(NumpyBackend):
    """NumPy with reused buffers: rows gathered with take(out=), gradients and updates in place."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="by hand", buffers="reused")

    def model(self, layers: Sequence[spec.Layer], values: Arrays) -> TunedSequential:
        return TunedSequential([self.layer(i, layer, values) for i, layer in enumerate(layers)])

    def loss(self, declared: spec.Loss) -> LossFunction:
        general = super().loss(declared)
        special = declared.name == "mse" and declared.reduction in ("mean", "sum")
        return TunedMSE(mean=declared.reduction == "mean") if special else general

    def optimizer(self, options: spec.SGD, params: Mapping[str, Floats], buffers: Arrays | None) -> TunedSGD:
        return TunedSGD(options, params, buffers)

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        x_rows, y_rows = (np.empty((min(batch_size, len(row_order)), *a.shape[1:]), a.dtype) for a in data)
        for start in range(0, len(row_order), batch_size):
            rows = row_order[start : start + batch_size]
            count = len(rows)
            # mode="clip" skips the bounds check that would buffer the output; a row order is in range
            yield x.take(rows, 0, x_rows[:count], "clip"), y.take(rows, 0, y_rows[:count], "clip")

    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> numpy_backend.LinearLayer | Activation:
        if isinstance(layer, spec.Linear):
            return TunedLinear(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)
