"""Sentences that would be false: small mistakes are not taken for what makes deviations of their size."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Loss, Packaged, Synthetic, Tanh, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.parity import Rows, certify

pytestmark = pytest.mark.slow

FEATURES = 64


def cut(array, bits):
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent).astype(array.dtype)


def lane(*, rows=None, gradient=None, dtype="float32"):
    """The NumPy backend with rows or gradients changed, in one dtype alone."""

    class Changed(NumpyBackend):
        def put(self, array):
            array = super().put(array)
            return rows(array) if rows and array.ndim == 2 and array.dtype == dtype else array

        def forward_backward(self, state, batch):
            loss, gradients = super().forward_backward(state, batch)
            if gradient and loss.dtype == dtype:
                gradients = {name: gradient(g) for name, g in gradients.items()}
            return loss, gradients

    return Changed()


def diagnosis(program, *, task=None, data=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, FEATURES))
    data = data or Rows(x, x @ rng.normal(size=(FEATURES, 1)) + 0.1 * rng.normal(size=(600, 1)))
    task = task or Task(
        name="wide batch",
        dataset=Synthetic(rows=600, held_out=1, features=FEATURES),
        layers=(Linear(in_features=FEATURES, out_features=1),),
        optimizer=SGD(learning_rate=0.01),
        batch_size=256,
        epochs=1,
    )
    certificate = certify(program, task, data)
    assert certificate.status == "fail"
    return certificate.evidence[-1].judgement.diagnosis


@pytest.mark.parametrize("bits", [17, 20])
def test_narrow_inputs_are_narrow_inputs_and_no_permutation(bits):
    found = diagnosis(lane(rows=lambda array: cut(array, bits)))
    assert found.cause in ("precision", "unknown"), found.sentence
    assert "permutation" not in found.sentence


@pytest.mark.parametrize("bits", [12, 16])
def test_narrow_gradients_are_said_with_their_bits(bits):
    found = diagnosis(lane(gradient=lambda array: cut(array, bits)))
    assert (found.cause, found.sentence) == ("precision", f"gradients are numbers of {bits} bits")


def test_a_factor_near_to_one_is_not_taken_for_a_known_one():
    found = diagnosis(lane(gradient=lambda g: g * 1.00001, dtype="float64"))
    assert (found.cause, found.sentence) == ("scale", "the gradient is multiplied by 1 +1e-05")


def test_a_small_deviation_alone_is_not_called_float32():
    found = diagnosis(
        lane(gradient=lambda g: g + 1e-9 * np.sin(np.arange(g.size).reshape(g.shape)), dtype="float64")
    )
    assert found.cause == "unknown", found.sentence


def test_an_epsilon_in_a_logarithm_is_named_or_unknown():
    class Epsilon(NumpyBackend):
        def forward_backward(self, state, batch):
            x, y = batch
            p = 1 / (1 + np.exp(-self.predict(state, x)))
            loss = -(y * np.log(p + 1e-7) + (1 - y) * np.log(1 - p + 1e-7)).mean()
            delta = p * (1 - p) * ((1 - y) / (1 - p + 1e-7) - y / (p + 1e-7)) / y.size
            gradients = {"0.weight": x.T @ delta, "0.bias": delta.sum(axis=0)}
            return loss.astype(x.dtype), {k: v.astype(x.dtype) for k, v in gradients.items()}

    dataset = Packaged(name="breast_cancer")
    task = Task(
        name="cancer",
        dataset=dataset,
        layers=(Linear(in_features=30, out_features=1),),
        loss=Loss(name="bce_with_logits"),
        batch_size=64,
        epochs=1,
    )
    found = diagnosis(Epsilon(), task=task, data=datasets.load(dataset))
    assert found.cause == "loss", found.sentence
    assert "1e-07" in found.sentence


def test_a_rational_tanh_is_an_activation():
    class Rational(NumpyBackend):
        """Forward and backward in plain arrays, tanh by its approximation."""

        def forward_backward(self, state, batch):
            (x, y), params = batch, self.params(state)
            z = x @ params["0.weight"] + params["0.bias"]
            a = z * (27 + z * z) / (27 + 9 * z * z)
            e = a @ params["2.weight"] + params["2.bias"] - y
            delta = 2 * e / y.size
            below = delta @ params["2.weight"].T * (1 - a * a)
            gradients = {"0.weight": x.T @ below, "0.bias": below.sum(axis=0)}
            gradients |= {"2.weight": a.T @ delta, "2.bias": delta.sum(axis=0)}
            return (e * e).mean(), gradients

    layers = (Linear(in_features=FEATURES, out_features=8), Tanh(), Linear(in_features=8, out_features=1))
    task = Task(
        name="tanh",
        dataset=Synthetic(rows=600, held_out=1, features=FEATURES),
        layers=layers,
        optimizer=SGD(learning_rate=0.01),
        batch_size=64,
        epochs=1,
    )
    found = diagnosis(Rational(), task=task)
    assert found.cause == "activation", found.sentence
    assert "27" in found.sentence


class OneStep:
    """A right step of a linear model with momentum 0.9 that is changed at one step of each run."""

    def __init__(self, number, change):
        self.number, self.change, self.last = number, change, {}

    def __call__(self, params, x, y, learning_rate):
        if not self.last or any(not np.array_equal(params[k], self.last[k]) for k in params):
            self.count, self.buffers = 0, {}
        self.count += 1
        error = (x @ params["0.weight"] + params["0.bias"] - y) * x.dtype.type(2 / len(x))
        gradients = {"0.weight": x.T @ error, "0.bias": error.sum(axis=0)}
        if self.count == self.number:
            gradients = {name: self.change(g) for name, g in gradients.items()}
        momentum = x.dtype.type(0.9)
        self.buffers = {
            k: momentum * self.buffers[k] + g if self.buffers else g for k, g in gradients.items()
        }
        self.last = {k: params[k] - x.dtype.type(learning_rate) * self.buffers[k] for k in params}
        return {name: value.copy() for name, value in self.last.items()}


@pytest.mark.parametrize(
    ("number", "change", "never"),
    [
        (1, lambda g: g * 0, ("start", "momentum", "dampening")),
        (1, lambda g: g * g.dtype.type(1.37), ("start", "momentum", "dampening")),
        (6, lambda g: g / 2, ("partial batch",)),
    ],
)
def test_right_steps_refute_what_claims_every_step(number, change, never):
    """The task has five steps an epoch, the last one of each on a partial batch."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(70, 3))
    task = Task(
        name="one step",
        dataset=Synthetic(rows=70, held_out=1, features=3),
        layers=(Linear(in_features=3, out_features=1),),
        optimizer=SGD(learning_rate=0.03, momentum=0.9),
        batch_size=16,
        epochs=2,
    )
    found = diagnosis(OneStep(number, change), task=task, data=Rows(x, x @ [[2.0], [-3.4], [0.5]] + 4.2))
    assert found.cause not in never, found.sentence
    assert not set(never) & set(found.alternatives), found.sentence
