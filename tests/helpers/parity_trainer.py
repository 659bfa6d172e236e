"""Correct and wrong programs for the parity tests: a plain NumPy trainer with chosen arithmetic and mistakes.

A `Trainer` does every step in the task's dtype. What is correct but different: the way sums are formed, division
or multiplication by a reciprocal, where the mean's divisor is applied, fused updates, flushed subnormals. What is
wrong: one named mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from samestep.backends import numpy_losses, spec
from samestep.backends.interface import Trace
from samestep.backends.spec import Initialization, Linear, Normal, Synthetic, Task
from samestep.benchmarks.parity import Certificate, Rows, Workload, certify

# --- sums, in every correct order -----------------------------------------------------------------------------


def blas(a, b):
    return a @ b


def forwards(a, b):
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for k in range(a.shape[1]):
        total = total + a[:, k : k + 1] * b[k]
    return total


def backwards(a, b):
    return forwards(a[:, ::-1], b[::-1])


def widened(a, b):
    """Exact products and sums, rounded once: what fused multiply-adds and wide accumulators tend to."""
    return (a.astype(np.longdouble) @ b.astype(np.longdouble)).astype(a.dtype)


def flushing(a, b):
    """Subnormal inputs, products and results are zero."""
    return flush(forwards(flush(a), flush(b)))


def flush(a):
    return np.where(abs(a) < np.finfo(a.dtype).tiny, a.dtype.type(0), a)


def cut(bits):
    """Inputs cut to a mantissa of so many bits (8: bfloat16, 11: TF32), products and sums in full."""

    def matmul(a, b):
        return rounded(a, bits) @ rounded(b, bits)

    return matmul


def rounded(a, bits):
    mantissa, exponent = np.frexp(a)
    return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(a.dtype)


SUMS = {f.__name__: f for f in (blas, forwards, backwards, widened, flushing)}


# --- the trainer ----------------------------------------------------------------------------------------------


@dataclass
class Trainer:
    """Trains a task; `mistake` names what it does wrong, "" nothing."""

    task: Task
    matmul: Any = blas
    reciprocal: bool = False
    divide_late: bool = False
    fused: bool = False
    mistake: str = ""
    buffers: dict[str, Any] = field(default_factory=dict)
    stale: dict[str, Any] = field(default_factory=dict)

    def run(self, workload: Workload) -> Trace:
        params = {name: value.copy() for name, value in workload.start.items()}
        losses_: list[Any] = []
        rows: list[Any] = []
        for index, batch in enumerate(workload.batches()):
            x, y = self.batch(batch.x, batch.y, workload, index)
            if self.mistake == "partial batch dropped" and len(x) < self.task.batch_size:
                gradients = {name: np.zeros_like(value) for name, value in params.items()}
                loss = losses_[-1] * 0
            else:
                loss, gradients = self.gradients(params, x, y)
                params = self.update(params, gradients, batch.learning_rate, first=index == 0)
            losses_.append(loss)
            rows.append((params, dict(self.buffers), gradients))
        tables = [{k: np.stack([row[i][k] for row in rows]) for k in rows[0][i]} for i in range(3)]
        return Trace(np.array(losses_, dtype=losses_[0].dtype), *tables)

    def batch(self, x, y, workload, index):
        if self.mistake == "other rows":
            return workload.x[: len(x)], workload.y[: len(y)]
        if self.mistake == "labels not shuffled along":
            return x, workload.y[: len(y)]
        if self.mistake == "float64 inside":
            return x.astype(np.float64), y.astype(np.float64)
        return x, y

    def gradients(self, params, x, y):
        values = [x]
        for index, layer in enumerate(self.task.layers):
            values.append(self.forward(params, index, layer, values[-1]))
        loss, delta, divisor = self.loss(values[-1], y)
        gradients = {}
        for index in reversed(range(len(self.task.layers))):
            layer, a = self.task.layers[index], values[index]
            if isinstance(layer, Linear):
                gradients[f"{index}.weight"] = self.matmul(a.T, delta)
                gradients[f"{index}.bias"] = self.matmul(np.ones((1, len(a)), a.dtype), delta)[0]
                if self.mistake == "bias never updated":
                    gradients[f"{index}.bias"] *= 0
                delta = self.matmul(delta, params[f"{index}.weight"].T)
            else:
                delta = delta * activation_derivative(layer, a, values[index + 1])
        if self.divide_late:
            gradients = {name: g / g.dtype.type(divisor) for name, g in gradients.items()}
        gradients = {name: gradients[name] for name in params}
        if self.mistake == "gradient of the batch before":
            self.stale, gradients = gradients, self.stale or gradients
        return loss, gradients

    def forward(self, params, index, layer, a):
        if isinstance(layer, Linear):
            weight = params[f"{index}.weight"]
            if self.mistake == "weights transposed" and weight.shape[0] == weight.shape[1]:
                weight = weight.T
            return self.matmul(a, weight) + params[f"{index}.bias"]
        return activation(layer, a)

    def loss(self, prediction, y):
        declared = self.task.loss
        arguments = {**declared.arguments, "reduction": "none"}
        if self.mistake == "option off" and "delta" in arguments:
            arguments["delta"] *= 1.25
        value, derivatives = numpy_losses.function(declared.name, arguments)(prediction, y)
        delta, dtype = derivatives["prediction"], prediction.dtype.type
        divisor = dtype(self.divisor(prediction, y))
        total = value.sum() / divisor
        if self.divide_late:
            return total, delta, divisor
        return total, delta * (dtype(1) / divisor) if self.reciprocal else delta / divisor, divisor

    def divisor(self, prediction, y):
        loss = self.task.loss
        if (loss.reduction == "sum") != (self.mistake == "sum for mean"):
            return 1
        if self.mistake == "factor one half":
            return 2 * prediction.size
        if self.mistake == "partial batch by nominal size":
            return self.task.batch_size * prediction.shape[1]
        options = dict(loss.options)
        if loss.name in ("cross_entropy", "nll") and y.ndim == 1:
            weight = np.asarray(options.get("weight", np.ones(prediction.shape[1])), prediction.dtype)
            return np.where(y == options.get("ignore_index", -100), 0, weight[np.where(y < 0, 0, y)]).sum()
        by_row = ("cross_entropy", "multi_margin", "multilabel_margin", "multilabel_soft_margin")
        return len(y) if loss.name in by_row or loss.reduction == "batchmean" else prediction.size

    def update(self, params, gradients, rate, *, first):
        o = self.task.optimizer
        decay, mistake, new = o.weight_decay, self.mistake, {}
        for name, theta in params.items():
            g = -gradients[name] if o.maximize else gradients[name]
            if decay and mistake != "decay after the learning rate":
                g = g + decay * theta
            if o.momentum:
                undampened = first and mistake != "dampening on the first step"
                carried = 0 * g if first else o.momentum * self.buffers[name]
                self.buffers[name] = g if undampened else carried + (1 - o.dampening) * g
                g = g + o.momentum * self.buffers[name] if o.nesterov else self.buffers[name]
            moved = theta - self.rate(rate, theta) * g
            if self.fused:
                moved = (theta.astype(np.longdouble) - np.longdouble(rate) * g).astype(theta.dtype)
            new[name] = (
                moved - decay * theta if decay and mistake == "decay after the learning rate" else moved
            )
        return {name: value.astype(params[name].dtype) for name, value in new.items()}

    def rate(self, rate, theta):
        return float(np.float32(rate)) if self.mistake == "learning rate rounded to float32" else rate


def activation(layer, z):
    match layer:
        case spec.ReLU():
            return np.maximum(z, 0)
        case spec.LeakyReLU(negative_slope=below):
            return np.where(z > 0, z, z * z.dtype.type(below))
        case spec.Sigmoid():
            with np.errstate(over="ignore"):
                return 1 / (1 + np.exp(-z))
        case _:
            return np.tanh(z)


def activation_derivative(layer, z, value):
    match layer:
        case spec.ReLU():
            return (z > 0).astype(z.dtype)
        case spec.LeakyReLU(negative_slope=below):
            return np.where(z > 0, 1, below).astype(z.dtype)
        case spec.Sigmoid():
            return value * (1 - value)
        case _:
            return 1 - value * value


# --- a small task to certify ----------------------------------------------------------------------------------


def make(dtype="float32", **fields):
    defaults = {
        "layers": (Linear(in_features=3, out_features=1),),
        "init": Initialization(weight=Normal(std=0.5)),
        "batch_size": 8,
        "epochs": 2,
    }
    dataset = Synthetic(rows=30, held_out=1, features=3)
    return Task(name="certified", dataset=dataset, dtype=dtype, **(defaults | fields))


def rows(count=30, features=3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, features))
    return Rows(x, x @ rng.normal(size=(features, 1)) + 0.01 * rng.normal(size=(count, 1)))


def certified(lane_class, **fields):
    """The certificate of a backend class on the small task; one line of reason, and a JSON round trip."""
    certificate = certify(lane_class(), make(**fields), rows(), run_steps=3)
    assert "\n" not in certificate.reason
    text = certificate.model_dump_json()
    assert Certificate.model_validate_json(text).model_dump_json() == text
    return certificate
