"""Mistakes that the doctor was written with in mind, in the NumPy backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from samestep.backends import numpy_backend
from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.numpy_backend import Floats

from . import small_tasks as on
from .mutant import Method, Methods, Mutant
from .patches import (
    DAMPENED_START,
    FIRST_RATE,
    FIRST_ROWS,
    GRADIENTS_BEFORE,
    RATE_IN_BUFFER,
    after_init,
    batch,
    forget,
    gradient,
    initial_params,
    layer,
    learning_rates,
    loss_options,
    options,
    params,
    row_order,
    scaled,
    sgd,
    update_with,
)
from .small_tasks import BATCH


def labels_by_position(
    lane: Any, original: Method, data: Batch, rows: RowOrder, size: int
) -> Iterator[Batch]:
    for start in range(0, len(rows), size):
        yield data[0][rows[start : start + size]], data[1][start : start + size]


def added(lane: Any, gradients: dict[str, Host]) -> dict[str, Host]:
    before = lane.memory or dict.fromkeys(gradients, 0)
    lane.memory = total = {name: before[name] + g for name, g in gradients.items()}
    return total


def raises(*_: Any) -> Any:
    raise RuntimeError("no such kernel")


def cut(bits: int) -> Methods:
    """Linear layers that take so many bits of their input."""

    def forward(layer: Any, original: Method, x: Floats) -> Any:
        fraction, exponent = np.frexp(x)
        return original(np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent).astype(x.dtype))

    return layer(numpy_backend.LinearLayer, forward=forward)


def without_bias(sgd: Any, step: Method, params: dict[str, Floats], gradients: Any, rate: float) -> None:
    step({name: theta for name, theta in params.items() if "bias" not in name}, gradients, rate)


def decay_after_rate(sgd: Any, step: Method, params: dict[str, Floats], gradients: Any, rate: float) -> None:
    right = sgd.options
    before = {name: theta.copy() for name, theta in params.items()}
    sgd.options = right.model_copy(update={"weight_decay": 0.0})
    step(params, gradients, rate)
    for name, theta in params.items():
        theta -= right.weight_decay * before[name]
    sgd.options = right


def doubles(params: dict[str, Host]) -> dict[str, Host]:
    return {name: value.astype(np.float64) for name, value in params.items()}


FORESEEN = {
    "one half of the loss, as optax.l2_loss": Mutant("scale", scaled(lambda n: 0.5), says="one half"),
    "twice the loss": Mutant("scale", scaled(lambda n: 2.0), says="two"),
    "a sum in the place of a mean": Mutant("scale", scaled(lambda n: n), says="sum"),
    "a mean in the place of a sum": Mutant("scale", scaled(lambda n: 1 / n), on.SUMMED, says="mean"),
    "SmoothL1 scaled by beta": Mutant("scale", scaled(lambda n: 0.4), on.SMOOTH, says="beta"),
    "Huber divided by delta": Mutant("scale", scaled(lambda n: 1 / 0.4), on.HUBER, says="delta"),
    "one half in the gradient alone": Mutant("scale", scaled(lambda n: 0.5, loss=False), says="one half"),
    "the partial batch divided by the nominal size": Mutant(
        "partial batch", scaled(lambda n: n / BATCH), says="nominal"
    ),
    "the partial batch changes nothing": Mutant(
        "partial batch",
        {"step": lambda lane, step, state, batch, rate: step(state, batch, rate * (len(batch[0]) == BATCH))},
    ),
    "the iterator drops the partial batch": Mutant(
        "partial batch", row_order(lambda rows: rows[: len(rows) // BATCH * BATCH]), says="drop"
    ),
    "the partial batch is filled up": Mutant(
        "partial batch",
        row_order(lambda rows: np.concatenate([rows, rows[: -len(rows) % BATCH]])),
        says="filled",
    ),
    "the weight's gradient is transposed": Mutant(
        "transposed", gradient(lambda g: np.ascontiguousarray(g.T), "0.weight"), on.CHAIN
    ),
    "the gradient of the step before": Mutant("stale", GRADIENTS_BEFORE),
    "gradients are not cleared": Mutant("stale", {**update_with(added), **after_init(forget)}),
    "rows are not shuffled": Mutant(
        "rows", row_order(lambda rows: np.arange(len(rows))), says="stored order"
    ),
    "the order is taken backwards": Mutant("rows", row_order(lambda rows: rows[::-1]), says="reversed"),
    "row numbers are off by one": Mutant(
        "rows", row_order(lambda rows: (rows + 1) % len(rows)), says="row after"
    ),
    "the first epoch's order in every epoch": Mutant("rows", FIRST_ROWS, says="first epoch"),
    "labels are not shuffled along": Mutant("labels", {"batches": labels_by_position}),
    "labels are one row late": Mutant("labels", batch(lambda x, y: (x, np.roll(y, 1, axis=0)))),
    "Huber's delta is left at 1": Mutant("loss", loss_options(lambda declared: {}), on.HUBER),
    "label smoothing is left out": Mutant("loss", loss_options(lambda declared: {}), on.DIGITS),
    "the bias has no gradient": Mutant("left out", gradient(np.zeros_like, "0.bias"), says="0.bias"),
    "the bias is not updated": Mutant("left out", sgd(step=without_bias), says="0.bias"),
    "an activation's derivative is left out": Mutant(
        "activation",
        layer(numpy_backend.TanhLayer, derivative=lambda tanh, derivative, x, z: np.ones_like(x)),
        on.TANH,
    ),
    "the first step is dampened": Mutant("dampening", DAMPENED_START, on.DAMPENED),
    "dampening is left out": Mutant("dampening", options(dampening=0.0), on.DAMPENED),
    "Nesterov is left out": Mutant("nesterov", options(nesterov=False), on.NESTEROV),
    "Nesterov is added": Mutant("nesterov", options(nesterov=True), on.MOMENTUM),
    "another momentum": Mutant("momentum", options(momentum=0.5), on.MOMENTUM, says="0.5"),
    "the learning rate is inside the buffer": Mutant("momentum", RATE_IN_BUFFER, on.MOMENTUM),
    "weight decay is left out": Mutant("weight decay", options(weight_decay=0.0), on.DECAY),
    "weight decay after the learning rate": Mutant(
        "weight decay", sgd(step=decay_after_rate), on.DECAY, says="after"
    ),
    "maximise is left out": Mutant("sign", options(maximize=False), on.MAXIMIZE),
    "uphill": Mutant("sign", sgd(direction=lambda sgd, direction, *given: -direction(*given))),
    "half the learning rate": Mutant(
        "learning rate",
        sgd(step=lambda sgd, step, params, gradients, rate: step(params, gradients, rate / 2)),
        says="one half",
    ),
    "the schedule is one step late": Mutant(
        "learning rate", learning_rates(lambda rates: np.concatenate([rates[:1], rates[:-1]])), on.COSINE
    ),
    "the schedule moves once an epoch": Mutant("learning rate", FIRST_RATE, on.COSINE),
    "the rate has been through float32": Mutant(
        "learning rate", learning_rates(lambda rates: rates.astype(np.float32).astype(rates.dtype)), on.COSINE
    ),
    "inputs cut to 11 bits": Mutant("precision", cut(11), says="11 bits"),
    "inputs cut to 8 bits": Mutant("precision", cut(8), says="8 bits"),
    "float32 gradients inside a float64 task": Mutant(
        "precision", gradient(lambda g: g.astype(np.float32).astype(g.dtype)), says="float32"
    ),
    "float64 throughout": Mutant(
        "dtype",
        {"put": lambda lane, put, array: array.astype(np.float64), **initial_params(doubles)},
        says="float64",
    ),
    "another start": Mutant(
        "start", {"init": lambda lane, init, task, **_: init(task.model_copy(update={"seed": 7}))}
    ),
    "the timed program leaves the partial batch out": Mutant(
        "timed program",
        {
            "epoch": lambda lane, epoch, state, data, rows, size, rates: epoch(
                state, data, rows[: len(rows) // size * size], size, rates[: len(rows) // size]
            )
        },
        says="partial",
    ),
    "predictions are halved": Mutant(
        "prediction", {"predict": lambda lane, predict, state, x: predict(state, x) * x.dtype.type(0.5)}
    ),
    "an exception": Mutant("error", update_with(raises)),
    "shapes are turned": Mutant("shape", params(np.transpose)),
    "not a number": Mutant(
        "unknown", update_with(lambda lane, gradients: {name: g * np.nan for name, g in gradients.items()})
    ),
}
