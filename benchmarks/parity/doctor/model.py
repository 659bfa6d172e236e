"""Suspects of the model: other parameters, another loss, other layers, a backward pass that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from samestep.backends import losses, spec

from ..reference.arithmetic import Array
from ..reference.step import Arrays, Reference, activate, activation_derivative
from .case import Case, Moment
from .hypothesis import Played, Suspect, outcome, result

IDENTITY = spec.LeakyReLU(negative_slope=1.0)
ACTIVATIONS: tuple[spec.Layer, ...] = (
    spec.ReLU(),
    spec.LeakyReLU(),
    spec.LeakyReLU(negative_slope=0.2),
    spec.Sigmoid(),
    spec.Tanh(),
)


def of_parameters(case: Case) -> Iterator[Suspect]:
    """The right batch at other parameters."""

    def at(choose: Callable[[Moment], Arrays | None]) -> Callable[[Moment], Played]:
        def play(moment: Moment) -> Played:
            before = choose(moment)
            x, y = case.workload.x[moment.rows], case.workload.y[moment.rows]
            return None if before is None else result(case, moment, x, y, before=before)

        return play

    def earlier(moment: Moment) -> Arrays | None:
        previous = case.before(moment)
        return previous.before if previous else moment.before if moment.first else None

    def ahead(moment: Moment) -> Arrays | None:
        if not case.reference.sgd.momentum or moment.first:
            return None
        step = moment.learning_rate * case.reference.sgd.momentum
        return {name: theta - step * moment.buffers[name] for name, theta in moment.before.items()}

    def without_biases(moment: Moment) -> Arrays:
        return {k: v * 0 if k.endswith("bias") else v for k, v in moment.before.items()}

    yield Suspect("stale", "the parameters of the step before", at(earlier))
    yield Suspect("stale", "the initial parameters", at(lambda m: case.reference.widen(case.workload.start)))
    yield Suspect("nesterov", "the parameters momentum is about to reach", at(ahead))
    yield Suspect("left out", "a model whose biases are not added", at(without_biases))

    def both(moment: Moment) -> Played:
        previous = case.before(moment)
        return None if previous is None else outcome(case.exact(previous))

    yield Suspect("stale", "the step before", both)


# --- loss -----------------------------------------------------------------------------------------------------


def of_losses(case: Case) -> Iterator[Suspect]:
    """Another loss for the same targets, and the same one with another option."""
    declared = case.workload.task.loss
    own = losses.get(declared.name)
    others = [losses.get(name) for name in losses.names() if name != declared.name]
    for entry in (own, *(other for other in others if other.trains and takes(own, other))):
        for options in option_sets(declared, entry):
            made = spec.Loss.model_validate(
                {"name": entry.name, "reduction": declared.reduction, "options": options}
            )
            if made != declared:
                said = ", ".join(f"{k} = {v}" for k, v in options.items() if not isinstance(v, tuple))
                yield Suspect("loss", f"{entry.torch_name}({said})", with_task(case, {"loss": made}))


CLASSES = ("class", "class or probabilities")


def takes(own: losses.LossSpec, other: losses.LossSpec) -> bool:
    """Whether another loss takes the targets of this one."""
    return own.target == other.target or (own.target in CLASSES and other.target in CLASSES)


def option_sets(declared: spec.Loss, entry: losses.LossSpec) -> Iterator[dict[str, Any]]:
    """Options of a loss: its defaults, the task's numbers under its own names, and those inverted."""
    given = {k: v for k, v in declared.arguments.items() if k != "reduction" and v is not None}
    shared = {k: v for k, v in given.items() if k in entry.options}
    yield shared
    for left_out in shared:
        yield {k: v for k, v in shared.items() if k != left_out}
    yield {}
    numbers = [v for v in given.values() if isinstance(v, float) and v > 0]
    for name, option in entry.options.items():
        for number in [value for v in numbers for value in (v, 1 / v, v * v)]:
            if isinstance(option.default, float) and option.valid(number):
                yield {**shared, name: number}


# --- layers ---------------------------------------------------------------------------------------------------


def of_layers(case: Case) -> Iterator[Suspect]:
    """Activations left out, exchanged or added; a backward pass that treats them wrongly. One, or all of them."""
    layers = case.workload.task.layers
    places = [at for at, layer in enumerate(layers) if not isinstance(layer, spec.Linear)]
    for chosen in [[at] for at in places] + ([places] if len(places) > 1 else []):
        kind = layers[chosen[0]].kind + ("s" if len(chosen) > 1 else "")
        yield Suspect("activation", f"a model without its {kind}", exchanged(case, chosen, IDENTITY))
        for other in ACTIVATIONS:
            if other != layers[chosen[0]]:
                words = f"{described(other)} in the place of {kind}"
                yield Suspect("activation", words, exchanged(case, chosen, other))
        for words, derivative in (*SLOPES.items(), *slopes_of_others()):
            play = with_reference(case, partial(Bent, case.workload.task, chosen, derivative))
            yield Suspect("activation", f"{kind} whose derivative is {words}", play)
    for other in (spec.Sigmoid(), spec.ReLU(), spec.Tanh()):
        words = f"a further {other.kind} at the end"
        yield Suspect("activation", words, with_task(case, {"layers": (*layers, other)}))
    for words, ways in TURNED.items():
        play = with_reference(case, partial(Turned, case.workload.task, *ways))
        yield Suspect("transposed", f"{words} the other way round", play)


def described(layer: spec.Layer) -> str:
    derivative = getattr(layer, "negative_slope", None)
    return layer.kind if derivative is None else f"{layer.kind} with slope {derivative:g}"


def exchanged(case: Case, places: Sequence[int], other: spec.Layer) -> Callable[[Moment], Played]:
    layers = case.workload.task.layers
    changed = tuple(other if at in places else layer for at, layer in enumerate(layers))
    return with_task(case, {"layers": changed})


Slope: TypeAlias = Callable[[spec.Layer, Array, Array, Any], Array]
SLOPES: Mapping[str, Slope] = {
    "left out": lambda layer, z, value, round_: np.ones_like(z),
    "taken at the output": lambda layer, z, value, round_: activation_derivative(
        layer, value, activate(layer, value, round_), round_
    ),
    "taken from the input as if it were the output": lambda layer, z, value, round_: activation_derivative(
        layer, z, z, round_
    ),
    "the value itself": lambda layer, z, value, round_: value,
    "one less the value": lambda layer, z, value, round_: 1 - value,
    "0 where the input is positive": lambda layer, z, value, round_: (z <= 0).astype(z.dtype),
}


def slopes_of_others() -> Iterator[tuple[str, Slope]]:
    """The derivative of another activation."""
    for other in ACTIVATIONS:

        def derivative(
            layer: spec.Layer, z: Array, value: Array, round_: Any, other: spec.Layer = other
        ) -> Array:
            return activation_derivative(other, z, activate(other, z, round_), round_)

        yield f"that of {described(other)}", derivative


class Bent(Reference):
    """A reference whose backward pass takes another slope at some activations."""

    def __init__(self, task: spec.Task, places: Sequence[int], derivative: Slope) -> None:
        super().__init__(task)
        self.places, self.derivative = places, derivative

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        gradients, below = {}, delta
        for index in reversed(range(len(self.layers))):
            layer, a = self.layers[index], values[index]
            if isinstance(layer, spec.Linear):
                gradients[f"{index}.weight"] = a.T @ below
                gradients[f"{index}.bias"] = below.sum(axis=0)
                below = below @ self.upwards(params[f"{index}.weight"])
            else:
                derivative = self.derivative if index in self.places else activation_derivative
                below = below * derivative(layer, a, values[index + 1], self.round)
        return [delta], {name: gradients[name] for name in params}

    def upwards(self, weight: Array) -> Array:
        """What a delta passes through on its way up to the layer's input."""
        return weight.T


def turn(array: Array, wanted: bool) -> Array:
    """The other way round, if it is square."""
    return array.T if wanted and array.ndim == 2 and array.shape[0] == array.shape[1] else array


class Turned(Bent):
    """A reference that takes square weights the other way round: forward, backward, and in their gradients."""

    def __init__(self, task: spec.Task, forward: bool, backward: bool, gradient: bool) -> None:
        super().__init__(task, (), activation_derivative)
        self.turned_forward, self.turned_backward, self.turned_gradient = forward, backward, gradient

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        return super().forward({k: turn(v, self.turned_forward) for k, v in params.items()}, x)

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        deltas, gradients = super().backward(params, values, delta)
        return deltas, {k: turn(v, self.turned_gradient) for k, v in gradients.items()}

    def upwards(self, weight: Array) -> Array:
        return turn(weight, self.turned_backward).T


TURNED = {
    "a model with its weights": (True, True, True),
    "a forward pass through weights": (True, False, False),
    "a model with its weights, but for their gradients,": (True, True, False),
    "a backward pass through weights": (False, True, False),
}


def with_task(case: Case, update: Mapping[str, Any]) -> Callable[[Moment], Played]:
    return with_reference(case, lambda: Reference(case.workload.task.model_copy(update=dict(update))))


def with_reference(case: Case, make: Callable[[], Reference]) -> Callable[[Moment], Played]:
    """Played by another reference, made when first needed; None where it does not fit the data."""
    made: list[Reference] = []

    def play(moment: Moment) -> Played:
        if not made:
            made.append(make())
        x, y = case.workload.x[moment.rows], case.workload.y[moment.rows]
        try:
            return outcome(case.play(moment, x, y, reference=made[0]))
        except (ValueError, IndexError, TypeError):
            return None

    return play
