"""The tasks that the held-out mistakes are made on, and their data: small, seeded, a second each.

Features have different means and widths, and targets reach both sides of every kink, so that a mistake shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samestep.backends.spec import (
    SGD,
    Cosine,
    Dtype,
    Initialization,
    Layer,
    LeakyReLU,
    Linear,
    Loss,
    Normal,
    ReLU,
    Sigmoid,
    StepDecay,
    Synthetic,
    Tanh,
    Task,
    Xavier,
)
from samestep.benchmarks.parity import Rows

# --- data -----------------------------------------------------------------------------------------


def rows_of(task: Task) -> Rows:
    """The rows of a task, drawn by its seed: real targets, classes or zeros and ones, as its loss takes them."""
    rng, (outputs,) = np.random.default_rng(task.seed + 1), list(task.parameters.values())[-1]
    assert isinstance(task.dataset, Synthetic)
    n, k = task.dataset.rows, task.dataset.features
    x = rng.normal(size=(n, k)) * rng.uniform(0.6, 1.6, size=k) + rng.uniform(-0.8, 0.8, size=k)
    scores = (
        x @ rng.normal(size=(k, outputs)) + rng.normal(size=outputs) + 0.5 * rng.normal(size=(n, outputs))
    )
    match task.loss.name:
        case "cross_entropy":
            y = scores.argmax(axis=1)
            if "ignore_index" in task.loss.arguments:
                y[rng.uniform(size=n) < 0.2] = task.loss.arguments["ignore_index"]
            return Rows(x, y)
        case "bce_with_logits":
            return Rows(x, (scores > 0).astype(np.float64))
        case _:
            return Rows(x, scores)


# --- tasks ----------------------------------------------------------------------------------------


def task(
    name: str, layers: tuple[Layer, ...], loss: str = "mse", dtype: Dtype = "float32", **options: Any
) -> Task:
    """A task on 150 rows in batches of 16, the last of 6; options of SGD by their names, the rest to the loss."""
    sgd = {key: options.pop(key) for key in list(options) if key in SGD.model_fields}
    epochs, first = options.pop("epochs", 2), layers[0]
    assert isinstance(first, Linear)
    hidden = len(layers) > 1
    return Task(
        name=name,
        dataset=Synthetic(rows=150, held_out=1, features=first.in_features),
        layers=layers,
        init=Initialization(weight=Xavier() if hidden else Normal(std=0.3), bias=Normal(std=0.2)),
        loss=Loss(name=loss, options=tuple(sorted(options.items()))),
        optimizer=SGD(**{"learning_rate": 0.05} | sgd),
        batch_size=16,
        epochs=epochs,
        seed=sum(name.encode()),
        dtype=dtype,
    )


def linear(features: int, outputs: int = 1) -> tuple[Layer, ...]:
    """One Linear layer."""
    return (Linear(in_features=features, out_features=outputs),)


def chain(*parts: int | Layer) -> tuple[Layer, ...]:
    """Layers with the widths between them: chain(8, ReLU(), 10, ...) is read as widths and nonlinearities."""
    layers: list[Layer] = []
    width = 0
    for part in parts:
        if not isinstance(part, int):
            layers.append(part)
        else:
            if width:
                layers.append(Linear(in_features=width, out_features=part))
            width = part
    return tuple(layers)


# Momentum, for programs of one function.
PLAIN = task("momentum", linear(6), momentum=0.9, learning_rate=0.02)
PLAIN64 = task("momentum in float64", linear(5), momentum=0.9, learning_rate=0.02, dtype="float64")
NESTEROV = task("nesterov", linear(7), momentum=0.9, nesterov=True, learning_rate=0.02)
DAMPED = task("dampening", linear(6), momentum=0.9, dampening=0.5)
DECAYED = task("decay", linear(8), "huber", momentum=0.9, weight_decay=0.05, delta=1.5)
NESTEROV_DECAYED = task(
    "nesterov with decay", linear(6), momentum=0.9, nesterov=True, weight_decay=0.05, learning_rate=0.02
)
STEPPED = task(
    "step decay",
    linear(6),
    momentum=0.9,
    schedule=StepDecay(every=2, gamma=0.8),
    epochs=3,
    learning_rate=0.02,
)
COSINE = task("cosine", linear(9), "smooth_l1", momentum=0.9, schedule=Cosine(final=0.001), beta=0.7)
SQUARE_MOMENTUM = task(
    "square layers with momentum", chain(4, 4, Tanh(), 4, Tanh(), 1), momentum=0.9, learning_rate=0.02
)
CLASSES_MOMENTUM = task("classes with momentum", chain(6, 8, ReLU(), 3), "cross_entropy", momentum=0.9)

# Linear regression, for programs of two functions.
MSE = task("mse", linear(6))
MSE64 = task("mse in float64", linear(5), dtype="float64")
MSE_TWO = task("two outputs", linear(6, 2))
MSE_DECAYED = task("mse with decay", linear(6), weight_decay=0.1)
HUBER_HALF = task("huber 0.5", linear(7), "huber", delta=0.5)
HUBER_TWO = task("huber 2", linear(6), "huber", dtype="float64", delta=2.0)
SMOOTH = task("smooth_l1", linear(8), "smooth_l1", beta=0.5)
L1 = task("l1", linear(6), "l1")

# Hidden layers and classes, for programs of two functions.
WEIGHTED = task("weighted classes", chain(8, 10, ReLU(), 4), "cross_entropy", weight=(0.5, 1.0, 2.0, 3.0))
SMOOTHED = task(
    "smoothed classes", chain(7, 9, Tanh(), 5), "cross_entropy", "float64", label_smoothing=0.1, momentum=0.9
)
CLASSES = task("classes", chain(6, 8, ReLU(), 4), "cross_entropy")
CLASSES64 = task("classes in float64", chain(6, 7, Sigmoid(), 3), "cross_entropy", "float64")
IGNORED = task("ignored rows", chain(8, 9, Sigmoid(), 4), "cross_entropy", ignore_index=-100)
IGNORED_LAST = task("ignored -1", chain(6, 8, Tanh(), 4), "cross_entropy", "float64", ignore_index=-1)
RARE = task(
    "rare positives", chain(8, 6, LeakyReLU(negative_slope=0.2), 1), "bce_with_logits", pos_weight=(3.0,)
)
RARE_TWO = task("two rare answers", chain(6, 8, Tanh(), 2), "bce_with_logits", pos_weight=(3.0, 0.5))
TANH = task("tanh regression", chain(6, 8, Tanh(), 1), momentum=0.9, learning_rate=0.002)
SQUARE = task("square layers", chain(6, 6, Tanh(), 6, ReLU(), 1), "huber", "float64", delta=1.0)
DEEP = task("two hidden layers", chain(8, 10, ReLU(), 6, ReLU(), 1), momentum=0.9, learning_rate=0.002)
