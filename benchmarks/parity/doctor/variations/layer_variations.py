"""Activations that are left out, exchanged or added, or have another derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from samestep.backends import spec

from ...reference import Array, Reference
from ...reference.elementwise_losses import sigmoid, softplus
from ...reference.step import activate, activation_derivative
from ..case import Case, Play, Variation
from .played import with_reference, with_task

IDENTITY = spec.LeakyReLU(negative_slope=1.0)
ACTIVATIONS: tuple[spec.Layer, ...] = (
    spec.ReLU(),
    spec.LeakyReLU(),
    spec.LeakyReLU(negative_slope=0.2),
    spec.Sigmoid(),
    spec.Tanh(),
)
Derivative: TypeAlias = Callable[[spec.Layer, Array, Array, Any], Array]  # layer, z, value at z, rounding


def of_layers(case: Case) -> Iterator[Variation]:
    """Activations left out, exchanged or added, by one place or all of them."""
    task = case.workload.task
    places = [at for at, layer in enumerate(task.layers) if not isinstance(layer, spec.Linear)]
    for chosen in [[at] for at in places] + ([places] if len(places) > 1 else []):
        yield from of_activations(case, chosen)
    for other in (spec.Sigmoid(), spec.ReLU(), spec.Tanh()):
        layers = {"layers": (*task.layers, other)}
        yield Variation("activation", f"a further {other.kind} at the end", with_task(case, layers))


def of_activations(case: Case, places: Sequence[int]) -> Iterator[Variation]:
    """The activations at some places are left out, exchanged, or have another derivative."""
    task = case.workload.task
    present = task.layers[places[0]]
    kind = present.kind + ("s" if len(places) > 1 else "")

    def exchanged(other: spec.Layer) -> Play:
        layers = tuple(other if at in places else layer for at, layer in enumerate(task.layers))
        return with_task(case, {"layers": layers})

    yield Variation("activation", f"a model without its {kind}", exchanged(IDENTITY))
    for other in ACTIVATIONS:
        if other != present:
            description = f"{layer_text(other)} in the place of {kind}"
            yield Variation("activation", description, exchanged(other))
    for which, (function, slope) in FUNCTIONS.items():
        play = with_reference(case, partial(OtherActivation, task, places, function, slope))
        yield Variation("activation", f"{which} in the place of {kind}", play)
        play = with_reference(case, partial(OtherActivation, task, places, function, None))
        yield Variation("activation", f"{which} in the place of {kind}, with the derivative of {kind}", play)
    for which, derivative in (*DERIVATIVES.items(), *derivatives_of_others()):
        play = with_reference(case, partial(WrongDerivative, task, places, derivative))
        yield Variation("activation", f"{kind} whose derivative is {which}", play)


def layer_text(layer: spec.Layer) -> str:
    """A layer by its kind and option."""
    slope = getattr(layer, "negative_slope", None)
    return layer.kind if slope is None else f"{layer.kind} with slope {slope:g}"


# --- activations ----------------------------------------------------------------------------------------------


def normal_cdf(z: Array) -> Array:
    """The distribution function of the standard normal distribution, in the precision of float64."""
    from scipy.special import ndtr

    return ndtr(np.asarray(z, dtype=np.float64)).astype(z.dtype)


def tanh_gelu(z: Array) -> Array:
    """GELU by its approximation with tanh."""
    return z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def tanh_gelu_slope(z: Array) -> Array:
    """Its derivative: (1 + tanh u) / 2 + z u' (1 - tanh^2 u) / 2."""
    tanh = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    return (1 + tanh) / 2 + z / 2 * (1 - tanh**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)


FUNCTIONS: Mapping[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "gelu": (
        lambda z: z * normal_cdf(z),
        lambda z: normal_cdf(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    ),
    "gelu by its tanh formula": (tanh_gelu, tanh_gelu_slope),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    ),
    "softplus": (softplus, sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    "hard tanh": (lambda z: np.clip(z, -1, 1), lambda z: (abs(z) < 1).astype(z.dtype)),
    "hard sigmoid, z / 6 + 1/2,": (
        lambda z: np.clip(z / 6 + 0.5, 0, 1),
        lambda z: (abs(z) < 3).astype(z.dtype) / 6,
    ),
    "hard sigmoid, z / 5 + 1/2,": (
        lambda z: np.clip(0.2 * z + 0.5, 0, 1),
        lambda z: (abs(z) < 2.5).astype(z.dtype) * 0.2,
    ),
    "relu6": (lambda z: np.clip(z, 0, 6), lambda z: ((z > 0) & (z < 6)).astype(z.dtype)),
    "the absolute value": (abs, np.sign),
    "tanh by z (27 + z^2) / (27 + 9 z^2)": (
        lambda z: z * (27 + z * z) / (27 + 9 * z * z),
        lambda z: ((27 + 3 * z * z) * (27 + 9 * z * z) - 18 * z * z * (27 + z * z)) / (27 + 9 * z * z) ** 2,
    ),
    "sigmoid by 1/2 + z / (2 + 2 |z|)": (
        lambda z: (1 + z / (1 + abs(z))) / 2,
        lambda z: 1 / (2 * (1 + abs(z)) ** 2),
    ),
    "sigmoid by tanh of its input": (lambda z: (1 + np.tanh(z)) / 2, lambda z: (1 - np.tanh(z) ** 2) / 2),
    "2 sigmoid(z) - 1": (lambda z: 2 * sigmoid(z) - 1, lambda z: 2 * sigmoid(z) * (1 - sigmoid(z))),
}


class OtherActivation(Reference):
    """A reference with another function and its derivative at some activations."""

    def __init__(
        self,
        task: spec.Task,
        places: Sequence[int],
        function: Callable[[Array], Array],
        slope: Callable[[Array], Array] | None,
    ) -> None:
        super().__init__(task)
        self.places, self.function, self.slope = places, function, slope

    def activation(self, index: int, z: Array) -> Array:
        """The other function, at the chosen activations."""
        return self.function(z) if index in self.places else super().activation(index, z)

    def derivative(self, index: int, z: Array, value: Array) -> Array:
        """Its derivative there, or the right function's at its value."""
        if index in self.places and self.slope:
            return self.slope(z)
        return super().derivative(index, z, value)


DERIVATIVES: Mapping[str, Derivative] = {
    "left out": lambda layer, z, value, round_: np.ones_like(z),
    "taken at the output": lambda layer, z, value, round_: activation_derivative(
        layer, value, activate(layer, value, round_), round_
    ),
    "taken from the input as if it were the output": lambda layer, z, value, round_: activation_derivative(
        layer, z, z, round_
    ),
    "the value itself": lambda layer, z, value, round_: value,
    "one less the value": lambda layer, z, value, round_: 1 - value,
    "one plus the square of the value": lambda layer, z, value, round_: 1 + value * value,
    "one less the square of the value": lambda layer, z, value, round_: 1 - value * value,
    "the value times one less the value": lambda layer, z, value, round_: value * (1 - value),
    "the square of itself": lambda layer, z, value, round_: (
        activation_derivative(layer, z, value, round_) ** 2
    ),
    "twice itself": lambda layer, z, value, round_: 2 * activation_derivative(layer, z, value, round_),
    "0 where the input is positive": lambda layer, z, value, round_: (z <= 0).astype(z.dtype),
}


def derivatives_of_others() -> Iterator[tuple[str, Derivative]]:
    """The derivative of another activation."""

    def derivative_of(other: spec.Layer, layer: spec.Layer, z: Array, value: Array, round_: Any) -> Array:
        return activation_derivative(other, z, activate(other, z, round_), round_)

    for other in ACTIVATIONS:
        yield f"that of {layer_text(other)}", partial(derivative_of, other)


class WrongDerivative(Reference):
    """A reference whose backward pass takes another derivative at some activations."""

    def __init__(self, task: spec.Task, places: Sequence[int], wrong: Derivative) -> None:
        super().__init__(task)
        self.places, self.wrong = places, wrong

    def derivative(self, index: int, z: Array, value: Array) -> Array:
        """The other derivative, at the chosen activations."""
        if index in self.places:
            return self.wrong(self.layers[index], z, value, self.round)
        return super().derivative(index, z, value)
