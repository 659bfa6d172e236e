"""The NumPy backend, from scratch: layers, losses and optimizer by hand, each gradient beside its value.

Read side by side with torch_backend.py and jax_backend.py: the same sections in the same order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import numpy_losses, spec
from .interface import Backend, Batch, Host, RowOrder, Tier, Traits
from .spec import Task

Floats: TypeAlias = NDArray[np.floating[Any]]

# --- model ----------------------------------------------------------------------------------------


class Linear:
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
    """A function of each element: `value(x)`, and `slope(x, z)` at input x and output z."""

    params: ClassVar[dict[str, Floats]] = {}
    grads: ClassVar[dict[str, Floats]] = {}

    @abstractmethod
    def value(self, x: Floats) -> Floats: ...

    @abstractmethod
    def slope(self, x: Floats, z: Floats) -> Any: ...

    def forward(self, x: Floats) -> Floats:
        self.x, self.z = x, self.value(x)
        return self.z

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        dx: Floats = dz * self.slope(self.x, self.z)
        return dx


class ReLU(Activation):
    def value(self, x: Floats) -> Floats:
        return np.maximum(x, 0)

    def slope(self, x: Floats, z: Floats) -> Any:
        return x > 0


class LeakyReLU(Activation):
    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def value(self, x: Floats) -> Floats:
        return np.where(x > 0, x, x * self.negative_slope)

    def slope(self, x: Floats, z: Floats) -> Any:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.negative_slope))


class Sigmoid(Activation):
    def value(self, x: Floats) -> Floats:
        z = np.exp(-np.abs(x))  # never overflows: 1/(1+z) for x >= 0, and z/(1+z) for x < 0
        value: Floats = np.where(x >= 0, 1, z) / (1 + z)
        return value

    def slope(self, x: Floats, z: Floats) -> Any:
        return z * (1 - z)


class Tanh(Activation):
    def value(self, x: Floats) -> Floats:
        return np.tanh(x)

    def slope(self, x: Floats, z: Floats) -> Any:
        return 1 - z * z


class Sequential:
    """A chain of layers; parameters are named by position, as in "0.weight"."""

    def __init__(self, layers: Sequence[Linear | Activation]) -> None:
        self.layers = layers

    def forward(self, x: Floats) -> Floats:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dz: Floats) -> dict[str, Floats]:
        for index in reversed(range(len(self.layers))):
            dz = self.layers[index].backward(dz, need_dx=index > 0)  # nobody needs the gradient of the data
        return {
            f"{i}.{name}": grad for i, layer in enumerate(self.layers) for name, grad in layer.grads.items()
        }

    @property
    def params(self) -> dict[str, Floats]:
        return {
            f"{i}.{name}": value
            for i, layer in enumerate(self.layers)
            for name, value in layer.params.items()
        }


# --- initialization -------------------------------------------------------------------------------


def draw(
    how: spec.Initializer, shape: tuple[int, ...], fan_in: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """One array by a named initializer, float64; a weight's shape is (in, out). The default is torch's rule."""
    match how:
        case spec.Constant(value=value):
            return np.full(shape, value)
        case spec.Normal(mean=mean, std=std):
            return rng.normal(mean, std, shape)
        case spec.Uniform(low=low, high=high):
            return rng.uniform(low, high, shape)
        case spec.TruncatedNormal():
            return truncated_normal(how, shape, rng)
        case spec.Xavier(distribution=law, gain=gain):
            return scaled(law, gain * math.sqrt(2 / sum(shape)), shape, rng)
        case spec.Kaiming(distribution=law, mode=mode, gain=gain):
            return scaled(law, gain / math.sqrt(shape[0] if mode == "fan_in" else shape[1]), shape, rng)
        case _:
            return rng.uniform(-1, 1, shape) / math.sqrt(fan_in)


def scaled(law: str, std: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """A normal or uniform law with mean 0 and the given standard deviation: U(-a, a) has a / sqrt 3."""
    return rng.normal(0, std, shape) if law == "normal" else rng.uniform(-1, 1, shape) * (std * math.sqrt(3))


def truncated_normal(
    how: spec.TruncatedNormal, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Rejection: draw again whatever falls outside [low, high]."""
    values = rng.normal(how.mean, how.std, shape)
    while (outside := (values < how.low) | (values > how.high)).any():
        values[outside] = rng.normal(how.mean, how.std, int(outside.sum()))
    return values


# --- loss -----------------------------------------------------------------------------------------


class Loss:
    """Value and gradient with respect to the prediction, from numpy_losses."""

    def __init__(self, loss: spec.Loss) -> None:
        self.name, self.arguments = loss.name, loss.arguments

    def __call__(self, prediction: Floats, target: Host) -> tuple[Any, Floats]:
        value, gradients = numpy_losses.evaluate(self.name, (prediction, target), self.arguments)
        return value, gradients["prediction"]


# --- optimizer ------------------------------------------------------------------------------------


class SGD:
    """theta -= learning_rate * direction, with the direction of `spec.SGD`; parameters change in place."""

    def __init__(
        self, options: spec.SGD, params: Mapping[str, Floats], buffers: Mapping[str, Host] | None
    ) -> None:
        self.options = options
        self.started = buffers is not None  # the first step copies the gradient undampened: b_1 = g
        self.buffers: dict[str, Floats] = {}
        if options.momentum:
            self.buffers = {
                k: np.array(buffers[k]) if buffers else np.zeros_like(p) for k, p in params.items()
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


# --- the backend ----------------------------------------------------------------------------------


@dataclass
class State:
    model: Sequential
    loss: Callable[[Floats, Host], tuple[Any, Floats]]
    optimizer: SGD


class NumpyBackend(Backend):
    """NumPy as one would write it from scratch."""

    framework = "numpy"
    tier: ClassVar[Tier] = "documented"
    traits = Traits(gradient="by hand", buffers="fresh")

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return ("cpu",)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {"numpy": np.__version__}

    def precision(self, dtype: str) -> AbstractContextManager[Any]:
        return nullcontext()

    # data

    def put(self, array: Host) -> Host:
        return np.array(array, order="C")

    def get(self, value: Any) -> Host:
        return np.array(value)

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield x[rows], y[rows]

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        return self.batches(data, np.random.default_rng(seed).permutation(len(data[0])), batch_size)

    # model and initialization

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> State:
        rng = np.random.default_rng(task.seed)
        values = (
            {name: np.array(value) for name, value in params.items()} if params else self._draw(task, rng)
        )
        model = self.model(task.layers, values)
        return State(model, self.loss(task.loss), self.optimizer(task.optimizer, model.params, buffers))

    def _draw(self, task: Task, rng: np.random.Generator) -> dict[str, Host]:
        values, fan_in = {}, 0
        for name, shape in task.parameters.items():
            fan_in = shape[0] if name.endswith("weight") else fan_in
            how = task.init.weight if name.endswith("weight") else task.init.bias
            values[name] = draw(how, shape, fan_in, rng).astype(task.dtype)
        return values

    def model(self, layers: Sequence[spec.Layer], values: Mapping[str, Host]) -> Sequential:
        return Sequential([self.layer(i, layer, values) for i, layer in enumerate(layers)])

    def layer(self, index: int, layer: spec.Layer, values: Mapping[str, Host]) -> Linear | Activation:
        match layer:
            case spec.ReLU():
                return ReLU()
            case spec.LeakyReLU(negative_slope=slope):
                return LeakyReLU(slope)
            case spec.Sigmoid():
                return Sigmoid()
            case spec.Tanh():
                return Tanh()
            case _:
                return Linear(values[f"{index}.weight"], values[f"{index}.bias"])

    def loss(self, declared: spec.Loss) -> Callable[[Floats, Host], tuple[Any, Floats]]:
        return Loss(declared)

    def optimizer(
        self, options: spec.SGD, params: Mapping[str, Floats], buffers: Mapping[str, Host] | None
    ) -> SGD:
        return SGD(options, params, buffers)

    def predict(self, state: State, x: Host) -> Host:
        return state.model.forward(x)

    def params(self, state: State) -> dict[str, Host]:
        return {name: value.copy() for name, value in state.model.params.items()}

    def buffers(self, state: State) -> dict[str, Host]:
        return {name: value.copy() for name, value in state.optimizer.buffers.items()}

    def gradients(self, gradients: Mapping[str, Host]) -> dict[str, Host]:
        return {name: value.copy() for name, value in gradients.items()}

    def native(self, state: State) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in state.model.params.items()}

    # loss

    def loss_and_gradient(
        self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]
    ) -> tuple[Host, dict[str, Host]]:
        return numpy_losses.loss_and_gradient(name, arrays, options)

    # training step

    def forward_backward(self, state: State, batch: Batch) -> tuple[Any, dict[str, Host]]:
        x, y = batch
        value, slope = state.loss(state.model.forward(x), y)
        return value, state.model.backward(slope)

    def update(self, state: State, gradients: Mapping[str, Host], learning_rate: float) -> State:
        state.optimizer.step(state.model.params, gradients, learning_rate)
        return state

    def sync(self, value: Any) -> None:
        """NumPy is never asynchronous."""
