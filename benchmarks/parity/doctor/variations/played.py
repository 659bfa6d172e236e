"""Steps played by another reference than the case's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...reference import Reference
from ..case import Case, Outcome, Play, StepSnapshot, outcome


def with_task(case: Case, update: Mapping[str, Any]) -> Play:
    """Played by the reference of a changed task."""
    return with_reference(case, lambda: Reference(case.workload.task.model_copy(update=dict(update))))


def with_reference(case: Case, make: Callable[[], Reference]) -> Play:
    """Played by another reference, made when first needed; None where it does not fit the data."""
    made: list[Reference] = []

    def play(snapshot: StepSnapshot) -> Outcome | None:
        if not made:
            made.append(make())
        try:
            return outcome(case.play_step(snapshot, *case.batch(snapshot), reference=made[0]))
        except (ValueError, IndexError, TypeError):
            return None

    return play
