"""In which way the slices of a block are not those that its plan asks for, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..record import Kind, TimedSlice
from ..record.layout import PlannedSlice, arm_name

SHOWN = 3  # arms that a line names
SliceName: TypeAlias = tuple[str, str, bool, Kind, int]  # task, lane, twin, kind, round


def placed(timed: TimedSlice) -> PlannedSlice:
    """Which slice it is, and where it stands."""
    return PlannedSlice(
        timed.task, timed.lane, timed.twin, timed.kind, timed.round, timed.position, timed.predecessor
    )


def name_of(piece: PlannedSlice) -> SliceName:
    """Which slice it is, wherever it stands."""
    return piece[:5]


def set_fault(measured: Iterable[SliceName], expected: Iterable[SliceName]) -> str:
    """Which slices are missing or were not planned, by arm and task; "" where they are the same."""
    present, planned = Counter(measured), Counter(expected)
    faults = {"missing": planned - present, "not planned": present - planned}
    return "; ".join(f"{what}: {_by_arm(names)}" for what, names in faults.items() if names)


def order_fault(measured: Sequence[PlannedSlice], expected: Sequence[PlannedSlice]) -> str:
    """The first slice that stands elsewhere than planned; "" where none does."""
    pairs = zip(measured, expected, strict=True)
    piece = next((piece for piece, other in pairs if piece != other), None)
    if piece is None:
        return ""
    arm, after = arm_name(piece.lane, piece.twin), piece.predecessor or "nothing"
    return (
        f"{arm} on {piece.task} stands at place {piece.position} of {piece.kind} {piece.round}, after {after}"
    )


def _by_arm(names: Counter[SliceName]) -> str:
    """How many slices of which arm on which task; of many arms the first ones."""
    arms = Counter[str]()
    for (task, lane, twin, kind, _), count in names.items():
        arms[f"{arm_name(lane, twin)} on {task} ({kind})"] += count
    shown = [f"{count} of {arm}" for arm, count in arms.items()][:SHOWN]
    more = arms.total() - sum(list(arms.values())[:SHOWN])
    return ", ".join(shown) + (f" and {more} more" if more else "")
