"""The lane `sklearn`: MLPRegressor by partial_fit, scikit-learn's only regression by SGD over mini-batches.

Without hidden layers it is linear regression. A step is a call of partial_fit, as the guide trains on data that
come in batches. SGDRegressor takes one row a step, so it cannot do this work. MLPClassifier clips probabilities
before it takes their logarithm, so its losses are others than cross_entropy and bce_with_logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPRegressor

from samestep.backends import spec
from samestep.backends.interface import Arrays, Batch, Host, Traits
from samestep.backends.spec import Task

from .fit_lane import FitLane, more_than_plain, start_of

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}  # ours and theirs
FACTOR = 2.0  # our loss over theirs: e^2 over e^2 / 2
HUGE_RATE = 2.0**40


@dataclass
class SklearnState:
    """An estimator, which holds the parameters, and their names."""

    model: Any
    names: tuple[str, ...]


def unlike_network(layers: tuple[spec.Layer, ...]) -> bool:
    """Whether layers are no network of scikit-learn's: one nonlinearity after every hidden layer, one output."""
    linear, others = layers[::2], {layer.kind for layer in layers[1::2]}
    if len(layers) % 2 == 0 or not all(isinstance(layer, spec.Linear) for layer in linear):
        return True
    last = linear[-1]
    one_output = isinstance(last, spec.Linear) and last.out_features == 1
    return not one_output or len(others) > 1 or not others <= ACTIVATIONS.keys()


class SklearnLane(FitLane[SklearnState]):
    """One partial_fit for every step, without penalty and momentum."""

    framework = "sklearn"
    traits = Traits(gradient="by hand", buffers="fresh")
    packages = ("scikit-learn",)

    @classmethod
    def unsupported(cls, task: Task) -> str | None:
        loss = task.loss
        if loss.name != "mse" or loss.reduction != "mean":
            return (
                "mse with reduction mean is the only loss that scikit-learn's networks share with these tasks"
            )
        if unlike_network(task.layers):
            return "a network of scikit-learn has one output here, and ReLU, tanh or sigmoid in all hidden layers"
        if not task.optimizer.learning_rate:
            return "scikit-learn refuses a learning rate of 0"
        return more_than_plain(task.optimizer, "scikit-learn")

    def precision(self, dtype: str) -> Any:
        return nullcontext()  # NumPy keeps the dtypes that it is given

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> SklearnState:
        if reason := self.unsupported(task):
            raise ValueError(reason)
        sizes = [size for (size,) in list(task.parameters.values())[1::2]]
        activation = ACTIVATIONS[task.layers[1].kind] if len(task.layers) > 1 else "identity"
        rate = float(np.dtype(task.dtype).type(task.optimizer.learning_rate))
        model = MLPRegressor(
            hidden_layer_sizes=sizes[:-1],
            activation=activation,
            solver="sgd",
            alpha=0.0,
            learning_rate="constant",
            learning_rate_init=FACTOR * rate,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        state = SklearnState(model, tuple(task.parameters))
        self.begin(state, start_of(task, params))
        return state

    def begin(self, state: SklearnState, start: Arrays) -> None:
        """Let the estimator make its arrays, by a fit of a row of zeros, and put the start into them."""
        first = next(iter(start.values()))
        self.fit(state, np.zeros((1, len(first)), first.dtype), np.zeros(1, first.dtype))
        for name, array in self.named(state):
            array[...] = start[name]

    def named(self, state: SklearnState) -> Iterator[tuple[str, Host]]:
        """The estimator's own arrays by name: of each layer the weight, then the bias."""
        pairs = zip(state.model.coefs_, state.model.intercepts_, strict=True)
        yield from zip(state.names, (array for pair in pairs for array in pair), strict=True)

    def predict(self, state: SklearnState, x: Host) -> Host:
        return np.array(state.model.predict(x)).reshape(-1, 1)

    def params(self, state: SklearnState) -> dict[str, Host]:
        return {name: np.array(array) for name, array in self.named(state)}

    def native(self, state: SklearnState) -> dict[str, tuple[int, ...]]:
        tables = {"coefs_": state.model.coefs_, "intercepts_": state.model.intercepts_}
        return {f"{name}[{i}]": a.shape for name, arrays in tables.items() for i, a in enumerate(arrays)}

    def step(self, state: SklearnState, batch: Batch, learning_rate: float) -> tuple[SklearnState, Host]:
        """A partial_fit of one batch.

        Raises:
            ValueError: the learning rate is not the one that the estimator was made with, which it keeps.
        """
        if FACTOR * learning_rate != state.model.learning_rate_init:
            raise ValueError(f"this estimator has one learning rate, and it is not {learning_rate}")
        self.fit(state, *batch)
        return state, self.loss(state, batch)

    def fit(self, state: SklearnState, x: Host, y: Host) -> None:
        """One step over a batch."""
        state.model.batch_size = len(x)
        state.model.partial_fit(x, y.ravel())

    def loss(self, state: SklearnState, batch: Batch) -> Host:
        """The loss of the last step."""
        return np.asarray(FACTOR * state.model.loss_, batch[0].dtype)

    def forward_backward(self, state: SklearnState, batch: Batch) -> tuple[Host, dict[str, Host]]:
        """By another estimator in the same place, with so large a learning rate that its step is the gradient.

        theta' = theta - h g, so g = (theta - theta') / h, to two roundings for h = 2^40. For proof, never timed.
        """
        model = clone(state.model).set_params(learning_rate_init=HUGE_RATE)
        other, start = replace(state, model=model), self.params(state)
        self.begin(other, start)
        self.fit(other, *batch)
        after = self.params(other)
        return self.loss(other, batch), {n: FACTOR * ((start[n] - after[n]) / HUGE_RATE) for n in start}

    def update(self, state: SklearnState, gradients: dict[str, Host], learning_rate: float) -> SklearnState:
        """theta - h g, in the estimator's own arrays."""
        for name, array in self.named(state):
            array -= learning_rate * gradients[name]
        return state

    def gradients(self, gradients: dict[str, Host]) -> dict[str, Host]:
        return gradients
