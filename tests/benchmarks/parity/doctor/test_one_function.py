"""The doctor asked about one function from parameters to parameters, on tasks with momentum."""

from __future__ import annotations

import re

import numpy as np
import pytest

from samestep.backends.spec import SGD, Linear, Synthetic, Task
from samestep.benchmarks.parity import Rows, certify

pytestmark = pytest.mark.slow

ROWS, FEATURES = 60, 3
MOMENTUM = SGD(learning_rate=0.03, momentum=0.9)
NESTEROV = SGD(learning_rate=0.03, momentum=0.9, nesterov=True)
DAMPENED = SGD(learning_rate=0.03, momentum=0.9, dampening=0.5)
DECAYED = SGD(learning_rate=0.03, momentum=0.9, weight_decay=0.01)
PLAIN = SGD(learning_rate=0.03)
# the mistake, the task's optimizer, the doctor's word (or alternative), and a pattern of its sentence
MISTAKES = [
    ("momentum forgotten", MOMENTUM, "momentum", "left out"),
    ("momentum 0.8", MOMENTUM, "momentum", r"another momentum: 0\.8"),
    ("nesterov", MOMENTUM, "nesterov", "looks ahead"),
    ("dampening 1 - mu", MOMENTUM, "dampening", "dampening"),
    ("average", MOMENTUM, "dampening", "average"),
    ("sutskever", MOMENTUM, "nesterov", "Sutskever"),
    ("half a gradient", MOMENTUM, "scale", "one half"),
    ("uphill", MOMENTUM, "sign", "other sign|other way"),
    ("twice the rate", MOMENTUM, "learning rate", "two"),
    ("plain momentum", NESTEROV, "nesterov", "without the look ahead"),
    ("sutskever", NESTEROV, "nesterov", "Sutskever"),
    ("momentum forgotten", NESTEROV, "momentum", "left out"),
    ("half a gradient", NESTEROV, "scale", "one half"),
    ("dampening left out", DAMPENED, "dampening", "left out"),
    ("decoupled", DECAYED, "weight decay", "decoupled"),
    ("no decay", DECAYED, "weight decay", "left out"),
    ("decay of the other sign", DECAYED, "weight decay", "other sign"),
    ("momentum forgotten", DECAYED, "momentum", "left out"),
    ("gradients not cleared", PLAIN, "stale", "not cleared"),
    ("gradients not cleared", MOMENTUM, "stale", "not cleared"),
    ("half a gradient", PLAIN, "scale", "one half"),
    ("uphill", PLAIN, "sign", "other sign|other way"),
    ("momentum 0.8", PLAIN, "momentum", r"0\.8"),
]


class Step:
    """A step function that carries its momentum, and makes one mistake; a new run begins at other parameters."""

    def __init__(self, mistake: str, declared: SGD) -> None:
        self.mistake, self.declared = mistake, declared
        self.buffers: dict = {}
        self.total: dict = {}
        self.last: dict = {}

    def __call__(self, params, x, y, learning_rate):
        if not self.last or any(not np.array_equal(params[k], self.last[k]) for k in params):
            self.buffers, self.total = {}, {}
        kind, number = x.dtype.type, self.declared
        rate, momentum, decay = kind(learning_rate), kind(number.momentum), kind(number.weight_decay)
        momentum = {"momentum forgotten": kind(0), "momentum 0.8": kind(0.8)}.get(self.mistake, momentum)
        at = params
        if self.mistake == "sutskever" and self.buffers:
            at = {k: params[k] - rate * momentum * self.buffers[k] for k in params}
        gradients = self.gradients(at, x, y)
        decoupled = self.mistake == "decoupled"
        coupled = {"no decay": kind(0), "decoupled": kind(0), "decay of the other sign": -decay}.get(
            self.mistake, decay
        )
        gradients = {k: g + coupled * params[k] for k, g in gradients.items()}
        if self.mistake == "gradients not cleared":
            self.total = {k: g + self.total.get(k, kind(0)) for k, g in gradients.items()}
            gradients = self.total
        directions = self.directions(gradients, momentum, kind)
        factor = kind(2 if self.mistake == "twice the rate" else 1)
        own = decay if decoupled else kind(0)
        self.last = {k: params[k] - rate * (factor * directions[k] + own * params[k]) for k in params}
        return {k: v.copy() for k, v in self.last.items()}

    def gradients(self, params, x, y):
        kind = x.dtype.type
        factor = kind({"half a gradient": 1, "uphill": -2}.get(self.mistake, 2) / len(x))
        error = (x @ params["0.weight"] + params["0.bias"] - y) * factor
        return {"0.weight": x.T @ error, "0.bias": error.sum(axis=0)}

    def directions(self, gradients, momentum, kind):
        dampening = {"dampening left out": 0.0, "dampening 1 - mu": 0.9}.get(
            self.mistake, self.declared.dampening
        )
        later = kind(0.1) if self.mistake == "average" else kind(1 - dampening)
        first = kind(0.1) if self.mistake == "average" else kind(1)
        before = self.buffers
        self.buffers = {
            k: momentum * before[k] + later * g if before else first * g for k, g in gradients.items()
        }
        ahead = self.mistake == "nesterov" or (
            self.declared.nesterov and self.mistake not in ("plain momentum", "sutskever")
        )
        return {k: g + momentum * self.buffers[k] for k, g in gradients.items()} if ahead else self.buffers


def task(declared: SGD) -> Task:
    return Task(
        name="one function",
        dataset=Synthetic(rows=ROWS, held_out=1, features=FEATURES),
        layers=(Linear(in_features=FEATURES, out_features=1),),
        optimizer=declared,
        batch_size=8,
        epochs=2,
    )


def data() -> Rows:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES))
    return Rows(x, x @ [[2.0], [-3.4], [0.5]] + 4.2 + 0.01 * rng.normal(size=(ROWS, 1)))


@pytest.mark.parametrize("declared", [MOMENTUM, NESTEROV, DAMPENED, DECAYED, PLAIN])
def test_a_right_step_passes(declared):
    assert certify(Step("", declared), task(declared), data()).status == "pass"


@pytest.mark.parametrize(("mistake", "declared", "cause", "says"), MISTAKES)
def test_a_mistake_is_named(mistake, declared, cause, says):
    judgement = certify(Step(mistake, declared), task(declared), data()).evidence[-1].judgement
    assert judgement.status == "fail"
    diagnosis = judgement.diagnosis
    assert cause in (diagnosis.cause, *diagnosis.alternatives), diagnosis.sentence
    assert re.search(says, diagnosis.sentence), diagnosis.sentence


def test_what_a_stream_of_parameters_cannot_tell_apart_is_said_as_an_alternative():
    judgement = certify(Step("half a gradient", PLAIN), task(PLAIN), data()).evidence[-1].judgement
    assert judgement.diagnosis.cause == "scale"
    assert "learning rate" in judgement.diagnosis.alternatives
