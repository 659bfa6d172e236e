"""Twenty more mistakes of people who port a training step, by someone who had not seen the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from samestep.backends import numpy_backend
from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.numpy_backend import Floats
from samestep.backends.spec import Task

from . import small_tasks as on
from .mutant import Method, Mutant
from .patches import (
    FIRST_RATE,
    GRADIENTS_BEFORE,
    after_init,
    data,
    initial_params,
    layer,
    learning_rates,
    loss,
    optax_chain,
    row_order,
    scaled,
)
from .small_tasks import FEATURES

second = partial(Mutant, origin="second")
in_torch, in_jax = partial(second, framework="torch"), partial(second, framework="jax")

# --- NumPy ----------------------------------------------------------------------------------------


def sorted_reads(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Iterator[Batch]:
    x, y = data
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        yield x[np.sort(batch)], y[batch]


def root(value: Any, derivative: Floats, rows: int) -> tuple[Any, Floats]:
    return np.sqrt(value), derivative / (2 * np.sqrt(value))


def new_every_epoch(lane: Any, steps: Method, state: Any, *arguments: Any) -> Any:
    state.optimizer = lane.optimizer(state.optimizer.options, state.model.params, None)
    return steps(state, *arguments)


def penalty_too(lane: Any, original: Method, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
    value, gradients = original(state, batch)
    decay, params = state.optimizer.options.weight_decay, state.model.params
    penalty = decay / 2 * sum(np.sum(theta * theta) for theta in params.values())
    return value + penalty, {name: g + decay * params[name] for name, g in gradients.items()}


NUMPY = {
    "each batch is a random choice with replacement": second(
        "rows", row_order(lambda rows: np.random.default_rng(rows).choice(rows, len(rows)))
    ),
    "the rows of a batch are sorted to read the features, and not to read the targets": second(
        "labels", {"batches": sorted_reads}
    ),
    "a float64 task's data are read as float32 and promoted later": second(
        "precision", {"put": lambda lane, put, array: put(array.astype(np.float32))}, on.DOUBLE
    ),
    "the targets stay float64, as pandas read them": second(
        "dtype", data(lambda x, y: (x, y.astype(np.float64)))
    ),
    "the model is trained on the root of the mean squared error": second("loss", loss(root)),
    "the gradient is divided by the batch's size in the loss and again in the layer": second(
        "scale", scaled(lambda n: 1 / n, loss=False)
    ),
    "the derivative of tanh is 1 - x^2 of its input instead of its output": second(
        "activation",
        layer(numpy_backend.TanhLayer, derivative=lambda tanh, derivative, x, z: 1 - x * x),
        on.TANH,
    ),
    "the finished classifier gives probabilities for logits": second(
        "prediction",
        {"predict": lambda lane, predict, state, x: 1 / (1 + np.exp(-predict(state, x)))},
        on.CANCER,
    ),
    "every update applies the gradients of the batch before": second("stale", GRADIENTS_BEFORE),
    "the optimiser is made anew at the start of every epoch": second(
        "momentum", {"steps": new_every_epoch}, on.MOMENTUM
    ),
    "the decay is a penalty in the loss and an option of the optimiser as well": second(
        "weight decay", {"forward_backward": penalty_too}, on.DECAY
    ),
    "the schedule advances once per epoch instead of per step": second(
        "learning rate", FIRST_RATE, on.COSINE
    ),
}

# --- PyTorch --------------------------------------------------------------------------------------


def new_head(lane: Any, state: Any, task: Task) -> None:
    from copy import deepcopy

    state.model[-1] = deepcopy(state.model[-1])  # the optimizer has the parameters of the other


def turned(arrays: dict[str, Host]) -> dict[str, Host]:
    return {name: a.T if a.shape[0] == a.shape[-1] else a for name, a in arrays.items()}


def then_turned(lane: Any, original: Method, value: Any) -> dict[str, Host]:
    return turned(original(value))  # turned twice is not turned


TORCH = {
    "a softmax comes before the cross entropy, which has its own": in_torch(
        "loss",
        after_init(
            lambda lane, state, task: state.loss.register_forward_pre_hook(
                lambda _, given: (given[0].softmax(dim=1), given[1])
            )
        ),
        on.DIGITS,
    ),
    "the output layer was replaced after the optimiser was made": in_torch(
        "left out", after_init(new_head), on.CHAIN
    ),
    "scheduler.step() comes before optimizer.step()": in_torch(
        "learning rate", learning_rates(lambda rates: np.append(rates[1:], rates[-1:])), on.STEPPED
    ),
    "weights are transposed only where the shapes disagree, so square ones are not": in_torch(
        "transposed", {"params": then_turned, "gradients": then_turned, **initial_params(turned)}, on.CHAIN
    ),
}

# --- JAX ------------------------------------------------------------------------------------------


def zero_padded(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Iterator[Batch]:
    import jax.numpy as jnp

    for x, y in batches(data, rows, size):
        short = ((0, size - len(x)), (0, 0))
        yield jnp.pad(x, short), jnp.pad(y, short)


def warmed_up(lane: Any, init: Method, task: Task, params: Any = None, buffers: Any = None) -> Any:
    import jax.numpy as jnp

    x, y = (jnp.zeros((task.batch_size, width), task.dtype) for width in (FEATURES, 1))
    return lane.step(init(task, params, buffers), (x, y), task.optimizer.learning_rate)[0]


JAX = {
    "the last batch is padded with rows of zeros": in_jax("partial batch", {"batches": zero_padded}),
    "optax.scale(-1) follows a scaling by the rate that has the minus already": in_jax(
        "sign", optax_chain(lambda optax, by_rate, sgd: (by_rate, optax.scale(-1.0)))
    ),
    "the step that compiles the program on zeros also trains": in_jax("start", {"init": warmed_up}),
    "optax.adam stands in for plain descent": in_jax(
        "optimizer", optax_chain(lambda optax, by_rate, sgd: (optax.scale_by_adam(), by_rate))
    ),
}

SECOND = NUMPY | TORCH | JAX
