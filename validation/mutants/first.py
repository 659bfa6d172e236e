"""Thirty mistakes of people who port a training step, written by someone who had not seen the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from samestep import backends
from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Array, Backend, Batch, Host, RowOrder
from samestep.backends.numpy_backend import Activation, Floats, NumpyBackend
from samestep.backends.spec import SGD, Cosine, LeakyReLU, Linear, Task
from samestep.benchmarks.record.proof import Cause
from validation.mutants.base import (
    CHAIN,
    COSINE,
    DAMPENED,
    DECAY,
    DIGITS,
    FEATURES,
    HEAVY,
    MOMENTUM,
    NESTEROV,
    PLAIN,
    TANH,
    Mutant,
    task,
)

Arrays = Mapping[str, Host]
LossFunction = Callable[[Floats, Host], tuple[Any, Floats]]

FLEETING = task(optimizer=SGD(momentum=0.9, schedule=Cosine()))
HALVES = task(batch_size=25, epochs=3)  # no partial batch
DOUBLE = task(dtype="float64")
LEAKY = task(
    Linear(in_features=FEATURES, out_features=FEATURES),
    LeakyReLU(negative_slope=0.2),
    Linear(in_features=FEATURES, out_features=1),
)


def mutant(what: str, cause: Cause, lane: type[Backend], on: Task) -> Mutant:
    return Mutant(what, cause, lane, on, origin="first")


# --- NumPy: data ----------------------------------------------------------------------------------


class OneOrder(NumpyBackend):
    shuffle: RowOrder | None = None

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> Any:
        self.shuffle = None
        return super().init(task, params, buffers)

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        self.shuffle = order if self.shuffle is None else self.shuffle
        return super().batches(data, self.shuffle, batch_size)


class HeaderCounted(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        return super().batches((x, np.roll(y, 1, axis=0)), order, batch_size)


class FilledFromTheFront(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(order), batch_size):
            rows = np.take(order, np.arange(start, start + batch_size), mode="wrap")
            yield x[rows], y[rows]


class FixedBuffer(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        buffer = np.empty((batch_size, x.shape[1]), x.dtype)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield np.take(x, rows, axis=0, out=buffer), y[rows]


# --- NumPy: loss ----------------------------------------------------------------------------------


class SmoothedOverTheOthers(NumpyBackend):
    def loss(self, declared: spec.Loss) -> LossFunction:
        options = dict(declared.options)
        classes, smoothing = 10, declared.arguments["label_smoothing"]
        options["label_smoothing"] = (
            smoothing * classes / (classes - 1)
        )  # s / (C - 1) each, none for the true
        return super().loss(declared.model_copy(update={"options": tuple(options.items())}))


class Bessel(NumpyBackend):
    def loss(self, declared: spec.Loss) -> LossFunction:
        mean = super().loss(declared)

        def unbiased(prediction: Floats, target: Host) -> tuple[Any, Floats]:
            value, slope = mean(prediction, target)
            correction = len(target) / (len(target) - 1)
            return value * correction, slope * correction

        return unbiased


# --- NumPy: model ---------------------------------------------------------------------------------


class ReluSlope(numpy_backend.LeakyReLU):
    def slope(self, x: Floats, z: Floats) -> Any:
        return x > 0


class LeakyForwardOnly(NumpyBackend):
    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> numpy_backend.Linear | Activation:
        if isinstance(layer, spec.LeakyReLU):
            return ReluSlope(layer.negative_slope)
        return super().layer(index, layer, values)


class ReshapedLinear(numpy_backend.Linear):
    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        super().backward(dz, need_dx=False)
        weight = self.params["weight"]
        dx: Floats = dz @ weight.reshape(weight.shape[::-1])
        return dx


class Reshaped(NumpyBackend):
    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> numpy_backend.Linear | Activation:
        if isinstance(layer, spec.Linear):
            return ReshapedLinear(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)


class FromOne(NumpyBackend):
    def forward_backward(self, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        value, gradients = super().forward_backward(state, batch)
        gradients["0.weight"][:1] = 0  # for j in range(1, features)
        return value, gradients


class BiasUphill(NumpyBackend):
    def forward_backward(self, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        value, gradients = super().forward_backward(state, batch)
        return value, gradients | {"0.bias": -gradients["0.bias"]}


class NarrowSum(NumpyBackend):
    def forward_backward(self, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        x, y = batch
        value, slope = state.loss(state.model.forward(x), y)
        bias = slope.sum(axis=0, dtype=np.float32).astype(slope.dtype)
        return value, state.model.backward(slope) | {"0.bias": bias}


class RowBias(NumpyBackend):
    def params(self, state: Any) -> dict[str, Host]:
        return {name: np.atleast_2d(value) for name, value in super().params(state).items()}


# --- NumPy: optimizer -----------------------------------------------------------------------------


class Velocity(numpy_backend.SGD):
    def step(self, params: Mapping[str, Floats], gradients: Arrays, learning_rate: float) -> None:
        for name, theta in params.items():
            self.buffers[name] *= self.options.momentum
            self.buffers[name] += learning_rate * gradients[name]
            theta -= self.buffers[name]


class KerasMomentum(NumpyBackend):
    def optimizer(
        self, options: SGD, params: Mapping[str, Floats], buffers: Arrays | None
    ) -> numpy_backend.SGD:
        return Velocity(options, params, buffers)


class DampenedFromTheStart(NumpyBackend):
    def optimizer(
        self, options: SGD, params: Mapping[str, Floats], buffers: Arrays | None
    ) -> numpy_backend.SGD:
        made = super().optimizer(options, params, buffers)
        made.started = True
        return made


class Sutskever(NumpyBackend):
    def optimizer(
        self, options: SGD, params: Mapping[str, Floats], buffers: Arrays | None
    ) -> numpy_backend.SGD:
        return super().optimizer(options.model_copy(update={"nesterov": False}), params, buffers)

    def step(self, state: Any, batch: Batch, learning_rate: float) -> tuple[Any, Array]:
        momentum, buffers, params = (
            state.optimizer.options.momentum,
            state.optimizer.buffers,
            self.params(state),
        )
        for name, theta in state.model.params.items():
            theta -= learning_rate * momentum * buffers[name]
        value, gradients = self.forward_backward(state, batch)
        for name, theta in state.model.params.items():
            theta[...] = params[name]
        return self.update(state, gradients, learning_rate), value


class Decoupled(numpy_backend.SGD):
    def direction(self, name: str, theta: Floats, g: Floats) -> Floats:
        b = self.buffers[name]
        b[...] = self.options.momentum * b + g
        direction: Floats = b + self.options.weight_decay * theta
        return direction


class DecoupledDecay(NumpyBackend):
    def optimizer(
        self, options: SGD, params: Mapping[str, Floats], buffers: Arrays | None
    ) -> numpy_backend.SGD:
        return Decoupled(options, params, buffers)


class LoggedRate(NumpyBackend):
    def update(self, state: Any, gradients: Arrays, learning_rate: float) -> Any:
        return super().update(state, gradients, round(learning_rate, 3))


class WideRate(NumpyBackend):
    def update(self, state: Any, gradients: Arrays, learning_rate: float) -> Any:
        for index, layer in enumerate(state.model.layers):
            for name, theta in layer.params.items():
                layer.params[name] = theta - np.float64(learning_rate) * gradients[f"{index}.{name}"]
        return state


class Boxed(NumpyBackend):
    def update(self, state: Any, gradients: Arrays, learning_rate: float) -> Any:
        super().update(state, gradients, learning_rate)
        for theta in state.model.params.values():
            np.clip(theta, -1, 1, out=theta)
        return state


NUMPY = (
    mutant("the shuffled order of the first epoch is used for every epoch", "rows", OneOrder, PLAIN),
    mutant("each row meets the target of the row above it in the file", "labels", HeaderCounted, PLAIN),
    mutant(
        "the last batch is filled up with rows from the front of the order",
        "partial batch",
        FilledFromTheFront,
        PLAIN,
    ),
    mutant("rows are gathered into a buffer that only a whole batch fits", "error", FixedBuffer, PLAIN),
    mutant(
        "label smoothing is shared by the other classes only, s / (C - 1) each",
        "loss",
        SmoothedOverTheOthers,
        DIGITS,
    ),
    mutant("the mean over a batch divides by n - 1", "scale", Bessel, HALVES),
    mutant(
        "leaky ReLU forward, with the derivative of a plain ReLU backward",
        "activation",
        LeakyForwardOnly,
        LEAKY,
    ),
    mutant(
        "the weight is reshaped where the backward pass needs its transpose", "transposed", Reshaped, TANH
    ),
    mutant("a loop over the features from 1 leaves the first weight untrained", "left out", FromOne, PLAIN),
    mutant("the gradient of the hidden layer's bias has the other sign", "sign", BiasUphill, CHAIN),
    mutant("the bias gradient of a float64 task is summed in float32", "precision", NarrowSum, DOUBLE),
    mutant("the bias is kept as a row of a matrix", "shape", RowBias, PLAIN),
    mutant(
        "momentum as in Keras, the falling learning rate inside the velocity",
        "momentum",
        KerasMomentum,
        FLEETING,
    ),
    mutant("the very first gradient is dampened too", "dampening", DampenedFromTheStart, DAMPENED),
    mutant(
        "nesterov as Sutskever wrote it, the gradient taken at the point ahead",
        "nesterov",
        Sutskever,
        NESTEROV,
    ),
    mutant(
        "decay as in AdamW, beside the momentum buffer instead of in it",
        "weight decay",
        DecoupledDecay,
        HEAVY,
    ),
    mutant(
        "the schedule's rates are taken from a log with three decimals", "learning rate", LoggedRate, COSINE
    ),
    mutant("a NumPy float64 learning rate turns float32 parameters into float64", "dtype", WideRate, PLAIN),
    mutant("parameters are clipped to [-1, 1] after every step", "unknown", Boxed, PLAIN),
)

# --- PyTorch --------------------------------------------------------------------------------------


def _torch() -> tuple[Mutant, ...]:
    import torch
    from torch import Tensor
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
    from torch.utils.data import DataLoader, TensorDataset

    from samestep.backends.torch_backend import State, TorchBackend

    class ZeroedOncePerEpoch(TorchBackend):
        def forward_backward(self, state: State, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
            named, loss = dict(state.model.named_parameters()), state.loss(state.model(batch[0]), batch[1])
            gradients = torch.autograd.grad(loss, list(named.values()))  # leaves .grad alone
            return loss.detach(), dict(zip(named, gradients, strict=True))

        def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Tensor]:
            loss = state.loss(state.model(batch[0]), batch[1])
            loss.backward()
            state.optimizer.param_groups[0]["lr"] = learning_rate
            state.optimizer.step()
            return state, loss.detach()

        def steps(
            self, state: State, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
        ) -> Iterator[tuple[State, Tensor]]:
            state.optimizer.zero_grad()
            yield from super().steps(state, data, order, batch_size, learning_rates)

    class DropLast(TorchBackend):
        def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
            rows = order.tolist()
            yield from DataLoader(TensorDataset(*data), batch_size=batch_size, sampler=rows, drop_last=True)

    class FirstGroupOnly(TorchBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            named = list(state.model.named_parameters())
            groups = [{"params": [p for name, p in named if end in name]} for end in ("weight", "bias")]
            state.optimizer = torch.optim.SGD(groups, lr=task.optimizer.learning_rate)
            return state

    class Autocast(TorchBackend):
        def forward_backward(self, state: State, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return super().forward_backward(state, batch)

        def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Tensor]:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return super().step(state, batch, learning_rate)

    class Averaged(TorchBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            self.average = average = AveragedModel(state.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
            state.optimizer.register_step_post_hook(lambda *_: average.update_parameters(state.model))
            return state

        def predict(self, state: State, x: Tensor) -> Tensor:
            with torch.no_grad():
                prediction: Tensor = self.average(x)
            return prediction

    class TimedOnShuffle(TorchBackend):
        def epoch(
            self, state: State, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
        ) -> tuple[State, list[Tensor]]:
            losses = []
            for batch, rate in zip(self.shuffled(data, batch_size, 0), learning_rates.tolist(), strict=False):
                state, loss = self.step(state, batch, rate)
                losses.append(loss)
            return state, losses

    return (
        mutant(
            "zero_grad is called once per epoch, outside the inner loop", "stale", ZeroedOncePerEpoch, PLAIN
        ),
        mutant("the DataLoader was left with drop_last=True", "partial batch", DropLast, PLAIN),
        mutant(
            "the schedule reaches the weights' parameter group and not the biases'",
            "learning rate",
            FirstGroupOnly,
            COSINE,
        ),
        mutant("the step runs under bfloat16 autocast", "precision", Autocast, PLAIN),
        mutant("predictions come from a moving average of the parameters", "prediction", Averaged, PLAIN),
        mutant(
            "the timed epoch iterates a DataLoader with shuffle=True", "timed program", TimedOnShuffle, PLAIN
        ),
    )


# --- JAX ------------------------------------------------------------------------------------------


def _jax() -> tuple[Mutant, ...]:
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from samestep.backends.jax_backend import JaxBackend, State, scale_by_given_rate

    class Broadcast(JaxBackend):
        def forward_backward(self, state: State, batch: Batch) -> tuple[Any, Any]:
            def objective(model: nnx.Sequential, x: Any, y: Any) -> Any:
                return jnp.mean((model(x) - y.ravel()) ** 2)  # (n, 1) - (n,) is (n, n)

            loss, gradients = nnx.value_and_grad(objective)(state.model, *batch)
            return loss, gradients

        def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Any]:
            return Backend.step(self, state, batch, learning_rate)

    class DecayLast(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            decay = optax.add_decayed_weights(task.optimizer.weight_decay)
            chain = optax.chain(scale_by_given_rate(), decay)
            state.optimizer = nnx.Optimizer(state.model, chain, wrt=nnx.Param)
            return state

    class Ema(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            chain = optax.chain(optax.ema(task.optimizer.momentum), scale_by_given_rate())
            state.optimizer = nnx.Optimizer(state.model, chain, wrt=nnx.Param)
            return state

    class KernelsOnly(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            given = params or {}
            loaded = {name: value * ("weight" in name) for name, value in given.items()}
            return super().init(task, loaded, buffers)

    class ClosedOver(JaxBackend):
        def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> State:
            state = super().init(task, params, buffers)
            compiled, captured = state.programs.forward_backward, nnx.clone(state.model)

            def closure(_: Any, x: Any, y: Any) -> Any:
                return compiled(captured, x, y)

            state.programs = state.programs._replace(forward_backward=closure)
            return state

        def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Any]:
            return Backend.step(self, state, batch, learning_rate)

    return (
        mutant("flat targets broadcast every row against every target", "labels", Broadcast, PLAIN),
        mutant("add_decayed_weights comes after the scaling by the rate", "weight decay", DecayLast, DECAY),
        mutant("optax.ema stands in for the momentum trace", "momentum", Ema, MOMENTUM),
        mutant("kernels are loaded, and biases stay at Flax's zeros", "start", KernelsOnly, PLAIN),
        mutant("the jitted gradient closed over the initial parameters", "stale", ClosedOver, PLAIN),
    )


# --- all ------------------------------------------------------------------------------------------

FIRST: tuple[Mutant, ...] = (
    *NUMPY,
    *(_torch() if backends.missing("torch") is None else ()),
    *(_jax() if backends.missing("jax") is None else ()),
)
