"""What the compiled JAX lanes compile: the steps of a task as functions of arrays alone, for jax.jit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import lax

from . import jax_losses, spec
from .jax_backend import activation, sgd
from .spec import Task

Params: TypeAlias = dict[str, jax.Array]


class Values(NamedTuple):
    """What training changes: parameters by name, weights (in, out), and the optimizer's own state."""

    params: Params
    optimizer: Any


Step: TypeAlias = Callable[[Values, jax.Array, jax.Array, Any], tuple[Values, jax.Array, Params]]


@jax.tree_util.register_static  # no leaves: nothing to wait for
@dataclass(frozen=True)
class JaxPrograms:
    """The jitted functions of one task; those that train consume (donate) the values they are given."""

    predict: Callable[..., jax.Array]
    forward_backward: Callable[..., tuple[jax.Array, Params]]
    update: Callable[..., Values]
    step: Callable[..., tuple[Values, jax.Array]]
    gathered_step: Callable[..., tuple[Values, jax.Array, jax.Array]]
    epoch: Callable[..., tuple[Values, jax.Array]]
    trace: Callable[..., tuple[Values, Any]]


def programs(task: Task) -> JaxPrograms:
    """Everything one task compiles."""
    predict = predictor(task)
    forward_backward = differentiated(task, predict)
    update = updater(task)

    def step(values: Values, x: jax.Array, y: jax.Array, rate: Any) -> tuple[Values, jax.Array, Params]:
        loss, gradients = forward_backward(values.params, x, y)
        return update(values, gradients, rate), loss, gradients

    return JaxPrograms(
        predict=jax.jit(predict),
        forward_backward=jax.jit(forward_backward),
        update=jax.jit(update, donate_argnums=0),
        step=jax.jit(lambda *arguments: step(*arguments)[:2], donate_argnums=0),
        gathered_step=jax.jit(gathered(step), static_argnames=("size", "rows"), donate_argnums=(0, 1)),
        epoch=jax.jit(scanned(step, traced=False), static_argnames="size", donate_argnums=0),
        trace=jax.jit(scanned(step, traced=True), static_argnames="size", donate_argnums=0),
    )


def predictor(task: Task) -> Callable[[Params, jax.Array], jax.Array]:
    """The model as a function of its parameters."""
    activations = [None if isinstance(layer, spec.Linear) else activation(layer) for layer in task.layers]

    def predict(params: Params, x: jax.Array) -> jax.Array:
        for i, function in enumerate(activations):
            x = function(x) if function else x @ params[f"{i}.weight"] + params[f"{i}.bias"]
        return x

    return predict


def differentiated(
    task: Task, predict: Callable[[Params, jax.Array], jax.Array]
) -> Callable[[Params, jax.Array, jax.Array], tuple[jax.Array, Params]]:
    """Loss and gradients of one batch."""
    loss = jax_losses.function(task.loss.name, task.loss.arguments)

    def forward_backward(params: Params, x: jax.Array, y: jax.Array) -> tuple[jax.Array, Params]:
        return jax.value_and_grad(lambda theta: loss(predict(theta, x), y))(params)

    return forward_backward


def updater(task: Task) -> Callable[[Values, Params, Any], Values]:
    """One optimizer step."""
    optimizer = sgd(task.optimizer)

    def update(values: Values, gradients: Params, rate: Any) -> Values:
        updates, state = optimizer.update(gradients, values.optimizer, values.params, learning_rate=rate)
        return Values(optax.apply_updates(values.params, updates), state)

    return update


def gathered(step: Step) -> Callable[..., tuple[Values, jax.Array, jax.Array]]:
    """A step that gathers its own batch: number `at` of `size` rows each, of which it has `rows`."""

    def gathered_step(
        values: Values,
        at: jax.Array,
        x: jax.Array,
        y: jax.Array,
        row_order: jax.Array,
        rates: jax.Array,
        *,
        size: int,
        rows: int,
    ) -> tuple[Values, jax.Array, jax.Array]:
        batch = lax.dynamic_slice_in_dim(row_order, at * size, rows)
        values, loss, _ = step(values, x[batch], y[batch], rates[at])
        return values, loss, at + 1  # the counter stays on the device between calls

    return gathered_step


def scanned(step: Step, *, traced: bool) -> Callable[..., tuple[Values, Any]]:
    """An epoch: all full batches in one scan, the partial one as one more step of the same program.

    It gives the loss of each step, (steps,); `traced`: loss, values and gradients of each.
    """

    def body(
        data: tuple[jax.Array, jax.Array], values: Values, batch: tuple[jax.Array, jax.Array]
    ) -> tuple[Values, Any]:
        (x, y), (rows, rate) = data, batch
        values, loss, gradients = step(values, x[rows], y[rows], rate)
        return values, (loss, values, gradients) if traced else loss

    def epoch(
        values: Values, x: jax.Array, y: jax.Array, row_order: jax.Array, rates: jax.Array, *, size: int
    ) -> tuple[Values, Any]:
        full = len(row_order) // size
        whole = row_order[: full * size].reshape(full, size)
        values, steps = lax.scan(partial(body, (x, y)), values, (whole, rates[:full]))
        if full * size < len(row_order):
            values, last = body((x, y), values, (row_order[full * size :], rates[full]))
            steps = jax.tree.map(lambda many, single: jnp.concatenate([many, single[None]]), steps, last)
        return values, steps

    return epoch
