"""What a mutant is, and the tasks that mutants are certified on: small, with a partial batch, quick to judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from samestep.backends.interface import Backend
from samestep.backends.spec import (
    SGD,
    Cosine,
    Initialization,
    Layer,
    Linear,
    Loss,
    Normal,
    Packaged,
    ReLU,
    StepDecay,
    Synthetic,
    Tanh,
    Task,
)
from samestep.benchmarks.record.proof import Cause

ROWS, FEATURES, BATCH = 50, 4, 8  # six whole batches and one of two rows


@dataclass(frozen=True)
class Mutant:
    """One realistic mistake: what the porter did, the lane that does it, and what the doctor should name.

    `cause` is one of the doctor's words; `says` further text that its sentence must hold for a right answer.
    `origin`: written with the doctor in mind, or by somebody who did not know it, before it was finished
    ("first") or after ("second").
    """

    what: str
    cause: Cause
    lane: type[Backend]
    task: Task
    says: str = ""
    origin: Literal["foreseen", "first", "second"] = "foreseen"


def task(*layers: Layer, dtype: str = "float32", **fields: object) -> Task:
    """A small regression; fields of the Task as keywords."""
    given = {
        "name": "mutant",
        "dataset": Synthetic(rows=ROWS, held_out=10, features=FEATURES, bias=4.2, seed=3),
        "layers": layers or (Linear(in_features=FEATURES, out_features=1),),
        "init": Initialization(weight=Normal(std=0.3), bias=Normal(std=0.3)),
        "batch_size": BATCH,
        "epochs": 2,
        "dtype": dtype,
    }
    return Task.model_validate(given | fields)


def classes(name: str, outputs: int, features: int, loss: Loss) -> Task:
    """One epoch of a packaged classification."""
    return task(
        Linear(in_features=features, out_features=outputs),
        dataset=Packaged.model_validate({"name": name}),
        loss=loss,
        batch_size=64,
        epochs=1,
    )


PLAIN = task()
SUMMED = task(loss=Loss(reduction="sum"), optimizer=SGD(learning_rate=0.003))
HUBER = task(loss=Loss(name="huber", options=(("delta", 0.4),)))
SMOOTH = task(loss=Loss(name="smooth_l1", options=(("beta", 0.4),)))
MOMENTUM = task(optimizer=SGD(momentum=0.9))
NESTEROV = task(optimizer=SGD(momentum=0.9, nesterov=True))
DAMPENED = task(optimizer=SGD(momentum=0.9, dampening=0.5))
DECAY = task(optimizer=SGD(weight_decay=0.1))
HEAVY = task(optimizer=SGD(momentum=0.9, weight_decay=0.1))
MAXIMIZE = task(optimizer=SGD(maximize=True, weight_decay=0.1))
COSINE = task(optimizer=SGD(learning_rate=0.03, schedule=Cosine()))
STEPPED = task(optimizer=SGD(learning_rate=0.03, schedule=StepDecay(every=5, gamma=0.5)))
CHAIN = task(
    Linear(in_features=FEATURES, out_features=FEATURES),
    ReLU(),
    Linear(in_features=FEATURES, out_features=1),
)
TANH = task(
    Linear(in_features=FEATURES, out_features=FEATURES),
    Tanh(),
    Linear(in_features=FEATURES, out_features=FEATURES),
    Tanh(),
    Linear(in_features=FEATURES, out_features=1),
)
DIGITS = classes("digits", 10, 61, Loss(name="cross_entropy", options=(("label_smoothing", 0.1),)))
CANCER = classes("breast_cancer", 1, 30, Loss(name="bce_with_logits"))
