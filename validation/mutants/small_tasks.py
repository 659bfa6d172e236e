"""The tasks on which mutants are certified: small, with a partial batch, quick to judge."""

from __future__ import annotations

from samestep.backends import spec
from samestep.backends.spec import SGD, Initialization, Layer, Linear, Loss, Normal, ReLU, Tanh, Task

ROWS, FEATURES, BATCH = 50, 4, 8  # six whole batches and one of two rows


def task(*layers: Layer, dtype: str = "float32", **fields: object) -> Task:
    """A small regression; fields of the Task as keywords."""
    given = {
        "name": "mutant",
        "dataset": spec.Synthetic(rows=ROWS, held_out=10, features=FEATURES, bias=4.2, seed=3),
        "layers": layers or (Linear(in_features=FEATURES, out_features=1),),
        "init": Initialization(weight=Normal(std=0.3), bias=Normal(std=0.3)),
        "batch_size": BATCH,
        "epochs": 2,
        "dtype": dtype,
    }
    return Task.model_validate(given | fields)


def classification(name: str, outputs: int, features: int, loss: Loss) -> Task:
    """One epoch of a packaged classification."""
    return task(
        Linear(in_features=features, out_features=outputs),
        dataset=spec.Packaged.model_validate({"name": name}),
        loss=loss,
        batch_size=64,
        epochs=1,
    )


def chain(activation: Layer, hidden: int = 1) -> Task:
    """A regression with hidden layers as wide as the input."""
    wide = Linear(in_features=FEATURES, out_features=FEATURES)
    return task(*(wide, activation) * hidden, Linear(in_features=FEATURES, out_features=1))


PLAIN = task()
DOUBLE = task(dtype="float64")
SUMMED = task(loss=Loss(reduction="sum"), optimizer=SGD(learning_rate=0.003))
HUBER = task(loss=Loss(name="huber", options=(("delta", 0.4),)))
SMOOTH = task(loss=Loss(name="smooth_l1", options=(("beta", 0.4),)))
MOMENTUM = task(optimizer=SGD(momentum=0.9))
NESTEROV = task(optimizer=SGD(momentum=0.9, nesterov=True))
DAMPENED = task(optimizer=SGD(momentum=0.9, dampening=0.5))
DECAY = task(optimizer=SGD(weight_decay=0.1))
MAXIMIZE = task(optimizer=SGD(maximize=True, weight_decay=0.1))
COSINE = task(optimizer=SGD(learning_rate=0.03, schedule=spec.Cosine()))
STEPPED = task(optimizer=SGD(learning_rate=0.03, schedule=spec.StepDecay(every=5, gamma=0.5)))
CHAIN = chain(ReLU())
TANH = chain(Tanh(), hidden=2)
DIGITS = classification("digits", 10, 61, Loss(name="cross_entropy", options=(("label_smoothing", 0.1),)))
CANCER = classification("breast_cancer", 1, 30, Loss(name="bce_with_logits"))
