"""The walk of the lesson in several lanes: pure data out, nothing printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import backends
from backends.interface import Unavailable
from backends.spec import Linear, Normal, Synthetic, Task
from benchmarks import datasets, parity, tasks
from benchmarks.accuracy import accuracy
from benchmarks.datasets import Split
from benchmarks.errors import InputError
from benchmarks.lesson import initialisers, lane, loss_table
from benchmarks.lesson.schema import Lane, Setting, Walk
from benchmarks.lesson.session import Params, Session, equality, figure, numbers
from benchmarks.lesson.words import words

LANES = ("numpy", "torch", "jax")
LARGEST_BATCH = 1000


def walk(lanes: Sequence[str] = LANES, *, batch_size: int = 10) -> Walk:
    """Walk S1 to S13 in every lane. A lane that cannot run here is there with the reason.

    Raises:
        InputError: a lane that nobody registered, or a batch size outside 1 to 1000.
    """
    chosen = _checked(lanes, batch_size)
    task = tasks.get("lesson").model_copy(update={"batch_size": batch_size})
    split = datasets.load(task.dataset)
    start = parity.start(task)
    setting = _setting(task, split, start)
    walked, finals = [], {}
    for name in chosen:
        found, params = _lane(name, task, split, start, setting)
        walked.append(found)
        if params is not None:
            finals[name] = params
    return Walk(
        setting=setting,
        lanes=tuple(walked),
        between_lanes=tuple(equality(a, b, finals[a], finals[b]) for a, b in combinations(finals, 2)),
        deeper_layers=_layers(lane.deeper(task)),
        losses=loss_table.rows(),
        initialisers=initialisers.rows(),
        gains=initialisers.gain_rows(),
    )


def _checked(lanes: Sequence[str], batch_size: int) -> tuple[str, ...]:
    """The lanes without repeats, all of them when none is named."""
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise InputError(
            f"--batch {batch_size}: the lesson has {LARGEST_BATCH} rows; take 1 to {LARGEST_BATCH}"
        )
    for name in lanes:
        if name not in backends.names():
            raise InputError(f"--lane {name}: no such lane; the lanes are {', '.join(backends.names())}")
    return tuple(dict.fromkeys(lanes)) or LANES


def _setting(task: Task, split: Split, start: Params) -> Setting:
    """S1, and the digests that every lane must share."""
    dataset, law = task.dataset, task.init.weight
    if not (isinstance(dataset, Synthetic) and isinstance(law, Normal) and split.truth is not None):
        raise TypeError("the lesson is synthetic data with a known truth, and a normal start")
    x, y = split.rounded(task.dtype)
    steps = task.steps(len(x))
    return Setting(
        rows=len(x),
        features=x.shape[1],
        labels_shape=y.shape,
        weights=numbers(split.truth[0]),
        bias=split.truth[1],
        noise=dataset.noise,
        batch_size=task.batch_size,
        steps_per_epoch=steps,
        last_batch=len(x) - (steps - 1) * task.batch_size,
        epochs=task.epochs,
        learning_rate=task.optimizer.learning_rate,
        initial_std=law.std,
        dtype=task.dtype,
        seed=task.seed,
        best_loss=figure(accuracy(task, split, start).best_loss),
        data=lane.digest_data(x, y),
        order=lane.digest_orders([task.order(len(x), epoch) for epoch in range(task.epochs)]),
        start=parity.digest(start),
    )


def _lane(name: str, task: Task, split: Split, start: Params, setting: Setting) -> tuple[Lane, Params | None]:
    """One lane, or why it cannot run here."""
    try:
        backend = backends.load(name)
    except Unavailable as reason:
        return Lane(name=name, missing=str(reason)), None
    with backend.precision(task.dtype):
        x, y = split.rounded(task.dtype)
        session = Session(backend, task, split, start, (backend.put(x), backend.put(y)))
        walked, params = lane.walk_lane(session, setting)
    traits = backend.traits
    about = Lane(
        name=name,
        missing=None,
        framework=backend.framework,
        tier=backend.tier,
        form=f"gradient {traits.gradient}, buffers {traits.buffers}, compiled: {traits.compiled}",
        versions=backend.versions(),
        words=words(backend.framework),
        walk=walked,
    )
    return about, params


def _layers(task: Task) -> tuple[str, ...]:
    """The chain in words."""
    return tuple(
        f"Linear({layer.in_features}, {layer.out_features})"
        if isinstance(layer, Linear)
        else type(layer).__name__
        for layer in task.layers
    )
