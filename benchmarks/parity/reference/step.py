"""One training step from the mathematics, wider than the task's dtype; it shares no code with any backend.

The reference for float32 is float64, for float64 it is `numpy.longdouble` (64-bit mantissa on x86; where the
platform has nothing wider than float64 the bounds count the reference's own rounding too, see `bounds`).
Conventions: X (B, d), W (in, out), b (out,); e = prediction - target; the gradient of the loss with respect to
a layer's output is called its delta; coefficients are first rounded to the task's dtype.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from samestep.backends import spec

from .arithmetic import Array, narrow
from .elementwise_losses import sigmoid
from .reference_loss import ReferenceLoss, Terms
from .rowwise_losses import reference_loss

Arrays: TypeAlias = dict[str, Array]

WIDE: dict[str, Any] = {"float32": np.float64, "float64": np.longdouble}


@dataclass(frozen=True, eq=False)
class StepStart:
    """Where a step begins, in wide precision.

    `buffer_errors` bound the errors of momentum buffers that were not recorded. `first`: no momentum yet.
    """

    params: Arrays
    buffers: Arrays
    buffer_errors: Arrays = field(default_factory=dict)
    first: bool = False


@dataclass(frozen=True)
class ReferenceStep:
    """Everything one step computes, in wide precision.

    `values` are the input of every layer and then the prediction (L + 1 arrays); `deltas` the gradients with
    respect to the output of every layer (L arrays). `previous` are the momentum buffers it started from,
    `directions` is what the learning rate multiplies.
    """

    target: Array
    previous: Arrays
    values: list[Array]
    terms: Terms
    loss: Any
    deltas: list[Array]
    gradients: Arrays
    buffers: Arrays
    directions: Arrays
    params: Arrays


@dataclass(frozen=True)
class RoundedCoefficients:
    """The optimizer's numbers as the task's dtype holds them."""

    momentum: Any
    dampening: Any
    weight_decay: Any
    sign: int
    nesterov: bool


class Reference:
    """The training step of one task, in the precision one above `dtype`."""

    def __init__(self, task: spec.Task) -> None:
        self.dtype: str = task.dtype
        self.wide = WIDE[task.dtype]
        self.layers: Sequence[spec.Layer] = task.layers
        self.loss: ReferenceLoss = reference_loss(task.loss, self.round)
        sgd = task.optimizer
        self.sgd = RoundedCoefficients(
            momentum=self.round(sgd.momentum),
            dampening=self.round(sgd.dampening),
            weight_decay=self.round(sgd.weight_decay),
            sign=-1 if sgd.maximize else 1,
            nesterov=sgd.nesterov,
        )

    def round(self, value: Any) -> Any:
        """A coefficient, rounded to the task's dtype and then held in the wide one."""
        return np.asarray(value).astype(self.dtype).astype(self.wide)[()]

    def widen(self, arrays: Mapping[str, Array]) -> Arrays:
        """Arrays by name in the reference's precision."""
        return {name: array.astype(self.wide) for name, array in arrays.items()}

    def step(
        self, params: Arrays, buffers: Arrays, x: Array, y: Array, learning_rate: float, *, first: bool
    ) -> ReferenceStep:
        """One step from `params` and `buffers` (wide) on the batch (x, y); `first`: there is no momentum yet."""
        y = y.astype(self.wide) if y.dtype.kind == "f" else y
        values = self.forward(params, x.astype(self.wide))
        terms = self.terms(values[-1], y)
        loss = terms.value.sum() / terms.divisor
        deltas, gradients = self.backward(params, values, terms.derivative / terms.divisor)
        new, directions = self.optimize(params, buffers, gradients, first=first)
        rate = self.wide(learning_rate)
        moved = {name: theta - rate * directions[name] for name, theta in params.items()}
        return ReferenceStep(y, buffers, values, terms, loss, deltas, gradients, new, directions, moved)

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The input of every layer, then the prediction."""
        values = [x]
        for index, layer in enumerate(self.layers):
            z = values[-1]
            if isinstance(layer, spec.Linear):
                values.append(self.product(z, params[f"{index}.weight"]) + params[f"{index}.bias"])
            else:
                values.append(self.activation(index, z))
        return values

    def product(self, a: Array, b: Array) -> Array:
        """A matrix product, in full."""
        return a @ b

    def terms(self, prediction: Array, target: Array) -> Terms:
        """The loss before its reduction."""
        return self.loss.terms(prediction, target)

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """Chain rule from the prediction down: dW = a^T delta, db = column sums, delta_below = delta W^T."""
        deltas, gradients = [delta], {}
        for index in reversed(range(len(self.layers))):
            layer, a, delta = self.layers[index], values[index], deltas[0]
            if isinstance(layer, spec.Linear):
                gradients[f"{index}.weight"] = self.product(a.T, delta)
                gradients[f"{index}.bias"] = delta.sum(axis=0)
            if not index:
                break
            if isinstance(layer, spec.Linear):
                below = self.product(delta, self.backward_weight(params[f"{index}.weight"]))
            else:
                below = delta * self.derivative(index, a, values[index + 1])
            deltas.insert(0, below)
        return deltas, {name: gradients[name] for name in params}

    def backward_weight(self, weight: Array) -> Array:
        """What a delta is multiplied by on its way to the layer's input: (out, in)."""
        return weight.T

    def activation(self, index: int, z: Array) -> Array:
        """The value of activation `index` at z."""
        return activate(self.layers[index], z, self.round)

    def derivative(self, index: int, z: Array, value: Array) -> Array:
        """The derivative of activation `index` at z, where it takes the given value."""
        return activation_derivative(self.layers[index], z, value, self.round)

    def optimize(
        self, params: Arrays, buffers: Arrays, gradients: Arrays, *, first: bool
    ) -> tuple[Arrays, Arrays]:
        """g = +-grad + decay theta; b = g at first, then momentum b + (1 - dampening) g; Nesterov adds to g."""
        c = self.sgd
        new, directions = {}, {}  # torch.optim.SGD: the learning rate stays outside the buffer
        for name, theta in params.items():
            g = c.sign * gradients[name] + c.weight_decay * theta
            if not c.momentum:
                directions[name] = g
                continue
            new[name] = g if first else c.momentum * buffers[name] + (1 - c.dampening) * g
            directions[name] = g + c.momentum * new[name] if c.nesterov else new[name]
        return new, directions


class Magnitudes:
    """What every analysis of a step shares: absolute values, what flushing takes away, and counts of terms.

    `before` are the parameters that the step started from, `tiny` is the smallest normal number.
    """

    def __init__(self, step: ReferenceStep, before: Arrays, tiny: float) -> None:
        self.values, self.deltas = (
            [abs(narrow(array)) for array in arrays] for arrays in (step.values, step.deltas)
        )
        self.params = {name: abs(narrow(theta)) for name, theta in before.items()}
        self.lost_input = flushed(self.values[0], tiny)
        self.lost = {name: flushed(size, tiny) for name, size in self.params.items()}

    @cached_property
    def terms(self) -> tuple[int, int]:
        """The most non-zero entries in a row and in a column of the data."""
        filled = self.values[0] != 0
        return int(filled.sum(axis=1).max()), int(filled.sum(axis=0).max())

    @cached_property
    def first(self) -> Array:
        """|X| |W| of the first layer."""
        return self.values[0] @ self.params["0.weight"]


def flushed(size: Array, tiny: float) -> Array:
    """What is lost where subnormal inputs are read as zero; one zero where nothing is."""
    small = size < tiny
    return np.where(small, size, 0.0) if size[small].any() else np.zeros((1,) * size.ndim)


def activate(layer: spec.Layer, z: Array, round_: Any) -> Array:
    """The value of an activation at z."""
    match layer:
        case spec.ReLU():
            return np.where(z > 0, z, z.dtype.type(0))
        case spec.LeakyReLU(negative_slope=below):
            return np.where(z > 0, z, round_(below) * z)
        case spec.Sigmoid():
            return sigmoid(z)
        case spec.Tanh():
            return np.tanh(z)
        case _:
            raise TypeError(f"the reference knows no layer {layer.kind!r}")


def activation_derivative(layer: spec.Layer, z: Array, value: Array, round_: Any) -> Array:
    """The derivative of an activation at z, where it takes the given value."""
    match layer:
        case spec.ReLU():
            return (z > 0).astype(z.dtype)
        case spec.LeakyReLU(negative_slope=below):
            return np.where(z > 0, z.dtype.type(1), round_(below))
        case spec.Sigmoid():
            return value * (1 - value)
        case _:
            return (1 - value) * (1 + value)
