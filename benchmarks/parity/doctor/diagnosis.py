"""The likely cause of a failure: the first wrong quantity of a step, and all hypotheses about it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...record.proof import Diagnosis
from ..reference import narrow
from .case import Case, flat
from .gradient_hypotheses import of_gradients, of_losses_alone, of_parts
from .hypothesis import (
    Clause,
    Explanation,
    Hypothesis,
    Numbers,
    Prediction,
    best,
    explanations,
    loss_holds,
    misfit,
)
from .observations import Observation, implied_gradients, observe, observe_directions, only
from .optimizer_hypotheses import free_combinations, of_updates, recursion
from .precision import narrower_arithmetic

MOST_NAMED = 4  # explanations that one sentence holds


def diagnose(case: Case) -> Diagnosis:
    """The likely cause of the failures that a case holds, or "unknown"."""
    if case.arithmetic.input_error and (narrower := narrower_arithmetic(case)):
        return narrower  # within the wide bounds of TF32 other mistakes fit what bfloat16 does
    if elsewhere := started_elsewhere(case):
        return elsewhere
    if candidates := best(candidates_of(case)):
        return named(case, candidates)
    return narrower_arithmetic(case) or unknown(case)


def candidates_of(case: Case) -> list[Explanation]:
    """All explanations of what is wrong first: at the first wrong step, in the order in which it is computed."""
    wrong = {quantity for quantity, _ in case.failing[0].wrong}
    recorded = all("gradients" in snapshot.recorded for snapshot in case.snapshots)
    if "gradients" in wrong:
        return about_gradients(case, observe(case, "gradients", case.snapshots))
    if "loss" in wrong and recorded:
        observations = observe(case, "loss", case.snapshots)
        return explanations(case, observations, of_losses_alone(case, observations))
    updates = about_updates(case, "buffers" if "buffers" in wrong else "params")
    implied = implied_gradients(case)
    if recorded:  # it is right, and what explains more simply that another one was used comes first
        fewest = min((one.hypothesis.free for one in updates), default=np.inf)
        used = about_gradients(case, implied, ", on its way into the optimizer")
        return updates + [one for one in used if one.hypothesis.free < fewest]
    return [*about_gradients(case, implied), *updates]


def about_gradients(case: Case, observations: list[Observation], end: str = "") -> list[Explanation]:
    """What explains wrong gradients, of all tensors or of those alone that are wrong; `end` ends each clause."""
    results: list[Explanation] = []
    tensors = wrong_tensors(case, observations)
    part, group = only(case, observations, tensors), group_name(case, tensors)
    some = 0 < len(tensors) < len(case.workload.task.parameters)
    if some:
        results += explanations(case, part, with_end(of_parts(case, part, group), end))
    return results + explanations(case, observations, with_end(of_gradients(case, observations), end))


def about_updates(case: Case, quantity: str) -> list[Explanation]:
    """What explains wrong buffers or wrong steps; of what explains the buffers, what explains the steps too."""
    results = explanations_of_updates(case, quantity)
    if quantity == "params" or len(results) < 2:
        return results
    steps = observe_directions(case, case.snapshots)
    rules = {one.clause: one.predict for one in of_updates(case, "params", steps) if not one.free}

    def explains_steps(explanation: Explanation) -> bool:
        predict = rules.get(explanation.hypothesis.clause)
        pairs = [(step, predict(step.snapshot)) for step in steps] if predict else [(steps[0], None)]
        return all(p is not None and misfit(case, step, p.fixed) <= 1 for step, p in pairs)

    return [one for one in results if explains_steps(one)] or results


def explanations_of_updates(case: Case, quantity: str) -> list[Explanation]:
    """What explains wrong buffers or wrong steps: of all tensors, or of those alone that are wrong."""
    if quantity == "buffers":
        observations = observe(case, "buffers", case.snapshots)
    else:
        observations = observe_directions(case, case.snapshots)
    results = explanations(case, observations, of_updates(case, quantity, observations))
    tensors = wrong_tensors(case, observations)
    if not results and tensors and len(tensors) < len(case.workload.task.parameters):
        part, group = only(case, observations, tensors), group_name(case, tensors)
        results += explanations(
            case, part, with_end(of_updates(case, quantity, part), f", for {group} alone")
        )
    return results


def with_end(hypotheses: Iterable[Hypothesis], end: str) -> Iterator[Hypothesis]:
    """The same hypotheses, each clause with the same end."""
    for hypothesis in hypotheses:

        def clause(numbers: Numbers, said: Clause = hypothesis.clause) -> str:
            return f"{said if isinstance(said, str) else said(numbers)}{end}"

        yield replace(hypothesis, clause=clause)


def wrong_tensors(case: Case, observations: Sequence[Observation]) -> list[str]:
    """The parameters that are not the correct ones at some step."""
    return [
        name
        for name in case.workload.task.parameters
        if any(misfit(case, one, one.correct) > 1 for one in only(case, observations, [name]))
    ]


def group_name(case: Case, tensors: Sequence[str]) -> str:
    """Some parameters in words: the biases, the weights, or by their names."""
    names = list(case.workload.task.parameters)
    for kind in ("bias", "weight"):
        of_kind = [name for name in names if name.endswith(kind)]
        if list(tensors) == of_kind and len(of_kind) > 1:
            return {"bias": "the biases", "weight": "the weights"}[kind]
    return " and ".join(tensors)


# --- in words -------------------------------------------------------------------------------------------------


def named(case: Case, candidates: Sequence[Explanation]) -> Diagnosis:
    """One cause, or all that the numbers cannot tell apart."""
    first = candidates[0]
    clauses = [candidate.clause for candidate in candidates[:MOST_NAMED]]
    if (more := len(candidates) - len(clauses)) > 0:
        clauses.append(f"one of {more} more of that kind")
    sentence = ", or ".join(clauses)
    only_partial = all(case.is_partial(snapshot) for snapshot in case.failing)
    cause = first.hypothesis.cause
    if only_partial and cause == "scale" and not case.partial_was_right and every_partial(case):
        cause = "partial batch"
    when = case.when(case.failing)
    if not ("partial" in when and "partial" in sentence):
        sentence += when
    others = tuple(dict.fromkeys(c.hypothesis.cause for c in candidates[1:]))
    alternatives = tuple(other for other in others if other not in (cause, first.hypothesis.cause))
    return Diagnosis(cause=cause, sentence=sentence + beside(case), alternatives=alternatives)


def every_partial(case: Case) -> bool:
    """Whether the wrong steps are all steps on a partial batch, and others are right."""
    partial = [snapshot for snapshot in case.snapshots if case.is_partial(snapshot)]
    return partial == case.failing and len(partial) < len(case.snapshots)


def beside(case: Case) -> str:
    """What is right though it comes later in a step, as the end of a sentence."""
    wrong = {quantity for snapshot in case.failing for quantity, _ in snapshot.wrong}
    recorded = all("gradients" in snapshot.recorded for snapshot in case.snapshots)
    if wrong == {"loss"} and recorded:
        return ", its gradients are right"
    if "gradients" not in wrong:
        return ""
    if not wrong & {"buffers", "params"}:
        return "; the parameters are right"
    recorded_gradients = {one.snapshot.number: one for one in observe(case, "gradients", case.snapshots)}
    pairs = ((one, recorded_gradients.get(one.snapshot.number)) for one in implied_gradients(case))
    if all(other is None or misfit(case, one, other.recorded) <= 1 for one, other in pairs):
        return ""
    return "; the parameters do not follow from that gradient, so more than this is wrong"


def started_elsewhere(case: Case) -> Diagnosis | None:
    """Only step 1 is wrong, and its loss and gradients are those of the point that it must have begun at."""
    first, *others = case.snapshots
    if not first.start.first or len(others) < 2 or any(snapshot.wrong for snapshot in others):
        return None
    if not {"loss", "gradients"} <= set(first.recorded):
        return None  # any first step ends where some other start would have led
    gradients = first.recorded["gradients"]
    rate = case.reference.wide(first.learning_rate)
    start = first.recorded["params"]
    for _ in range(8):  # of theta = after + rate times the direction from theta, which decay makes implicit
        _, directions = case.reference.optimize(start, {}, gradients, first=True)
        start = {name: after + rate * directions[name] for name, after in first.recorded["params"].items()}
    step = case.play_step(first, *case.batch(first), params=start)
    one = observe(case, "gradients", [first])[0]
    same = misfit(case, one, flat(step.gradients)) <= 1 < misfit(case, one, one.correct)
    if not same or not loss_holds(case, one, Prediction(one.correct, (), step.loss)):
        return None
    sentence = "step 1 starts from other values than the given ones, and every step after it is right"
    return Diagnosis(cause="start", sentence=sentence)


def unknown(case: Case) -> Diagnosis:
    """No cause, and what can be said without one."""
    first = case.failing[0]
    for name, values in first.recorded["params"].items():
        if not np.isfinite(narrow(values)).all():
            return Diagnosis(
                cause="unknown", sentence=f"unknown: {name} is not finite after step {first.number}"
            )
    numbers = ", ".join(sorted({f"{quantity} {tensor}".rstrip() for quantity, tensor in first.wrong}))
    sentence = f"unknown: no hypothesis leaves only rounding over; wrong are {numbers}"
    return Diagnosis(cause="unknown", sentence=f"{sentence}{symptom(case)}")


def symptom(case: Case) -> str:
    """What is seen of an unknown cause, as the end of a sentence: sizes, lengths, or the step as a sum."""
    wrong = {quantity for quantity, _ in case.failing[0].wrong}
    if any(not snapshot.learning_rate and snapshot.has_wrong("params") for snapshot in case.failing):
        return "; the parameters move where the learning rate is 0"
    if wrong & {"gradients", "loss"}:
        observations = observe(case, "gradients" if "gradients" in wrong else "loss", case.snapshots)
    else:
        observations = implied_gradients(case)
    telling = [one for one in observations if misfit(case, one, one.correct) > 1]
    if observations and not telling:
        return "; what is wrong is hardly larger than rounding"
    return lengths(case, telling) or step_as_sum(case) or first_step_alone(case)


def lengths(case: Case, telling: Sequence[Observation]) -> str:
    """Right directions of another length, or nothing at all."""
    factors = []
    for one in telling:
        size = float(narrow(one.correct) @ narrow(one.correct))
        factors.append(float(narrow(one.correct) @ narrow(one.recorded)) / size if size else 0.0)
    pairs = zip(telling, factors, strict=True)
    if not telling or any(misfit(case, one, factor * one.correct) > 1 for one, factor in pairs):
        return ""
    when = case.when([one.snapshot for one in telling])
    what = "loss" if len(telling[0].recorded) == 1 else "gradient"
    if max(map(abs, factors)) < 1e-12:
        return f"; the {what} is zero{when}"
    low, high = min(factors), max(factors)
    text = f"{low:.6g}" if len(factors) == 1 else f"{low:.6g} to {high:.6g}"
    return f"; the {what} is {text} times the right one{when}"


def step_as_sum(case: Case) -> str:
    """The step as a sum of gradient, step before, gradient before and parameters, with the fewest terms."""
    if case.failing[0].has_wrong("gradients") or case.failing[0].has_wrong("loss"):
        return ""
    observations = observe_directions(case, case.snapshots)
    sums = best(explanations(case, observations, free_combinations(case, observations)))
    return f"; {sums[0].clause}{case.when(case.failing)}" if sums else ""


def first_step_alone(case: Case) -> str:
    """Every step follows from the one before it, but for the first and what momentum keeps of it."""
    if not case.snapshots[0].start.first or "gradients" in case.snapshots[0].recorded:
        return ""
    later = observe_directions(case, case.snapshots)[1 + bool(case.reference.sgd.momentum) :]
    expected = [(one, recursion(case, one.snapshot)) for one in later]
    if len(expected) < 2 or any(e is None or misfit(case, one, e) > 1 for one, e in expected):
        return ""
    return (
        "; every later step follows from the one before it, so it is the first alone: perhaps another start"
    )
