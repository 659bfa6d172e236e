"""What wrong losses and wrong gradients are made of: factors, other steps, sums, clipping, parts left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from ..reference import Array, narrow
from .case import Case, StepSnapshot, Variation, flat, split_tensors
from .factors import free_factor, known_factors
from .hypothesis import Hypothesis, Numbers, Prediction
from .observations import Observation
from .variations import of_parameters, variations


def of_gradients(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """All hypotheses about gradients; `observations` are what was recorded of them, or is implied."""
    yield from known_factors(case, "gradient", lambda snapshot: flat(case.exact(snapshot).gradients))
    yield from clipped(case, observations)
    yield from small_left_out(case, observations)
    for variation in variations(case):
        yield from played(variation)
    yield from sums(case, observations)
    yield from free_factor(
        "scale",
        "the gradient",
        lambda s: Prediction(flat(case.exact(s).gradients) * 0, (flat(case.exact(s).gradients),)),
    )


def played(variation: Variation) -> Iterator[Hypothesis]:
    """The gradient of a varied step, exactly and up to one factor."""
    outcomes: dict[int, Prediction | None] = {}

    def predict(snapshot: StepSnapshot) -> Prediction | None:
        if snapshot.number not in outcomes:
            played = variation.play(snapshot)
            outcomes[snapshot.number] = played and Prediction(played.gradient, (), played.loss)
        return outcomes[snapshot.number]

    def scaled(snapshot: StepSnapshot) -> Prediction | None:
        whole = predict(snapshot)
        return whole and Prediction(whole.fixed * 0, (whole.fixed,))

    lead = f"the gradient is that of {variation.description}"
    yield Hypothesis(variation.cause, lead, predict)
    yield Hypothesis(
        variation.cause, lambda n: f"{lead}, multiplied by {n[0]:.6g}", scaled, free=1, changes=2
    )


def of_losses_alone(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """What a wrong loss above right gradients is."""

    def exact(snapshot: StepSnapshot) -> Array:
        return np.asarray(case.exact(snapshot).loss).ravel()

    def as_loss(variation: Variation) -> Hypothesis:
        def predict(snapshot: StepSnapshot) -> Prediction | None:
            played = variation.play(snapshot)
            return None if played is None else Prediction(np.asarray(played.loss).ravel())

        return Hypothesis(variation.cause, f"the loss is that of {variation.description}", predict)

    def after(snapshot: StepSnapshot) -> Prediction:
        step = case.play_step(snapshot, *case.batch(snapshot), params=snapshot.recorded["params"])
        return Prediction(np.asarray(step.loss).ravel())

    def penalized(snapshot: StepSnapshot) -> Prediction:
        return Prediction(exact(snapshot), (np.square(flat(snapshot.start.params)).sum().reshape(1),))

    yield from known_factors(case, "loss", exact)
    yield Hypothesis("stale", "the loss is taken after the update", after)
    yield from map(as_loss, variations(case))
    yield from free_factor("scale", "the loss", lambda s: Prediction(exact(s) * 0, (exact(s),)))
    yield Hypothesis(
        "weight decay",
        lambda n: f"the loss has {n[0]:.6g} times the parameters' squares added",
        penalized,
        free=1,
    )
    yield Hypothesis(
        "loss",
        lambda n: f"the loss is {n[0]:.6g} more than it should be",
        lambda s: Prediction(exact(s), (exact(s) * 0 + 1,)),
        free=1,
    )


# --- sums -----------------------------------------------------------------------------------------------------


def sums(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """The gradient with something added: gradients before it, a penalty, targets shifted or scaled."""
    yield from stale_sums(case, observations)
    yield from penalties(case, lambda snapshot: flat(case.exact(snapshot).gradients))
    yield from shifted_targets(case)


def stale_sums(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """The gradient with gradients before it added."""
    observed = {one.snapshot.number: one.recorded for one in observations}

    def exact(snapshot: StepSnapshot) -> Array:
        return flat(case.exact(snapshot).gradients)

    def not_cleared(*, each_epoch: bool) -> Callable[[StepSnapshot], Prediction | None]:
        def predict(snapshot: StepSnapshot) -> Prediction | None:
            if snapshot.start.first or (each_epoch and not case.position(snapshot)[1]):
                return Prediction(exact(snapshot))
            before = observed.get(snapshot.number - 1)
            return None if before is None else Prediction(exact(snapshot) + before)

        return predict

    def with_before(snapshot: StepSnapshot) -> Prediction | None:
        previous = case.previous(snapshot)
        if previous is None:
            return Prediction(exact(snapshot)) if snapshot.start.first else None
        return Prediction(exact(snapshot) + exact(previous))

    def averaged(snapshot: StepSnapshot) -> Prediction | None:
        whole = with_before(snapshot)
        return None if whole is None or snapshot.start.first else Prediction(whole.fixed / 2)

    lead = "gradients are not cleared: each is added to the one before"
    yield Hypothesis("stale", lead, not_cleared(each_epoch=False), skips=True)
    if any(case.position(snapshot)[1] == 0 for snapshot in case.snapshots[1:]):
        end = ", and only a new epoch clears them"
        yield Hypothesis("stale", f"{lead}{end}", not_cleared(each_epoch=True), skips=True)
    yield Hypothesis("stale", "the gradient of the step before is added to each", with_before, skips=True)
    yield Hypothesis(
        "stale", "the gradient is the mean of itself and that of the step before", averaged, skips=True
    )


def penalties(case: Case, exact: Callable[[StepSnapshot], Array]) -> Iterator[Hypothesis]:
    """The gradient of a penalty in the loss: of the task's own decay, or of another size."""

    def theta(snapshot: StepSnapshot) -> Array:
        return flat(snapshot.start.params)

    addends: tuple[tuple[str, Callable[[StepSnapshot], Array]], ...] = (
        ("the parameters: a decay inside the loss", theta),
        ("the signs of the parameters", lambda snapshot: np.sign(theta(snapshot))),
    )

    def added(addend: Callable[[StepSnapshot], Array], factor: float | None, s: StepSnapshot) -> Prediction:
        if factor is None:
            return Prediction(exact(s), (addend(s),))
        return Prediction(exact(s) + factor * addend(s))

    decay = case.reference.sgd.weight_decay
    for description, addend in addends:
        for factor in dict.fromkeys((float(decay), float(2 * decay), float(decay / 2))):
            if factor:
                clause = f"the gradient is itself plus {factor:.6g} times {description}"
                yield Hypothesis("weight decay", clause, partial(added, addend, factor))
        clause_of = partial(added_text, description)
        yield Hypothesis("weight decay", clause_of, partial(added, addend, None), free=1)


def added_text(description: str, numbers: Numbers) -> str:
    """What was added, in words."""
    return f"the gradient is itself plus {numbers[0]:.6g} times {description}"


def shifted_targets(case: Case) -> Iterator[Hypothesis]:
    """Targets a y + b: for a loss whose gradient is linear in them."""
    if case.workload.y.dtype.kind != "f":
        return

    def parts(snapshot: StepSnapshot) -> tuple[Array, Array, Array]:
        x, y = case.batch(snapshot)
        right, zero, one = (flat(case.play_step(snapshot, x, t).gradients) for t in (y, y * 0, y * 0 + 1))
        return right, zero, one

    def shifted(snapshot: StepSnapshot) -> Prediction:
        right, zero, one = parts(snapshot)
        return Prediction(right, (one - zero,))

    def scaled(snapshot: StepSnapshot) -> Prediction:
        right, zero, _ = parts(snapshot)
        return Prediction(zero, (right - zero,))

    def both(snapshot: StepSnapshot) -> Prediction:
        right, zero, one = parts(snapshot)
        return Prediction(zero, (right - zero, one - zero))

    yield Hypothesis("labels", lambda n: f"the targets are shifted by {n[0]:.6g}", shifted, free=1)
    yield Hypothesis(
        "labels", lambda n: f"the targets are multiplied by {n[0]:.6g}", scaled, free=1, changes=2
    )
    yield Hypothesis(
        "labels", lambda n: f"the targets are {n[0]:.6g} times themselves plus {n[1]:.6g}", both, free=2
    )


# --- clipping -------------------------------------------------------------------------------------------------


def clipped(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """Gradients clipped to a norm or a largest value that is read off the first wrong one."""
    first = next((one for one in observations if one.snapshot.wrong), None)
    if first is None or not np.isfinite(narrow(first.recorded)).all():
        return
    shapes = case.workload.task.parameters
    norm = float(np.linalg.norm(narrow(first.recorded)))
    largest = float(abs(first.recorded).max())
    norms = {
        name: float(np.linalg.norm(narrow(g))) for name, g in split_tensors(first.recorded, shapes).items()
    }

    def exact(snapshot: StepSnapshot) -> Array:
        return flat(case.exact(snapshot).gradients)

    def by_norm(epsilon: float) -> Callable[[StepSnapshot], Prediction]:
        start = float(np.linalg.norm(narrow(exact(first.snapshot)))) + epsilon
        limit = norm * start / max(start - epsilon, 1e-300)

        def predict(snapshot: StepSnapshot) -> Prediction:
            gradient = exact(snapshot)
            size = np.sqrt(np.square(gradient).sum()) + epsilon
            return Prediction(gradient * min(1.0, limit / size) if size else gradient)

        return predict

    def by_tensor(snapshot: StepSnapshot) -> Prediction:
        limit = max(norms.values())
        pieces = split_tensors(exact(snapshot), shapes)
        sizes = {name: np.sqrt(np.square(piece).sum()) for name, piece in pieces.items()}
        return Prediction(
            flat(
                {name: p * min(1.0, limit / sizes[name]) if sizes[name] else p for name, p in pieces.items()}
            )
        )

    def normalized(snapshot: StepSnapshot) -> Prediction:
        gradient = exact(snapshot)
        return Prediction(gradient * (norm / np.sqrt(np.square(gradient).sum())))

    for epsilon in (0.0, 1e-6):
        yield Hypothesis(
            "scale", f"the gradient is clipped to a norm of {norm:.6g}", by_norm(epsilon), free=1
        )
    yield Hypothesis("scale", f"the gradient is brought to a norm of {norm:.6g}", normalized, free=1)
    each = f"each parameter's gradient is clipped to a norm of {max(norms.values()):.6g} by itself"
    yield Hypothesis("scale", each, by_tensor, free=1)
    value = f"the gradient is clipped to values of {largest:.6g}"
    yield Hypothesis("scale", value, lambda s: Prediction(np.clip(exact(s), -largest, largest)), free=1)


# --- parts ----------------------------------------------------------------------------------------------------


def of_parts(case: Case, observations: Sequence[Observation], group: str) -> Iterator[Hypothesis]:
    """One group's gradients are wrong, all others right: zero, scaled, transposed, or without some elements."""

    def exact(snapshot: StepSnapshot) -> Array:
        return flat(case.exact(snapshot).gradients)

    def turned(snapshot: StepSnapshot) -> Prediction:
        gradients = case.exact(snapshot).gradients
        return Prediction(
            flat({k: g.T if g.ndim == 2 and g.shape[0] == g.shape[1] else g for k, g in gradients.items()})
        )

    yield from clipped(case, observations)
    yield from small_left_out(case, observations)
    for variation in of_parameters(case):
        yield from played(variation)
    yield from stale_sums(case, observations)
    yield from penalties(case, exact)
    zero = np.all([abs(one.recorded) <= one.tolerances for one in observations], axis=0)
    count, size = int(zero[observations[0].part].sum()), int(observations[0].part.sum())
    yield Hypothesis("transposed", f"the gradient of {group} is the other way round", turned)
    yield from known_factors(case, f"gradient of {group} alone", exact)
    if 0 < count < size:
        clause = f"{count} of {size} elements of {group} have no gradient"
        yield Hypothesis("left out", clause, lambda s: Prediction(np.where(zero, 0, exact(s))))
    yield from free_factor(
        "scale", f"the gradient of {group} alone", lambda s: Prediction(exact(s) * 0, (exact(s),))
    )


def small_left_out(case: Case, observations: Sequence[Observation]) -> Iterator[Hypothesis]:
    """Elements that are zero where the right ones are small: a threshold, or the largest few alone."""
    observed = {one.snapshot.number: one.recorded for one in observations}

    def predict(snapshot: StepSnapshot) -> Prediction | None:
        exact, recorded = flat(case.exact(snapshot).gradients), observed.get(snapshot.number)
        if recorded is None:
            return None
        zero = recorded == 0
        if not zero.any() or zero.all() or abs(exact[zero]).max() > abs(exact[~zero]).min():
            return Prediction(exact)
        return Prediction(np.where(zero, 0, exact))

    yield Hypothesis("left out", "the smallest elements of the gradient are set to zero", predict)
