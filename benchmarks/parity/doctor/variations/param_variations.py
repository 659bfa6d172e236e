"""The right batch at other parameters: earlier ones, initial ones, those that momentum is about to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...reference import Arrays
from ..case import Case, Outcome, Play, StepSnapshot, Variation, outcome


def of_parameters(case: Case) -> Iterator[Variation]:
    """Gradients of other parameters, and those of the step before."""
    momentum = case.reference.sgd.momentum

    def at(choose: Callable[[StepSnapshot], Arrays | None]) -> Play:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            params = choose(snapshot)
            return None if params is None else case.play(snapshot, *case.batch(snapshot), params=params)

        return play

    def earlier(snapshot: StepSnapshot) -> Arrays | None:
        start, previous = snapshot.start, case.previous(snapshot)
        return previous.start.params if previous else start.params if start.first else None

    def ahead(snapshot: StepSnapshot) -> Arrays | None:
        start, step = snapshot.start, snapshot.learning_rate * momentum
        if not momentum or start.first:
            return None
        return {name: theta - step * start.buffers[name] for name, theta in start.params.items()}

    def without_biases(snapshot: StepSnapshot) -> Arrays:
        return {k: v * 0 if k.endswith("bias") else v for k, v in snapshot.start.params.items()}

    def step_before(snapshot: StepSnapshot) -> Outcome | None:
        previous = case.previous(snapshot)
        return None if previous is None else outcome(case.exact(previous))

    def epoch_start(snapshot: StepSnapshot) -> Arrays | None:
        position = case.position(snapshot)[1]
        first = [other for other in case.snapshots if other.number == snapshot.number - position]
        return first[0].start.params if first else None

    initial = case.reference.widen(case.workload.start)
    yield Variation("stale", "the parameters of the step before", at(earlier))
    yield Variation("stale", "the initial parameters", at(lambda snapshot: initial))
    yield Variation("stale", "the parameters at the epoch's start", at(epoch_start))
    yield Variation("nesterov", "the parameters momentum is about to reach", at(ahead))
    yield Variation("left out", "a model whose biases are not added", at(without_biases))
    yield Variation("stale", "the step before", step_before)
