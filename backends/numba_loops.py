"""The loops that Numba compiles: one linear layer trained by SGD, written as one would in C.

theta is (outputs, features + 1): of each output the weights, then the bias. Every number has the data's dtype.
Sums over features may be taken in any order, and products fused into them; all else is done as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

from .interface import Host, RowOrder

Number: TypeAlias = Any  # a scalar of the data's dtype
Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compiled as it is written; a division by zero is infinite, as in NumPy."""
    return _jitted(function, error_model="numpy")


def reordered(function: Loop) -> Loop:
    """Compiled with sums in any order and products fused into them; infinities and NaN stay what they are."""
    return _jitted(function, error_model="numpy", fastmath={"reassoc", "contract"})


def _jitted(function: Loop, **options: Any) -> Loop:
    """Compiled and kept in Numba's cache; in this process alone where no folder for it can be written to."""
    try:
        return cast(Loop, njit(cache=True, **options)(function))
    except RuntimeError:
        return cast(Loop, njit(**options)(function))


class Settings(NamedTuple):
    """A task's loss and optimizer as numbers of its dtype.

    With c = clip(e, -width, width), a residual e has the loss curvature c (e - c / 2) and the derivative
    curvature c. An infinite width and the curvature 2 make it e^2. `undampened` is 1 - dampening.
    """

    width: Number
    curvature: Number
    mean: bool
    momentum: Number
    undampened: Number
    weight_decay: Number
    nesterov: bool
    maximize: bool


class Recording(NamedTuple):
    """What every step left behind: (steps, *theta.shape) each, or no steps at all where nothing is recorded."""

    thetas: Host
    buffers: Host
    gradients: Host


@reordered
def weighted_sum(weights: Host, row: Host) -> Number:
    """sum_j weights[j] row[j] over the row."""
    total = row.dtype.type(0)
    for j in range(len(row)):
        total += weights[j] * row[j]
    return total


@compiled
def predictions(x: Host, theta: Host) -> Host:
    """The layer's output (n, outputs)."""
    z = np.empty((len(x), len(theta)), x.dtype)
    for i in range(len(x)):
        for k in range(len(theta)):
            z[i, k] = weighted_sum(theta[k], x[i]) + theta[k, -1]
    return z


@compiled
def loss_and_gradient(
    x: Host, y: Host, rows: RowOrder, theta: Host, settings: Settings, gradient: Host
) -> Number:
    """The loss of a batch; its gradient goes into `gradient`."""
    half, one, loss = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(0)
    outputs, features = len(theta), x.shape[1]
    part = one / x.dtype.type(len(rows) * outputs) if settings.mean else one
    gradient[:] = 0
    for i in rows:
        for k in range(outputs):
            e = weighted_sum(theta[k], x[i]) + theta[k, features] - y[i, k]
            c = e
            if c > settings.width:
                c = settings.width
            elif c < -settings.width:
                c = -settings.width
            derivative = settings.curvature * c
            loss += derivative * (e - half * c)
            derivative *= part
            for j in range(features):
                gradient[k, j] += derivative * x[i, j]
            gradient[k, features] += derivative
    return loss * part


@compiled
def update(
    theta: Host, buffer: Host, gradient: Host, learning_rate: Number, settings: Settings, started: bool
) -> None:
    """One step of SGD, in place; the first one with momentum copies the direction undampened."""
    for k in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            direction = -gradient[k, j] if settings.maximize else gradient[k, j]
            if settings.weight_decay:
                direction += settings.weight_decay * theta[k, j]
            if settings.momentum:
                b = direction
                if started:
                    b = settings.momentum * buffer[k, j] + settings.undampened * direction
                buffer[k, j] = b
                direction = direction + settings.momentum * b if settings.nesterov else b
            theta[k, j] -= learning_rate * direction


@compiled
def epoch(
    x: Host,
    y: Host,
    rows: RowOrder,
    batch_size: int,
    learning_rates: Host,
    theta: Host,
    buffer: Host,
    settings: Settings,
    started: bool,
    recording: Recording,
) -> Host:
    """A step for each learning rate, in place: the losses (steps,)."""
    losses = np.empty(len(learning_rates), x.dtype)
    gradient = np.empty_like(theta)
    for t in range(len(learning_rates)):
        batch = rows[t * batch_size : (t + 1) * batch_size]
        losses[t] = loss_and_gradient(x, y, batch, theta, settings, gradient)
        update(theta, buffer, gradient, learning_rates[t], settings, started or t > 0)
        if len(recording.thetas):
            recording.thetas[t] = theta
            recording.gradients[t] = gradient
            if settings.momentum:
                recording.buffers[t] = buffer
    return losses
