"""A backward pass that goes through the wrong weights, or a forward pass that misuses weights and biases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from samestep.backends import spec

from ...reference import Array, Arrays, Reference
from ..case import Case, Outcome, Play, StepSnapshot, Variation, outcome
from .played import with_reference


def of_weights(case: Case) -> Iterator[Variation]:
    """Weights the other way round, biases misused, gradients that stop or go through other weights."""
    task = case.workload.task
    for description, ways in TRANSPOSED.items():
        play = with_reference(case, partial(TransposedWeights, task, *ways))
        yield Variation("transposed", f"{description} the other way round", play)
    linear = [at for at, layer in enumerate(task.layers) if isinstance(layer, spec.Linear)]
    for at in linear:
        for manner, factor in (("not added", 0), ("added twice", 2), ("subtracted", -1)):
            play = with_reference(case, partial(OtherBias, task, at, factor))
            yield Variation("left out", f"layer {at} whose bias is {manner}", play)
    for at in linear[1:]:
        yield Variation(
            "stale", f"a backward pass through the already updated layer {at}", through_updated(case, [at])
        )
        play = with_reference(case, partial(StoppedBackward, task, at))
        yield Variation("left out", f"a backward pass that stops at layer {at}", play)
    if len(linear) > 1:
        description = "a backward pass through weights that their plain step has already updated"
        yield Variation("stale", description, through_moved(case))
    if len(linear) > 2:
        description = "a backward pass through layers that are already updated"
        yield Variation("stale", description, through_updated(case, linear[1:]))


def through_moved(case: Case) -> Play:
    """The backward pass goes on through weights that the gradient times the rate has just moved."""

    def play(snapshot: StepSnapshot) -> Outcome | None:
        reference = MovedBackward(case.workload.task, snapshot.learning_rate)
        return outcome(case.play_step(snapshot, *case.batch(snapshot), reference=reference))

    return play


def through_updated(case: Case, layers: Sequence[int]) -> Play:
    """The backward pass goes on through the weights that the step has just moved."""

    def play(snapshot: StepSnapshot) -> Outcome | None:
        after = snapshot.recorded["params"]
        weights = {at: after[f"{at}.weight"] for at in layers}
        reference = OtherBackward(case.workload.task, weights)
        return outcome(case.play_step(snapshot, *case.batch(snapshot), reference=reference))

    return play


class MovedBackward(Reference):
    """A reference whose backward pass goes through weights that their own plain step has moved."""

    def __init__(self, task: spec.Task, rate: float) -> None:
        super().__init__(task)
        self.rate = rate

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """The chain rule, each weight moved as soon as its gradient is there."""
        params = dict(params)
        for index in reversed(range(len(self.layers))):
            name = f"{index}.weight"
            if name in params:  # what lies above has been moved, so this gradient is the one that moves it
                _, gradients = super().backward(params, values, delta)
                params[name] = params[name] - self.wide(self.rate) * gradients[name]
        return super().backward(params, values, delta)


class OtherBackward(Reference):
    """A reference whose backward pass goes through other weights at some layers."""

    def __init__(self, task: spec.Task, weights: dict[int, Array]) -> None:
        super().__init__(task)
        self.weights = weights

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """The chain rule through the other weights."""
        others = {f"{at}.weight": weight for at, weight in self.weights.items()}
        return super().backward({**params, **others}, values, delta)


class StoppedBackward(Reference):
    """A reference whose gradients do not pass one layer, as after a detach."""

    def __init__(self, task: spec.Task, layer: int) -> None:
        super().__init__(task)
        self.layer = layer

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """The chain rule, zero below the layer."""
        deltas, gradients = super().backward(params, values, delta)
        below = {name: g * 0 if int(name.split(".")[0]) < self.layer else g for name, g in gradients.items()}
        return deltas, below


class OtherBias(Reference):
    """A reference that adds one layer's bias so many times."""

    def __init__(self, task: spec.Task, layer: int, factor: int) -> None:
        super().__init__(task)
        self.name, self.factor = f"{layer}.bias", factor

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The forward pass with the bias times the factor."""
        return super().forward({**params, self.name: params[self.name] * self.factor}, x)

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        """The chain rule; the bias's gradient is the factor times as large."""
        deltas, gradients = super().backward(params, values, delta)
        return deltas, {**gradients, self.name: gradients[self.name] * self.factor}


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
