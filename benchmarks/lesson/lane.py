"""The walk of one lane, S2 to S8 and S13; the exercises are in exercises.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from samestep.backends.interface import Batch, Host
from samestep.backends.spec import Initialization, Kaiming, Linear, ReLU, Task

from .. import parity
from ..accuracy.scores import accuracy, parameter_errors
from . import catalog, exercises
from .models import (
    DataIterator,
    DeeperChain,
    FirstBatch,
    FirstStep,
    HeldDigests,
    LaneWalk,
    LessonSetting,
    ModelParameters,
    ParitySummary,
    TrainingResult,
)
from .training import LessonLane, Params, numbers

ROWS_SHOWN = 3  # of the first batch
HIDDEN = 8
STAGES = ("training and its proof", "the other rows and the exercises")
StageBegun: TypeAlias = Callable[[int, str], None]  # number and name


def walk_lane(
    lane: LessonLane, setting: LessonSetting, begun: StageBegun = lambda stage, what: None
) -> tuple[LaneWalk, Params]:
    """Everything that one lane does in the lesson, and its trained parameters; `begun` hears of each stage."""
    begun(1, STAGES[0])
    result, epochs = train(lane)
    before_last_epoch = epochs[-2] if len(epochs) > 1 else lane.start
    begun(2, STAGES[1])
    walk = LaneWalk(
        held=held(lane, setting),
        iterator=iterator(lane),
        model=model(lane),
        step=first_step(lane),
        training=result,
        exercise1=exercises.exercise1(lane),
        half=exercises.half(lane),
        loss_values=catalog.loss_values(lane.backend),
        huber=exercises.huber(lane),
        initialisers=catalog.drawn_weights(lane),
        exercise3=exercises.exercise3(lane, before_last_epoch),
        deeper=deeper_chain(lane),
    )
    return walk, epochs[-1]


def _numbered(lane: LessonLane) -> Batch:
    """The data with row numbers in the place of labels, so that a batch tells which rows it holds."""
    return lane.data[0], lane.backend.put(np.arange(lane.rows, dtype=np.int32))


def pulled_rows(lane: LessonLane) -> list[Host]:
    """The row numbers (rows,) that the lane's iterator gives in every epoch of the shared order."""
    data, backend, size = _numbered(lane), lane.backend, lane.task.batch_size
    orders = [lane.task.row_order(lane.rows, epoch) for epoch in range(lane.task.epochs)]
    return [
        np.concatenate([backend.get(y).astype(np.int64) for _, y in backend.batches(data, row_order, size)])
        for row_order in orders
    ]


def held(lane: LessonLane, setting: LessonSetting) -> HeldDigests:
    """Digests of what the lane holds, read back from it, against the shared ones."""
    backend = lane.backend
    digests = {
        "data": digest_data(*(backend.get(part) for part in lane.data)),
        "order": digest_of_orders(pulled_rows(lane)),
        "start": parity.digest(backend.params(backend.init(lane.task, lane.start))),
    }
    return HeldDigests(
        **digests, same=all(getattr(setting, name) == value for name, value in digests.items())
    )


def digest_data(x: Host, y: Host) -> str:
    """The digest of features and targets, names and shapes included."""
    return parity.digest({"x": x, "y": y})


def digest_of_orders(orders: Sequence[Host]) -> str:
    """The digest of the row orders of all epochs."""
    return parity.digest({f"epoch {epoch:06}": row_order for epoch, row_order in enumerate(orders)})


def iterator(lane: LessonLane) -> DataIterator:
    """S2: the first batch in the shared order, in stored order, and by the framework's own shuffler."""
    backend, task, rows = lane.backend, lane.task, lane.rows
    size, seed = task.batch_size, task.seed + 1  # another seed than the shared order's
    epochs, stored = pulled_rows(lane), np.arange(rows)
    return DataIterator(
        training=_first(lane, lambda data: backend.batches(data, task.row_order(rows, 0), size)),
        evaluation=_first(lane, lambda data: backend.batches(data, stored, size)),
        own=_first(lane, lambda data: backend.shuffled(data, size, seed)),
        full_passes=all(np.array_equal(np.sort(epoch), stored) for epoch in epochs),
        new_order_each_epoch=len({epoch.tobytes() for epoch in epochs}) == len(epochs),
    )


def _first(lane: LessonLane, batches: Callable[[Batch], Iterator[Batch]]) -> FirstBatch:
    """The first batch of an iterator, pulled by hand; pulled again for its row numbers."""
    get = lane.backend.get
    x, y = (get(part) for part in next(iter(batches(lane.data))))
    rows = get(next(iter(batches(_numbered(lane))))[1])
    features = tuple(numbers(row) for row in x[:ROWS_SHOWN])
    return FirstBatch(rows=tuple(rows.tolist()), features=features, labels=numbers(y[:ROWS_SHOWN]))


def model(lane: LessonLane) -> ModelParameters:
    """S3, S4: the lane's own draw, then the shared start in its place."""
    backend, task = lane.backend, lane.task
    drawn, replaced = backend.init(task), backend.init(task, lane.start)
    params = backend.params(replaced)
    return ModelParameters(
        drawn=lane.tensors(drawn, backend.params(drawn)),
        start=lane.tensors(replaced, params),
        replaced_exactly=all(params[name].tobytes() == value.tobytes() for name, value in lane.start.items()),
    )


def first_step(lane: LessonLane) -> FirstStep:
    """S7: forward, backward and update on the first batch."""
    backend, task = lane.backend, lane.task
    state = backend.init(task, lane.start)
    loss, gradients = backend.forward_backward(state, lane.first_batch(task.row_order(lane.rows, 0)))
    gradient_tensors = lane.tensors(state, backend.gradients(gradients))
    state = backend.update(state, gradients, task.learning_rates(lane.rows)[0, 0].item())
    return FirstStep(
        loss=float(backend.get(loss)),
        gradients=gradient_tensors,
        after=lane.tensors(state, backend.params(state)),
    )


def train(lane: LessonLane) -> tuple[TrainingResult, list[Params]]:
    """S7, S8: the loop, the loss on all rows after each epoch, the certificate, the estimate."""
    losses, epochs = [], []
    for state in lane.states(lane.task):
        epochs.append(lane.backend.params(state))
        losses.append(lane.loss(state))
    scores = [accuracy(lane.task, lane.split, params) for params in epochs]
    errors = parameter_errors(lane.task, lane.split, epochs[-1]) or {}
    result = TrainingResult(
        losses=tuple(losses),
        above_best=tuple(score.excess for score in scores if score.excess is not None),
        certificate=certificate(lane),
        weights=numbers(epochs[-1]["0.weight"]),
        bias=float(epochs[-1]["0.bias"][0]),
        weights_error=numbers(errors["0.weight"]),
        bias_error=float(errors["0.bias"][0]),
    )
    return result, epochs


def certificate(lane: LessonLane) -> ParitySummary:
    """Whether every step lies within the rounding that one step can make, and how much of it was used."""
    certified = parity.certify(lane.backend, lane.task, lane.split)
    ratios = {
        quantity: worst.share
        for evidence in certified.evidence
        if evidence.judgement.dtype == lane.task.dtype
        for quantity, worst in evidence.judgement.quantities.items()
    }
    return ParitySummary(status=certified.status, reason=certified.reason, shares=ratios)


def deeper(task: Task) -> Task:
    """S13: Linear, ReLU, Linear in the place of one Linear; nothing else changes."""
    first = task.layers[0]
    inputs = first.in_features if isinstance(first, Linear) else 1
    layers = (
        Linear(in_features=inputs, out_features=HIDDEN),
        ReLU(),
        Linear(in_features=HIDDEN, out_features=1),
    )
    init = Initialization(weight=Kaiming(distribution="normal"))
    return task.model_copy(update={"name": f"{task.name}, deeper", "layers": layers, "init": init})


def deeper_chain(lane: LessonLane) -> DeeperChain:
    """The same loop on the deeper chain, from a start that all lanes share."""
    task, backend = deeper(lane.task), lane.backend
    start = parity.initial_parameters(task)
    state = backend.init(task, start)
    parameters = lane.tensors(state, backend.params(state))
    before = lane.loss(state)
    losses = tuple(lane.loss(state) for state in lane.states(task, start=start))
    return DeeperChain(parameters=parameters, before=before, losses=losses)
