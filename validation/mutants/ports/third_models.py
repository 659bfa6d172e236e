"""Fifteen mistakes in programs of two functions on models with hidden layers and on classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from samestep.backends.spec import Layer, LeakyReLU

from .plain_port import Array, Arrays, Port, Terms, log_softmax, sigmoid
from .port_tasks import (
    CLASSES,
    CLASSES64,
    DEEP,
    IGNORED,
    IGNORED_LAST,
    RARE,
    RARE_TWO,
    SMOOTHED,
    SQUARE,
    TANH,
    WEIGHTED,
)
from .programs import PortMutant, two_functions

# --- losses ---------------------------------------------------------------------------------------


def weight_by_element(port: Port, x: Array, y: Array) -> Terms:
    value, _, divisor = Port.cross_entropy(port, x, y)
    error = np.exp(log_softmax(x)) - np.eye(x.shape[1], dtype=x.dtype)[y]
    return value, port.class_weights(x) * error, divisor


def spread_over_others(port: Port, one_hot: Array) -> Array:
    part, others = float(port.options["label_smoothing"]), one_hot.shape[1] - 1
    result: Array = (1 - part) * one_hot + (1 - one_hot) * (part / others)
    return result


def ignored_in_divisor(port: Port, x: Array, y: Array) -> Terms:
    value, derivative, _ = Port.cross_entropy(port, x, y)
    return value, derivative, len(y)


def last_class_for_ignored(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    return x, y % 4  # the one-hot row of -1 is the last class's, as in NumPy's indexing


def weight_on_negatives(port: Port, x: Array, t: Array) -> Terms:
    p = np.asarray(port.options["pos_weight"], x.dtype)
    value = t * np.logaddexp(0, -x) + p * (1 - t) * np.logaddexp(0, x)
    return value, p * (1 - t) * sigmoid(x) - t * sigmoid(-x), x.size


def softmax_twice(port: Port, x: Array, y: Array) -> Terms:
    p = np.exp(log_softmax(x))
    value, derivative, divisor = Port.cross_entropy(port, p, y)
    return value, p * (derivative - (p * derivative).sum(axis=1, keepdims=True)), divisor


def softmax_over_rows(port: Port, x: Array, y: Array) -> Terms:
    log_p, wanted = log_softmax(x, axis=0), np.eye(x.shape[1], dtype=x.dtype)[y]
    return -wanted * log_p, np.exp(log_p) * wanted.sum(axis=0) - wanted, len(y)


def logarithm_with_epsilon(port: Port, x: Array, y: Array) -> Terms:
    p, one_hot = np.exp(log_softmax(x)), np.eye(x.shape[1], dtype=x.dtype)[y]
    true = (p * one_hot).sum(axis=1, keepdims=True)
    return -np.log(true + 1e-7), (p - one_hot) * true / (true + 1e-7), len(y)


def class_before(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    return x, (y - 1) % 4  # class 0 becomes -1, which is the last class's one-hot row


# --- layers ---------------------------------------------------------------------------------------


def default_leak(port: Port, layer: LeakyReLU) -> float:
    return 0.01


def slope_of_input(port: Port, layer: Layer, z: Array, a: Array) -> Any:
    return 1 - z * z


def hard_sigmoid(port: Port, params: Arrays, index: int, layer: Layer, z: Array) -> Array:
    return np.clip(0.2 * z + 0.5, 0, 1)


def hard_slope(port: Port, layer: Layer, z: Array, a: Array) -> Any:
    return np.where(np.abs(z) < 2.5, 0.2, 0).astype(z.dtype)


def half_precision(port: Port, params: Arrays, index: int, layer: Layer, z: Array) -> Array:
    return Port.activate(port, params, index, layer, z).astype(np.float16).astype(z.dtype)


# --- backward -------------------------------------------------------------------------------------


def square_untransposed(port: Port, params: Arrays, index: int, gradients: Arrays, delta: Array) -> Array:
    weight = params[f"{index}.weight"]
    result: Array = delta @ (weight if weight.shape[0] == weight.shape[1] else weight.T)
    return result


def through_new_weights(port: Port, params: Arrays, index: int, gradients: Arrays, delta: Array) -> Array:
    name = f"{index}.weight"
    result: Array = delta @ (params[name] - port.sgd.learning_rate * gradients[name]).T
    return result


THIRD_MODELS = {
    "each column's error has the weight of its own class and not of the row's": PortMutant(
        "loss", two_functions(cross_entropy=weight_by_element), WEIGHTED, r"weight"
    ),
    "label smoothing is spread over the other classes alone": PortMutant(
        "loss",
        two_functions(smoothed=spread_over_others),
        SMOOTHED,
        r"smooth|spread|c - 1|other classes|0\.125|0\.12",
    ),
    "ignored rows count in the mean's divisor": PortMutant(
        ("loss", "scale", "partial batch"),
        two_functions(cross_entropy=ignored_in_divisor),
        IGNORED,
        r"ignor|divi|count|all rows|number of rows",
    ),
    "ignored rows of class -1 train the last class": PortMutant(
        ("loss", "labels"),
        two_functions(batch=last_class_for_ignored, counted=lambda port, y: y >= 0),
        IGNORED_LAST,
        r"ignor|-1|last class",
    ),
    "pos_weight multiplies the negative answers": PortMutant(
        "loss",
        two_functions(bce_with_logits=weight_on_negatives),
        RARE_TWO,
        r"pos_weight|negative|positive|weight",
    ),
    "softmax is taken in the model and again in the loss": PortMutant(
        ("loss", "activation"),
        two_functions(cross_entropy=softmax_twice),
        CLASSES64,
        r"softmax|twice|again|double|probabilit",
    ),
    "softmax runs over the rows of the batch": PortMutant(
        "loss",
        two_functions(cross_entropy=softmax_over_rows),
        CLASSES,
        r"softmax.*(row|batch|axis)|axis|over (the )?(rows|batch)|dim",
    ),
    "the logarithm has an epsilon, log(p + 1e-7)": PortMutant(
        ("loss", "precision"),
        two_functions(cross_entropy=logarithm_with_epsilon),
        CLASSES64,
        r"eps|log|1e-0?7|e-0?[78]|clamp|clip|formula",
    ),
    "classes are taken as counted from 1": PortMutant(
        "labels",
        two_functions(batch=class_before),
        CLASSES,
        r"off by one|from (one|1)|shift|class (before|below)|label|target|- 1",
    ),
    "LeakyReLU keeps its default slope": PortMutant(
        "activation", two_functions(leak=default_leak), RARE, r"slope|leak|0\.01|relu"
    ),
    "tanh's derivative is taken of the input and not of the output": PortMutant(
        "activation", two_functions(slope=slope_of_input), TANH, r"tanh|derivative|activation|slope"
    ),
    "a hard sigmoid stands in for the sigmoid": PortMutant(
        "activation",
        two_functions(activate=hard_sigmoid, slope=hard_slope),
        IGNORED,
        r"sigmoid|activation|nonlinear|another function",
    ),
    "hidden activations pass through float16": PortMutant(
        "precision", two_functions(activate=half_precision), RARE, r"float16|half|narrow|precision|bits"
    ),
    "the square layer's weight is not transposed on the way back": PortMutant(
        "transposed", two_functions(down=square_untransposed), SQUARE, r"transpos|other way"
    ),
    "errors pass back through weights that are updated already": PortMutant(
        "stale",
        two_functions(down=through_new_weights),
        DEEP,
        r"update|already|new (weight|param)|later|after|stepped|next",
    ),
}
