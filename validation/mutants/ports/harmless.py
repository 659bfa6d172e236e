"""Ten correct ways of writing the same step: each has to pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_port import Array, Arrays, Port, log_softmax
from .port_tasks import (
    CLASSES,
    DEEP,
    MSE,
    NESTEROV,
    NESTEROV_DECAYED,
    PLAIN,
    RARE_TWO,
    SMOOTHED,
    SQUARE_MOMENTUM,
    WEIGHTED,
)
from .programs import Rewriting, one_function, two_functions


def column_of_ones(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    z = np.hstack([x, np.ones((len(x), 1), x.dtype)])
    theta = np.vstack([params["0.weight"], params["0.bias"]])
    loss, delta = port.loss(z @ theta, y)
    gradient = z.T @ delta
    return loss, {"0.weight": gradient[:-1], "0.bias": gradient[-1]}


def rate_in_buffer(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    port.buffers = {name: 0.9 * port.buffers.get(name, 0) + rate * g for name, g in gradients.items()}
    return {name: theta - port.buffers[name] for name, theta in params.items()}


def as_keras_writes_it(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    port.buffers = {name: 0.9 * port.buffers.get(name, 0) - rate * g for name, g in gradients.items()}
    return {name: theta + 0.9 * port.buffers[name] - rate * gradients[name] for name, theta in params.items()}


def largest_of_batch(port: Port, z: Array) -> Array:
    return log_softmax(z - z.max())


def weights_of_sum_one(port: Port, x: Array) -> Array:
    w = Port.class_weights(port, x)
    result: Array = w / w.sum()
    return result


def micro_batches(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    parts = [slice(i, min(i + 5, len(x))) for i in range(0, len(x), 5)]
    results = [(Port.gradient(port, params, x[p], y[p]), (p.stop - p.start) / len(x)) for p in parts]
    gradients = {name: np.sum([share * g[name] for (_, g), share in results], axis=0) for name in params}
    return sum(share * loss for (loss, _), share in results), gradients


def row_by_row(port: Port, index: int, x: Array, delta: Array) -> dict[str, Array]:
    weight, bias = np.zeros_like(np.outer(x[0], delta[0])), np.zeros_like(delta[0])
    for row, error in zip(x, delta, strict=True):
        weight += np.outer(row, error)
        bias += error
    return {f"{index}.weight": weight, f"{index}.bias": bias}


def penalty_in_gradient(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    loss, gradients = Port.gradient(port, params, x, y)
    half = port.sgd.weight_decay / 2
    penalty = sum(half * float((theta * theta).sum()) for theta in params.values())
    return loss + penalty, {name: g + half * (params[name] + params[name]) for name, g in gradients.items()}


def decayed_already(port: Port, name: str, theta: Array, g: Array) -> Array:
    return g


def in_float64(port: Port, params: Arrays, x: Array, y: Array, rate: float) -> Arrays:
    wide = {name: theta.astype(np.float64) for name, theta in params.items()}
    after = Port.step(port, wide, x.astype(np.float64), y.astype(np.float64), rate)
    return {name: theta.astype(x.dtype) for name, theta in after.items()}


def sorted_by_feature(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    order = np.argsort(x[:, 0])
    return x[order], y[order]


HARMLESS = {
    "the bias is one more weight, of a column of ones": Rewriting(
        two_functions(gradient=column_of_ones), MSE
    ),
    "the velocity holds the learning rate, which is constant": Rewriting(
        one_function(update=rate_in_buffer), PLAIN
    ),
    "Nesterov as Keras writes it": Rewriting(one_function(update=as_keras_writes_it), NESTEROV),
    "softmax subtracts the largest number of the batch": Rewriting(
        two_functions(log_softmax=largest_of_batch), CLASSES
    ),
    "class weights are scaled to the sum 1": Rewriting(
        two_functions(class_weights=weights_of_sum_one), WEIGHTED
    ),
    "micro-batches add up by their rows": Rewriting(two_functions(gradient=micro_batches), DEEP),
    "gradients add up row by row": Rewriting(two_functions(of_affine=row_by_row), SMOOTHED),
    "weight decay is a penalty of the loss": Rewriting(
        one_function(gradient=penalty_in_gradient, decayed=decayed_already), NESTEROV_DECAYED
    ),
    "every step is computed in float64 and rounded once": Rewriting(
        one_function(step=in_float64), SQUARE_MOMENTUM
    ),
    "the rows of a batch are sorted": Rewriting(two_functions(batch=sorted_by_feature), RARE_TWO),
}
