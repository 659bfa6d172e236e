"""Random correct tasks, by Hypothesis: sizes, scales, losses with their options, chains, optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from samestep.backends import losses, spec
from samestep.backends.interface import Host
from samestep.backends.spec import SGD, Dtype, Initialization, Layer, Linear, Loss, Normal, Synthetic, Task
from samestep.benchmarks.parity import Rows

Case: TypeAlias = tuple[Task, Rows]

ROW_CLASSES = ("cross_entropy", "nll", "multi_margin")
TRAINING = tuple(name for name in losses.names() if losses.get(name).trains)
OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "smooth_l1": {"beta": st.sampled_from([0.0, 0.01, 0.5, 1.0, 30.0])},
    "huber": {"delta": st.sampled_from([0.05, 0.3, 1.0, 25.0])},
    "hinge_embedding": {"margin": st.sampled_from([-0.3, 0.0, 1.0])},
    "cross_entropy": {"label_smoothing": st.sampled_from([0.0, 0.1, 0.99])},
    "multi_margin": {"p": st.sampled_from([1, 2]), "margin": st.sampled_from([0.0, 0.7])},
    "kl_div": {"log_target": st.booleans()},
}
ACTIVATIONS: tuple[Layer, ...] = (
    spec.ReLU(),
    spec.LeakyReLU(),
    spec.LeakyReLU(negative_slope=-0.3),
    spec.Sigmoid(),
    spec.Tanh(),
)


@st.composite
def sgd(draw: st.DrawFn) -> SGD:
    """An optimizer with any of its options."""
    momentum = draw(st.sampled_from([0.0, 0.0, 0.5, 0.9, 0.999]))
    nesterov = bool(momentum) and draw(st.booleans())
    return SGD(
        learning_rate=draw(st.sampled_from([0.0, 1e-5, 1e-3, 0.03, 0.3])),
        momentum=momentum,
        nesterov=nesterov,
        dampening=0.0 if nesterov else draw(st.sampled_from([0.0, 0.25, 0.999])),
        weight_decay=draw(st.sampled_from([0.0, 0.0, 1e-4, 0.1])),
        maximize=draw(st.booleans()) and draw(st.booleans()),
    )


@st.composite
def layers(draw: st.DrawFn, features: int, outputs: int, last: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Up to three hidden layers."""
    chain: list[Layer] = []
    width = features
    for _ in range(draw(st.integers(0, 3))):
        out = draw(st.integers(1, 9))
        chain += [Linear(in_features=width, out_features=out), draw(st.sampled_from(ACTIVATIONS))]
        width = out
    chain.append(Linear(in_features=width, out_features=outputs))
    return (*chain, *last)


def target(
    name: str, rng: np.random.Generator, rows: int, outputs: int, scale: float, options: Mapping[str, Any]
) -> Host:
    """A target that the loss accepts."""
    if name in ROW_CLASSES:
        return rng.integers(0, outputs, rows)
    if name in ("soft_margin", "hinge_embedding"):
        return rng.choice([-1.0, 1.0], (rows, outputs))
    if name == "multilabel_margin":
        return np.where(
            rng.random((rows, outputs)) < 0.6,
            rng.permuted(np.tile(np.arange(outputs), (rows, 1)), axis=1),
            -1,
        )
    if name == "multilabel_soft_margin":
        return rng.integers(0, 2, (rows, outputs)).astype(float)
    if name in ("bce", "bce_with_logits"):
        return np.where(
            rng.random((rows, outputs)) < 0.5,
            rng.integers(0, 2, (rows, outputs)),
            rng.random((rows, outputs)),
        )
    if name == "kl_div":
        p = rng.dirichlet(np.ones(outputs), rows)
        return np.log(p) if options.get("log_target") else p
    return rng.normal(size=(rows, outputs)) * scale


@st.composite
def cases(
    draw: st.DrawFn, names: Sequence[str] = TRAINING, dtypes: Sequence[Dtype] = ("float32", "float64")
) -> Case:
    """A task and data for it."""
    name = draw(st.sampled_from(names))
    features, outputs, rows = draw(st.integers(1, 12)), draw(st.integers(1, 5)), draw(st.integers(2, 40))
    options = draw(st.fixed_dictionaries(OPTIONS.get(name, {})))
    if name in ROW_CLASSES and draw(st.booleans()):
        weights = st.lists(st.sampled_from([0.3, 1.0, 2.7]), min_size=outputs, max_size=outputs)
        options["weight"] = tuple(draw(weights))
    scale, spread = (10.0 ** draw(st.integers(-3, 3)) for _ in range(2))
    last = (spec.Sigmoid(),) if name == "bce" else ()
    task = Task(
        name="drawn",
        dataset=Synthetic(rows=rows, held_out=1, features=features),
        layers=draw(layers(features, outputs, last)),
        init=Initialization(
            weight=Normal(std=draw(st.sampled_from([0.0, 0.01, 1.0, 30.0]))), bias=Normal(std=0.5)
        ),
        loss=Loss(
            name=name,
            reduction=draw(st.sampled_from(["mean", "sum"])),
            options=tuple(sorted(options.items())),
        ),
        optimizer=draw(sgd()),
        batch_size=draw(st.integers(1, 45)),
        epochs=draw(st.integers(1, 2)),
        seed=draw(st.integers(0, 99)),
        dtype=draw(st.sampled_from(dtypes)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(size=(rows, features)) * scale
    y = target(name, rng, rows, outputs, spread, options)
    if draw(st.booleans()):
        x[rng.random(x.shape) < 0.3] = 0
    if draw(st.booleans()):  # whole numbers: exact ties at the kinks
        x = np.round(x)
        y = np.round(y) if losses.get(name).target == "real" else y
    return task, Rows(x, y)


def first(count: int) -> list[Case]:
    """The first so many different cases: the same ones every time, for one version of Hypothesis."""
    cases_by_digest: dict[tuple[str, str], Case] = {}

    @settings(
        max_examples=2 * count,  # Hypothesis repeats itself now and then
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def collect(case: Case) -> None:
        task, rows = case
        cases_by_digest.setdefault((task.digest(), rows.digest()), case)

    collect()
    return list(cases_by_digest.values())[:count]
