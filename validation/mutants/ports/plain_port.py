"""A correct port of a task's training step in plain NumPy, of small parts. A part is a method of `Port`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import Layer, LeakyReLU, Linear, ReLU, Sigmoid, Tanh, Task

from .port_tasks import rows_of

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]
Terms: TypeAlias = tuple[
    Array, Array, Any
]  # each loss, its derivative in the prediction, what the mean divides by

# --- formulas -------------------------------------------------------------------------------------


def log_softmax(z: Array, axis: int = 1) -> Array:
    """z - log(sum of exp(z)) along an axis."""
    z = z - z.max(axis, keepdims=True)
    result: Array = z - np.log(np.exp(z).sum(axis, keepdims=True))
    return result


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    result: Array = np.exp(-np.logaddexp(0, -z))
    return result


def huber(e: Array, delta: float) -> tuple[Array, Array]:
    """Huber's loss and its derivative."""
    clipped = np.clip(e, -delta, delta)
    return clipped * (e - clipped / 2), clipped


# --- the port -------------------------------------------------------------------------------------


class Port:
    """The training step of a task. `place` is the step within the epoch; steps and epochs count from 0."""

    def __init__(self, task: Task) -> None:
        self.task, self.sgd, self.options = task, task.optimizer, task.loss.arguments
        self.dtype = ""
        self.kept: Arrays = {}  # what a mistake carries from step to step

    def meet(self, x: Array) -> None:
        """Begin a run where the dtype is another than before, and count the step."""
        if x.dtype.name != self.dtype:
            self.dtype, self.steps = x.dtype.name, -1
            self.x, self.y = rows_of(self.task).rounded(self.dtype)
            self.buffers: dict[str, Array] = {}
        self.steps += 1
        self.epoch, self.place = divmod(self.steps, self.task.steps(len(self.x)))

    def step(self, params: Arrays, x: Array, y: Array, rate: float) -> Arrays:
        return self.update(params, self.gradient(params, x, y)[1], rate)

    def gradient(self, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
        x, y = self.batch(x, y)
        values = self.forward(params, x)
        loss, delta = self.loss(values[-1], y)
        return loss, self.backward(params, values, delta)

    def batch(self, x: Array, y: Array) -> tuple[Array, Array]:
        return x, y

    # --- layers

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The input of every layer, and the output of the last."""
        values = [x]
        for index, layer in enumerate(self.task.layers):
            linear = isinstance(layer, Linear)
            values.append((self.affine if linear else self.activate)(params, index, layer, values[-1]))
        return values

    def affine(self, params: Arrays, index: int, layer: Layer, x: Array) -> Array:
        z: Array = x @ params[f"{index}.weight"] + params[f"{index}.bias"]
        return z

    def activate(self, params: Arrays, index: int, layer: Layer, z: Array) -> Array:
        match layer:
            case ReLU():
                return np.maximum(z, 0)
            case LeakyReLU():
                return np.where(z > 0, z, self.leak(layer) * z)
            case Sigmoid():
                return sigmoid(z)
            case _:
                return np.tanh(z)

    def leak(self, layer: LeakyReLU) -> float:
        return layer.negative_slope

    def slope(self, layer: Layer, z: Array, a: Array) -> Any:
        """The derivative of a nonlinearity at its input z and output a."""
        match layer:
            case LeakyReLU():
                return np.where(z > 0, 1, self.leak(layer)).astype(z.dtype)
            case Sigmoid():
                return a * (1 - a)
            case Tanh():
                return 1 - a * a
            case _:
                return z > 0

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> dict[str, Array]:
        gradients: dict[str, Array] = {}
        for index in reversed(range(len(self.task.layers))):
            layer = self.task.layers[index]
            if isinstance(layer, Linear):
                gradients |= self.of_affine(index, values[index], delta)
                delta = self.down(params, index, gradients, delta) if index else delta
            else:
                delta = delta * self.slope(layer, values[index], values[index + 1])
        return {name: gradients[name] for name in params}

    def of_affine(self, index: int, x: Array, delta: Array) -> dict[str, Array]:
        return {f"{index}.weight": x.T @ delta, f"{index}.bias": delta.sum(axis=0)}

    def down(self, params: Arrays, index: int, gradients: Arrays, delta: Array) -> Array:
        """The derivative in a layer's input from that in its output."""
        result: Array = delta @ params[f"{index}.weight"].T
        return result

    # --- losses

    def loss(self, prediction: Array, y: Array) -> tuple[Any, Array]:
        value, derivative, divisor = getattr(self, self.task.loss.name)(prediction, y)
        return value.sum() / divisor, derivative / divisor

    def count(self, prediction: Array) -> int:
        return prediction.size

    def mse(self, prediction: Array, y: Array) -> Terms:
        e = prediction - y
        return e * e, 2 * e, self.count(prediction)

    def l1(self, prediction: Array, y: Array) -> Terms:
        e = prediction - y
        return np.abs(e), np.sign(e), self.count(prediction)

    def huber(self, prediction: Array, y: Array) -> Terms:
        return *huber(prediction - y, self.options["delta"]), self.count(prediction)

    def smooth_l1(self, prediction: Array, y: Array) -> Terms:
        value, derivative = huber(prediction - y, beta := self.options["beta"])
        return value / beta, derivative / beta, self.count(prediction)

    def bce_with_logits(self, x: Array, t: Array) -> Terms:
        p = np.asarray(self.options["pos_weight"], x.dtype)
        value = p * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)
        return value, (1 - t) * sigmoid(x) - p * t * sigmoid(-x), self.count(x)

    def cross_entropy(self, x: Array, y: Array) -> Terms:
        log_p, counted, w = self.log_softmax(x), self.counted(y), self.class_weights(x)
        wanted = counted[:, None] * w * self.smoothed(np.eye(x.shape[1], dtype=x.dtype)[counted * y])
        derivative = np.exp(log_p) * wanted.sum(axis=1, keepdims=True) - wanted
        return -wanted * log_p, derivative, (counted * w[counted * y]).sum()

    def log_softmax(self, z: Array) -> Array:
        return log_softmax(z)

    def counted(self, y: Array) -> Array:
        return np.asarray(y != self.options.get("ignore_index", -100))

    def class_weights(self, x: Array) -> Array:
        return np.asarray(self.options.get("weight", np.ones(x.shape[1])), x.dtype)

    def smoothed(self, one_hot: Array) -> Array:
        part = float(self.options.get("label_smoothing", 0.0))
        result: Array = (1 - part) * one_hot + part / one_hot.shape[1]
        return result

    # --- optimizer

    def update(self, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
        return {
            name: theta - rate * self.direction(name, theta, gradients[name])
            for name, theta in params.items()
        }

    def direction(self, name: str, theta: Array, g: Array) -> Array:
        g = self.decayed(name, theta, g)
        if not self.sgd.momentum:
            return g
        b = self.buffer(name, g)
        return g + self.sgd.momentum * b if self.sgd.nesterov else b

    def decayed(self, name: str, theta: Array, g: Array) -> Array:
        return g + self.sgd.weight_decay * theta if self.sgd.weight_decay else g

    def buffer(self, name: str, g: Array) -> Array:
        """The momentum buffer after this step."""
        if name in self.buffers:
            g = self.sgd.momentum * self.buffers[name] + (1 - self.sgd.dampening) * g
        self.buffers[name] = g
        return g
