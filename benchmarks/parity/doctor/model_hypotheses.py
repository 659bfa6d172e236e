"""Hypotheses about the model: other parameters, another loss, other layers, a backward pass that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from samestep.backends import losses, spec

from ..reference import Array, Arrays, Reference
from ..reference.step import activate, activation_derivative
from .case import Case, Hypothesis, Outcome, Play, StepSnapshot, outcome

IDENTITY = spec.LeakyReLU(negative_slope=1.0)
ACTIVATIONS: tuple[spec.Layer, ...] = (
    spec.ReLU(),
    spec.LeakyReLU(),
    spec.LeakyReLU(negative_slope=0.2),
    spec.Sigmoid(),
    spec.Tanh(),
)


def of_parameters(case: Case) -> Iterator[Hypothesis]:
    """The right batch at other parameters."""
    momentum = case.reference.sgd.momentum

    def at(choose: Callable[[StepSnapshot], Arrays | None]) -> Play:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            params = choose(snapshot)
            return None if params is None else case.play(snapshot, *case.batch(snapshot), params=params)

        return play

    def earlier(snapshot: StepSnapshot) -> Arrays | None:
        start, previous = snapshot.start, case.previous(snapshot)
        return previous.start.params if previous else start.params if start.first else None

    def ahead(snapshot: StepSnapshot) -> Arrays | None:
        start, step = snapshot.start, snapshot.learning_rate * momentum
        if not momentum or start.first:
            return None
        return {name: theta - step * start.buffers[name] for name, theta in start.params.items()}

    def without_biases(snapshot: StepSnapshot) -> Arrays:
        return {k: v * 0 if k.endswith("bias") else v for k, v in snapshot.start.params.items()}

    def step_before(snapshot: StepSnapshot) -> Outcome | None:
        previous = case.previous(snapshot)
        return None if previous is None else outcome(case.exact(previous))

    initial = case.reference.widen(case.workload.start)
    yield Hypothesis("stale", "the parameters of the step before", at(earlier))
    yield Hypothesis("stale", "the initial parameters", at(lambda snapshot: initial))
    yield Hypothesis("nesterov", "the parameters momentum is about to reach", at(ahead))
    yield Hypothesis("left out", "a model whose biases are not added", at(without_biases))
    yield Hypothesis("stale", "the step before", step_before)


# --- loss -----------------------------------------------------------------------------------------------------


def of_losses(case: Case) -> Iterator[Hypothesis]:
    """Another loss for the same targets, and the same one with another option."""
    declared = case.workload.task.loss
    same = losses.get(declared.name)
    others = [losses.get(name) for name in losses.names() if name != declared.name]
    for entry in (same, *(other for other in others if other.trains and takes_targets_of(other, same))):
        for options in option_sets(declared, entry):
            changed = spec.Loss.model_validate(
                {"name": entry.name, "reduction": declared.reduction, "options": options}
            )
            if changed != declared:
                pairs = ", ".join(f"{k} = {v}" for k, v in options.items() if not isinstance(v, tuple))
                description = f"{entry.torch_name}({pairs})"
                yield Hypothesis("loss", description, with_task(case, {"loss": changed}))


CLASSES = ("class", "class or probabilities")


def takes_targets_of(other: losses.LossSpec, same: losses.LossSpec) -> bool:
    """Whether another loss takes the targets of this one."""
    return same.target == other.target or (same.target in CLASSES and other.target in CLASSES)


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


def of_layers(case: Case) -> Iterator[Hypothesis]:
    """Activations left out, exchanged or added; a backward pass that treats them wrongly. One, or all of them."""
    task = case.workload.task
    places = [at for at, layer in enumerate(task.layers) if not isinstance(layer, spec.Linear)]
    for chosen in [[at] for at in places] + ([places] if len(places) > 1 else []):
        yield from of_activations(case, chosen)
    for other in (spec.Sigmoid(), spec.ReLU(), spec.Tanh()):
        layers = {"layers": (*task.layers, other)}
        yield Hypothesis("activation", f"a further {other.kind} at the end", with_task(case, layers))
    for description, ways in TRANSPOSED.items():
        play = with_reference(case, partial(TransposedWeights, task, *ways))
        yield Hypothesis("transposed", f"{description} the other way round", play)


def of_activations(case: Case, places: Sequence[int]) -> Iterator[Hypothesis]:
    """The activations at some places are left out, exchanged, or have another derivative."""
    task = case.workload.task
    present = task.layers[places[0]]
    kind = present.kind + ("s" if len(places) > 1 else "")

    def exchanged(other: spec.Layer) -> Play:
        layers = tuple(other if at in places else layer for at, layer in enumerate(task.layers))
        return with_task(case, {"layers": layers})

    yield Hypothesis("activation", f"a model without its {kind}", exchanged(IDENTITY))
    for other in ACTIVATIONS:
        if other != present:
            description = f"{layer_text(other)} in the place of {kind}"
            yield Hypothesis("activation", description, exchanged(other))
    for which, derivative in (*DERIVATIVES.items(), *derivatives_of_others()):
        play = with_reference(case, partial(WrongDerivative, task, places, derivative))
        yield Hypothesis("activation", f"{kind} whose derivative is {which}", play)


def layer_text(layer: spec.Layer) -> str:
    """A layer by its kind and option."""
    slope = getattr(layer, "negative_slope", None)
    return layer.kind if slope is None else f"{layer.kind} with slope {slope:g}"


Derivative: TypeAlias = Callable[[spec.Layer, Array, Array, Any], Array]  # layer, z, value at z, rounding
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


class TransposedWeights(Reference):
    """A reference that takes square weights the other way round: forward, backward, and in their gradients."""

    def __init__(self, task: spec.Task, in_forward: bool, in_backward: bool, in_gradient: bool) -> None:
        super().__init__(task)
        self.in_forward, self.in_backward, self.in_gradient = in_forward, in_backward, in_gradient

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The forward pass, through transposed weights or not."""
        return super().forward({k: transpose(v, self.in_forward) for k, v in params.items()}, x)

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """The chain rule, its gradients transposed or not."""
        deltas, gradients = super().backward(params, values, delta)
        return deltas, {k: transpose(v, self.in_gradient) for k, v in gradients.items()}

    def backward_weight(self, weight: Array) -> Array:
        """The weight of the backward pass, transposed or not."""
        return transpose(weight, self.in_backward).T


def transpose(array: Array, wanted: bool) -> Array:
    """The other way round, if that is wanted and the array is square."""
    return array.T if wanted and array.ndim == 2 and array.shape[0] == array.shape[1] else array


TRANSPOSED = {  # in the forward pass, in the backward pass, in the gradients
    "a model with its weights": (True, True, True),
    "a forward pass through weights": (True, False, False),
    "a model with its weights, but for their gradients,": (True, True, False),
    "a backward pass through weights": (False, True, False),
}


def with_task(case: Case, update: Mapping[str, Any]) -> Play:
    """Played by the reference of a changed task."""
    return with_reference(case, lambda: Reference(case.workload.task.model_copy(update=dict(update))))


def with_reference(case: Case, make: Callable[[], Reference]) -> Play:
    """Played by another reference, made when first needed; None where it does not fit the data."""
    made: list[Reference] = []

    def play(snapshot: StepSnapshot) -> Outcome | None:
        if not made:
            made.append(make())
        try:
            return outcome(case.play_step(snapshot, *case.batch(snapshot), reference=made[0]))
        except (ValueError, IndexError, TypeError):
            return None

    return play
