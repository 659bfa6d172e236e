"""The timed slices of a record: those that its plan lays out, and what was proven of them."""

from __future__ import annotations

from ..analysis import RecordAnalysis
from ..analysis.looks import as_at, reason_to_end
from ..record import Block, Record
from ..record.layout import (
    arm_name,
    control_lane,
    extra_blocks,
    layout,
    of_block,
    runnable,
    start_order,
)
from ..record.version_1 import Record1
from .audits import check_audits
from .failure_places import check_failures
from .findings import Findings
from .readings import check_cpus, check_readings, check_seeds
from .slice_sets import name_of, order_fault, placed, set_fault
from .slices_version_1 import check_former_slices


def check_slices(findings: Findings, analysis: RecordAnalysis) -> None:
    """Every slice stands where the plan has it, and the slices of every lane with a time were audited."""
    record = analysis.record
    numbers = [block.index for block in record.blocks]
    findings.compare(
        "block numbers", numbers == list(range(len(numbers))), f"the blocks are numbered {numbers}"
    )
    check_cpus(findings, record)
    if isinstance(record, Record1):
        check_former_slices(findings, analysis, record)
        return
    for block in record.blocks:
        check_number(findings, record, block)
        check_layout(findings, record, block)
    check_looks(findings, record)
    check_seeds(findings, record)
    check_readings(findings, record)
    check_audits(findings, analysis, record)


def check_number(findings: Findings, record: Record, block: Block) -> None:
    """A block is one of the plan's, or makes up for a death in one of them."""
    failures = [each for other in record.blocks if other.index < block.index for each in other.failures]
    count = record.plan.effort.blocks + extra_blocks(record.plan, failures)
    fault = f"block {block.index}: {count} blocks follow from the plan and its failures"
    findings.compare("block numbers", block.index < count, fault)


def check_looks(findings: Findings, record: Record) -> None:
    """A run goes past a look only while something is undecided that the blocks to come could decide."""
    for look in record.plan.effort.looks:
        if look < len(record.blocks):
            ended = reason_to_end(RecordAnalysis(as_at(record, look)))
            findings.compare("looks", not ended, f"it went on after {look} blocks, at which {ended}")


def check_layout(findings: Findings, record: Record, block: Block) -> None:
    """The slices of a block are those of the plan, in its order, but for what failed."""
    plan, where = record.plan, f"block {block.index}"
    calibrations = {(c.task, c.lane): c for c in record.calibrations}
    try:
        lane_tasks = runnable(plan, record.certified, record.failures, before=block.index)
        planned = layout(plan, block.index, lane_tasks, block.failures, calibrations)
        twin = control_lane(plan, block.index, lane_tasks)
        started = tuple(arm_name(*arm) for arm in start_order(plan, block.index, lane_tasks))
        whole = list(planned)
        expected = list(of_block(whole, block.failures))
    except (LookupError, ArithmeticError):
        findings.compare(
            "blocks", False, f"{where}: it cannot be laid out from the plan, calibrations and failures"
        )
        return
    measured = list(map(placed, block.slices))
    fault = set_fault(map(name_of, measured), map(name_of, expected)) or order_fault(measured, expected)
    findings.compare(
        "blocks", not fault, f"{where}: its slices are not those of the plan, in its order: {fault}"
    )
    check_failures(findings, block, whole)
    findings.compare(
        "twins", (block.twin, block.started) == (twin, started), f"{where}: other workers than planned"
    )
