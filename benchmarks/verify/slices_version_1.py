"""The timed slices of a record of version 1: which its plan asks for, where each may stand, and how each ended.

Its orders were drawn from a generator of NumPy, whose numbers a later version may change. So they are not drawn
again; but every round is an order of all arms, and each slice says which one stood before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from ..analysis import RecordAnalysis
from ..record import Failure
from ..record.layout import CONTROLS, LaneTasks, PlannedSlice, arm_name, control_lane, runnable
from ..record.proof import Untraced
from ..record.version_1 import Block1, Record1
from .findings import Findings
from .slice_sets import SliceName, name_of, order_fault, placed, set_fault


def check_former_slices(findings: Findings, analysis: RecordAnalysis, record: Record1) -> None:
    """Every slice that the plan asks for is there, where it can have been, and ended where the proven run did."""
    count = record.plan.effort.blocks
    for block in record.blocks:
        fault = f"block {block.index}: {count} blocks were planned"
        findings.compare("block numbers", block.index < count, fault)
        _check_block(findings, record, block)
    check_endings(findings, analysis, record)


def _check_block(findings: Findings, record: Record1, block: Block1) -> None:
    """Workers and slices of a block are those that the plan asks for; of what failed there may be fewer."""
    where, lane_tasks = f"block {block.index}", _lane_tasks(record, block)
    if not lane_tasks:
        findings.compare("blocks", not block.slices, f"{where}: slices, and no lane could race")
        return
    twin = control_lane(record.plan, block.index, lane_tasks)
    same = (block.twin, sorted(block.started)) == (twin, sorted([*lane_tasks, arm_name(twin, True)]))
    findings.compare("twins", same, f"{where}: other workers than planned")
    failed = {(failure.task, failure.lane) for failure in block.failures}
    for task in record.tasks:
        out = {lane for of_task, lane in failed if of_task == task}
        pieces = [placed(timed) for timed in block.slices if timed.task == task]
        measured = [name_of(piece) for piece in pieces if piece.lane not in out]
        fault = set_fault(measured, asked_for(record, block, task, lane_tasks, out))
        if not fault and not out:  # what failed has left gaps
            fault = order_fault(pieces, one_after_another(pieces))
        findings.compare("blocks", not fault, f"{where}: its slices are not those of the plan: {fault}")


def _lane_tasks(record: Record1, block: Block1) -> LaneTasks:
    """The tasks that each lane could run in a block: a lane is out of a task after its first failure."""
    later = [f for other in record.blocks if other.index >= block.index for f in other.failures]
    earlier: list[Failure] = [failure for failure in record.failures if failure not in later]
    return runnable(record.plan, record.certified, earlier)


def asked_for(
    record: Record1, block: Block1, task: str, lane_tasks: LaneTasks, out: Collection[str]
) -> Iterator[SliceName]:
    """The slices of a task in a block, by name; `out` are lanes that failed in it."""
    lanes = [lane for lane in sorted(lane_tasks) if task in lane_tasks[lane] and lane not in out]
    twin = control_lane(record.plan, block.index, lane_tasks)
    arms = [*((lane, False) for lane in lanes), *([(twin, True)] if twin in lanes else [])]
    most = len(block.slices) + 1  # of a plan that asks for any number, one too many is enough to say so
    for number in range(min(former_rounds(record, task), most)):
        yield from ((task, *arm, "race", number) for arm in arms)
    if block.index % record.plan.effort.controls == 0:
        yield from (
            (task, lane, False, kind, number) for lane in lanes for number, kind in enumerate(CONTROLS)
        )


def former_rounds(record: Record1, task: str) -> int:
    """Rounds of a block: as many as fit the effort's seconds, counting a warm-up, a fetch and the resets."""
    calibrations = [each for each in record.calibrations if each.task == task]
    ns = sum((each.repeats + 2) * (each.run_ns + each.reset_ns) for each in calibrations)
    fewest, most = record.plan.effort.rounds
    return max(fewest, int(min(most, record.plan.effort.block_seconds * 1e9 // max(ns, 1))))


def one_after_another(pieces: Sequence[PlannedSlice]) -> list[PlannedSlice]:
    """The same slices at their places if they were run in this order: round by round, and then the controls.

    The two control slices of a lane have one place.
    """
    in_rounds = sorted(pieces, key=lambda piece: (piece.kind != "race", piece.kind == "race" and piece.round))
    places = list[PlannedSlice]()
    for round_number, group in groupby(in_rounds, key=_round):
        before: str | None = None
        for number, piece in enumerate(group):
            position = number // len(CONTROLS) if round_number is None else number
            places.append(piece._replace(position=position, predecessor=before))
            before = arm_name(piece.lane, piece.twin)
    return places


def _round(piece: PlannedSlice) -> int | None:
    """The round of a slice of the race; None for all controls."""
    return piece.round if piece.kind == "race" else None


def check_endings(findings: Findings, analysis: RecordAnalysis, record: Record1) -> None:
    """Every timed slice ended in certified parameters, or its lane has no time."""
    endings: dict[tuple[str, str], Untraced | None] = {}
    for lane in analysis:
        if lane.row.time is not None:
            ending = lane.certified.ending(lane.work.steps) if lane.certified else None
            endings[lane.task, lane.lane] = ending
    for block in record.blocks:
        for timed in (timed for timed in block.slices if (timed.task, timed.lane) in endings):
            end = endings[timed.task, timed.lane]
            proven = end is not None and (timed.final == end.final[:16] or 0 <= timed.apart <= end.allowance)
            where = f"block {block.index}, {timed.lane} on {timed.task}, round {timed.round}"
            findings.compare("slices", proven, f"{where}: not the certified parameters")
