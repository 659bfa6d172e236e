"""What no schema says of a record: nothing in it is there twice, and its tables can be made in a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import AnyRecord

MOST_LANES, MOST_ROWS = 200, 2_000  # of a record, and of its tables: a row for each task and lane


def fault(record: AnyRecord) -> str | None:
    """Why a record of the right form cannot be used, in one line; None where it can."""
    tasks, lanes = len(record.plan.works), len(record.plan.lanes)
    if lanes > MOST_LANES or tasks * lanes > MOST_ROWS:
        return f"{tasks:,} tasks with {lanes:,} lanes are more than tables are made of"
    if not tasks:
        return "it has no task"
    if repeated := next(repetitions(record), None):
        return f"{repeated} is there twice"
    baseline, unsupported = record.plan.baseline, record.plan.unsupported_pairs
    if stray := sorted(unsupported.keys() - set(product(record.tasks, record.plan.lanes))):
        return f"{stray[0][1]} on {stray[0][0]} is unsupported, and not of the plan"
    if unmatched := [task for task in record.tasks if (task, baseline) in unsupported]:
        return f"the baseline {baseline} is not in the race of {unmatched[0]}"
    family = {(task, lane) for task, lane in record.plan.pairs if lane != baseline}
    if {(pair.task, pair.lane) for pair in record.plan.family} != family:
        return "the family of comparisons is not that of its tasks, lanes and baseline"
    return None


def repetitions(record: AnyRecord) -> Iterator[str]:
    """What is there more than once, so that figures would depend on which of the two is taken."""
    yield from _twice("the task", record.tasks)
    yield from _twice("the lane", record.plan.lanes)
    yield from _twice("the unsupported", (f"{one.lane} on {one.task}" for one in record.plan.unsupported))
    yield from _twice("the arm", (arm.lane for arm in record.arms))
    yield from _twice("the certificate of", (f"{c.lane} on {c.task}" for c in record.certified))
    yield from _twice("the calibration of", (f"{c.lane} on {c.task}" for c in record.calibrations))
    yield from _twice("the", (f"cold call {c.repeat} of {c.lane} on {c.task}" for c in record.colds))
    yield from _twice("the limits of", (limits.task for limits in record.ceilings))
    yield from _twice("the cheapest call of", (call.framework for call in record.dispatches))
    yield from _twice("the phases of", (f"{phases.lane} on {phases.task}" for phases in record.ledgers))
    yield from _twice("block", (block.index for block in record.blocks))
    for block in record.blocks:
        slices = (
            f"round {s.round} of {s.lane}{' (twin)' * s.twin} on {s.task}, {s.kind}," for s in block.slices
        )
        yield from _twice(f"block {block.index}:", slices)


def _twice(what: str, keys: Iterable[Hashable]) -> Iterator[str]:
    yield from (f"{what} {key}" for key, count in Counter(keys).items() if count > 1)
