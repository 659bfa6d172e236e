"""What wrong losses and wrong gradients are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...record.proof import Cause
from ..reference import Array
from .case import Case, Finding, Hypothesis, StepSnapshot, flat, split_tensors
from .data_hypotheses import of_rows, of_targets
from .fits import Factors, Observation, combination, describe_factors, factors, fits, is_close, misfit
from .model_hypotheses import of_layers, of_losses, of_parameters


@dataclass(frozen=True, eq=False)
class Recorded:
    """Observed losses or gradients beside the correct ones; `when` ends a sentence with the steps they are of."""

    case: Case
    observations: Sequence[Observation]
    correct: Sequence[Array]
    when: str

    @cached_property
    def snapshots(self) -> list[StepSnapshot]:
        """The steps of the observations."""
        return [observation.snapshot for observation in self.observations]

    def pairs(self) -> Iterator[tuple[Observation, Array]]:
        """Each observation with its correct value."""
        return zip(self.observations, self.correct, strict=True)

    def describe(self, numbers: Sequence[float], indices: Sequence[int] | None = None) -> Factors:
        """Factors in words, of all steps or of some."""
        chosen = range(len(numbers)) if indices is None else indices
        return describe_factors(self.case, [self.snapshots[i] for i in chosen], [numbers[i] for i in chosen])

    def only_partial(self, indices: Sequence[int]) -> bool:
        """Whether some steps are all on partial batches, and others are not among them."""
        partial = all(self.case.is_partial(self.snapshots[i]) for i in indices)
        return partial and len(indices) < len(self.observations)


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """All hypotheses about losses and gradients, the likeliest first."""
    for kind in (of_rows, of_targets, of_parameters, of_losses, of_layers):
        yield from kind(case)


# --- gradients ------------------------------------------------------------------------------------------------


def explain_gradients(case: Case, observations: Sequence[Observation], when: str) -> Finding | None:
    """What the gradients are, if they are not the gradient."""
    if not observations:
        return None
    correct = [flat(case.exact(observation.snapshot).gradients) for observation in observations]
    recorded = Recorded(case, observations, correct, when)
    tests: tuple[Callable[[], Finding | None], ...] = (
        lambda: scaled(recorded),
        lambda: by_tensor(recorded),
        lambda: replayed(recorded, up_to_factor=False),
        lambda: mixed(recorded),
        lambda: replayed(recorded, up_to_factor=True),
    )
    return next((finding for test in tests if (finding := test())), None)


def scaled(recorded: Recorded) -> Finding | None:
    """The right gradient times a factor, which may be another at each step."""
    case, when, snapshots = recorded.case, recorded.when, recorded.snapshots
    numbers = factors(case, recorded.observations, recorded.correct)
    if numbers is None:
        return None
    if all(is_close(number, -1.0) for number in numbers):
        return "sign", f"the gradient has the other sign{when}"
    wrong = [i for i, number in enumerate(numbers) if not is_close(number, 1.0, case.resolution)]
    if not wrong:
        return None
    text, is_constant = recorded.describe(numbers, wrong)
    if recorded.only_partial(wrong):
        nominal = all(is_close(numbers[i], len(snapshots[i].rows) / case.batch_size) for i in wrong)
        verb = "divided by the nominal batch size" if nominal else f"multiplied by {text}"
        return "partial batch", f"on the partial batch the gradient is {verb}"
    # the derivative of sqrt(loss) is that of the loss over 2 sqrt(loss)
    roots = [0.5 / np.sqrt(float(case.exact(snapshot).loss)) for snapshot in snapshots]
    if all(is_close(number, root) for number, root in zip(numbers, roots, strict=True)):
        return "loss", f"the loss is the square root of itself{when}: its gradient is {text} times as large"
    norms = [float(np.linalg.norm(one.values.astype(float))) for one in recorded.observations]
    same_norm = all(is_close(norms[i], norms[wrong[0]]) for i in wrong)
    if len(wrong) > 1 and same_norm and not is_constant:
        return "scale", f"the gradient is clipped to a norm of {norms[wrong[0]]:.6g}{when}"
    if all(is_close(numbers[i], 0.0) for i in wrong):
        return "left out", f"there is no gradient at all{when}"
    return "scale", f"the gradient is multiplied by {text}{when}"


def by_tensor(recorded: Recorded) -> Finding | None:
    """One parameter's gradient is zero, transposed or scaled; the others' are right."""
    task = recorded.case.workload.task
    findings: list[Finding] = []
    for tensor, shape in task.parameters.items():
        alone = Recorded(
            recorded.case,
            [observation.only(tensor, task) for observation in recorded.observations],
            [split_tensors(gradient, task.parameters)[tensor] for gradient in recorded.correct],
            recorded.when,
        )
        if fits(alone.case, alone.observations, [gradient.ravel() for gradient in alone.correct]):
            continue
        finding = of_tensor(alone, tensor, square=len(shape) == 2 and shape[0] == shape[1])
        if finding is None:
            return None
        findings.append(finding)
    few = len(findings) < max(2, len(task.parameters))
    return findings[0] if findings and len({cause for cause, _ in findings}) == 1 and few else None


def of_tensor(alone: Recorded, tensor: str, *, square: bool) -> Finding | None:
    """What the wrong gradient of one tensor is; its correct values have the tensor's shape."""
    case, observations, when = alone.case, alone.observations, alone.when
    correct = [gradient.ravel() for gradient in alone.correct]
    if fits(case, observations, [gradient * 0 for gradient in correct], correct):
        return "left out", f"{tensor} has a gradient of zero{when}"
    if square and fits(case, observations, [gradient.T.ravel() for gradient in alone.correct]):
        return "transposed", f"the gradient of {tensor} is the other way round{when}"
    if numbers := factors(case, observations, correct):
        cause: Cause = "sign" if all(number < 0 for number in numbers) else "scale"
        return cause, f"the gradient of {tensor} alone is multiplied by {alone.describe(numbers).text}{when}"
    if count := masked(case, observations, correct):
        return "left out", f"{count} of {correct[0].size} elements of {tensor} have no gradient{when}"
    return None


def masked(case: Case, observations: Sequence[Observation], correct: Sequence[Array]) -> int:
    """How many elements are zero at every step, where the others are right."""
    zero = np.all([abs(one.values) <= one.tolerance for one in observations], axis=0)
    if not zero.any() or zero.all():
        return 0
    right = fits(case, observations, [np.where(zero, 0, gradient) for gradient in correct], correct)
    return int(np.count_nonzero(zero)) if right else 0


def replayed(recorded: Recorded, *, up_to_factor: bool) -> Finding | None:
    """The gradient of a step with one ingredient changed, exactly or up to a factor."""
    for hypothesis in hypotheses(recorded.case):
        numbers = explained_by(recorded, hypothesis, up_to_factor=up_to_factor)
        if numbers is None:
            continue
        at = "" if hypothesis.cause == "partial batch" else recorded.when
        by = f", multiplied by {recorded.describe(numbers).text}" if up_to_factor else ""
        return hypothesis.cause, f"the gradient is that of {hypothesis.description}{by}{at}"
    return None


def explained_by(recorded: Recorded, hypothesis: Hypothesis, *, up_to_factor: bool) -> list[float] | None:
    """The factors by which a hypothesis gives what was recorded at every step; None at the first other one."""
    numbers, differs = [], False
    for observation, correct in recorded.pairs():
        outcome = hypothesis.play(observation.snapshot)
        if outcome is None or not np.isfinite(outcome.gradient).all():
            return None
        if up_to_factor:
            fitted = factors(recorded.case, [observation], [outcome.gradient])
        else:
            fitted = [1.0] if misfit(recorded.case, observation, outcome.gradient, correct) <= 1 else None
        if fitted is None:
            return None
        numbers += fitted
        differs = differs or not np.array_equal(outcome.gradient, correct)
    return numbers if differs else None


# --- sums of gradients ----------------------------------------------------------------------------------------


def mixed(recorded: Recorded) -> Finding | None:
    """A sum: with the gradient before it (not cleared), the parameters (decay in the loss) or their signs."""
    correct = {observation.snapshot.number: gradient for observation, gradient in recorded.pairs()}
    for cause, description, addends in companions(recorded):
        pairs = [
            (observation, vectors)
            for observation in recorded.observations
            if (vectors := addends(observation.snapshot)) is not None
        ]
        if len(pairs) < 2:
            continue
        columns = [[correct[observation.snapshot.number], *vectors] for observation, vectors in pairs]
        coefficients = combination(recorded.case, [observation for observation, _ in pairs], columns)
        if coefficients is not None and abs(coefficients[1:]).max() > 1e-6:
            numbers = " and ".join(f"{number:.4g}" for number in coefficients[1:])
            itself = "itself" if is_close(coefficients[0], 1.0) else f"{coefficients[0]:.4g} times itself"
            return cause, f"the gradient is {itself} plus {numbers} times {description}{recorded.when}"
    return None


def companions(
    recorded: Recorded,
) -> Iterator[tuple[Cause, str, Callable[[StepSnapshot], list[Array] | None]]]:
    """What is known to be added to gradients; None where it is not known at a step."""
    case = recorded.case
    observed = {observation.snapshot.number: observation.values for observation in recorded.observations}

    def before(snapshot: StepSnapshot) -> list[Array] | None:
        previous = case.previous(snapshot)
        if previous is None or previous.number not in observed:
            return [flat(snapshot.start.params) * 0] * 2 if snapshot.start.first else None
        return [observed[previous.number], flat(case.exact(previous).gradients)]

    def as_it_was(snapshot: StepSnapshot) -> list[Array] | None:
        vectors = before(snapshot)
        return vectors and vectors[:1]

    def constant_targets(snapshot: StepSnapshot) -> list[Array]:
        x, y = case.batch(snapshot)
        return [flat(case.play_step(snapshot, x, target).gradients) for target in (y * 0, y * 0 + 1)]

    yield "stale", "the gradient before it: it is not cleared", as_it_was
    yield "stale", "the gradient before it, as it was and as it should be: it is not cleared", before
    yield "weight decay", "the parameters: a decay inside the loss", lambda s: [flat(s.start.params)]
    yield "weight decay", "the signs of the parameters", lambda s: [np.sign(flat(s.start.params))]
    if case.workload.y.dtype.kind == "f":
        yield "labels", "those of targets 0 and 1: the targets are shifted or scaled", constant_targets


# --- losses ---------------------------------------------------------------------------------------------------


def explain_loss(case: Case, observations: Sequence[Observation], when: str) -> Finding | None:
    """What a wrong loss above right gradients is."""
    correct = [np.asarray(case.exact(one.snapshot).loss).ravel() for one in observations]
    recorded = Recorded(case, observations, correct, when)
    if finding := scaled_loss(recorded):
        return finding
    for hypothesis in hypotheses(case):
        if gives_loss(recorded, hypothesis):
            sentence = f"the loss is that of {hypothesis.description}{when}, its gradients are right"
            return hypothesis.cause, sentence
    after = [case.play_step(s, *case.batch(s), params=s.recorded["params"]) for s in recorded.snapshots]
    if fits(case, observations, [np.asarray(step.loss).ravel() for step in after], correct):
        return "stale", f"the loss is taken after the update{when}, its gradients are right"
    return None


def scaled_loss(recorded: Recorded) -> Finding | None:
    """The right loss times one factor."""
    numbers = [float(one.values[0] / exact[0]) for one, exact in recorded.pairs() if exact[0]]
    wrong = [i for i, number in enumerate(numbers) if not is_close(number, 1.0, recorded.case.resolution)]
    if len(numbers) < len(recorded.observations) or len(wrong) < 2:
        return None
    text, is_constant = recorded.describe(numbers, wrong)
    if not is_constant:
        return None
    if recorded.only_partial(wrong):
        return (
            "partial batch",
            f"on the partial batch the loss is multiplied by {text}, its gradients are right",
        )
    return "scale", f"the loss is multiplied by {text}{recorded.when}, its gradients are right"


def gives_loss(recorded: Recorded, hypothesis: Hypothesis) -> bool:
    """Whether the loss of a hypothesis is what was recorded at every step."""
    differs = False
    for observation, correct in recorded.pairs():
        outcome = hypothesis.play(observation.snapshot)
        if outcome is None:
            return False
        if misfit(recorded.case, observation, np.asarray(outcome.loss).ravel(), correct) > 1:
            return False
        differs = differs or outcome.loss != correct[0]
    return differs
