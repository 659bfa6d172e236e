"""What the compiled JAX lanes compile: the steps of a task as functions of arrays alone, for jax.jit.

Values go in and out as a list of arrays: a call takes that apart faster than a tree with dictionaries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from . import jax_losses, losses, spec
from .interface import Batch
from .jax_backend import activation, sgd
from .jax_chunks import block_count, pieces, steps_at_once, take_rows
from .spec import Task

Params: TypeAlias = dict[str, Array]
Leaves: TypeAlias = list[Array]  # of Values


class Values(NamedTuple):
    """What training changes: parameters by name, weights (in, out), and the optimizer's own state."""

    params: Params
    optimizer: Any


class StepResult(NamedTuple):
    """Values after a step; its loss and gradients."""

    values: Values
    loss: Array
    gradients: Params


LossAndGradients: TypeAlias = Callable[[Params, Array, Array], tuple[Array, Params]]
Step: TypeAlias = Callable[[Values, Array, Array, Any], StepResult]  # of x, y and learning rate
StepOfRows: TypeAlias = Callable[
    [Values, Batch, Array, Any], StepResult
]  # of all data and the rows of a batch


@jax.tree_util.register_static  # no leaves: nothing to wait for
@dataclass(frozen=True)
class JaxPrograms:
    """The jitted functions of one task; those that train consume (donate) the leaves that they are given."""

    tree: Any  # of Values, whose leaves they take and give
    predict: Callable[..., Array]
    forward_backward: Callable[..., tuple[Array, Params]]
    update: Callable[..., Leaves]
    step: Callable[..., tuple[Leaves, Array]]
    begin: Callable[..., tuple[Array, Array, Array]]
    gathered_step: Callable[..., tuple[Leaves, Array, Array]]
    epoch: Callable[..., tuple[Leaves, Array]]
    trace: Callable[..., tuple[Leaves, Any]]


def programs(task: Task, device: jax.Device) -> JaxPrograms:
    """Everything one task compiles for a device; on a CPU, wide batches are taken block by block."""
    blocks = device.platform == "cpu" and losses.get(task.loss.name).target == "real"
    predict, optimizer = predictor(task), sgd(task.optimizer)
    loss = jax_losses.function(task.loss.name, task.loss.arguments)
    names: dict[str, Any] = dict.fromkeys(task.parameters, 0.0)
    tree: Any = jax.tree.structure(Values(names, optimizer.init(names)))

    def forward_backward(params: Params, x: Array, y: Array) -> tuple[Array, Params]:
        return jax.value_and_grad(lambda theta: loss(predict(theta, x), y))(params)

    def update(values: Values, gradients: Params, rate: Any) -> Values:
        updates, state = optimizer.update(gradients, values.optimizer, values.params, learning_rate=rate)
        return Values(optax.apply_updates(values.params, updates), state)

    def step(values: Values, x: Array, y: Array, rate: Any) -> StepResult:
        value, gradients = forward_backward(values.params, x, y)
        return StepResult(update(values, gradients, rate), value, gradients)

    def step_of_rows(values: Values, data: Batch, rows: Array, rate: Any) -> StepResult:
        count = block_count(data, len(rows)) if blocks else 1
        if count == 1:
            return step(values, *take_rows(data, rows), rate)
        divisor = count if task.loss.reduction == "mean" else 1
        value, gradients = summed(forward_backward, values.params, data, rows.reshape(count, -1), divisor)
        return StepResult(update(values, gradients, rate), value, gradients)

    def updated(leaves: Leaves, gradients: Params, rate: Any) -> Leaves:
        return jax.tree.leaves(update(tree.unflatten(leaves), gradients, rate))

    def stepped(leaves: Leaves, x: Array, y: Array, rate: Any) -> tuple[Leaves, Array]:
        values, value, _ = step(tree.unflatten(leaves), x, y, rate)
        return jax.tree.leaves(values), value

    fused = partial(jax.jit, static_argnames="size", donate_argnums=0)
    return JaxPrograms(
        tree=tree,
        predict=jax.jit(predict),
        forward_backward=jax.jit(forward_backward),
        update=jax.jit(updated, donate_argnums=0),
        step=jax.jit(stepped, donate_argnums=0),
        begin=jax.jit(begin, out_shardings=jax.sharding.SingleDeviceSharding(device)),
        gathered_step=jax.jit(
            gathered(step_of_rows, tree), static_argnames=("size", "rows"), donate_argnums=(0, 1)
        ),
        epoch=fused(scanned(step, step_of_rows, tree, traced=False)),
        trace=fused(scanned(step, step_of_rows, tree, traced=True)),
    )


def predictor(task: Task) -> Callable[[Params, Array], Array]:
    """The model as a function of its parameters."""
    activations = [None if isinstance(layer, spec.Linear) else activation(layer) for layer in task.layers]

    def predict(params: Params, x: Array) -> Array:
        for i, function in enumerate(activations):
            x = function(x) if function else x @ params[f"{i}.weight"] + params[f"{i}.bias"]
        return x

    return predict


def summed(
    forward_backward: LossAndGradients, params: Params, data: Batch, blocks: Array, divisor: int
) -> tuple[Array, Params]:
    """Loss and gradients of all blocks of rows (count, rows), each gathered when it is due; over `divisor`."""

    def add(total: Any, rows: Array) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, forward_backward(params, *take_rows(data, rows))), None

    none = jax.tree.map(jnp.zeros_like, (next(iter(params.values())).ravel()[0], params))
    total, _ = lax.scan(add, none, blocks)
    value, gradients = jax.tree.map(lambda value: value / divisor, total)
    return value, gradients


def begin(row_order: Array, rates: Array) -> tuple[Array, Array, Array]:
    """What the gathered steps of an epoch take, on the device by one call: rows, learning rates and a counter."""
    return row_order, rates, jnp.zeros((), jnp.int32)


def gathered(step: StepOfRows, tree: Any) -> Callable[..., tuple[Leaves, Array, Array]]:
    """A step that gathers its own batch: number `at` of `size` rows each, of which it has `rows`."""

    def gathered_step(
        leaves: Leaves, at: Array, x: Array, y: Array, row_order: Array, rates: Array, *, size: int, rows: int
    ) -> tuple[Leaves, Array, Array]:
        batch = lax.dynamic_slice_in_dim(row_order, at * size, rows)
        values, loss, _ = step(tree.unflatten(leaves), (x, y), batch, rates[at])
        return jax.tree.leaves(values), loss, at + 1  # the counter stays on the device between calls

    return gathered_step


def scanned(
    step: Step, step_of_rows: StepOfRows, tree: Any, *, traced: bool
) -> Callable[..., tuple[Leaves, Any]]:
    """An epoch as one program: a scan over chunks, which gathers the rows of many steps; in it one over steps.

    The steps beyond whole chunks are a chunk too, and so is the partial batch. It gives the loss of each step,
    (steps,); `traced`: loss, values and gradients of each.
    """

    def kept(after: StepResult) -> tuple[Values, Any]:
        return after.values, (after.loss, after.values, after.gradients) if traced else after.loss

    def epoch(
        leaves: Leaves, x: Array, y: Array, row_order: Array, rates: Array, *, size: int
    ) -> tuple[Leaves, Any]:
        def body(values: Values, batch: tuple[Array, Array, Array]) -> tuple[Values, Any]:
            return kept(step(values, *batch))

        def chunk(values: Values, steps: tuple[Array, Array]) -> tuple[Values, Any]:
            rows, rates = steps  # (steps, size), (steps,)
            if len(rates) > 1:
                return lax.scan(body, values, (*take_rows((x, y), rows), rates))
            values, single = kept(step_of_rows(values, (x, y), rows[0], rates[0]))
            return values, jax.tree.map(lambda value: value[None], single)

        values, done, parts = tree.unflatten(leaves), 0, []
        for shape in pieces(len(row_order), size, steps_at_once((x, y), size)):
            steps = slice(done, done := done + shape[0] * shape[1])
            rows = row_order[steps.start * size :][: math.prod(shape)]
            values, part = lax.scan(chunk, values, (rows.reshape(shape), rates[steps].reshape(shape[:2])))
            parts.append(jax.tree.map(lambda each: each.reshape(-1, *each.shape[2:]), part))
        return jax.tree.leaves(values), jax.tree.map(lambda *each: jnp.concatenate(each), *parts)

    return epoch
