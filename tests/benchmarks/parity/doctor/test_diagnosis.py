"""The doctor on traces: from everything recorded, and from parameters alone; of sound runs it says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.spec import SGD, Cosine, Initialization, Linear, Loss, Normal, ReLU, Synthetic, Task
from samestep.benchmarks.parity import Rows, Workload, judge
from tests.helpers.parity_trainer import Trainer

SIZE = 4
CHAIN = (Linear(in_features=SIZE, out_features=SIZE), ReLU(), Linear(in_features=SIZE, out_features=1))
HEAVY = SGD(momentum=0.9, dampening=0.5, weight_decay=0.1)
# the trainer's mistake: fields of the task, the doctor's word from everything, and from parameters alone
MISTAKES = {
    "factor one half": ({}, "scale", "scale"),
    "sum for mean": ({}, "scale", "scale"),
    "partial batch by nominal size": ({}, "partial batch", "partial batch"),
    "bias never updated": ({}, "left out", "left out"),
    "option off": ({"loss": Loss(name="huber", options=(("delta", 0.8),))}, "loss", "loss"),
    "gradient of the batch before": ({}, "stale", "stale"),
    "weights transposed": ({"layers": CHAIN}, "transposed", "transposed"),
    "other rows": ({}, "rows", "rows"),
    "labels not shuffled along": ({}, "labels", "labels"),
    "dampening on the first step": ({"optimizer": HEAVY}, "dampening", None),
    "decay after the learning rate": ({"optimizer": SGD(weight_decay=0.1)}, "weight decay", "weight decay"),
    "learning rate rounded to float32": (
        {"optimizer": SGD(learning_rate=0.03, schedule=Cosine())},
        "learning rate",
        "learning rate",
    ),
}


def task(**fields):
    return Task(
        name="judged",
        dataset=Synthetic(rows=50, held_out=1, features=SIZE),
        layers=fields.pop("layers", (Linear(in_features=SIZE, out_features=1),)),
        dtype="float64",
        **{"batch_size": 8, "epochs": 2, "init": Initialization(weight=Normal(std=0.3))} | fields,
    )


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, SIZE))
    return Rows(x, x @ rng.normal(size=(SIZE, 1)) + 4.2 + 0.01 * rng.normal(size=(50, 1)))


def diagnosed(declared, *, alone, **trainer):
    workload = Workload.of(declared, data())
    trace = Trainer(declared, **trainer).run(workload)
    if alone:
        trace.losses, trace.gradients, trace.buffers = np.empty(0), {}, {}
    return judge(workload, trace)


@pytest.mark.parametrize("alone", [False, True], ids=["all", "parameters alone"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake, alone):
    fields, *causes = MISTAKES[mistake]
    judgement = diagnosed(task(**fields), alone=alone, mistake=mistake)
    assert judgement.status == "fail"
    if causes[alone]:
        assert judgement.diagnosis.cause == causes[alone], judgement.diagnosis.sentence


def test_a_sound_run_has_no_diagnosis():
    assert diagnosed(task(), alone=False).diagnosis is None


def test_a_single_wrong_number_has_no_known_cause():
    workload = Workload.of(task(), data())
    trace = Trainer(task()).run(workload)
    trace.params["0.weight"][5, 2, 0] += 1e-3
    judgement = judge(workload, trace)
    assert judgement.diagnosis.cause == "unknown"
    assert "params 0.weight" in judgement.diagnosis.sentence


def test_numbers_in_a_sentence_are_those_of_the_run():
    workload = Workload.of(task(), data())
    trace = Trainer(task()).run(workload)
    trace.gradients = {name: 0.37 * values for name, values in trace.gradients.items()}
    sentence = "the gradient is multiplied by 0.37; the parameters are right"
    assert judge(workload, trace).diagnosis.sentence == sentence
