"""Twenty more mistakes of people who port a training step, by someone who had not seen the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from samestep import backends
from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Array, Backend, Batch, Host, RowOrder
from samestep.backends.numpy_backend import Activation, Floats, NumpyBackend
from samestep.backends.spec import Task
from samestep.benchmarks.record.proof import Cause
from validation.mutants.base import (
    CANCER,
    CHAIN,
    COSINE,
    DECAY,
    DIGITS,
    FEATURES,
    MOMENTUM,
    PLAIN,
    STEPPED,
    TANH,
    Mutant,
    task,
)

Arrays = Mapping[str, Host]
Stepping = Iterator[tuple[Any, Array]]

DOUBLE = task(dtype="float64")


def mutant(what: str, cause: Cause, lane: type[Backend], on: Task) -> Mutant:
    return Mutant(what, cause, lane, on, origin="second")


# --- NumPy: data ----------------------------------------------------------------------------------


class Drawn(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        rows = np.random.default_rng(order).choice(order, len(order))  # replace=True is the default
        return super().batches(data, rows, batch_size)


class SortedReads(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield x[np.sort(rows)], y[rows]


class SingleFeatures(NumpyBackend):
    def put(self, array: Host) -> Host:
        return super().put(array.astype(np.float32))  # NumPy promotes it again in every product


class PandasTargets(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        return super().batches((x, y.astype(np.float64)), order, batch_size)


# --- NumPy: loss and model ------------------------------------------------------------------------


class Rooted(NumpyBackend):
    def loss(self, declared: spec.Loss) -> Callable[[Floats, Host], tuple[Any, Floats]]:
        mean = super().loss(declared)

        def root(prediction: Floats, target: Host) -> tuple[Any, Floats]:
            value, slope = mean(prediction, target)
            return np.sqrt(value), slope / (2 * np.sqrt(value))

        return root


class DividedTwice(NumpyBackend):
    def forward_backward(self, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        value, gradients = super().forward_backward(state, batch)
        return value, {name: g / len(batch[0]) for name, g in gradients.items()}


class OfTheInput(numpy_backend.Tanh):
    def slope(self, x: Floats, z: Floats) -> Any:
        return 1 - x * x


class TanhOfTheInput(NumpyBackend):
    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> numpy_backend.Linear | Activation:
        return OfTheInput() if isinstance(layer, spec.Tanh) else super().layer(index, layer, values)


class Probabilities(NumpyBackend):
    def predict(self, state: Any, x: Host) -> Host:
        probabilities: Host = 1 / (1 + np.exp(-super().predict(state, x)))
        return probabilities


# --- NumPy: optimizer -----------------------------------------------------------------------------


class OneBehind(NumpyBackend):
    waiting: Arrays | None = None

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> Any:
        self.waiting = None
        return super().init(task, params, buffers)

    def update(self, state: Any, gradients: Arrays, learning_rate: float) -> Any:
        due, self.waiting = self.waiting or gradients, gradients
        return super().update(state, due, learning_rate)


class NewEveryEpoch(NumpyBackend):
    def steps(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Stepping:
        state.optimizer = self.optimizer(state.optimizer.options, state.model.params, None)
        return super().steps(state, data, order, batch_size, learning_rates)


class PenaltyToo(NumpyBackend):
    def forward_backward(self, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        value, gradients = super().forward_backward(state, batch)
        decay, params = state.optimizer.options.weight_decay, state.model.params
        penalty = decay / 2 * sum(np.sum(theta * theta) for theta in params.values())
        return value + penalty, {name: g + decay * params[name] for name, g in gradients.items()}


class SteppedByEpoch(NumpyBackend):
    def steps(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Stepping:
        rates = np.full_like(learning_rates, learning_rates[0])
        return super().steps(state, data, order, batch_size, rates)


NUMPY = (
    mutant("each batch is a random choice with replacement", "rows", Drawn, PLAIN),
    mutant(
        "the rows of a batch are sorted to read the features, and not to read the targets",
        "labels",
        SortedReads,
        PLAIN,
    ),
    mutant(
        "a float64 task's data are read as float32 and promoted later", "precision", SingleFeatures, DOUBLE
    ),
    mutant("the targets stay float64, as pandas read them", "dtype", PandasTargets, PLAIN),
    mutant("the model is trained on the root of the mean squared error", "loss", Rooted, PLAIN),
    mutant(
        "the gradient is divided by the batch's size in the loss and again in the layer",
        "scale",
        DividedTwice,
        PLAIN,
    ),
    mutant(
        "the derivative of tanh is 1 - x^2 of its input instead of its output",
        "activation",
        TanhOfTheInput,
        TANH,
    ),
    mutant("the finished classifier gives probabilities for logits", "prediction", Probabilities, CANCER),
    mutant("every update applies the gradients of the batch before", "stale", OneBehind, PLAIN),
    mutant("the optimiser is made anew at the start of every epoch", "momentum", NewEveryEpoch, MOMENTUM),
    mutant(
        "the decay is a penalty in the loss and an option of the optimiser as well",
        "weight decay",
        PenaltyToo,
        DECAY,
    ),
    mutant(
        "the schedule advances once per epoch instead of per step", "learning rate", SteppedByEpoch, COSINE
    ),
)

# --- PyTorch --------------------------------------------------------------------------------------


def _torch() -> tuple[Mutant, ...]:
    from copy import deepcopy

    from torch import Tensor

    from samestep.backends.torch_backend import State, TorchBackend

    class SoftmaxFirst(TorchBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            state.loss.register_forward_pre_hook(lambda _, given: (given[0].softmax(dim=1), given[1]))
            return state

    class NewHead(TorchBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            state.model[-1] = deepcopy(state.model[-1])  # the optimizer has the parameters of the other
            return state

    class SchedulerFirst(TorchBackend):
        def steps(
            self, state: State, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
        ) -> Iterator[tuple[State, Tensor]]:
            ahead = np.append(learning_rates[1:], learning_rates[-1:])
            return super().steps(state, data, order, batch_size, ahead)

    def turned(arrays: Arrays) -> dict[str, Host]:
        return {name: a.T if a.shape[0] == a.shape[-1] else a for name, a in arrays.items()}

    class TurnedWhereNeeded(TorchBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            return super().init(task, params and turned(params), buffers)  # turned twice is not turned

        def params(self, state: State) -> dict[str, Host]:
            return turned(super().params(state))

        def gradients(self, gradients: Mapping[str, Tensor]) -> dict[str, Host]:
            return turned(super().gradients(gradients))

    return (
        mutant("a softmax comes before the cross entropy, which has its own", "loss", SoftmaxFirst, DIGITS),
        mutant("the output layer was replaced after the optimiser was made", "left out", NewHead, CHAIN),
        mutant("scheduler.step() comes before optimizer.step()", "learning rate", SchedulerFirst, STEPPED),
        mutant(
            "weights are transposed only where the shapes disagree, so square ones are not",
            "transposed",
            TurnedWhereNeeded,
            CHAIN,
        ),
    )


# --- JAX ------------------------------------------------------------------------------------------


def _jax() -> tuple[Mutant, ...]:
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from samestep.backends.jax_backend import JaxBackend, State, scale_by_given_rate

    class ZeroPadded(JaxBackend):
        def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
            for x, y in super().batches(data, order, batch_size):
                short = ((0, batch_size - len(x)), (0, 0))
                yield jnp.pad(x, short), jnp.pad(y, short)

    class MinusTwice(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            chain = optax.chain(scale_by_given_rate(), optax.scale(-1.0))
            state.optimizer = nnx.Optimizer(state.model, chain, wrt=nnx.Param)
            return state

    class WarmedUp(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            dummy = tuple(jnp.zeros((task.batch_size, width), task.dtype) for width in (FEATURES, 1))
            state, _ = self.step(state, (dummy[0], dummy[1]), task.optimizer.learning_rate)
            return state

    class Adam(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            chain = optax.chain(optax.scale_by_adam(), scale_by_given_rate())
            state.optimizer = nnx.Optimizer(state.model, chain, wrt=nnx.Param)
            return state

    return (
        mutant("the last batch is padded with rows of zeros", "partial batch", ZeroPadded, PLAIN),
        mutant(
            "optax.scale(-1) follows a scaling by the rate that has the minus already",
            "sign",
            MinusTwice,
            PLAIN,
        ),
        mutant("the step that compiles the program on zeros also trains", "start", WarmedUp, PLAIN),
        mutant("optax.adam stands in for plain descent", "unknown", Adam, PLAIN),
    )


# --- all ------------------------------------------------------------------------------------------

SECOND: tuple[Mutant, ...] = (
    *NUMPY,
    *(_torch() if backends.missing("torch") is None else ()),
    *(_jax() if backends.missing("jax") is None else ()),
)
