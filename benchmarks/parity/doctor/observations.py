"""What was recorded of each step, beside what is correct, with the tolerance of each number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..reference import Array, Arrays, narrow
from .case import Case, StepSnapshot, flat


@dataclass(frozen=True, eq=False)
class Observation:
    """One quantity of one step, all tensors end to end: recorded and correct values, and tolerances.

    `part` selects the elements that are compared.
    """

    snapshot: StepSnapshot
    recorded: Array
    correct: Array
    tolerances: NDArray[np.float64]
    part: NDArray[np.bool_]

    @property
    def values(self) -> Array:
        """The recorded numbers that are compared."""
        return self.recorded[self.part]

    @property
    def tolerance(self) -> NDArray[np.float64]:
        """The tolerance of each of them."""
        return self.tolerances[self.part]


def observation(snapshot: StepSnapshot, recorded: Array, correct: Array, tolerance: Array) -> Observation:
    """An observation of all elements."""
    return Observation(snapshot, recorded, correct, tolerance, np.ones(len(recorded), dtype=bool))


def observe(case: Case, quantity: str, snapshots: Sequence[StepSnapshot]) -> list[Observation]:
    """What was recorded of "loss", "gradients" or "buffers" at some steps."""

    def correct(snapshot: StepSnapshot) -> Array:
        step = case.exact(snapshot)
        return np.asarray(step.loss).ravel() if quantity == "loss" else flat(getattr(step, quantity))

    return [
        observation(
            snapshot,
            flat(snapshot.recorded[quantity]),
            correct(snapshot),
            flat_tolerance(snapshot.bounds[quantity]),
        )
        for snapshot in snapshots
        if quantity in snapshot.recorded
    ]


def observe_directions(case: Case, snapshots: Sequence[StepSnapshot]) -> list[Observation]:
    """(before - after) / learning rate: what the learning rate multiplied."""
    observations = []
    for snapshot in snapshots:
        if rate := snapshot.learning_rate:
            moved = flat(snapshot.start.params) - flat(snapshot.recorded["params"])
            tolerance = flat_tolerance(snapshot.bounds["params"]) / abs(rate)
            correct = flat(case.exact(snapshot).directions)
            observations.append(observation(snapshot, moved / rate, correct, tolerance))
    return observations


def flat_tolerance(bounds: Arrays) -> NDArray[np.float64]:
    """Each tensor's largest bound for all of it: a wrong program's numbers may be large elsewhere."""
    sizes = [(narrow(bound).max(initial=0.0), bound.size) for bound in map(np.asarray, bounds.values())]
    return np.concatenate([np.full(size, largest) for largest, size in sizes])


# --- the gradient that an optimizer was given -----------------------------------------------------------------


def implied_gradients(case: Case) -> list[Observation]:
    """The gradients that the right optimizer must have been given, from what it did with them.

    Buffers that were not recorded follow from the steps themselves, from the first snapshot on.
    """
    sgd, implied = case.reference.sgd, []
    for moved, before, after in with_buffers(case):
        start = moved.snapshot.start
        gain = 1.0 if start.first or not sgd.momentum else 1 - sgd.dampening
        if after is None:
            given, gain = moved.recorded - sgd.momentum**2 * before, gain + sgd.momentum
        else:
            given = after - sgd.momentum * before
        gradient = sgd.sign * (given / gain - sgd.weight_decay * flat(start.params))
        correct = flat(case.exact(moved.snapshot).gradients)
        tolerance = 2 * moved.tolerances / abs(float(gain))
        implied.append(observation(moved.snapshot, gradient, correct, tolerance))
    return implied


def with_buffers(case: Case) -> Iterator[tuple[Observation, Array, Array | None]]:
    """Each step with the buffer before it, and the one after it; with Nesterov that one is not known yet."""
    sgd = case.reference.sgd
    use_buffers = case.failing[0].has_wrong("buffers")
    observations = observe(case, "buffers", case.snapshots) if use_buffers else None
    directions = {one.snapshot.number: one for one in observe_directions(case, case.snapshots)}
    if observations is not None:
        for one in observations:
            yield one, buffer_at_start(one.snapshot), one.recorded
        return
    buffer: Array | None = None
    for index, snapshot in enumerate(case.snapshots):
        if not index or "buffers" in snapshot.recorded or snapshot.start.first:
            buffer = buffer_at_start(snapshot)
        moved = directions.get(snapshot.number)
        if moved is None or buffer is None:
            buffer = None if sgd.momentum else buffer
            continue
        if not sgd.momentum:
            yield moved, buffer * 0, moved.recorded
        elif sgd.nesterov:
            yield moved, buffer, None
            given = (moved.recorded - sgd.momentum**2 * buffer) / (1 + sgd.momentum)
            buffer = sgd.momentum * buffer + given
        else:
            yield moved, buffer, moved.recorded
            buffer = moved.recorded


def buffer_at_start(snapshot: StepSnapshot) -> Array:
    """The momentum that a step began with, by the record or the reference; zero at the first."""
    start = snapshot.start
    if start.first or not start.buffers:
        return flat({name: theta * 0 for name, theta in start.params.items()})
    return flat({name: start.buffers[name] for name in start.params})


# --- one part of the tensors ----------------------------------------------------------------------------------


def only(case: Case, observations: Sequence[Observation], tensors: Sequence[str]) -> list[Observation]:
    """The same observations, of some tensors alone."""
    part = np.concatenate(
        [
            np.full(int(np.prod(shape)), name in tensors)
            for name, shape in case.workload.task.parameters.items()
        ]
    )
    return [replace(one, part=part) for one in observations]
