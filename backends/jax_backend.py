"""The JAX backend: Flax NNX models and Optax optimizers, the way their own guides write a training loop.

Read side by side with numpy_backend.py and torch_backend.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.nn import initializers

from . import jax_losses, spec
from .interface import Backend, Batch, Device, Host, RowOrder, Tier, Traits, device_names
from .spec import Task

# --- model ----------------------------------------------------------------------------------------


def build(task: Task) -> nnx.Sequential:
    """The chain of layers; nnx.Linear keeps its kernel as (in, out)."""
    rngs = nnx.Rngs(task.seed)
    return nnx.Sequential(*(module(layer, task, rngs) for layer in task.layers))


def module(layer: spec.Layer, task: Task, rngs: nnx.Rngs) -> Callable[[jax.Array], jax.Array]:
    if isinstance(layer, spec.Linear):
        linear: Callable[[jax.Array], jax.Array] = nnx.Linear(
            layer.in_features,
            layer.out_features,
            kernel_init=initializer(task.init.weight) or nnx.nn.linear.default_kernel_init,
            bias_init=initializer(task.init.bias) or nnx.nn.linear.default_bias_init,
            param_dtype=jnp.dtype(task.dtype),
            rngs=rngs,
        )
        return linear
    return activation(layer)


@cache  # the same function every time: nnx.jit compiles again for a new one
def activation(layer: spec.Layer) -> Callable[[jax.Array], jax.Array]:
    match layer:
        case spec.LeakyReLU(negative_slope=slope):
            return partial(leaky_relu, slope=slope)
        case spec.Sigmoid():
            return jax.nn.sigmoid
        case spec.Tanh():
            return jnp.tanh
        case _:
            return jax.nn.relu


def leaky_relu(x: jax.Array, slope: float) -> jax.Array:
    """torch's: the slope at 0 is the negative one; jax.nn.leaky_relu takes 1 there."""
    return jnp.where(x > 0, x, slope * x)


# --- initialization -------------------------------------------------------------------------------


@cache
def initializer(how: spec.Initializer) -> Callable[..., jax.Array] | None:
    """jax.nn.initializers by name; None leaves nnx.Linear its own default (LeCun normal, zero bias)."""
    match how:
        case spec.Constant(value=value):
            return initializers.constant(value)
        case spec.Normal(mean=mean, std=std):
            return lambda key, shape, dtype: mean + std * jax.random.normal(key, shape, dtype)
        case spec.Uniform(low=low, high=high):
            return lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, low, high)
        case spec.TruncatedNormal(mean=mean, std=std, low=low, high=high):
            lower, upper = (low - mean) / std, (high - mean) / std  # jax truncates in standard deviations
            return lambda key, shape, dtype: (
                mean + std * jax.random.truncated_normal(key, lower, upper, shape, dtype)
            )
        case spec.Xavier(distribution=law, gain=gain):
            return initializers.variance_scaling(gain**2, "fan_avg", law)
        case spec.Kaiming(distribution=law, mode=mode, gain=gain):
            return initializers.variance_scaling(gain**2, mode, law)
        case _:
            return None


# --- loss -----------------------------------------------------------------------------------------


def objective_of(declared: spec.Loss) -> Callable[[nnx.Sequential, jax.Array, jax.Array], jax.Array]:
    """What nnx.value_and_grad differentiates: the model's output in a loss from jax_losses."""
    loss = jax_losses.function(declared.name, declared.arguments)

    def objective(model: nnx.Sequential, x: jax.Array, y: jax.Array) -> jax.Array:
        return loss(model(x), y)

    return objective


# --- optimizer ------------------------------------------------------------------------------------


@cache
def sgd(options: spec.SGD) -> optax.GradientTransformationExtraArgs:
    """torch.optim.SGD's definition as an Optax chain; the learning rate is handed to `update` as data."""
    maximize = [optax.scale(-1.0)] if options.maximize else []
    decay = [optax.add_decayed_weights(options.weight_decay)] if options.weight_decay else []
    if options.dampening:
        momentum = [dampened_trace(options.momentum, options.dampening)] if options.momentum else []
    else:
        momentum = [optax.trace(options.momentum, options.nesterov)] if options.momentum else []
    return optax.chain(*maximize, *decay, *momentum, scale_by_given_rate())


class DampenedState(NamedTuple):
    trace: Any
    started: jax.Array


def dampened_trace(momentum: float, dampening: float) -> optax.GradientTransformation:
    """b_1 = g, then b = momentum b + (1 - dampening) g. Optax has no dampening of its own."""

    def init(params: Any) -> DampenedState:
        return DampenedState(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), bool))

    def update(grads: Any, state: DampenedState, params: Any = None) -> tuple[Any, DampenedState]:
        def buffer(g: jax.Array, b: jax.Array) -> jax.Array:
            return jnp.where(state.started, momentum * b + (1 - dampening) * g, g)

        trace = jax.tree.map(buffer, grads, state.trace)
        return trace, DampenedState(trace, jnp.ones((), bool))

    return optax.GradientTransformation(init, update)


def scale_by_given_rate() -> optax.GradientTransformationExtraArgs:
    """Multiplies by -learning_rate, an argument of every update, so that a schedule is data."""

    def update(
        grads: Any, state: Any, params: Any = None, *, learning_rate: Any, **_: Any
    ) -> tuple[Any, Any]:
        return jax.tree.map(lambda g: -learning_rate * g, grads), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


# --- the backend ----------------------------------------------------------------------------------


class Programs(NamedTuple):
    """The jitted functions of one task."""

    forward_backward: Callable[..., Any]
    update: Callable[..., Any]
    step: Callable[..., Any]


def programs(task: Task) -> Programs:
    objective = objective_of(task.loss)

    @nnx.jit
    def forward_backward(model: nnx.Sequential, x: jax.Array, y: jax.Array) -> Any:
        return nnx.value_and_grad(objective)(model, x, y)

    @nnx.jit
    def update(
        model: nnx.Sequential, optimizer: nnx.Optimizer[Any], gradients: Any, learning_rate: Any
    ) -> None:
        optimizer.update(model, gradients, learning_rate=learning_rate)

    @nnx.jit
    def step(
        model: nnx.Sequential, optimizer: nnx.Optimizer[Any], x: jax.Array, y: jax.Array, learning_rate: Any
    ) -> Any:
        value, gradients = nnx.value_and_grad(objective)(model, x, y)
        optimizer.update(model, gradients, learning_rate=learning_rate)
        return value

    return Programs(forward_backward, update, step)


@dataclass
class State:
    model: nnx.Sequential
    optimizer: nnx.Optimizer[Any]
    programs: Programs


class JaxBackend(Backend):
    """JAX as the Flax NNX guide writes it: nnx.jit over nnx.value_and_grad and nnx.Optimizer."""

    framework = "jax"
    tier: ClassVar[Tier] = "documented"
    traits = Traits(gradient="autodiff", buffers="fresh", compiled="step")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        place = Device.parse(device)
        self.placed = jax.devices(place.kind)[place.index]
        self.cached: dict[Any, Any] = {}

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        accelerator = {"gpu": ("cuda",), "tpu": ("tpu",)}.get(jax.default_backend(), ())
        return tuple(
            name for kind in ("cpu", *accelerator) for name in device_names(kind, len(jax.devices(kind)))
        )

    @classmethod
    def versions(cls) -> dict[str, str]:
        found = {"jax": jax.__version__, "flax": flax.__version__, "optax": optax.__version__}
        return found | {"numpy": np.__version__}

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        with (
            jax.enable_x64(dtype == "float64"),
            jax.default_matmul_precision("tensorfloat32" if self.traits.products == "tf32" else "highest"),
            jax.default_device(self.placed),
        ):
            yield

    # data

    def put(self, array: Host) -> jax.Array:
        kept = array.astype(
            jax.dtypes.canonicalize_dtype(array.dtype)
        )  # a copy: JAX may alias a NumPy buffer
        if kept.dtype != array.dtype and not (kept.dtype == np.int32 and np.array_equal(kept, array)):
            raise TypeError(f"JAX would narrow {array.dtype}: work inside precision('float64')")
        placed: jax.Array = jax.device_put(kept, self.placed)
        return placed

    def get(self, value: Any) -> Host:
        return np.array(value)  # a live view would silently prevent donation

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size].astype(np.int32)
            yield jnp.take(x, rows, axis=0, mode="clip"), jnp.take(y, rows, axis=0, mode="clip")

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        order = jax.random.permutation(jax.random.key(seed), len(data[0]))
        return self.batches(data, np.array(order, np.int64), batch_size)

    # model and initialization

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> State:
        model = build(task)
        optimizer = nnx.Optimizer(model, sgd(task.optimizer), wrt=nnx.Param)
        for name, variable in named(nnx.state(model, nnx.Param)):
            if params:
                variable[...] = self.put(params[name])
        if buffers:
            for name, variable in named(optax.tree_utils.tree_get(optimizer.opt_state, "trace")):
                variable[...] = self.put(buffers[name])
            if task.optimizer.dampening:
                optax.tree_utils.tree_get(optimizer.opt_state, "started")[...] = jnp.ones((), bool)
        placed = jax.device_put(nnx.state((model, optimizer)), self.placed)
        nnx.update((model, optimizer), placed)  # committed to the device, as every step leaves them
        key = (task.layers, task.loss, task.optimizer)
        if key not in self.cached:
            self.cached[key] = programs(task)
        return State(model, optimizer, self.cached[key])

    def predict(self, state: State, x: jax.Array) -> jax.Array:
        prediction: jax.Array = state.model(x)
        return prediction

    def params(self, state: State) -> dict[str, Host]:
        return {name: self.get(variable[...]) for name, variable in named(nnx.state(state.model, nnx.Param))}

    def buffers(self, state: State) -> dict[str, Host]:
        trace = optax.tree_utils.tree_get(state.optimizer.opt_state, "trace")
        return {} if trace is None else {name: self.get(variable[...]) for name, variable in named(trace)}

    def gradients(self, gradients: Any) -> dict[str, Host]:
        return {name: self.get(variable[...]) for name, variable in named(gradients)}

    def native(self, state: State) -> dict[str, tuple[int, ...]]:
        flat = nnx.to_flat_state(nnx.state(state.model, nnx.Param))
        return {".".join(str(part) for part in path): variable.shape for path, variable in flat}

    # loss

    def loss_and_gradient(
        self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]
    ) -> tuple[Host, dict[str, Host]]:
        with jax.default_device(self.placed):
            return jax_losses.loss_and_gradient(name, arrays, options)

    # training step

    def forward_backward(self, state: State, batch: Batch) -> tuple[jax.Array, Any]:
        loss, gradients = state.programs.forward_backward(state.model, *batch)
        return loss, gradients

    def update(self, state: State, gradients: Any, learning_rate: float) -> State:
        state.programs.update(state.model, state.optimizer, gradients, learning_rate)
        return state

    def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, jax.Array]:
        loss: jax.Array = state.programs.step(state.model, state.optimizer, *batch, learning_rate)
        return state, loss

    def sync(self, value: Any) -> None:
        if isinstance(value, tuple | list):
            for each in value:
                self.sync(each)
        elif isinstance(value, State):
            jax.block_until_ready(nnx.as_pure(nnx.state((value.model, value.optimizer))))
        else:
            jax.block_until_ready(value)


def named(tree: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of an nnx.Sequential's state under torch's names: layers/0/kernel is "0.weight"."""
    for index in sorted(tree["layers"]):
        for ours, flax_name in (("weight", "kernel"), ("bias", "bias")):
            yield f"{index}.{ours}", tree["layers"][index][flax_name]
