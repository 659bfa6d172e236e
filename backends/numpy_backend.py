"""The NumPy backend, from scratch: layers, losses and optimizer by hand, each gradient beside its value.

Read side by side with torch_backend.py and jax_backend.py: the same sections in the same order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from . import numpy_losses, spec
from .interface import Arrays, Backend, Batch, Host, LossResult, RowOrder, StateT, Tier, Traits
from .spec import Task

Floats: TypeAlias = NDArray[np.floating[Any]]
LossFunction: TypeAlias = Callable[[Floats, Host], tuple[Any, Floats]]  # value, gradient in the prediction

# --- data -----------------------------------------------------------------------------------------


class NumpyLane(Backend[StateT]):
    """What every NumPy lane shares: the device, the data and the losses alone."""

    framework = "numpy"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return ("cpu",)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {"numpy": np.__version__}

    def precision(self, dtype: str) -> AbstractContextManager[Any]:
        return nullcontext()

    def put(self, array: Host) -> Host:
        return np.array(array, order="C")

    def get(self, value: Any) -> Host:
        return np.array(value)

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(row_order), batch_size):
            rows = row_order[start : start + batch_size]
            yield x[rows], y[rows]

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        return self.batches(data, np.random.default_rng(seed).permutation(len(data[0])), batch_size)

    def gradients(self, gradients: Mapping[str, Host]) -> dict[str, Host]:
        return {name: value.copy() for name, value in gradients.items()}

    def loss_and_gradient(self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]) -> LossResult:
        return numpy_losses.loss_and_gradient(name, arrays, options)

    def sync(self, value: Any) -> None:
        """NumPy is never asynchronous."""


# --- model ----------------------------------------------------------------------------------------


class LinearLayer:
    """z = x W + b. With dz from above: dW = x^T dz, db = sum of dz over rows, dx = dz W^T."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        self.params = {"weight": weight, "bias": bias}
        self.grads: dict[str, Floats] = {}

    def forward(self, x: Floats) -> Floats:
        self.x = x
        z: Floats = x @ self.params["weight"] + self.params["bias"]
        return z

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        self.grads = {"weight": self.x.T @ dz, "bias": dz.sum(axis=0)}
        if need_dx:
            dz = dz @ self.params["weight"].T
        return dz


class Activation(ABC):
    """A function of each element: `value(x)`, and `derivative(x, z)` at input x and output z."""

    params: ClassVar[dict[str, Floats]] = {}
    grads: ClassVar[dict[str, Floats]] = {}

    @abstractmethod
    def value(self, x: Floats) -> Floats: ...

    @abstractmethod
    def derivative(self, x: Floats, z: Floats) -> Any: ...

    def forward(self, x: Floats) -> Floats:
        self.x, self.z = x, self.value(x)
        return self.z

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        dx: Floats = dz * self.derivative(self.x, self.z)
        return dx


class ReLULayer(Activation):
    def value(self, x: Floats) -> Floats:
        return np.maximum(x, 0)

    def derivative(self, x: Floats, z: Floats) -> Any:
        return x > 0


class LeakyReLULayer(Activation):
    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def value(self, x: Floats) -> Floats:
        return np.where(x > 0, x, x * self.negative_slope)

    def derivative(self, x: Floats, z: Floats) -> Any:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.negative_slope))


class SigmoidLayer(Activation):
    def value(self, x: Floats) -> Floats:
        z = np.exp(-np.abs(x))  # never overflows: 1/(1+z) for x >= 0, and z/(1+z) for x < 0
        value: Floats = np.where(x >= 0, 1, z) / (1 + z)
        return value

    def derivative(self, x: Floats, z: Floats) -> Any:
        return z * (1 - z)


class TanhLayer(Activation):
    def value(self, x: Floats) -> Floats:
        return np.tanh(x)

    def derivative(self, x: Floats, z: Floats) -> Any:
        return 1 - z * z


class Sequential:
    """A chain of layers; parameters are named by position, as in "0.weight"."""

    def __init__(self, layers: Sequence[LinearLayer | Activation]) -> None:
        self.layers = layers

    def forward(self, x: Floats) -> Floats:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dz: Floats) -> dict[str, Floats]:
        for index in reversed(range(len(self.layers))):
            dz = self.layers[index].backward(dz, need_dx=index > 0)  # nobody needs the gradient of the data
        return {f"{i}.{name}": g for i, layer in enumerate(self.layers) for name, g in layer.grads.items()}

    @property
    def params(self) -> dict[str, Floats]:
        return {f"{i}.{name}": p for i, layer in enumerate(self.layers) for name, p in layer.params.items()}


# --- initialization -------------------------------------------------------------------------------


def draw(task: Task) -> dict[str, Host]:
    """Every parameter of a task by its own initializer, seeded by the task, in the task's dtype."""
    rng = np.random.default_rng(task.seed)
    values, fan_in = {}, 0
    for name, shape in task.parameters.items():
        weight = name.endswith("weight")
        fan_in = shape[0] if weight else fan_in  # a bias has that of its weight
        initializer = task.init.weight if weight else task.init.bias
        values[name] = draw_one(initializer, shape, fan_in, rng).astype(task.dtype)
    return values


def draw_one(
    initializer: spec.Initializer, shape: tuple[int, ...], fan_in: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """One array by a named initializer, float64; a weight's shape is (in, out). The default is torch's rule."""
    match initializer:
        case spec.Constant(value=value):
            return np.full(shape, value)
        case spec.Normal(mean=mean, std=std):
            return rng.normal(mean, std, shape)
        case spec.Uniform(low=low, high=high):
            return rng.uniform(low, high, shape)
        case spec.TruncatedNormal():
            return truncated_normal(initializer, shape, rng)
        case spec.Xavier(distribution=distribution, gain=gain):
            return centered(distribution, gain * math.sqrt(2 / sum(shape)), shape, rng)
        case spec.Kaiming(distribution=distribution, mode=mode, gain=gain):
            fan = shape[0] if mode == "fan_in" else shape[1]
            return centered(distribution, gain / math.sqrt(fan), shape, rng)
        case spec.Default():
            return rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
        case _:
            assert_never(initializer)


def centered(
    distribution: spec.Distribution, std: float, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A normal or uniform distribution with mean 0 and the given standard deviation: U(-a, a) has a / sqrt 3."""
    match distribution:
        case "normal":
            return rng.normal(0, std, shape)
        case "uniform":
            return rng.uniform(-1, 1, shape) * (std * math.sqrt(3))
        case _:
            assert_never(distribution)


def truncated_normal(
    initializer: spec.TruncatedNormal, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Rejection: draw again whatever falls outside [low, high]."""
    values = rng.normal(initializer.mean, initializer.std, shape)
    while (outside := (values < initializer.low) | (values > initializer.high)).any():
        values[outside] = rng.normal(initializer.mean, initializer.std, int(outside.sum()))
    return values


# --- loss -----------------------------------------------------------------------------------------


def loss_function(declared: spec.Loss) -> LossFunction:
    """Value and gradient with respect to the prediction, from numpy_losses."""
    function = numpy_losses.function(declared.name, declared.arguments)

    def value_and_gradient(prediction: Floats, target: Host) -> tuple[Any, Floats]:
        value, gradients = function(prediction, target)
        return value, gradients["prediction"]

    return value_and_gradient


# --- optimizer ------------------------------------------------------------------------------------


class SGDOptimizer:
    """theta -= learning_rate * direction, with the direction of `spec.SGD`; parameters change in place."""

    def __init__(self, options: spec.SGD, params: Mapping[str, Floats], buffers: Arrays | None) -> None:
        self.options = options
        self.started = buffers is not None  # the first step copies the gradient undampened: b_1 = g
        self.buffers: dict[str, Floats] = {}
        if options.momentum:
            self.buffers = {
                name: np.array(buffers[name]) if buffers else np.zeros_like(theta)
                for name, theta in params.items()
            }

    def step(
        self, params: Mapping[str, Floats], gradients: Mapping[str, Floats], learning_rate: float
    ) -> None:
        for name, theta in params.items():
            theta -= learning_rate * self.direction(name, theta, gradients[name])
        self.started = True

    def direction(self, name: str, theta: Floats, g: Floats) -> Floats:
        options = self.options
        if options.maximize:
            g = -g
        if options.weight_decay:
            g = g + options.weight_decay * theta
        if not options.momentum:
            return g
        b = self.buffers[name]
        b[...] = options.momentum * b + (1 - options.dampening) * g if self.started else g
        return g + options.momentum * b if options.nesterov else b


# --- training step --------------------------------------------------------------------------------


@dataclass
class NumpyState:
    """What training changes: the model's parameters and the optimizer's buffers."""

    model: Sequential
    loss: LossFunction
    optimizer: SGDOptimizer


class NumpyBackend(NumpyLane[NumpyState]):
    """NumPy as one would write it from scratch."""

    tier: ClassVar[Tier] = "documented"
    traits = Traits(gradient="by hand", buffers="fresh")

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> NumpyState:
        values = {name: np.array(value) for name, value in params.items()} if params else draw(task)
        model = self.model(task.layers, values)
        return NumpyState(model, self.loss(task.loss), self.optimizer(task.optimizer, model.params, buffers))

    def model(self, layers: Sequence[spec.Layer], values: Arrays) -> Sequential:
        return Sequential([self.layer(index, layer, values) for index, layer in enumerate(layers)])

    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> LinearLayer | Activation:
        match layer:
            case spec.Linear():
                return LinearLayer(values[f"{index}.weight"], values[f"{index}.bias"])
            case spec.ReLU():
                return ReLULayer()
            case spec.LeakyReLU(negative_slope=slope):
                return LeakyReLULayer(slope)
            case spec.Sigmoid():
                return SigmoidLayer()
            case spec.Tanh():
                return TanhLayer()
            case _:
                assert_never(layer)

    def loss(self, declared: spec.Loss) -> LossFunction:
        return loss_function(declared)

    def optimizer(
        self, options: spec.SGD, params: Mapping[str, Floats], buffers: Arrays | None
    ) -> SGDOptimizer:
        return SGDOptimizer(options, params, buffers)

    def predict(self, state: NumpyState, x: Host) -> Host:
        return state.model.forward(x)

    def params(self, state: NumpyState) -> dict[str, Host]:
        return {name: value.copy() for name, value in state.model.params.items()}

    def buffers(self, state: NumpyState) -> dict[str, Host]:
        return {name: value.copy() for name, value in state.optimizer.buffers.items()}

    def native(self, state: NumpyState) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in state.model.params.items()}

    def forward_backward(self, state: NumpyState, batch: Batch) -> tuple[Any, dict[str, Host]]:
        x, y = batch
        value, gradient = state.loss(state.model.forward(x), y)
        return value, state.model.backward(gradient)

    def update(self, state: NumpyState, gradients: Mapping[str, Host], learning_rate: float) -> NumpyState:
        state.optimizer.step(state.model.params, gradients, learning_rate)
        return state
