"""NumPy, faster: the same step with every array reused; and many steps from one gathered chunk of rows.

Read side by side with torch_modes.py and jax_modes.py: the same sections in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from . import numpy_backend, spec
from .interface import Arrays, Batch, Host, RowOrder, Tier, Trace, Traits, check_rates
from .numpy_backend import Activation, Floats, LossFunction, NumpyBackend, NumpyState
from .numpy_chunks import CHUNK_BYTES, WIDE_BYTES, BatchRows, Chunk, gather, most_steps, wide_batches
from .spec import Task

TunedState: TypeAlias = Any  # a NumpyState whose model, loss and optimizer are this file's

# --- tuned ----------------------------------------------------------------------------------------


class TunedLinear(numpy_backend.LinearLayer):
    """Weight and bias are views of one theta (in + 1, out), and so are their gradients; all arrays are reused."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        self.theta = np.concatenate([weight, bias[None]])
        self.weight, self.bias = self.theta[:-1], self.theta[-1]
        super().__init__(self.weight, self.bias)
        self.gradient = np.empty_like(self.theta)
        self.grads = {"weight": self.gradient[:-1], "bias": self.gradient[-1]}
        self.weight_gradient, self.bias_gradient = self.grads["weight"], self.grads["bias"]
        # a number of no dimension: beside an array it costs half of what an array of one costs
        self.shift = self.bias.reshape(()) if len(self.bias) == 1 else self.bias
        self.outputs: dict[int, tuple[Floats, Floats]] = {}
        self.x = np.empty(0, weight.dtype)

    def forward(self, x: Floats) -> Floats:
        if x is not self.x:
            self.prepare(x)
        self.dot(self.weight, self.z)
        np.add(self.z, self.shift, self.z)
        return self.z

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        self.transposed_dot(dz, self.weight_gradient)
        self.ones_dot(dz, self.bias_gradient)  # one BLAS call costs less than a sum over an axis
        return dz @ self.weight.T if need_dx else dz

    def prepare(self, x: Floats) -> None:
        """The calls on an array, which a batch of the same size will lie in again."""
        rows = len(x)
        if rows not in self.outputs:
            self.outputs[rows] = np.empty((rows, len(self.bias)), x.dtype), np.ones(rows, x.dtype)
        self.x, (self.z, ones) = x, self.outputs[rows]
        self.dot, self.transposed_dot, self.ones_dot = x.dot, x.T.dot, ones.dot


class TunedSequential(numpy_backend.Sequential):
    """The chain with its names spelled out once: its parameters and gradients stay the same arrays for good."""

    def __init__(self, layers: Sequence[numpy_backend.LinearLayer | Activation]) -> None:
        super().__init__(layers)
        self.named = super().params
        self.grads = {f"{i}.{name}": g for i, layer in enumerate(layers) for name, g in layer.grads.items()}
        linear = {str(i): layer for i, layer in enumerate(layers) if isinstance(layer, TunedLinear)}
        self.thetas = {name: layer.theta for name, layer in linear.items()}
        self.gradients = {name: layer.gradient for name, layer in linear.items()}
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
        self.prediction: Floats = np.empty(0)
        self.errors: dict[tuple[int, ...], Floats] = {}

    def __call__(self, prediction: Floats, target: Host) -> tuple[Any, Floats]:
        if prediction is not self.prediction:
            self.prepare(prediction)
        e, flat = self.e, self.flat
        np.subtract(prediction, target, e)
        return flat.dot(flat) / self.count, np.multiply(e, self.factor, e)

    def prepare(self, prediction: Floats) -> None:
        """The arrays for predictions that will lie in this array again."""
        self.prediction = prediction
        self.e = self.errors.setdefault(prediction.shape, np.empty_like(prediction))
        self.flat = self.e.reshape(-1)
        self.count = self.e.dtype.type(prediction.size if self.mean else 1)
        self.factor = np.array(2 / self.count)


class TunedSGD(numpy_backend.SGDOptimizer):
    """The update without a temporary: the direction is computed in the gradient's own array."""

    def __init__(self, options: spec.SGD, params: Mapping[str, Floats], buffers: Arrays | None) -> None:
        super().__init__(options, params, buffers)
        self.plain = not (options.momentum or options.weight_decay or options.maximize)
        self.learning_rate, self.rate = math.nan, np.zeros(())

    def step(
        self, params: Mapping[str, Floats], gradients: Mapping[str, Floats], learning_rate: float
    ) -> None:
        for name, theta in params.items():
            g = gradients[name]
            direction = g if self.plain else self.direction(name, theta, g)
            if learning_rate != self.learning_rate:
                self.learning_rate, self.rate = learning_rate, np.array(learning_rate, theta.dtype)
            np.multiply(direction, self.rate, g)
            np.subtract(theta, g, theta)
        self.started = True


def pack(named: Arrays) -> dict[str, Floats]:
    """Weight and bias of every layer as one array (in + 1, out), by the layer's position."""
    layers = [name.partition(".")[0] for name in named if name.endswith(".weight")]
    return {
        layer: np.concatenate([named[f"{layer}.weight"], named[f"{layer}.bias"][None]]) for layer in layers
    }


def unpack(packed: Mapping[str, Floats]) -> dict[str, Host]:
    """The reverse of `pack`, copied."""
    named = {}
    for layer, theta in packed.items():
        named[f"{layer}.weight"], named[f"{layer}.bias"] = theta[:-1].copy(), theta[-1].copy()
    return named


def step_in_blocks(layer: TunedLinear, loss: TunedMSE, x: BatchRows, y: Host) -> Any:
    """The loss of a batch; the layer's gradient is a sum over blocks, each used while the cache has its rows.

    e = x W - (y - b), and the factor 2 / n comes last.
    """
    errors, target = np.empty_like(y), y - layer.bias
    total, part = layer.weight_gradient, np.empty_like(layer.weight)
    total[...] = 0
    for place, x_rows in x.blocks():
        e = errors[place]
        x_rows.dot(layer.weight, e)
        np.subtract(e, target[place], e)
        x_rows.T.dot(e, part)
        np.add(total, part, total)
    errors.sum(axis=0, out=layer.bias_gradient)
    count = y.dtype.type(y.size if loss.mean else 1)
    np.multiply(layer.gradient, 2 / count, layer.gradient)
    flat = errors.reshape(-1)
    return flat.dot(flat) / count


class NumpyTuned(NumpyBackend):
    """NumPy with reused arrays: one theta for each layer, rows gathered with take(out=), gradients in place."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="by hand", buffers="reused")

    def model(self, layers: Sequence[spec.Layer], values: Arrays) -> TunedSequential:
        return TunedSequential([self.layer(i, layer, values) for i, layer in enumerate(layers)])

    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> numpy_backend.LinearLayer | Activation:
        if isinstance(layer, spec.Linear):
            return TunedLinear(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)

    def loss(self, declared: spec.Loss) -> LossFunction:
        general = super().loss(declared)
        special = declared.name == "mse" and declared.reduction in ("mean", "sum")
        return TunedMSE(mean=declared.reduction == "mean") if special else general

    def optimizer(self, options: spec.SGD, params: Mapping[str, Floats], buffers: Arrays | None) -> TunedSGD:
        return TunedSGD(options, params, buffers)

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> TunedState:
        model = self.model(task.layers, params or numpy_backend.draw(task))
        packed = pack(buffers) if buffers else None
        return NumpyState(model, self.loss(task.loss), self.optimizer(task.optimizer, model.thetas, packed))

    def buffers(self, state: TunedState) -> dict[str, Host]:
        return unpack(state.optimizer.buffers)

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        size = min(batch_size, len(row_order))
        if size * x[:1].nbytes > WIDE_BYTES:
            yield from wide_batches(data, row_order, batch_size)
            return
        x_rows, y_rows = (np.empty((size, *a.shape[1:]), a.dtype) for a in data)
        for start in range(0, len(row_order), batch_size):
            rows = row_order[start : start + batch_size]
            if len(rows) < size:
                x_rows, y_rows = x_rows[: len(rows)], y_rows[: len(rows)]
            yield gather(x, rows, x_rows), gather(y, rows, y_rows)

    def forward_backward(self, state: TunedState, batch: Batch) -> tuple[Any, dict[str, Host]]:
        (x, y), model = batch, state.model
        if isinstance(x, BatchRows):
            if len(model.layers) == 1 and isinstance(state.loss, TunedMSE):
                return step_in_blocks(model.layers[0], state.loss, x, y), model.grads
            x = np.asarray(x)
        value, gradient = state.loss(model.forward(x), y)
        return value, model.backward(gradient)

    def update(self, state: TunedState, gradients: Mapping[str, Host], learning_rate: float) -> TunedState:
        model = state.model
        if gradients is not model.grads:
            for name, g in model.grads.items():
                g[...] = gradients[name]
        state.optimizer.step(model.thetas, model.gradients, learning_rate)
        return state


# --- fused ----------------------------------------------------------------------------------------


class NumpyFused(NumpyTuned):
    """Rows gathered for many steps at once; one linear layer with MSE and plain SGD is two products a step.

    Batches too large for several of them to fit a core's own cache are taken as numpy:tuned takes them.
    """

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="by hand", buffers="reused")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.memory: dict[tuple[Any, ...], Chunk] = {}

    def epoch(
        self, state: TunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[TunedState, Sequence[Any] | Host]:
        if not is_one_product(state, data, batch_size):
            return super().epoch(state, data, row_order, batch_size, learning_rates)
        runs = self.chunks(state, data, row_order, batch_size, learning_rates)
        return state, np.concatenate([losses for losses, _ in runs])

    def trace(
        self, state: TunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[TunedState, Trace]:
        if not is_one_product(state, data, batch_size):
            return super().trace(state, data, row_order, batch_size, learning_rates)
        runs = self.chunks(state, data, row_order, batch_size, learning_rates)
        losses, thetas = zip(*((losses, thetas.copy()) for losses, thetas in runs), strict=True)
        theta = np.concatenate(thetas)
        params = {"0.weight": theta[:, :-1], "0.bias": theta[:, -1]}
        return state, Trace(np.concatenate(losses), params)  # the program forms no gradients

    def chunks(
        self, state: TunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[Floats, Floats]]:
        """Chunk by chunk, the loss of each step and theta after it; full batches first, then the partial one."""
        check_rates(row_order, batch_size, learning_rates)
        (theta,), mean = state.model.thetas.values(), state.loss.mean
        full = len(row_order) // batch_size
        most = min(full, most_steps(data, batch_size)) or 1
        parts = [(step, min(most, full - step), batch_size) for step in range(0, full, most)]
        if rest := len(row_order) % batch_size:
            parts.append((full, 1, rest))
        for first, steps, size in parts:
            count = size * theta.shape[1] if mean else 1
            factors = (2 / count * learning_rates[first : first + steps].astype(float)).astype(theta.dtype)
            chunk = self.chunk(most if size == batch_size else 1, size, data)
            rows = row_order[first * batch_size :][: steps * size]
            chunk.fill(data, rows, factors)
            squares, thetas = chunk.run(theta, steps)
            theta[...] = thetas[-1]
            yield squares / theta.dtype.type(count), thetas

    def chunk(self, steps: int, size: int, data: Batch) -> Chunk:
        """The arrays for so many steps of so many rows, from the second time on the same ones."""
        x, y = data
        key = steps, size, x.shape[1], y.shape[1], x.dtype
        if key not in self.memory:
            self.memory[key] = Chunk(steps, size, x, y)
        return self.memory[key]

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        steps = CHUNK_BYTES // (batch_size * (x[:1].nbytes + y[:1].nbytes))
        if steps < 2:
            yield from super().batches(data, row_order, batch_size)
            return
        for start in range(0, len(row_order), steps * batch_size):
            chunk = row_order[start : start + steps * batch_size]
            x_rows, y_rows = x[chunk], y[chunk]
            for at in range(0, len(chunk), batch_size):
                yield x_rows[at : at + batch_size], y_rows[at : at + batch_size]


def is_one_product(state: TunedState, data: Batch, batch_size: int) -> bool:
    """Whether a task is one linear layer with MSE and plain SGD, whose batches are small beside the cache."""
    one_layer = len(state.model.layers) == 1 and isinstance(state.loss, TunedMSE) and state.optimizer.plain
    return one_layer and most_steps(data, batch_size) > 0
