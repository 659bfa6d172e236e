"""Thirty mistakes of people who port a training step, written by someone who had not seen the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Backend, Batch, Host, RowOrder
from samestep.backends.numpy_backend import Floats
from samestep.backends.spec import SGD, Cosine, LeakyReLU, Task

from . import small_tasks as on
from .mutant import Method, Mutant
from .patches import (
    DAMPENED_START,
    FIRST_ROWS,
    RATE_IN_BUFFER,
    after_init,
    data,
    gradient,
    initial_params,
    layer,
    loss,
    loss_options,
    optax_chain,
    options,
    params,
    row_order,
    sgd,
)
from .small_tasks import BATCH, task

FLEETING = task(optimizer=SGD(momentum=0.9, schedule=Cosine()))
HALVES = task(batch_size=25, epochs=3)  # no partial batch
HEAVY = task(optimizer=SGD(momentum=0.9, weight_decay=0.1))
LEAKY = on.chain(LeakyReLU(negative_slope=0.2))

first = partial(Mutant, origin="first")
in_torch, in_jax = partial(first, framework="torch"), partial(first, framework="jax")

# --- NumPy ----------------------------------------------------------------------------------------


def fixed_buffer(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Iterator[Batch]:
    x, y = data
    buffer = np.empty((size, x.shape[1]), x.dtype)
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        yield np.take(x, batch, axis=0, out=buffer), y[batch]


def smoothed_over_the_others(declared: spec.Loss) -> Mapping[str, Any]:
    classes, smoothing = 10, declared.arguments["label_smoothing"]
    # s / (C - 1) each, none for the true
    return dict(declared.options) | {"label_smoothing": smoothing * classes / (classes - 1)}


def bessel(value: Any, derivative: Floats, rows: int) -> tuple[Any, Floats]:
    correction = rows / (rows - 1)
    return value * correction, derivative * correction


def reshaped(linear: Any, backward: Method, dz: Floats, *, need_dx: bool) -> Floats:
    backward(dz, need_dx=False)
    weight = linear.params["weight"]
    dx: Floats = dz @ weight.reshape(weight.shape[::-1])
    return dx


def from_one(gradient: Host) -> Host:
    gradient[:1] = 0  # for j in range(1, features)
    return gradient


def narrow_sum(lane: Any, original: Method, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
    x, y = batch
    value, derivative = state.loss(state.model.forward(x), y)
    bias = derivative.sum(axis=0, dtype=np.float32).astype(derivative.dtype)
    return value, state.model.backward(derivative) | {"0.bias": bias}


def sutskever(lane: Any, step: Method, state: Any, batch: Batch, rate: float) -> tuple[Any, Any]:
    momentum, buffers, params = state.optimizer.options.momentum, state.optimizer.buffers, lane.params(state)
    for name, theta in state.model.params.items():
        theta -= rate * momentum * buffers[name]
    value, gradients = lane.forward_backward(state, batch)
    for name, theta in state.model.params.items():
        theta[...] = params[name]
    return lane.update(state, gradients, rate), value


def boxed(sgd: Any, step: Method, params: dict[str, Floats], *others: Any) -> None:
    step(params, *others)
    for theta in params.values():
        np.clip(theta, -1, 1, out=theta)


def decoupled(sgd: Any, direction: Method, name: str, theta: Floats, g: Floats) -> Floats:
    buffer = sgd.buffers[name]
    buffer[...] = sgd.options.momentum * buffer + g
    decayed: Floats = buffer + sgd.options.weight_decay * theta
    return decayed


def wide_rate(lane: Any, update: Method, state: Any, gradients: Any, rate: float) -> Any:
    for index, linear in enumerate(state.model.layers):
        for name, theta in linear.params.items():
            linear.params[name] = theta - np.float64(rate) * gradients[f"{index}.{name}"]
    return state


NUMPY = {
    "the shuffled order of the first epoch is used for every epoch": first("rows", FIRST_ROWS),
    "each row meets the target of the row above it in the file": first(
        "labels", data(lambda x, y: (x, np.roll(y, 1, axis=0)))
    ),
    "the last batch is filled up with rows from the front of the order": first(
        "partial batch",
        row_order(lambda rows: np.take(rows, np.arange(-(-len(rows) // BATCH) * BATCH), mode="wrap")),
    ),
    "rows are gathered into a buffer that only a whole batch fits": first("error", {"batches": fixed_buffer}),
    "label smoothing is shared by the other classes only, s / (C - 1) each": first(
        "loss", loss_options(smoothed_over_the_others), on.DIGITS
    ),
    "the mean over a batch divides by n - 1": first("scale", loss(bessel), HALVES),
    "leaky ReLU forward, with the derivative of a plain ReLU backward": first(
        "activation",
        layer(numpy_backend.LeakyReLULayer, derivative=lambda leaky, derivative, x, z: x > 0),
        LEAKY,
    ),
    "the weight is reshaped where the backward pass needs its transpose": first(
        "transposed", layer(numpy_backend.LinearLayer, backward=reshaped), on.TANH
    ),
    "a loop over the features from 1 leaves the first weight untrained": first(
        "left out", gradient(from_one, "0.weight")
    ),
    "the gradient of the hidden layer's bias has the other sign": first(
        "sign", gradient(np.negative, "0.bias"), on.CHAIN
    ),
    "the bias gradient of a float64 task is summed in float32": first(
        "precision", {"forward_backward": narrow_sum}, on.DOUBLE
    ),
    "the bias is kept as a row of a matrix": first("shape", params(np.atleast_2d)),
    "momentum as in Keras, the falling learning rate inside the velocity": first(
        "momentum", RATE_IN_BUFFER, FLEETING
    ),
    "the very first gradient is dampened too": first("dampening", DAMPENED_START, on.DAMPENED),
    "nesterov as Sutskever wrote it, the gradient taken at the point ahead": first(
        "nesterov", {"step": sutskever, **options(nesterov=False)}, on.NESTEROV
    ),
    "decay as in AdamW, beside the momentum buffer instead of in it": first(
        "weight decay", sgd(direction=decoupled), HEAVY
    ),
    "the schedule's rates are taken from a log with three decimals": first(
        "learning rate",
        {"update": lambda lane, update, state, gradients, rate: update(state, gradients, round(rate, 3))},
        on.COSINE,
    ),
    "a NumPy float64 learning rate turns float32 parameters into float64": first(
        "dtype", {"update": wide_rate}
    ),
    "parameters are clipped to [-1, 1] after every step": first("unknown", sgd(step=boxed)),
}

# --- PyTorch --------------------------------------------------------------------------------------


def gradients_alone(lane: Any, original: Method, state: Any, batch: Batch) -> tuple[Any, dict[str, Any]]:
    import torch

    named, loss = dict(state.model.named_parameters()), state.loss(state.model(batch[0]), batch[1])
    gradients = torch.autograd.grad(loss, list(named.values()))  # leaves .grad alone
    return loss.detach(), dict(zip(named, gradients, strict=True))


def step_without_zeroing(lane: Any, step: Method, state: Any, batch: Batch, rate: float) -> tuple[Any, Any]:
    loss = state.loss(state.model(batch[0]), batch[1])
    loss.backward()
    state.optimizer.param_groups[0]["lr"] = rate
    state.optimizer.step()
    return state, loss.detach()


def zeroed_once(lane: Any, steps: Method, state: Any, *arguments: Any) -> Iterator[tuple[Any, Any]]:
    state.optimizer.zero_grad()
    yield from steps(state, *arguments)


def drop_last(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Iterator[Batch]:
    from torch.utils.data import DataLoader, TensorDataset

    yield from DataLoader(TensorDataset(*data), batch_size=size, sampler=rows.tolist(), drop_last=True)


def two_groups(lane: Any, state: Any, task: Task) -> None:
    from torch.optim import SGD

    named = list(state.model.named_parameters())
    groups = [{"params": [p for name, p in named if end in name]} for end in ("weight", "bias")]
    state.optimizer = SGD(groups, lr=task.optimizer.learning_rate)


def under_autocast(lane: Any, original: Method, *arguments: Any) -> Any:
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        return original(*arguments)


def averaging(lane: Any, state: Any, task: Task) -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    lane.average = average = AveragedModel(state.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    state.optimizer.register_step_post_hook(lambda *_: average.update_parameters(state.model))


def average_prediction(lane: Any, predict: Method, state: Any, x: Any) -> Any:
    return lane.average(x).detach()


def timed_on_shuffle(
    lane: Any, epoch: Method, state: Any, data: Batch, rows: RowOrder, size: int, rates: Host
) -> tuple[Any, list[Any]]:
    losses = []
    for batch, rate in zip(lane.shuffled(data, size, 0), rates.tolist(), strict=False):
        state, loss = lane.step(state, batch, rate)
        losses.append(loss)
    return state, losses


TORCH = {
    "zero_grad is called once per epoch, outside the inner loop": in_torch(
        "stale", {"forward_backward": gradients_alone, "step": step_without_zeroing, "steps": zeroed_once}
    ),
    "the DataLoader was left with drop_last=True": in_torch("partial batch", {"batches": drop_last}),
    "the schedule reaches the weights' parameter group and not the biases'": in_torch(
        "learning rate", after_init(two_groups), on.COSINE
    ),
    "the step runs under bfloat16 autocast": in_torch(
        "precision", {"forward_backward": under_autocast, "step": under_autocast}
    ),
    "predictions come from a moving average of the parameters": in_torch(
        "prediction", {"predict": average_prediction, **after_init(averaging)}
    ),
    "the timed epoch iterates a DataLoader with shuffle=True": in_torch(
        "timed program", {"epoch": timed_on_shuffle}
    ),
}

# --- JAX ------------------------------------------------------------------------------------------


def halves(lane: Any, step: Method, state: Any, batch: Batch, rate: float) -> tuple[Any, Any]:
    """A step of the two halves, in the place of the one compiled program."""
    return Backend.step(lane, state, batch, rate)


def broadcast(lane: Any, original: Method, state: Any, batch: Batch) -> Any:
    import jax.numpy as jnp
    from flax import nnx

    def objective(model: Any, x: Any, y: Any) -> Any:
        return jnp.mean((model(x) - y.ravel()) ** 2)  # (n, 1) - (n,) is (n, n)

    return nnx.value_and_grad(objective)(state.model, *batch)


def closed_over(lane: Any, state: Any, task: Task) -> None:
    from flax import nnx

    compiled, captured = state.programs.forward_backward, nnx.clone(state.model)
    state.programs = state.programs._replace(forward_backward=lambda _, x, y: compiled(captured, x, y))


JAX = {
    "flat targets broadcast every row against every target": in_jax(
        "labels", {"forward_backward": broadcast, "step": halves}
    ),
    "add_decayed_weights comes after the scaling by the rate": in_jax(
        "weight decay",
        optax_chain(lambda optax, by_rate, sgd: (by_rate, optax.add_decayed_weights(sgd.weight_decay))),
        on.DECAY,
    ),
    "optax.ema stands in for the momentum trace": in_jax(
        "momentum", optax_chain(lambda optax, by_rate, sgd: (optax.ema(sgd.momentum), by_rate)), on.MOMENTUM
    ),
    "kernels are loaded, and biases stay at Flax's zeros": in_jax(
        "start",
        initial_params(lambda params: {name: value * ("weight" in name) for name, value in params.items()}),
    ),
    "the jitted gradient closed over the initial parameters": in_jax(
        "stale", {"step": halves, **after_init(closed_over)}
    ),
}

FIRST = NUMPY | TORCH | JAX
