"""A port in a few lines, with its task and data: what the tests of the library face certify."""

from __future__ import annotations

import numpy as np

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.parity import Rows, Workload
from tests.helpers.parity_trainer import Trainer


def make(**fields):
    return Task(
        name="port",
        dataset=Synthetic(rows=20, held_out=1, features=2),
        layers=(Linear(in_features=2, out_features=1),),
        **{"batch_size": 6, "epochs": 2} | fields,
    )


def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    return Rows(x, x @ [[2.0], [-3.4]] + 4.2)


def step(params, x, y, learning_rate):
    """A port in a few lines."""
    e = x @ params["0.weight"] + params["0.bias"] - y
    gradients = {"0.weight": 2 / len(x) * x.T @ e, "0.bias": 2 / len(x) * e.sum(axis=0)}
    return {name: params[name] - learning_rate * gradients[name] for name in params}


def recorded():
    """A correct run of the task: the parameters after every step."""
    return Trainer(make()).run(Workload.of(make(), rows())).params
