"""The exercises in one lane: reduction and learning rate (S9), the lesson's Huber loss (S10), gradients (S12)."""

from __future__ import annotations

import numpy as np

from samestep.backends.spec import Loss, Task

from ..accuracy.scores import accuracy, parameter_errors
from .models import Exercise1, Exercise3, Half, Huber, Partial, Ratio, Relation, Run
from .training import Params, Session, equality, numbers

MEAN, SUM = Loss(name="mse"), Loss(name="mse", reduction="sum")
SIGMA = 0.5
PAIRS = (("A", "B"), ("C", "D"), ("A", "C"))
SEEDS = 3
PARTIAL_BATCH = 7  # leaves 6 of 1000 rows
HALF = Loss(
    name="huber", options=(("delta", 64.0),)
)  # no residual is that large, so it is e^2 / 2: optax.l2_loss


def vary(task: Task, loss: Loss, *, batch_size: int | None = None, seed: int | None = None) -> Task:
    """The lesson with another loss, batch or order; the learning rate is handed to the loop as data."""
    changes = {"loss": loss, "batch_size": batch_size or task.batch_size}
    return task.model_copy(update=changes | {"seed": task.seed if seed is None else seed})


def exercise1(session: Session) -> Exercise1:
    """Four runs from one start: A mean h, B sum h / batch, C sum h, D mean h * batch."""
    mean, total = vary(session.task, MEAN), vary(session.task, SUM)
    rate, batch = session.task.optimizer.learning_rate, session.task.batch_size
    plan = {"A": (mean, rate), "B": (total, rate / batch), "C": (total, rate), "D": (mean, rate * batch)}
    params = {name: session.train(task, rates=session.constant(task, h)) for name, (task, h) in plan.items()}
    runs = {name: session.run(name, task, h, params[name]) for name, (task, h) in plan.items()}
    again = session.train(mean, start=params["A"][-1], first_epoch=mean.epochs)
    return Exercise1(
        runs=tuple(runs.values()),
        equal=tuple(equality(a, b, params[a][-1], params[b][-1]) for a, b in PAIRS),
        gradient_ratio=gradient_ratio(session, SUM, MEAN),
        continued=session.run("A again", mean, rate, again),
        ratios=(_ratio(mean.seed, runs["C"], runs["A"]), *other_orders(session)),
        partial=partial(session),
    )


def gradient_ratio(session: Session, upper: Loss, lower: Loss) -> float:
    """By how much one loss's gradient of the first batch is larger than another's."""
    order = session.task.row_order(session.rows, 0)
    sizes = []
    for loss in (upper, lower):
        batch = next(iter(session.backend.batches(session.data, order, session.task.batch_size)))
        state = session.backend.init(vary(session.task, loss), session.start)
        gradients = session.backend.gradients(session.backend.forward_backward(state, batch)[1])
        sizes.append(np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in gradients.values())))
    return float(sizes[0] / sizes[1])


def other_orders(session: Session) -> tuple[Ratio, ...]:
    """C over A for further seeds of the order."""
    rate, found = session.task.optimizer.learning_rate, []
    for seed in range(session.task.seed + 1, session.task.seed + SEEDS):
        tasks = [vary(session.task, loss, seed=seed) for loss in (SUM, MEAN)]
        c, a = (session.run("", task, rate, session.train(task)) for task in tasks)
        found.append(_ratio(seed, c, a))
    return tuple(found)


def _ratio(seed: int, c: Run, a: Run) -> Ratio:
    """How far C is above the best, over A, after the first and the last epoch."""
    with np.errstate(all="ignore"):
        first, last = (float(np.float64(c.above_best[k]) / a.above_best[k]) for k in (0, -1))
    return Ratio(seed=seed, first=first, last=last)


def partial(session: Session) -> Partial:
    """Where the last batch is smaller, its mean divides by fewer rows, and so must the rate of the sum.

    E is the mean; F the sum at the rate over the batch; G the sum at the rate over each batch's own rows.
    """
    mean, total = (vary(session.task, loss, batch_size=PARTIAL_BATCH) for loss in (MEAN, SUM))
    rate, steps = session.task.optimizer.learning_rate, mean.steps(session.rows)
    last = session.rows - (steps - 1) * PARTIAL_BATCH
    own = np.append(np.full(steps - 1, rate / PARTIAL_BATCH), rate / last)
    constant = session.constant(total, rate / PARTIAL_BATCH)
    params = {
        "E": session.train(mean),
        "F": session.train(total, rates=constant),
        "G": session.train(total, rates=own),
    }
    tasks = {"E": (mean, rate), "F": (total, rate / PARTIAL_BATCH), "G": (total, None)}
    return Partial(
        last_batch=last,
        runs=tuple(session.run(name, task, h, params[name]) for name, (task, h) in tasks.items()),
        equal=tuple(equality("E", name, params["E"][-1], params[name][-1]) for name in "FG"),
    )


def half(session: Session) -> Half:
    """The factor one half: half the gradient, so the same run as without it at half the learning rate."""
    task, rate = vary(session.task, HALF), session.task.optimizer.learning_rate
    halved = session.train(task)
    slower = vary(session.task, MEAN)
    reference = session.train(slower, rates=session.constant(slower, rate / 2))
    return Half(
        gradient_ratio=gradient_ratio(session, MEAN, HALF),
        run=session.run("one half", task, rate, halved),
        equal=equality("one half", "mse at half the rate", halved[-1], reference[-1]),
    )


def huber(session: Session) -> Huber:
    """Train with the lesson's Huber loss at sigma; set it beside Huber(delta) on the residuals of the start."""
    task = vary(session.task, Loss(name="smooth_l1", options=(("beta", SIGMA),)))
    losses, params = [], []
    for state in session.states(task):
        params.append(session.backend.params(state))
        losses.append(float(session.backend.get(session.backend.forward_backward(state, session.data)[0])))
    errors = parameter_errors(session.task, session.split, params[-1]) or {}
    return Huber(
        sigma=SIGMA,
        losses=tuple(losses),
        means=tuple(accuracy(session.task, session.split, after).loss for after in params),
        weights_error=numbers(errors["0.weight"]),
        bias_error=float(errors["0.bias"][0]),
        relations=tuple(_relation(session, sigma) for sigma in (SIGMA, 1.0)),
    )


def _relation(session: Session, sigma: float) -> Relation:
    """smooth_l1(beta) and huber(delta) at one sigma, on the residuals of the shared start."""
    backend = session.backend
    state = backend.init(session.task, session.start)
    arrays = backend.get(backend.predict(state, session.data[0])), backend.get(session.data[1])
    smooth, slope = backend.loss_and_gradient("smooth_l1", arrays, {"beta": sigma})
    scaled, scaled_slope = backend.loss_and_gradient("huber", arrays, {"delta": sigma})
    sizes = [np.linalg.norm(g["prediction"].astype(np.float64)) for g in (scaled_slope, slope)]
    return Relation(
        sigma=sigma,
        smooth_l1=float(smooth),
        huber=float(scaled),
        ratio=float(scaled) / float(smooth),
        gradient_ratio=float(sizes[0] / sizes[1]),
    )


def exercise3(session: Session, before_last_epoch: Params) -> Exercise3:
    """Gradients of the last batch and of all rows, at the parameters that the last step starts from."""
    task, backend = session.task, session.backend
    order = task.row_order(session.rows, task.epochs - 1)
    rates = task.learning_rates(session.rows)[-1]
    head = (len(rates) - 1) * task.batch_size
    state = backend.init(task, before_last_epoch)
    if head:
        state, _ = backend.epoch(state, session.data, order[:head], task.batch_size, rates[:-1])
    batch = next(iter(backend.batches(session.data, order[head:], task.batch_size)))
    found = []
    for part in (batch, session.data):
        gradients = backend.gradients(backend.forward_backward(state, part)[1])
        found.append(session.tensors(state, gradients))
    return Exercise3(last_batch=found[0], all_rows=found[1])
