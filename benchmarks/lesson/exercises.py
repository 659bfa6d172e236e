"""The exercises in one lane: reduction and learning rate (S9), the lesson's Huber loss (S10), gradients (S12)."""

from __future__ import annotations

import numpy as np

from samestep.backends.spec import Loss, Task

from ..accuracy.scores import accuracy, parameter_errors
from .models import (
    Exercise1,
    Exercise3,
    HuberExercise,
    HuberRelation,
    OneHalf,
    OrderRatio,
    PartialBatch,
    TrainingRun,
)
from .training import LessonLane, Params, equality, numbers

MEAN, SUM = Loss(name="mse"), Loss(name="mse", reduction="sum")
SIGMA = 0.5
PAIRS = (("A", "B"), ("C", "D"), ("A", "C"))
SEEDS = 3
PARTIAL_BATCH = 7  # leaves 6 of 1000 rows
# No residual is as large as delta, so it is e^2 / 2: optax.l2_loss.
HALF = Loss(name="huber", options=(("delta", 64.0),))


def vary(task: Task, loss: Loss, *, batch_size: int | None = None, seed: int | None = None) -> Task:
    """The lesson with another loss, batch or row order; the learning rate is handed to the loop as data."""
    changes = {"loss": loss, "batch_size": batch_size or task.batch_size}
    return task.model_copy(update=changes | {"seed": task.seed if seed is None else seed})


def exercise1(lane: LessonLane) -> Exercise1:
    """Four runs from one start: A mean h, B sum h / batch, C sum h, D mean h * batch."""
    mean, total = vary(lane.task, MEAN), vary(lane.task, SUM)
    h, batch = lane.task.optimizer.learning_rate, lane.task.batch_size
    plan = {"A": (mean, h), "B": (total, h / batch), "C": (total, h), "D": (mean, h * batch)}
    epochs = {
        name: lane.train(task, learning_rates=lane.constant(task, learning_rate))
        for name, (task, learning_rate) in plan.items()
    }
    runs = {name: lane.run(name, *plan[name], epochs[name]) for name in plan}
    continued = lane.train(mean, start=epochs["A"][-1], first_epoch=mean.epochs)
    return Exercise1(
        runs=tuple(runs.values()),
        equal=tuple(equality(a, b, epochs[a][-1], epochs[b][-1]) for a, b in PAIRS),
        gradient_ratio=gradient_ratio(lane, SUM, MEAN),
        continued=lane.run("A again", mean, h, continued),
        ratios=(_ratio(mean.seed, runs["C"], runs["A"]), *other_orders(lane)),
        partial=partial(lane),
    )


def gradient_ratio(lane: LessonLane, numerator: Loss, denominator: Loss) -> float:
    """The norm of one loss's gradient of the first batch over that of another's."""
    row_order = lane.task.row_order(lane.rows, 0)
    norms = []
    for loss in (numerator, denominator):
        state = lane.backend.init(vary(lane.task, loss), lane.start)
        _, gradients = lane.backend.forward_backward(state, lane.first_batch(row_order))
        arrays = lane.backend.gradients(gradients).values()
        norms.append(np.sqrt(sum(np.sum(np.square(array, dtype=np.float64)) for array in arrays)))
    return float(norms[0] / norms[1])


def other_orders(lane: LessonLane) -> tuple[OrderRatio, ...]:
    """C over A for further seeds of the row order."""
    h, ratios = lane.task.optimizer.learning_rate, []
    for seed in range(lane.task.seed + 1, lane.task.seed + SEEDS):
        tasks = [vary(lane.task, loss, seed=seed) for loss in (SUM, MEAN)]
        c, a = (lane.run("", task, h, lane.train(task)) for task in tasks)
        ratios.append(_ratio(seed, c, a))
    return tuple(ratios)


def _ratio(seed: int, c: TrainingRun, a: TrainingRun) -> OrderRatio:
    """How far C is above the best, over A, after the first and the last epoch."""
    with np.errstate(all="ignore"):
        first, last = (float(np.float64(c.above_best[k]) / a.above_best[k]) for k in (0, -1))
    return OrderRatio(seed=seed, first=first, last=last)


def partial(lane: LessonLane) -> PartialBatch:
    """Where the last batch is smaller, its mean divides by fewer rows, and so must the rate of the sum.

    E is the mean; F the sum at the rate over the batch; G the sum at the rate over each batch's own rows.
    """
    mean, total = (vary(lane.task, loss, batch_size=PARTIAL_BATCH) for loss in (MEAN, SUM))
    h, steps = lane.task.optimizer.learning_rate, mean.steps(lane.rows)
    last = lane.rows - (steps - 1) * PARTIAL_BATCH
    by_batch = np.append(np.full(steps - 1, h / PARTIAL_BATCH), h / last)
    epochs = {
        "E": lane.train(mean),
        "F": lane.train(total, learning_rates=lane.constant(total, h / PARTIAL_BATCH)),
        "G": lane.train(total, learning_rates=by_batch),
    }
    plan = {"E": (mean, h), "F": (total, h / PARTIAL_BATCH), "G": (total, None)}
    return PartialBatch(
        last_batch=last,
        runs=tuple(lane.run(name, *plan[name], epochs[name]) for name in plan),
        equal=tuple(equality("E", name, epochs["E"][-1], epochs[name][-1]) for name in "FG"),
    )


def half(lane: LessonLane) -> OneHalf:
    """The factor one half: half the gradient, so the same run as without it at half the learning rate."""
    task, mean = vary(lane.task, HALF), vary(lane.task, MEAN)
    h = lane.task.optimizer.learning_rate
    epochs = lane.train(task)
    slower = lane.train(mean, learning_rates=lane.constant(mean, h / 2))
    return OneHalf(
        gradient_ratio=gradient_ratio(lane, MEAN, HALF),
        run=lane.run("one half", task, h, epochs),
        equal=equality("one half", "mse at half the rate", epochs[-1], slower[-1]),
    )


def huber(lane: LessonLane) -> HuberExercise:
    """Train with the lesson's Huber loss at sigma; set it beside Huber(delta) on the residuals of the start."""
    task = vary(lane.task, Loss(name="smooth_l1", options=(("beta", SIGMA),)))
    losses, epochs = [], []
    for state in lane.states(task):
        epochs.append(lane.backend.params(state))
        losses.append(lane.loss(state))
    errors = parameter_errors(lane.task, lane.split, epochs[-1]) or {}
    return HuberExercise(
        sigma=SIGMA,
        losses=tuple(losses),
        means=tuple(accuracy(lane.task, lane.split, params).loss for params in epochs),
        weights_error=numbers(errors["0.weight"]),
        bias_error=float(errors["0.bias"][0]),
        relations=tuple(_relation(lane, sigma) for sigma in (SIGMA, 1.0)),
    )


def _relation(lane: LessonLane, sigma: float) -> HuberRelation:
    """smooth_l1(beta) and huber(delta) at one sigma, on the residuals of the shared start."""
    backend = lane.backend
    state = backend.init(lane.task, lane.start)
    arrays = backend.get(backend.predict(state, lane.data[0])), backend.get(lane.data[1])
    smooth, smooth_gradient = backend.loss_and_gradient("smooth_l1", arrays, {"beta": sigma})
    scaled, scaled_gradient = backend.loss_and_gradient("huber", arrays, {"delta": sigma})
    gradients = (scaled_gradient, smooth_gradient)
    norms = [np.linalg.norm(gradient["prediction"].astype(np.float64)) for gradient in gradients]
    return HuberRelation(
        sigma=sigma,
        smooth_l1=float(smooth),
        huber=float(scaled),
        ratio=float(scaled) / float(smooth),
        gradient_ratio=float(norms[0] / norms[1]),
    )


def exercise3(lane: LessonLane, before_last_epoch: Params) -> Exercise3:
    """Gradients of the last batch and of all rows, at the parameters that the last step starts from."""
    task, backend = lane.task, lane.backend
    row_order = task.row_order(lane.rows, task.epochs - 1)
    learning_rates = task.learning_rates(lane.rows)[-1]
    rows_before = (len(learning_rates) - 1) * task.batch_size
    state = backend.init(task, before_last_epoch)
    if rows_before:
        full_batches = row_order[:rows_before]
        state, _ = backend.epoch(state, lane.data, full_batches, task.batch_size, learning_rates[:-1])
    tensors = []
    for batch in (lane.first_batch(row_order[rows_before:]), lane.data):
        gradients = backend.gradients(backend.forward_backward(state, batch)[1])
        tensors.append(lane.tensors(state, gradients))
    return Exercise3(last_batch=tensors[0], all_rows=tensors[1])
