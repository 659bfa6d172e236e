"""The walk of one lane, S2 to S8 and S13; the exercises are in exercises.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from samestep.backends.interface import Batch, Host
from samestep.backends.spec import Initialization, Kaiming, Linear, ReLU, Task

from .. import parity
from ..accuracy.scores import accuracy, parameter_errors
from . import exercises, initializers, loss_table
from .models import (
    Certified,
    DataIterator,
    Deeper,
    FirstBatch,
    Held,
    LaneWalk,
    Model,
    Setting,
    Step,
    Tensor,
    Training,
)
from .training import Params, Session, numbers

HEAD = 3  # rows of the first batch that are written out
HIDDEN = 8


def walk_lane(session: Session, setting: Setting) -> tuple[LaneWalk, Params]:
    """Everything that one lane does in the lesson, and its trained parameters."""
    training, params = train(session)
    before_last_epoch = params[-2] if len(params) > 1 else session.start
    walked = LaneWalk(
        held=held(session, setting),
        iterator=iterator(session),
        model=model(session),
        step=first_step(session),
        training=training,
        exercise1=exercises.exercise1(session),
        half=exercises.half(session),
        loss_values=loss_table.values(session.backend),
        huber=exercises.huber(session),
        initialisers=initializers.drawn(session),
        exercise3=exercises.exercise3(session, before_last_epoch),
        deeper=deeper_chain(session),
    )
    return walked, params[-1]


def _numbered(session: Session) -> Batch:
    """The data with row numbers in the place of labels, so that a batch tells which rows it holds."""
    return session.data[0], session.backend.put(np.arange(session.rows, dtype=np.int32))


def pulled(session: Session) -> list[Host]:
    """The row numbers that the lane's iterator gives in every epoch of the shared order."""
    data, backend, size = _numbered(session), session.backend, session.task.batch_size
    orders = [session.task.row_order(session.rows, epoch) for epoch in range(session.task.epochs)]
    return [
        np.concatenate([backend.get(y).astype(np.int64) for _, y in backend.batches(data, order, size)])
        for order in orders
    ]


def held(session: Session, setting: Setting) -> Held:
    """Digests of what the lane holds, read back from it, against the shared ones."""
    backend = session.backend
    found = {
        "data": digest_data(*(backend.get(part) for part in session.data)),
        "order": digest_orders(pulled(session)),
        "start": parity.digest(backend.params(backend.init(session.task, session.start))),
    }
    return Held(**found, same=all(getattr(setting, name) == value for name, value in found.items()))


def digest_data(x: Host, y: Host) -> str:
    return parity.digest({"x": x, "y": y})


def digest_orders(orders: Sequence[Host]) -> str:
    return parity.digest({f"epoch {epoch:06}": order for epoch, order in enumerate(orders)})


def iterator(session: Session) -> DataIterator:
    """S2: the first batch in the shared order, in stored order, and by the framework's own shuffler."""
    backend, task, rows = session.backend, session.task, session.rows
    size, seed = task.batch_size, task.seed + 1  # another seed than the shared order's
    epochs, every = pulled(session), np.arange(rows)
    return DataIterator(
        training=_first(session, lambda data: backend.batches(data, task.row_order(rows, 0), size)),
        evaluation=_first(session, lambda data: backend.batches(data, every, size)),
        own=_first(session, lambda data: backend.shuffled(data, size, seed)),
        full_passes=all(np.array_equal(np.sort(epoch), every) for epoch in epochs),
        new_order_each_epoch=len({epoch.tobytes() for epoch in epochs}) == len(epochs),
    )


def _first(session: Session, pull: Callable[[Batch], Iterator[Batch]]) -> FirstBatch:
    """The first batch of an iterator, pulled by hand; pulled again for its row numbers."""
    get = session.backend.get
    x, y = (get(part) for part in next(iter(pull(session.data))))
    rows = get(next(iter(pull(_numbered(session))))[1])
    features = tuple(numbers(row) for row in x[:HEAD])
    return FirstBatch(rows=tuple(rows.tolist()), features=features, labels=numbers(y[:HEAD]))


def model(session: Session) -> Model:
    """S3, S4: the lane's own draw, then the shared start in its place."""
    backend, task = session.backend, session.task
    drawn, replaced = backend.init(task), backend.init(task, session.start)
    back = backend.params(replaced)
    return Model(
        drawn=session.tensors(drawn, backend.params(drawn)),
        start=session.tensors(replaced, back),
        replaced_exactly=all(
            back[name].tobytes() == value.tobytes() for name, value in session.start.items()
        ),
    )


def first_step(session: Session) -> Step:
    """S7: forward, backward and update on the first batch."""
    backend, task = session.backend, session.task
    batch = next(iter(backend.batches(session.data, task.row_order(session.rows, 0), task.batch_size)))
    state = backend.init(task, session.start)
    loss, gradients = backend.forward_backward(state, batch)
    found = session.tensors(state, backend.gradients(gradients))
    rate = task.learning_rates(session.rows)[0, 0].item()
    state = backend.update(state, gradients, rate)
    after = session.tensors(state, backend.params(state))
    return Step(loss=float(backend.get(loss)), gradients=found, after=after)


def train(session: Session) -> tuple[Training, list[Params]]:
    """S7, S8: the loop, the loss on all rows after each epoch, the certificate, the estimate."""
    backend, task = session.backend, session.task
    losses, params = [], []
    for state in session.states(task):
        params.append(backend.params(state))
        losses.append(float(backend.get(backend.forward_backward(state, session.data)[0])))
    judged = [accuracy(task, session.split, after) for after in params]
    errors = parameter_errors(task, session.split, params[-1]) or {}
    training = Training(
        losses=tuple(losses),
        above_best=tuple(each.excess for each in judged if each.excess is not None),
        certificate=certificate(session),
        weights=numbers(params[-1]["0.weight"]),
        bias=float(params[-1]["0.bias"][0]),
        weights_error=numbers(errors["0.weight"]),
        bias_error=float(errors["0.bias"][0]),
    )
    return training, params


def certificate(session: Session) -> Certified:
    """Whether every step lies within the rounding that one step can make, and which share of it was used."""
    found = parity.certify(session.backend, session.task, session.split)
    shares = {
        quantity: worst.share
        for evidence in found.evidence
        if evidence.judgement.dtype == session.task.dtype
        for quantity, worst in evidence.judgement.quantities.items()
    }
    return Certified(status=found.status, reason=found.reason, shares=shares)


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


def deeper_chain(session: Session) -> Deeper:
    """The same loop on the deeper chain, from a start that all lanes share."""
    task, backend = deeper(session.task), session.backend
    start = parity.initial_parameters(task)
    state = backend.init(task, start)
    parameters: tuple[Tensor, ...] = session.tensors(state, backend.params(state))
    before = float(backend.get(backend.forward_backward(state, session.data)[0]))
    losses = [
        float(backend.get(backend.forward_backward(state, session.data)[0]))
        for state in session.states(task, start=start)
    ]
    return Deeper(parameters=parameters, before=before, losses=tuple(losses))
