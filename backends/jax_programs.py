"""What the compiled JAX lanes compile: the steps of a task as functions of arrays alone, for jax.jit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from . import jax_losses, spec
from .jax_backend import activation, sgd
from .spec import Task

Params: TypeAlias = dict[str, Array]


class Values(NamedTuple):
    """What training changes: parameters by name, weights (in, out), and the optimizer's own state."""

    params: Params
    optimizer: Any


Step: TypeAlias = Callable[[Values, Array, Array, Any], tuple[Values, Array, Params]]


@jax.tree_util.register_static  # no leaves: nothing to wait for
@dataclass(frozen=True)
class JaxPrograms:
    """The jitted functions of one task; those that train consume (donate) the values they are given."""

    predict: Callable[..., Array]
    forward_backward: Callable[..., tuple[Array, Params]]
    update: Callable[..., Values]
    step: Callable[..., tuple[Values, Array]]
    gathered_step: Callable[..., tuple[Values, Array, Array]]
    epoch: Callable[..., tuple[Values, Array]]
    trace: Callable[..., tuple[Values, Any]]


def programs(task: Task) -> JaxPrograms:
    """Everything one task compiles."""
    predict, optimizer = predictor(task), sgd(task.optimizer)
    loss = jax_losses.function(task.loss.name, task.loss.arguments)

    def forward_backward(params: Params, x: Array, y: Array) -> tuple[Array, Params]:
        return jax.value_and_grad(lambda theta: loss(predict(theta, x), y))(params)

    def update(values: Values, gradients: Params, rate: Any) -> Values:
        updates, state = optimizer.update(gradients, values.optimizer, values.params, learning_rate=rate)
        return Values(optax.apply_updates(values.params, updates), state)

    def step(values: Values, x: Array, y: Array, rate: Any) -> tuple[Values, Array, Params]:
        value, gradients = forward_backward(values.params, x, y)
        return update(values, gradients, rate), value, gradients

    return JaxPrograms(
        predict=jax.jit(predict),
        forward_backward=jax.jit(forward_backward),
        update=jax.jit(update, donate_argnums=0),
        step=jax.jit(lambda *arguments: step(*arguments)[:2], donate_argnums=0),
        gathered_step=jax.jit(gathered(step), static_argnames=("size", "rows"), donate_argnums=(0, 1)),
        epoch=jax.jit(scanned(step, traced=False), static_argnames="size", donate_argnums=0),
        trace=jax.jit(scanned(step, traced=True), static_argnames="size", donate_argnums=0),
    )


def predictor(task: Task) -> Callable[[Params, Array], Array]:
    """The model as a function of its parameters."""
    activations = [None if isinstance(layer, spec.Linear) else activation(layer) for layer in task.layers]

    def predict(params: Params, x: Array) -> Array:
        for i, function in enumerate(activations):
            x = function(x) if function else x @ params[f"{i}.weight"] + params[f"{i}.bias"]
        return x

    return predict


def gathered(step: Step) -> Callable[..., tuple[Values, Array, Array]]:
    """A step that gathers its own batch: number `at` of `size` rows each, of which it has `rows`."""

    def gathered_step(
        values: Values, at: Array, x: Array, y: Array, row_order: Array, rates: Array, *, size: int, rows: int
    ) -> tuple[Values, Array, Array]:
        batch = lax.dynamic_slice_in_dim(row_order, at * size, rows)
        values, loss, _ = step(values, x[batch], y[batch], rates[at])
        return values, loss, at + 1  # the counter stays on the device between calls

    return gathered_step


def scanned(step: Step, *, traced: bool) -> Callable[..., tuple[Values, Any]]:
    """An epoch: all full batches in one scan, the partial one as one more step of the same program.

    It gives the loss of each step, (steps,); `traced`: loss, values and gradients of each.
    """

    def epoch(
        values: Values, x: Array, y: Array, row_order: Array, rates: Array, *, size: int
    ) -> tuple[Values, Any]:
        def body(values: Values, batch: tuple[Array, Array]) -> tuple[Values, Any]:
            rows, rate = batch
            values, loss, gradients = step(values, x[rows], y[rows], rate)
            return values, (loss, values, gradients) if traced else loss

        full = len(row_order) // size
        whole = row_order[: full * size].reshape(full, size)
        values, steps = lax.scan(body, values, (whole, rates[:full]))
        if full * size < len(row_order):
            values, last = body(values, (row_order[full * size :], rates[full]))
            steps = jax.tree.map(lambda many, single: jnp.concatenate([many, single[None]]), steps, last)
        return values, steps

    return epoch
