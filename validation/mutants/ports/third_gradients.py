"""Fifteen mistakes in programs of two functions, gradient and update, on linear regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_port import Array, Arrays, Port, Terms, huber
from .port_tasks import HUBER_HALF, HUBER_TWO, L1, MSE, MSE64, MSE_DECAYED, MSE_TWO, SMOOTH
from .programs import PortMutant, two_functions

# --- formulas -------------------------------------------------------------------------------------


def default_delta(port: Port, prediction: Array, y: Array) -> Terms:
    return *huber(prediction - y, 1.0), prediction.size


def smooth_for_huber(port: Port, prediction: Array, y: Array) -> Terms:
    value, derivative = huber(prediction - y, beta := port.options["delta"])
    return value / beta, derivative / beta, prediction.size


def parabola_without_beta(port: Port, prediction: Array, y: Array) -> Terms:
    e, beta = prediction - y, port.options["beta"]
    inside = np.abs(e) < beta
    value = np.where(inside, e * e / 2, np.abs(e) - beta / 2)
    return value, np.where(inside, e, np.sign(e)), prediction.size


def every_pair(port: Port, prediction: Array, y: Array) -> Terms:
    e = prediction.ravel() - y  # (n,) against (n, 1) is (n, n)
    return e * e, 2 * e.sum(axis=0)[:, None], e.size


# --- batches --------------------------------------------------------------------------------------


def standardized(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def targets_in_file_order(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    first = port.place * port.task.batch_size
    return x, port.y[first : first + len(y)]


def without_last_row(port: Port, x: Array, y: Array) -> tuple[Array, Array]:
    return x[:-1], y[:-1]


def nominal_count(port: Port, prediction: Array) -> int:
    return port.task.batch_size


def rows_alone(port: Port, prediction: Array) -> int:
    return len(prediction)


# --- gradients ------------------------------------------------------------------------------------


def in_float32(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    narrow = {name: theta.astype(np.float32) for name, theta in params.items()}
    loss, gradients = Port.gradient(port, narrow, x.astype(np.float32), y.astype(np.float32))
    return x.dtype.type(loss), {name: g.astype(x.dtype) for name, g in gradients.items()}


def bias_uphill(port: Port, index: int, x: Array, delta: Array) -> dict[str, Array]:
    return {f"{index}.weight": x.T @ delta, f"{index}.bias": (-delta).sum(axis=0)}


def finite_differences(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    def loss_at(name: str, theta: Array) -> Any:
        return port.loss(port.forward({**params, name: theta}, x)[-1], y)[0]

    gradients = {name: np.zeros_like(theta) for name, theta in params.items()}
    for name, theta in params.items():
        for place in np.ndindex(theta.shape):
            moved = theta.copy()
            moved[place] += 1e-6
            gradients[name][place] = (loss_at(name, moved) - loss_at(name, theta)) / 1e-6
    return loss_at("0.bias", params["0.bias"]), gradients


def mean_of_means(port: Port, params: Arrays, x: Array, y: Array) -> tuple[Any, dict[str, Array]]:
    parts = [Port.gradient(port, params, x[i : i + 5], y[i : i + 5]) for i in range(0, len(x), 5)]
    gradients = {name: np.stack([g[name] for _, g in parts]).mean(axis=0) for name in params}
    return np.stack([loss for loss, _ in parts]).mean(), gradients


# --- updates --------------------------------------------------------------------------------------


def weights_alone(port: Port, params: Arrays, gradients: Arrays, rate: float) -> Arrays:
    return {**Port.update(port, params, gradients, rate), "0.bias": params["0.bias"]}


def penalty_without_half(port: Port, name: str, theta: Array, g: Array) -> Array:
    return g + 2 * port.sgd.weight_decay * theta


THIRD_GRADIENTS = {
    "Huber's delta is not passed on and stays 1": PortMutant(
        "loss", two_functions(huber=default_delta), HUBER_HALF, r"delta|default|huber.*1\b"
    ),
    "smooth_l1 with beta = delta is taken for Huber": PortMutant(
        ("loss", "scale"),
        two_functions(huber=smooth_for_huber),
        HUBER_TWO,
        r"smooth|one half|half|0\.5|1 */ *delta|divided|beta",
    ),
    "beta is forgotten in the parabola of smooth_l1": PortMutant(
        "loss",
        two_functions(smooth_l1=parabola_without_beta),
        SMOOTH,
        r"beta|parabola|quadratic|inside|small|smooth_l1|formula",
    ),
    "a prediction (n,) less a target (n, 1) makes all pairs": PortMutant(
        ("labels", "loss"),
        two_functions(mse=every_pair),
        MSE,
        r"broadcast|pair|\(n, ?n\)|every target|all (the )?targets|mean (of the )?targets?|average",
    ),
    "features are standardized with the mean and deviation of each batch": PortMutant(
        "features",
        two_functions(batch=standardized),
        MSE,
        r"standardi|normali|feature|cent(er|re)|scaled|deviation",
    ),
    "x is shuffled and y is not": PortMutant(
        "labels", two_functions(batch=targets_in_file_order), SMOOTH, r"target|label|\by\b|shuffl"
    ),
    "the slice of a batch misses its last row": PortMutant(
        "rows",
        two_functions(batch=without_last_row),
        MSE,
        r"last row|miss|left out|without|fewer|short|drop|one row|15|rows",
    ),
    "the partial batch is divided by the nominal size": PortMutant(
        "partial batch",
        two_functions(count=nominal_count),
        L1,
        r"partial|last batch|nominal|16|full (size|batch)",
    ),
    "the mean is over rows and not over the elements of two outputs": PortMutant(
        ("scale", "loss"),
        two_functions(count=rows_alone),
        MSE_TWO,
        r"two|twice|doubl|by 2|2 times|outputs|rows|element|column",
    ),
    "JAX without x64 computes in float32 in a float64 run": PortMutant(
        "precision", two_functions(gradient=in_float32), HUBER_TWO, r"float32|narrow|precision|x64|single"
    ),
    "the bias's gradient lacks its minus, the weights' has it": PortMutant(
        "sign",
        two_functions(of_affine=bias_uphill),
        MSE,
        r"bias.*(sign|uphill|negat|minus|-1)|(sign|uphill|negat|minus).*bias",
    ),
    "gradients are forward differences": PortMutant(
        ("precision", "loss"),
        two_functions(gradient=finite_differences),
        MSE64,
        r"differen[ct]e?s? |finite|forward|approxim|numerical|precision|narrow|1e-0?6|e-0?[67]",
    ),
    "means over micro-batches of 5 are averaged, the smaller rest among them": PortMutant(
        ("partial batch", "rows", "loss"),
        two_functions(gradient=mean_of_means),
        MSE64,
        r"micro|means|unequal|weight(s|ed|ing)|more than|parts|last row|counts? (more|twice)|accumul|rows",
    ),
    "the intercept is not on the optimizer's list": PortMutant(
        "left out",
        two_functions(update=weights_alone),
        L1,
        r"bias.*(left|not|never|unchanged|still|stay|fixed|zero)|(not|left).*bias",
    ),
    "the penalty decay * |theta|^2 lacks its half": PortMutant(
        "weight decay",
        two_functions(decayed=penalty_without_half),
        MSE_DECAYED,
        r"decay.*(two|twice|doubl|half|2|0\.2)|(two|twice|doubl).*decay",
    ),
}
