"""A suspect: a step played again with one ingredient changed, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...record.proof import Cause
from ..reference.arithmetic import Array
from ..reference.step import Arrays, ReferenceStep
from ..workload import Host
from .case import Case, Moment, flat

MOST_PLAYED = 200_000  # numbers of x: the reference is slow in long double
Played: TypeAlias = tuple[Any, Array] | None  # loss and flat gradient; None where it cannot be played


@dataclass(frozen=True, eq=False)
class Suspect:
    """One changed ingredient; `words` complete "the gradient is that of ..."."""

    cause: Cause
    words: str
    play: Callable[[Moment], Played]


def result(case: Case, moment: Moment, x: Host, y: Host, *, before: Arrays | None = None) -> Played:
    """A step on other arrays, or from other parameters; none on far more rows than a batch has."""
    if x.size > max(MOST_PLAYED, case.workload.x[moment.rows].size):
        return None
    return outcome(case.play(moment, x, y, before=before))


def outcome(step: ReferenceStep) -> Played:
    return step.loss, flat(step.gradients)
