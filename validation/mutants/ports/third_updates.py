"""Twenty mistakes in programs of one function, on tasks with momentum: mostly in the optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_port import Array, Arrays, Port
from .port_tasks import (
    CLASSES_MOMENTUM,
    COSINE,
    DAMPED,
    DECAYED,
    NESTEROV,
    NESTEROV_DECAYED,
    PLAIN,
    PLAIN64,
    SQUARE_MOMENTUM,
    STEPPED,
)
from .programs import PortMutant, one_function

# --- momentum and Nesterov ------------------------------------------------------------------------


def rate_in_buffer(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    port.buffers = {name: 0.9 * port.buffers.get(name, 0) + rate * g for name, g in gradients.items()}
    return {name: theta - port.buffers[name] for name, theta in params.items()}


def averaged(port: Port, name: str, g: Array) -> Array:
    b = port.buffers[name] = 0.9 * port.buffers.get(name, 0) + (1 - 0.9) * g
    return b


def damped_at_once(port: Port, name: str, g: Array) -> Array:
    port.buffers[name] = 0.9 * port.buffers.get(name, 0) + (1 - port.sgd.dampening) * g
    return port.buffers[name]


def begun_anew(port: Port, name: str, g: Array) -> Array:
    if port.place == 0:
        port.buffers.pop(name, None)
    return Port.buffer(port, name, g)


def of_shape(port: Port, name: str, g: Array) -> Array:
    return Port.buffer(port, str(g.shape), g)


def aliased(port: Port, name: str, g: Array) -> Array:
    if port.steps:
        b = g  # the buffer is the gradient's own memory, which the backward pass has just filled anew
        b *= 0.9
        b += g
    return g


def none_for_bias(port: Port, name: str, g: Array) -> Array:
    return g if name.endswith("bias") else Port.buffer(port, name, g)


def at_look_ahead(port: Port, params: Arrays, x: Array, y: Array, rate: float) -> Arrays:
    ahead = {name: theta - rate * 0.9 * port.buffers.get(name, 0) for name, theta in params.items()}
    gradients = port.gradient(ahead, x, y)[1]
    return {name: theta - rate * port.buffer(name, gradients[name]) for name, theta in params.items()}


def buffer_twice(port: Port, name: str, theta: Array, g: Array) -> Array:
    return (1 + 0.9) * port.buffer(name, g)


# --- weight decay ---------------------------------------------------------------------------------


def weights_alone(port: Port, name: str, theta: Array, g: Array) -> Array:
    return g if name.endswith("bias") else Port.decayed(port, name, theta, g)


def decoupled(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    kept = 1 - rate * port.sgd.weight_decay
    return {name: kept * theta - rate * port.buffer(name, gradients[name]) for name, theta in params.items()}


def decay_after_sgd(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    steps = {name: -rate * port.buffer(name, g) for name, g in gradients.items()}
    return {name: theta + (steps[name] + port.sgd.weight_decay * theta) for name, theta in params.items()}


# --- the learning rate ----------------------------------------------------------------------------


def rate_by_epoch(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    return Port.update(port, params, gradients, float(port.sgd.learning_rates(30)[port.epoch]))


def rate_of_next(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    rates = np.append(port.sgd.learning_rates(20), port.sgd.schedule.model_dump()["final"])
    return Port.update(port, params, gradients, float(rates[port.steps + 1]))


def wide_rate(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    return Port.update(port, params, gradients, np.float64(rate))


# --- gradients, rows and the start ----------------------------------------------------------------


def adam(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    after, t = {}, port.steps + 1
    for name, g in gradients.items():
        m = port.buffers[f"m/{name}"] = 0.9 * port.buffers.get(f"m/{name}", 0) + 0.1 * g
        v = port.buffers[f"v/{name}"] = 0.999 * port.buffers.get(f"v/{name}", 0) + 0.001 * g * g
        after[name] = params[name] - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return after


def clipped(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    norm = float(np.sqrt(sum(float((g * g).sum()) for g in gradients.values())))
    gradients = {name: g * min(1.0, 1.0 / (norm + 1e-6)) for name, g in gradients.items()}
    return Port.update(port, params, gradients, rate)


def cleared_by_epoch(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    loss, gradients = Port.gradient(port, params, x, y)
    port.kept = {name: port.kept[name] + g if port.place else g for name, g in gradients.items()}
    return loss, dict(port.kept)


def order_of_first_epoch(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    first = port.place * port.task.batch_size
    rows = port.task.row_order(len(port.x), epoch=0)[first : first + len(x)]
    return port.x[rows], port.y[rows]


def start_of_its_own(port: Port, params: Arrays, x: Array, y: Array, rate: float) -> Arrays:
    if port.steps == 0:
        rng = np.random.default_rng(0)
        port.kept = {name: rng.normal(0, 0.1, p.shape).astype(p.dtype) for name, p in params.items()}
    port.kept = Port.step(port, port.kept, x, y, rate)
    return port.kept


THIRD_UPDATES = {
    "the learning rate goes into the velocity while a schedule changes it": PortMutant(
        ("momentum", "learning rate"),
        one_function(update=rate_in_buffer),
        STEPPED,
        r"rate.*(buffer|velocit|momentum)|(buffer|velocit|momentum).*rate",
    ),
    "the buffer is an exponential average, with one minus momentum before the gradient": PortMutant(
        ("dampening", "momentum"),
        one_function(buffer=averaged),
        PLAIN,
        r"dampen|averag|one minus|1 - m|times 0\.1|by 0\.1|0\.1 times|tenth",
    ),
    "dampening acts on the first gradient too": PortMutant(
        "dampening",
        one_function(buffer=damped_at_once),
        DAMPED,
        r"dampen.*(first|start|begin|initial|too)|first.*dampen",
    ),
    "the buffer is begun anew at every epoch": PortMutant(
        "momentum",
        one_function(buffer=begun_anew),
        PLAIN64,
        r"epoch|reset|anew|again|cleared|restart|forg[eo]t|lost|empt|zero|fresh",
    ),
    "layers of one shape share one buffer": PortMutant(
        "momentum",
        one_function(buffer=of_shape),
        SQUARE_MOMENTUM,
        r"shar|shape|other (parameter|tensor|layer|buffer)|another|common|mixed|one buffer|same buffer",
    ),
    "the buffer is the gradient's own array, which the next backward pass fills anew": PortMutant(
        ("momentum", "stale"),
        one_function(buffer=aliased),
        PLAIN,
        r"alias|array|copy|overwr|1\.8|(new|this) gradient|no memory|not.*(earlier|previous)|buffer",
    ),
    "biases get no momentum": PortMutant(
        "momentum", one_function(buffer=none_for_bias), CLASSES_MOMENTUM, r"bias.*momentum|momentum.*bias"
    ),
    "Nesterov's gradient is taken at the look-ahead parameters": PortMutant(
        "nesterov", one_function(step=at_look_ahead), NESTEROV, r"look|ahead|nesterov"
    ),
    "Nesterov's direction adds the buffer to itself in the place of the gradient": PortMutant(
        "nesterov",
        one_function(direction=buffer_twice),
        NESTEROV,
        r"nesterov|1\.9|buffer (twice|itself|again)",
    ),
    "biases are left out of weight decay": PortMutant(
        "weight decay", one_function(decayed=weights_alone), NESTEROV_DECAYED, r"bias.*decay|decay.*bias"
    ),
    "weight decay is decoupled from the gradient, as in AdamW": PortMutant(
        "weight decay",
        one_function(update=decoupled),
        DECAYED,
        r"decoupl|adamw|outside|past|(not|without|instead|before|after|around).*(buffer|momentum|gradient)",
    ),
    "decay is added to the finished step, uphill and without the learning rate": PortMutant(
        "weight decay",
        one_function(update=decay_after_sgd),
        DECAYED,
        r"decay.*(sign|rate|after|up|wrong|grow|negat|outside|step)",
    ),
    "the scheduler steps once an epoch and not once a step": PortMutant(
        "learning rate",
        one_function(update=rate_by_epoch),
        STEPPED,
        r"epoch|schedul|constant|(rate|decay).*(slow|late|step|larg|high)",
    ),
    "the scheduler steps before the optimizer, so that every step has the next one's rate": PortMutant(
        "learning rate",
        one_function(update=rate_of_next),
        COSINE,
        r"next|one step|early|ahead|shift|before|schedul|later step|off by one",
    ),
    "a float64 scalar as learning rate widens the parameters": PortMutant(
        "dtype", one_function(update=wide_rate), PLAIN, r"float64"
    ),
    "Adam runs in the place of SGD with momentum": PortMutant(
        "optimizer",
        one_function(update=adam),
        PLAIN,
        r"adam|optimizer|adaptive|sign|normali[sz]|each component|second moment",
    ),
    "gradients are still clipped to norm 1": PortMutant(
        ("scale", "optimizer"), one_function(update=clipped), NESTEROV, r"clip|norm|limit|length|short|cap"
    ),
    "gradients are cleared once an epoch and add up within it": PortMutant(
        "stale",
        one_function(gradient=cleared_by_epoch),
        PLAIN64,
        r"add|accumul|clear|zero|earlier|sum|previous",
    ),
    "the shuffle is seeded alike in every epoch": PortMutant(
        "rows", one_function(batch=order_of_first_epoch), PLAIN, r"order|epoch|shuffl|other rows|permut|seed"
    ),
    "the port trains from its own initial values and never loads those it is given": PortMutant(
        "start",
        one_function(step=start_of_its_own),
        PLAIN64,
        r"start|initial|own (values|parameters|weights)",
    ),
}
