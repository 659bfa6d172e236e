"""What wrong losses and gradients are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ...record.proof import Cause
from ..reference.arithmetic import Array
from . import optimizer as optimizer
from .case import Case, Finding, Moment, Seen, flat, split
from .fits import combination, factors, law, near
from .hypothesis import Suspect
from .model import of_layers, of_losses, of_parameters
from .rows import of_rows, of_targets


def gradients(case: Case, seen: Sequence[Seen], when: str) -> Finding | None:
    """What the gradients are, if they are not the gradient."""
    if not seen:
        return None
    moments = [one.moment for one in seen]
    right = [flat(case.exact(moment).gradients) for moment in moments]
    tests: tuple[Callable[[], Finding | None], ...] = (
        lambda: scaled(case, seen, right, when),
        lambda: tensors(case, seen, right, when),
        lambda: replayed(case, seen, right, when, scale=False),
        lambda: mixed(case, seen, right, when),
        lambda: replayed(case, seen, right, when, scale=True),
    )
    return next((found for test in tests if (found := test())), None)


def scaled(case: Case, seen: Sequence[Seen], right: Sequence[Array], when: str) -> Finding | None:
    """A factor for each step."""
    found = factors(case, seen, right)
    if found is None:
        return None
    moments = [one.moment for one in seen]
    if all(near(number, -1.0) for number in found):
        return "sign", f"the gradient has the other sign{when}"
    wrong = [i for i, number in enumerate(found) if not near(number, 1.0, case.resolution)]
    if not wrong:
        return None
    partial = all(case.partial(moments[i]) for i in wrong) and len(wrong) < len(found)
    words = law(case, [moments[i] for i in wrong], [found[i] for i in wrong])
    if partial:
        nominal = all(near(found[i], len(moments[i].rows) / case.batch_size) for i in wrong)
        said = "divided by the nominal batch size" if nominal else f"multiplied by {words}"
        return "partial batch", f"on the partial batch the gradient is {said}"
    roots = [0.5 / np.sqrt(float(case.exact(moment).loss)) for moment in moments]
    if all(near(number, root) for number, root in zip(found, roots, strict=True)):
        return "loss", f"the loss is the square root of itself{when}: its gradient is {words} times as large"
    norms = [float(np.linalg.norm(one.values.astype(float))) for one in seen]
    if len(wrong) > 1 and all(near(norms[i], norms[wrong[0]]) for i in wrong) and "changes" in words:
        return "scale", f"the gradient is clipped to a norm of {norms[wrong[0]]:.6g}{when}"
    if all(near(found[i], 0.0) for i in wrong):
        return "left out", f"there is no gradient at all{when}"
    return "scale", f"the gradient is multiplied by {words}{when}"


def tensors(case: Case, seen: Sequence[Seen], right: Sequence[Array], when: str) -> Finding | None:
    """One parameter's gradient is zero, turned or scaled; the others' are right."""
    shapes = case.workload.task.parameters
    odd: list[Finding] = []
    for tensor, shape in shapes.items():
        alone = [optimizer.only(case, one, tensor) for one in seen]
        exact = [split(each, shapes)[tensor] for each in right]
        if fits(case, alone, [each.ravel() for each in exact]):
            continue
        if fits(case, alone, [each.ravel() * 0 for each in exact], exact):
            odd.append(("left out", f"{tensor} has a gradient of zero{when}"))
        elif (
            len(shape) == 2 and shape[0] == shape[1] and fits(case, alone, [each.T.ravel() for each in exact])
        ):
            odd.append(("transposed", f"the gradient of {tensor} is the other way round{when}"))
        elif found := factors(case, alone, [each.ravel() for each in exact]):
            cause: Cause = "sign" if all(number < 0 for number in found) else "scale"
            words = law(case, [one.moment for one in alone], found)
            odd.append((cause, f"the gradient of {tensor} alone is multiplied by {words}{when}"))
        elif found_at := masked(case, alone, [each.ravel() for each in exact]):
            odd.append(
                (
                    "left out",
                    f"{len(found_at)} of {exact[0].size} elements of {tensor} have no gradient{when}",
                )
            )
        else:
            return None
    return (
        odd[0] if odd and len({cause for cause, _ in odd}) == 1 and len(odd) < max(2, len(shapes)) else None
    )


def masked(case: Case, seen: Sequence[Seen], right: Sequence[Array]) -> list[int]:
    """Elements that are zero at every step where the others are right."""
    zero = np.all([abs(one.values) <= one.tolerance for one in seen], axis=0)
    if not zero.any() or zero.all():
        return []
    return (
        list(np.flatnonzero(zero))
        if fits(case, seen, [np.where(zero, 0, each) for each in right], right)
        else []
    )


def fits(
    case: Case, seen: Sequence[Seen], predicted: Sequence[Array], like: Sequence[Array] | None = None
) -> bool:
    """Whether predictions leave only rounding over."""
    sizes = like or predicted
    return all(
        case.share(one, each, size.ravel()) <= 1
        for one, each, size in zip(seen, predicted, sizes, strict=True)
    )


def suspects(case: Case) -> Iterator[Suspect]:
    """All of them, the likeliest first."""
    for kind in (of_rows, of_targets, of_parameters, of_losses, of_layers):
        yield from kind(case)


def replayed(
    case: Case, seen: Sequence[Seen], right: Sequence[Array], when: str, *, scale: bool
) -> Finding | None:
    """The gradient of a step with one ingredient changed, exactly or up to a factor."""
    for suspect in suspects(case):
        numbers = explains(case, suspect, seen, right, scale=scale)
        if numbers is None:
            continue
        at = "" if suspect.cause == "partial batch" else when
        by = f", multiplied by {law(case, [one.moment for one in seen], numbers)}" if scale else ""
        return suspect.cause, f"the gradient is that of {suspect.words}{by}{at}"
    return None


def explains(
    case: Case, suspect: Suspect, seen: Sequence[Seen], right: Sequence[Array], *, scale: bool
) -> list[float] | None:
    """The factors by which a suspect's gradients are what was seen at every step; None at the first other one."""
    numbers, differs = [], False
    for one, exact in zip(seen, right, strict=True):
        made = suspect.play(one.moment)
        if made is None or not np.isfinite(made[1]).all():
            return None
        if scale:
            found = factors(case, [one], [made[1]])
        else:
            found = [1.0] if case.share(one, made[1], exact) <= 1 else None
        if found is None:
            return None
        numbers += found
        differs = differs or not np.array_equal(made[1], exact)
    return numbers if differs else None


def mixed(case: Case, seen: Sequence[Seen], right: Sequence[Array], when: str) -> Finding | None:
    """A sum: with the gradient before it (not cleared), the parameters (decay in the loss) or their signs."""
    exact = {one.moment.number: each for one, each in zip(seen, right, strict=True)}
    for cause, words, other in companions(case, seen):
        pairs = [(one, extra) for one in seen if (extra := other(one.moment)) is not None]
        vectors = [[exact[one.moment.number], *extra] for one, extra in pairs]
        found = combination(case, [one for one, _ in pairs], vectors) if len(pairs) > 1 else None
        if found is not None and abs(found[1:]).max() > 1e-6:
            numbers = " and ".join(f"{number:.4g}" for number in found[1:])
            itself = "itself" if near(found[0], 1.0) else f"{found[0]:.4g} times itself"
            return cause, f"the gradient is {itself} plus {numbers} times {words}{when}"
    return None


def companions(
    case: Case, seen: Sequence[Seen]
) -> Iterator[tuple[Cause, str, Callable[[Moment], list[Array] | None]]]:
    """What is known to be added to gradients; None where it is not known at a step."""
    observed = {one.moment.number: one.values for one in seen}

    def before(moment: Moment) -> list[Array] | None:
        previous = case.before(moment)
        if previous is None or previous.number not in observed:
            return [flat(moment.before) * 0] * 2 if moment.first else None
        return [observed[previous.number], flat(case.exact(previous).gradients)]

    def average(moment: Moment) -> list[Array] | None:
        found = before(moment)
        return found and found[:1]

    def targets(moment: Moment) -> list[Array]:
        x, y = case.workload.x[moment.rows], case.workload.y[moment.rows]
        return [flat(case.play(moment, x, value).gradients) for value in (y * 0, y * 0 + 1)]

    yield "stale", "the gradient before it: it is not cleared", average
    yield "stale", "the gradient before it, as it was and as it should be: it is not cleared", before
    yield "weight decay", "the parameters: a decay inside the loss", lambda m: [flat(m.before)]
    yield "weight decay", "the signs of the parameters", lambda m: [np.sign(flat(m.before))]
    if case.workload.y.dtype.kind == "f":
        yield "labels", "those of targets 0 and 1: the targets are shifted or scaled", targets


def loss(case: Case, seen: Sequence[Seen], when: str) -> Finding | None:
    """A wrong loss above right gradients."""
    moments = [one.moment for one in seen]
    right = [np.asarray(case.exact(moment).loss).ravel() for moment in moments]
    numbers = [float(one.values[0] / exact[0]) for one, exact in zip(seen, right, strict=True) if exact[0]]
    wrong = [i for i, number in enumerate(numbers) if not near(number, 1.0, case.resolution)]
    if len(numbers) == len(seen) and wrong:
        words = law(case, [moments[i] for i in wrong], [numbers[i] for i in wrong])
        if "changes" not in words and len(wrong) > 1:
            if all(case.partial(moments[i]) for i in wrong) and len(wrong) < len(numbers):
                return (
                    "partial batch",
                    f"on the partial batch the loss is multiplied by {words}, its gradients are right",
                )
            return "scale", f"the loss is multiplied by {words}{when}, its gradients are right"
    for suspect in suspects(case):
        if gives_loss(case, suspect, seen, right):
            return suspect.cause, f"the loss is that of {suspect.words}{when}, its gradients are right"
    after = [
        case.play(m, case.workload.x[m.rows], case.workload.y[m.rows], before=m.recorded["params"])
        for m in moments
    ]
    if fits(case, seen, [np.asarray(step.loss).ravel() for step in after], right):
        return "stale", f"the loss is taken after the update{when}, its gradients are right"
    return None


def gives_loss(case: Case, suspect: Suspect, seen: Sequence[Seen], right: Sequence[Array]) -> bool:
    """Whether a suspect's loss is what was seen at every step."""
    differs = False
    for one, exact in zip(seen, right, strict=True):
        made = suspect.play(one.moment)
        if made is None or case.share(one, np.asarray(made[0]).ravel(), exact) > 1:
            return False
        differs = differs or made[0] != exact[0]
    return differs
