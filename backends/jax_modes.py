"""JAX, faster: a plain pytree through jax.jit, one call for each step; and a whole epoch in one lax.scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from . import jax_losses, spec
from .interface import Batch, Host, RowOrder, Tier, Trace, Traits
from .jax_backend import JaxBackend, activation, sgd
from .spec import Task

Params = dict[str, jax.Array]


class Values(NamedTuple):
    """What training changes: parameters by name, weights (in, out), and the optimizer's own state."""

    params: Params
    optimizer: Any


class State(NamedTuple):
    values: Values
    programs: Programs


class Programs(NamedTuple):
    """The jitted functions of one task; those that train consume (donate) the values they are given."""

    predict: Callable[..., jax.Array]
    forward_backward: Callable[..., Any]
    update: Callable[..., Any]
    step: Callable[..., Any]
    gathered_step: Callable[..., Any]
    epoch: Callable[..., Any]
    trace: Callable[..., Any]


def programs(task: Task) -> Programs:
    """Everything one task compiles, as functions of arrays alone."""
    loss = jax_losses.function(task.loss.name, task.loss.arguments)
    optimizer = sgd(task.optimizer)

    def predict(params: Params, x: jax.Array) -> jax.Array:
        for i, layer in enumerate(task.layers):
            linear = isinstance(layer, spec.Linear)
            x = x @ params[f"{i}.weight"] + params[f"{i}.bias"] if linear else activation(layer)(x)
        return x

    def forward_backward(params: Params, x: jax.Array, y: jax.Array) -> tuple[jax.Array, Params]:
        return jax.value_and_grad(lambda theta: loss(predict(theta, x), y))(params)

    def update(values: Values, gradients: Params, rate: Any) -> Values:
        updates, state = optimizer.update(gradients, values.optimizer, values.params, learning_rate=rate)
        return Values(optax.apply_updates(values.params, updates), state)

    def step(values: Values, x: jax.Array, y: jax.Array, rate: Any) -> tuple[Values, jax.Array, Params]:
        value, gradients = forward_backward(values.params, x, y)
        return update(values, gradients, rate), value, gradients

    def gathered_step(
        values: Values,
        at: jax.Array,
        x: jax.Array,
        y: jax.Array,
        order: jax.Array,
        rates: jax.Array,
        *,
        size: int,
        rows: int,
    ) -> tuple[Values, jax.Array, jax.Array]:
        """Step number `at`, on `rows` of a batch of `size`: the counter stays on the device between calls."""
        batch = lax.dynamic_slice_in_dim(order, at * size, rows)
        values, value, _ = step(values, x[batch], y[batch], rates[at])
        return values, value, at + 1

    def epoch(
        values: Values,
        x: jax.Array,
        y: jax.Array,
        order: jax.Array,
        rates: jax.Array,
        *,
        size: int,
        tell: bool,
    ) -> tuple[Values, Any]:
        """All full batches in one scan, the partial one as one more step of the same program."""

        def body(values: Values, each: tuple[jax.Array, jax.Array]) -> tuple[Values, Any]:
            rows, rate = each
            values, value, gradients = step(values, x[rows], y[rows], rate)
            return values, (value, values, gradients) if tell else value

        full = len(order) // size
        whole = order[: full * size].reshape(full, size)
        values, told = lax.scan(body, values, (whole, rates[:full]))
        if full * size < len(order):
            values, last = body(values, (order[full * size :], rates[full]))
            told = jax.tree.map(lambda many, one: jnp.concatenate([many, one[None]]), told, last)
        return values, told

    return Programs(
        jax.jit(predict),
        jax.jit(forward_backward),
        jax.jit(update, donate_argnums=0),
        jax.jit(lambda *a: step(*a)[:2], donate_argnums=0),
        jax.jit(gathered_step, static_argnames=("size", "rows"), donate_argnums=(0, 1)),
        jax.jit(partial(epoch, tell=False), static_argnames="size", donate_argnums=0),
        jax.jit(partial(epoch, tell=True), static_argnames="size", donate_argnums=0),
    )


class JaxTuned(JaxBackend):
    """A plain pytree through jax.jit with donated buffers; the batch is gathered inside the step."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="step")

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        key = ("plain", task.layers, task.loss, task.optimizer)
        if key not in self.cached:
            self.cached[key] = programs(task)
        given = params if params else super().params(super().init(task))
        theta = {name: self.put(np.asarray(given[name])) for name in task.parameters}
        state = sgd(task.optimizer).init(theta)
        if buffers:
            state = optax.tree_utils.tree_set(state, trace={name: self.put(b) for name, b in buffers.items()})
            if task.optimizer.dampening:
                state = optax.tree_utils.tree_set(state, started=jnp.ones((), bool))
        return State(jax.device_put(Values(theta, state), self.placed), self.cached[key])

    def predict(self, state: Any, x: jax.Array) -> jax.Array:
        prediction: jax.Array = state.programs.predict(state.values.params, x)
        return prediction

    def params(self, state: Any) -> dict[str, Host]:
        return {name: self.get(value) for name, value in in_order(state.values.params)}

    def buffers(self, state: Any) -> dict[str, Host]:
        trace = optax.tree_utils.tree_get(state.values.optimizer, "trace")
        return {} if trace is None else {name: self.get(value) for name, value in in_order(trace)}

    def gradients(self, gradients: Any) -> dict[str, Host]:
        return {name: self.get(value) for name, value in in_order(gradients)}

    def native(self, state: Any) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in in_order(state.values.params)}

    def forward_backward(self, state: Any, batch: Batch) -> tuple[jax.Array, Any]:
        loss, gradients = state.programs.forward_backward(state.values.params, *batch)
        return loss, gradients

    def update(self, state: Any, gradients: Any, learning_rate: float) -> Any:
        return state._replace(values=state.programs.update(state.values, gradients, learning_rate))

    def step(self, state: Any, batch: Batch, learning_rate: float) -> tuple[Any, jax.Array]:
        values, loss = state.programs.step(state.values, *batch, learning_rate)
        return state._replace(values=values), loss

    def steps(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[Any, jax.Array]]:
        values, advance = state.values, state.programs.gathered_step
        rows, rates, at = (
            self.put(order.astype(np.int32)),
            self.put(learning_rates),
            self.put(np.zeros((), np.int32)),
        )
        full, rest = divmod(len(order), batch_size)
        for count in [batch_size] * full + ([rest] if rest else []):
            values, loss, at = advance(values, at, *data, rows, rates, size=batch_size, rows=count)
            yield state._replace(values=values), loss

    def sync(self, value: Any) -> None:
        jax.block_until_ready([each.values if isinstance(each, State) else each for each in _flat(value)])


class JaxFused(JaxTuned):
    """A whole epoch as one compiled lax.scan; rows are gathered inside it."""

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="epoch")

    def epoch(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[Any, jax.Array]:
        rows, rates = self.put(order.astype(np.int32)), self.put(learning_rates)
        values, losses = state.programs.epoch(state.values, *data, rows, rates, size=batch_size)
        return state._replace(values=values), losses

    def trace(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[Any, Trace]:
        rows, rates = self.put(order.astype(np.int32)), self.put(learning_rates)
        values, told = state.programs.trace(state.values, *data, rows, rates, size=batch_size)
        losses, after, gradients = told
        after = state._replace(values=after)
        trace = Trace(self.get(losses), self.params(after), self.buffers(after), self.gradients(gradients))
        return state._replace(values=values), trace


class JaxTF32(JaxBackend):
    """The documented loop with the products of float32 matrices in TF32, on NVIDIA's GPUs."""

    traits = Traits(gradient="autodiff", buffers="fresh", compiled="step", products="tf32")

    @classmethod
    def missing(cls) -> str | None:
        return None if cls.devices() else "TF32 is arithmetic of NVIDIA GPUs: jax sees none here"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return tuple(name for name in super().devices() if name.startswith("cuda"))


def in_order(params: Params) -> list[tuple[str, jax.Array]]:
    """By layer, the weight before the bias: JAX hands dictionaries back in alphabetical order."""
    return sorted(params.items(), key=lambda item: (int(item[0].partition(".")[0]), "bias" in item[0]))


def _flat(value: Any) -> list[Any]:
    """The items of nested lists and tuples, a State kept whole."""
    if isinstance(value, list | tuple) and not isinstance(value, State):
        return [item for each in value for item in _flat(each)]
    return [value]
