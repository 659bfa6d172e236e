"""The timed slices of a record: those that its plan lays out, and what was proven of them."""

from __future__ import annotations

from ..analysis import RecordAnalysis
from ..record import Audit, Block, Record
from ..record.layout import arm_name, control_lane, layout, of_block, runnable, start_order
from ..record.proof import Untraced
from ..record.version_1 import Record1
from .findings import Findings


def check_slices(findings: Findings, analysis: RecordAnalysis) -> None:
    """Every slice stands where the plan has it, and the slices of every lane with a time were audited."""
    record = analysis.record
    if isinstance(record, Record1):
        check_endings(findings, analysis, record)
        return
    numbers = [block.index for block in record.blocks]
    findings.compare(
        "block numbers", numbers == list(range(len(numbers))), f"the blocks are numbered {numbers}"
    )
    for block in record.blocks:
        check_layout(findings, record, block)
    for cold in record.colds:
        row = analysis.row_of[cold.task, cold.lane]
        sound = row.time is None or (cold.audit is not None and is_sound(cold.audit))
        findings.compare("first calls", sound, f"{cold.lane} on {cold.task}: the first call was not proven")
    check_audits(findings, analysis, record)


def check_layout(findings: Findings, record: Record, block: Block) -> None:
    """The slices of a block are those of the plan, in its order, but for what failed."""
    plan, where = record.plan, f"block {block.index}"
    calibrations = {(c.task, c.lane): c for c in record.calibrations}
    try:
        lane_tasks = runnable(plan, record.certified, record.failures, before=block.index)
        planned = layout(plan, block.index, lane_tasks, block.failures, calibrations)
        expected = list(of_block(planned, block.failures))
        twin = control_lane(plan, block.index, lane_tasks)
        started = tuple(arm_name(*arm) for arm in start_order(plan, block.index, lane_tasks))
    except (LookupError, ArithmeticError):
        findings.compare(
            "blocks", False, f"{where}: it cannot be laid out from the plan, calibrations and failures"
        )
        return
    measured = [(s.task, s.lane, s.twin, s.kind, s.round, s.position, s.predecessor) for s in block.slices]
    findings.compare(
        "blocks", measured == expected, f"{where}: its slices are not those of the plan, in its order"
    )
    findings.compare(
        "twins", (block.twin, block.started) == (twin, started), f"{where}: other workers than planned"
    )


def check_audits(findings: Findings, analysis: RecordAnalysis, record: Record) -> None:
    """Every arm of a lane with a time has an audit in each block, and none found anything."""
    for lane in analysis:
        if lane.row.time is None:
            continue
        for twin in (False, True):
            slices = analysis.slices(lane.task, lane.lane, twin=twin)
            audited = {block for block, timed in slices if is_sound(getattr(timed, "audit", None))}
            for index in {block for block, _ in slices}:
                fault = f"block {index}, {arm_name(lane.lane, twin)} on {lane.task}: no slice was proven"
                findings.compare("audits", index in audited, fault)
    for block in record.blocks:
        for timed in block.slices:
            if timed.audit and analysis.row_of[timed.task, timed.lane].time is not None:
                fault = f"block {block.index}, {timed.lane} on {timed.task}, round {timed.round}: not proven"
                findings.compare("audits", is_sound(timed.audit), fault)


def is_sound(audit: Audit | None) -> bool:
    """Whether an audit proves its slice."""
    if audit is None or audit.reason or audit.steps < 1 or not 0 <= audit.ratio <= 1:
        return False
    return audit.equal or 0 <= audit.distance <= audit.allowance


def check_endings(findings: Findings, analysis: RecordAnalysis, record: Record1) -> None:
    """Of version 1: every timed slice ended in certified parameters, or its lane has no time."""
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
