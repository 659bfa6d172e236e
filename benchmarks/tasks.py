"""The named tasks, and a task for a file of your own.

Learning rates lie below the rate at which minibatch SGD stays stable (`stability_limit`), so that what is
compared is training and not an explosion; each task says by how much, and the tests recompute it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import (
    SGD,
    Constant,
    Dtype,
    File,
    Initialization,
    Kaiming,
    Linear,
    Loss,
    Normal,
    Packaged,
    Reading,
    ReLU,
    Synthetic,
    Task,
)
from samestep.backends.strict_model import LONGEST_NAME

from . import datasets
from .console.choices import counted, pick
from .console.errors import InputError

BOOK = Synthetic(rows=1000, held_out=250, features=2, weights=(2.0, -3.4), bias=4.2, noise=0.01)
BY_HAND = Initialization(weight=Normal(mean=0.0, std=0.01), bias=Constant(value=0.0))

MSE_CURVATURE = 2.0  # the second derivative of e^2
MOST_DENSE = 2_000  # rows and columns of a matrix whose eigenvalues are all worked out


def _linear(inputs: int, outputs: int = 1) -> Linear:
    return Linear(in_features=inputs, out_features=outputs)


# What it learns, from how much data; and the task.
_DESCRIBED = (
    (
        "the book's linear regression: 1,000 x 2, synthetic",
        Task(
            name="lesson",
            dataset=BOOK,
            layers=(_linear(2),),
            init=BY_HAND,
            optimizer=SGD(learning_rate=0.03),  # the book's; a twelfth of the limit
            batch_size=10,
            epochs=3,
        ),
    ),
    (
        "the lesson with its Huber loss (SmoothL1, beta 0.5)",
        Task(
            name="lesson-huber",
            dataset=BOOK,
            layers=(_linear(2),),
            init=BY_HAND,
            loss=Loss(name="smooth_l1", options=(("beta", 0.5),)),
            # The derivative is bounded by 1, so the start is slower than with mse.
            optimizer=SGD(learning_rate=0.03),
            batch_size=10,
            epochs=3,
        ),
    ),
    (
        "disease progression from ten measurements: 442 x 10, real",
        Task(
            name="diabetes",
            dataset=Packaged(name="diabetes"),
            layers=(_linear(10),),
            init=BY_HAND,
            # An eighteenth of the limit: 354 rows leave a last batch of 2, whose noisy step grows with the
            # rate. After 20 epochs the loss is within 2% of least squares; what is left lies along two nearly
            # collinear features.
            optimizer=SGD(learning_rate=0.01),
            batch_size=32,
            epochs=20,
        ),
    ),
    (
        "arrival delay from what is known at departure: 327,346 x 6, real",
        Task(
            name="flights",
            dataset=Packaged(name="flights"),
            layers=(_linear(6),),
            init=BY_HAND,
            # An eighteenth of the limit, which is set by delays 30 standard deviations from the mean; one epoch
            # of 1,023 steps ends within 0.1% of least squares.
            optimizer=SGD(learning_rate=0.01),
            batch_size=256,
            epochs=1,
        ),
    ),
    (
        "linear regression on a wide matrix: 50,000 x 512, synthetic",
        Task(
            name="wide",
            dataset=Synthetic(rows=50_000, held_out=2_000, features=512),
            layers=(_linear(512),),
            init=BY_HAND,
            # A fifth of the limit: the error shrinks by a fifth at every step.
            optimizer=SGD(learning_rate=0.1),
            batch_size=1024,
            epochs=2,
        ),
    ),
    (
        "two layers with a ReLU between, on diabetes",
        Task(
            name="mlp",
            dataset=Packaged(name="diabetes"),
            layers=(_linear(10, 32), ReLU(), _linear(32)),
            init=Initialization(weight=Kaiming(distribution="normal"), bias=Constant(value=0.0)),
            # A seventh of 2 over the loss's largest curvature, which is 28 at a start and 27 where training
            # ends.
            optimizer=SGD(learning_rate=0.01),
            batch_size=32,
            epochs=20,
        ),
    ),
    (
        "softmax regression on handwritten digits: 1,797 x 61, real, ten classes",
        Task(
            name="digits",
            dataset=Packaged(name="digits"),
            layers=(_linear(61, 10),),  # three of the 64 pixels are blank in every training row
            init=BY_HAND,
            loss=Loss(name="cross_entropy"),
            optimizer=SGD(learning_rate=0.05),  # five eighths of the limit, which one rarely inked pixel sets
            batch_size=64,
            epochs=10,
        ),
    ),
    (
        "logistic regression on breast cancer: 569 x 30, real, two classes",
        Task(
            name="breast-cancer",
            dataset=Packaged(name="breast_cancer"),
            layers=(_linear(30),),
            init=BY_HAND,
            loss=Loss(name="bce_with_logits"),
            optimizer=SGD(learning_rate=0.1),  # a third of the limit
            batch_size=32,
            epochs=10,
        ),
    ),
)
_NAMED = {task.name: (about, task) for about, task in _DESCRIBED}
_MEANINGS = {  # a sentence each, for a reader who meets the name in a result
    "lesson": "The first lesson of Dive into Deep Learning: a plane through 1,000 synthetic rows of two "
    "features, ten rows a step.",
    "lesson-huber": "The lesson with Huber's loss, which counts large errors for less.",
    "diabetes": "How far diabetes has progressed within a year, from ten measurements of 442 patients: one "
    "linear layer.",
    "flights": "How late a flight arrives, from six facts known at its departure: one linear layer on 327,346 "
    "flights.",
    "wide": "Linear regression on 50,000 synthetic rows of 512 features, 1,024 rows a step: half a million "
    "numbers to multiply.",
    "mlp": "Two layers with a ReLU between them, on the measurements of diabetes.",
    "digits": "Which digit was written, from 61 pixels of 1,797 pictures: softmax regression on ten classes.",
    "breast-cancer": "Whether a tumor is benign, from 30 measurements of 569 patients: logistic regression.",
}


def names() -> tuple[str, ...]:
    """Every named task, the lesson first."""
    return tuple(_NAMED)


def get(name: str, dtype: str = "float32") -> Task:
    """A named task in a dtype.

    Raises:
        InputError: no such task or dtype.
    """
    _, task = _NAMED[pick("task", name, names())]
    return task.model_copy(update={"dtype": pick("dtype", dtype, get_args(Dtype))})


def describe(name: str) -> str:
    """A named task in one line: what it learns, from how much, and how.

    Raises:
        InputError: no such task.
    """
    task = get(name)
    layers = ", ".join(layer_names(task))
    epochs = counted(task.epochs, "epoch")
    rate = f"lr {task.optimizer.learning_rate:g}"
    return f"{_NAMED[name][0]}; {layers}; {task.loss.name}, batch {task.batch_size}, {rate}, {epochs}"


def meaning(task: Task) -> str:
    """What a task is about, in a sentence; empty where it is neither a named one nor a file's."""
    if isinstance(task.dataset, File):
        inputs = next(iter(task.parameters.values()))[0]
        columns = f"{inputs} column{'' if inputs == 1 else 's'}"
        return f"{task.dataset.target} from {columns} of the file {PurePath(task.dataset.path).name}."
    _, named = _NAMED.get(task.name, ("", None))
    return _MEANINGS[task.name] if named and task == get(task.name, task.dtype) else ""


def layer_names(task: Task) -> tuple[str, ...]:
    """The chain, layer by layer, as text."""
    return tuple(
        f"Linear({layer.in_features}, {layer.out_features})"
        if isinstance(layer, Linear)
        else type(layer).__name__
        for layer in task.layers
    )


def from_file(
    path: str,
    target: str,
    features: Sequence[str] | None = None,
    dtype: str = "float32",
    *,
    reading: Reading = Reading(),  # noqa: B008 - frozen
    seed: int = 0,
    batch_size: int = 32,
    epochs: int = 10,
    learning_rate: float | None = None,
) -> Task:
    """Linear regression on a table in a file, started by hand as the lesson is.

    Reads the file, since the layer needs the number of columns that vary. Without a learning rate it takes half
    the stability limit of this data, where the guaranteed shrinking of the error per step is fastest.

    Raises:
        InputError: the file cannot be trained on, or no such dtype.
    """
    chosen = None if features is None else tuple(features)
    named = (path, target, *(chosen or ()), *reading.skip, *reading.categorical, *reading.null)
    if max(map(len, named)) > LONGEST_NAME:
        raise InputError(
            f"a path or a column's name of more than {LONGEST_NAME:,} characters: use shorter ones"
        )
    dataset = File(path=path, target=target, features=chosen, seed=seed, reading=reading)
    split = datasets.load(dataset)
    return on_split(dataset, split, dtype, batch_size=batch_size, epochs=epochs, learning_rate=learning_rate)


def on_split(
    dataset: File,
    split: datasets.Split,
    dtype: str = "float32",
    *,
    batch_size: int = 32,
    epochs: int = 10,
    learning_rate: float | None = None,
) -> Task:
    """The task of `from_file` on a file that has been read already."""
    if learning_rate is None:
        learning_rate = float(f"{stability_limit(split, batch_size, MSE_CURVATURE) / 2:.2g}")
    return Task(
        name=Path(dataset.path).name,
        dataset=dataset,
        layers=(_linear(len(split.features)),),
        init=BY_HAND,
        optimizer=SGD(learning_rate=learning_rate),
        batch_size=batch_size,
        epochs=epochs,
        seed=dataset.seed,
        dtype=pick("dtype", dtype, get_args(Dtype)),
    )


def stability_limit(split: datasets.Split, batch_size: int, curvature: float) -> float:
    """A learning rate below which SGD on one Linear layer is stable: 2 / (c (lambda_max + max |z|^2 / B)).

    z is a training row with a 1 for the bias, lambda_max the largest eigenvalue of the mean of z z^T, c a bound
    on the loss's second derivative. Without the second term it is the limit of full gradient descent; that term
    covers the variance of a minibatch, since E[|z|^2 z z^T] <= max |z|^2 E[z z^T] (Jain and others, 2018,
    Journal of Machine Learning Research 18:223).
    """
    z = np.column_stack([split.x, np.ones(len(split.x))])
    longest = np.einsum("ij,ij->i", z, z).max()
    return float(2 / (curvature * (largest_eigenvalue(z) + longest / batch_size)))


def largest_eigenvalue(z: NDArray[np.float64]) -> float:
    """The largest eigenvalue of the mean of z z^T over the rows of z (n, k).

    Z^T Z and Z Z^T have the same eigenvalues but for zeros: the smaller one is taken, and of large ones neither
    is made (Lanczos, to four digits).
    """
    if min(z.shape) > MOST_DENSE:
        from scipy.sparse.linalg import LinearOperator, eigsh

        operator = LinearOperator((z.shape[1],) * 2, matvec=lambda v: z.T @ (z @ v), dtype=z.dtype)
        begin = np.random.default_rng(0).normal(size=z.shape[1])  # else it is drawn anew each time
        return float(eigsh(operator, k=1, tol=1e-4, v0=begin, return_eigenvectors=False)[0] / len(z))
    gram = z.T @ z if z.shape[1] <= len(z) else z @ z.T
    return float(np.linalg.eigvalsh(gram / len(z))[-1])
