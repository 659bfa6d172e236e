"""The JAX backend: Flax NNX models and Optax optimizers, the way their own guides write a training loop.

Read side by side with numpy_backend.py and torch_backend.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar, NamedTuple, TypeAlias, assert_never

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.nn import initializers

from . import jax_losses, spec
from .interface import Arrays, Backend, Batch, Device, Host, LossResult, RowOrder, StateT, Tier, Traits
from .jax_devices import default_platform, device_count
from .spec import Task

Function: TypeAlias = Callable[[Array], Array]
Draw: TypeAlias = Callable[..., Array]  # of (key, shape, dtype)
Optimizer: TypeAlias = nnx.Optimizer[Any]

# --- data -----------------------------------------------------------------------------------------


class JaxLane(Backend[StateT]):
    """What every JAX lane shares: the device, the data and the losses alone."""

    framework = "jax"

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        parsed = Device.parse(device)
        self.jax_device = jax.devices(parsed.kind)[parsed.index]
        self.programs: dict[tuple[Any, ...], Any] = {}  # what is compiled, by the parts of a task

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        kinds = ["cpu", *{"gpu": ["cuda"], "tpu": ["tpu"]}.get(default_platform(), [])]
        return tuple(name for kind in kinds for name in Device.names(kind, device_count(kind)))

    @classmethod
    def versions(cls) -> dict[str, str]:
        modules = {"jax": jax, "flax": flax, "optax": optax, "numpy": np}
        return {name: module.__version__ for name, module in modules.items()}

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        matmul = "tensorfloat32" if self.traits.matmul_precision == "tf32" else "highest"
        with (
            jax.enable_x64(dtype == "float64"),
            jax.default_matmul_precision(matmul),
            jax.default_device(self.jax_device),
        ):
            yield

    def put(self, array: Host) -> Array:
        # a copy: JAX may alias a NumPy buffer
        copied = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
        if copied.dtype != array.dtype and not (copied.dtype == np.int32 and np.array_equal(copied, array)):
            raise TypeError(f"JAX would narrow {array.dtype}: work inside precision('float64')")
        placed: Array = jax.device_put(copied, self.jax_device)
        return placed

    def get(self, value: Any) -> Host:
        return np.array(value)  # a live view would silently prevent donation

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        for start in range(0, len(row_order), batch_size):
            rows = row_order[start : start + batch_size].astype(np.int32)
            yield jnp.take(x, rows, axis=0, mode="clip"), jnp.take(y, rows, axis=0, mode="clip")

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        row_order = jax.random.permutation(jax.random.key(seed), len(data[0]))
        return self.batches(data, np.array(row_order, np.int64), batch_size)

    def loss_and_gradient(self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]) -> LossResult:
        with jax.default_device(self.jax_device):
            return jax_losses.loss_and_gradient(name, arrays, options)

    def sync(self, value: Any) -> None:
        jax.block_until_ready(value)


# --- model ----------------------------------------------------------------------------------------


def build(task: Task) -> nnx.Sequential:
    """The chain of layers, drawn by the task's initializers; nnx.Linear keeps its kernel as (in, out)."""
    rngs = nnx.Rngs(task.seed)
    return nnx.Sequential(*(build_layer(layer, task, rngs) for layer in task.layers))


def build_layer(layer: spec.Layer, task: Task, rngs: nnx.Rngs) -> Function:
    """One layer, drawn with the next keys of `rngs`."""
    if not isinstance(layer, spec.Linear):
        return activation(layer)
    sizes, dtype = (layer.in_features, layer.out_features), jnp.dtype(task.dtype)
    kernel, bias = linear_initializers(task.init)
    linear: Function = nnx.Linear(*sizes, kernel_init=kernel, bias_init=bias, param_dtype=dtype, rngs=rngs)
    return linear


@cache  # the same function every time: nnx.jit compiles again for a new one
def activation(layer: spec.Nonlinearity) -> Function:
    """The function of a layer without parameters."""
    match layer:
        case spec.ReLU():
            return jax.nn.relu
        case spec.LeakyReLU(negative_slope=slope):
            return partial(leaky_relu, slope=slope)
        case spec.Sigmoid():
            return jax.nn.sigmoid
        case spec.Tanh():
            return jnp.tanh
        case _:
            assert_never(layer)


def leaky_relu(x: Array, slope: float) -> Array:
    """torch's: the derivative at 0 is the negative slope; jax.nn.leaky_relu takes 1 there."""
    return jnp.where(x > 0, x, slope * x)


# --- initialization -------------------------------------------------------------------------------


def draw(task: Task) -> dict[str, Array]:
    """Every parameter of a task, bit for bit as nnx.Linear draws it: one key for each kernel and each bias."""
    rngs, dtype = nnx.Rngs(task.seed), jnp.dtype(task.dtype)
    kernel, bias = linear_initializers(task.init)
    return {
        name: (kernel if name.endswith("weight") else bias)(rngs.params(), shape, dtype)
        for name, shape in task.parameters.items()
    }


def linear_initializers(init: spec.Initialization) -> tuple[Draw, Draw]:
    """The initializers of a layer's kernel and bias; the default is that of nnx.Linear."""
    kernel_init, bias_init = draw_one(init.weight), draw_one(init.bias)
    return kernel_init or nnx.nn.linear.default_kernel_init, bias_init or nnx.nn.linear.default_bias_init


@cache
def draw_one(initializer: spec.Initializer) -> Draw | None:
    """A named initializer of jax.nn.initializers, as a function of (key, shape, dtype); None for the default."""
    match initializer:
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
        case spec.Xavier(distribution=distribution, gain=gain):
            return initializers.variance_scaling(gain**2, "fan_avg", distribution)
        case spec.Kaiming(distribution=distribution, mode=mode, gain=gain):
            return initializers.variance_scaling(gain**2, mode, distribution)
        case spec.Default():
            return None
        case _:
            assert_never(initializer)


# --- loss -----------------------------------------------------------------------------------------


def loss_function(declared: spec.Loss) -> Callable[[nnx.Sequential, Array, Array], Array]:
    """What nnx.value_and_grad differentiates: a loss from jax_losses, of the model's output."""
    loss = jax_losses.function(declared.name, declared.arguments)

    def objective(model: nnx.Sequential, x: Array, y: Array) -> Array:
        return loss(model(x), y)

    return objective


# --- optimizer ------------------------------------------------------------------------------------


@cache
def sgd(options: spec.SGD) -> optax.GradientTransformationExtraArgs:
    """torch.optim.SGD's definition as an Optax chain; the learning rate is handed to `update` as data."""
    maximize = [optax.scale(-1.0)] if options.maximize else []
    decay = [optax.add_decayed_weights(options.weight_decay)] if options.weight_decay else []
    plain = optax.trace(options.momentum, options.nesterov)
    trace = dampened_trace(options.momentum, options.dampening) if options.dampening else plain
    momentum = [trace] if options.momentum else []
    return optax.chain(*maximize, *decay, *momentum, scale_by_given_rate())


class DampenedState(NamedTuple):
    trace: Any
    started: Array


def dampened_trace(momentum: float, dampening: float) -> optax.GradientTransformation:
    """b_1 = g, then b = momentum b + (1 - dampening) g. Optax has no dampening of its own."""

    def init(params: Any) -> DampenedState:
        return DampenedState(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), bool))

    def update(grads: Any, state: DampenedState, params: Any = None) -> tuple[Any, DampenedState]:
        def buffer(g: Array, b: Array) -> Array:
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


# --- training step --------------------------------------------------------------------------------


class NnxPrograms(NamedTuple):
    """The jitted functions of one task."""

    forward_backward: Callable[..., Any]
    update: Callable[..., Any]
    step: Callable[..., Any]


def nnx_programs(task: Task) -> NnxPrograms:
    """Everything one task compiles: each function works on the model and the optimizer in place."""
    objective = loss_function(task.loss)

    @nnx.jit
    def forward_backward(model: nnx.Sequential, x: Array, y: Array) -> Any:
        return nnx.value_and_grad(objective)(model, x, y)

    @nnx.jit
    def update(model: nnx.Sequential, optimizer: Optimizer, gradients: Any, learning_rate: Any) -> None:
        optimizer.update(model, gradients, learning_rate=learning_rate)

    @nnx.jit
    def step(model: nnx.Sequential, optimizer: Optimizer, x: Array, y: Array, learning_rate: Any) -> Any:
        value, gradients = nnx.value_and_grad(objective)(model, x, y)
        optimizer.update(model, gradients, learning_rate=learning_rate)
        return value

    return NnxPrograms(forward_backward, update, step)


@partial(jax.tree_util.register_dataclass, data_fields=["model", "optimizer"], meta_fields=["programs"])
@dataclass
class JaxState:
    """A pytree of what training changes: the model's parameters and the optimizer's buffers."""

    model: nnx.Sequential
    optimizer: Optimizer
    programs: NnxPrograms


class JaxBackend(JaxLane[JaxState]):
    """JAX as the Flax NNX guide writes it: nnx.jit over nnx.value_and_grad and nnx.Optimizer."""

    tier: ClassVar[Tier] = "documented"
    traits = Traits(gradient="autodiff", buffers="fresh", compiled="step")

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> JaxState:
        model = build(task)
        optimizer = nnx.Optimizer(model, sgd(task.optimizer), wrt=nnx.Param)
        if params:
            for name, variable in named(nnx.state(model, nnx.Param)):
                variable[...] = self.put(params[name])
        if buffers:
            for name, variable in named(optax.tree_utils.tree_get(optimizer.opt_state, "trace")):
                variable[...] = self.put(buffers[name])
            if task.optimizer.dampening:
                optax.tree_utils.tree_get(optimizer.opt_state, "started")[...] = jnp.ones((), bool)
        placed = jax.device_put(nnx.state((model, optimizer)), self.jax_device)
        nnx.update((model, optimizer), placed)  # committed to the device, as every step leaves them
        key = (task.layers, task.loss, task.optimizer)
        if key not in self.programs:
            self.programs[key] = nnx_programs(task)
        return JaxState(model, optimizer, self.programs[key])

    def predict(self, state: JaxState, x: Array) -> Array:
        prediction: Array = state.model(x)
        return prediction

    def params(self, state: JaxState) -> dict[str, Host]:
        return {name: self.get(variable[...]) for name, variable in named(nnx.state(state.model, nnx.Param))}

    def buffers(self, state: JaxState) -> dict[str, Host]:
        trace = optax.tree_utils.tree_get(state.optimizer.opt_state, "trace")
        return {} if trace is None else {name: self.get(variable[...]) for name, variable in named(trace)}

    def gradients(self, gradients: Any) -> dict[str, Host]:
        return {name: self.get(variable[...]) for name, variable in named(gradients)}

    def native(self, state: JaxState) -> dict[str, tuple[int, ...]]:
        flat = nnx.to_flat_state(nnx.state(state.model, nnx.Param))
        return {".".join(str(part) for part in path): variable.shape for path, variable in flat}

    def forward_backward(self, state: JaxState, batch: Batch) -> tuple[Array, Any]:
        loss, gradients = state.programs.forward_backward(state.model, *batch)
        return loss, gradients

    def update(self, state: JaxState, gradients: Any, learning_rate: float) -> JaxState:
        state.programs.update(state.model, state.optimizer, gradients, learning_rate)
        return state

    def step(self, state: JaxState, batch: Batch, learning_rate: float) -> tuple[JaxState, Array]:
        loss: Array = state.programs.step(state.model, state.optimizer, *batch, learning_rate)
        return state, loss


def named(tree: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of an nnx.Sequential's state under torch's names: layers/0/kernel is "0.weight"."""
    for index in sorted(tree["layers"]):
        for torch_name, flax_name in (("weight", "kernel"), ("bias", "bias")):
            yield f"{index}.{torch_name}", tree["layers"][index][flax_name]
