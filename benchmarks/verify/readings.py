"""What the clocks and counters of sealed slices say of each other, their seeds, and the CPUs of the blocks."""

from __future__ import annotations

from collections import Counter

from ..console.choices import counted
from ..measure.clock import MOST_WARMUPS
from ..record import AnyRecord, Record, Slice
from ..record.layout import arm_name, block_cpu
from .findings import Findings


def check_seeds(findings: Findings, record: Record) -> None:
    """Every slice has a start and an order of its own, so that none is a copy of another."""
    seeds = Counter(
        seed for block in record.blocks for s in block.slices for seed in (s.start_seed, s.order_seed)
    )
    for block in record.blocks:
        for timed in block.slices:
            fresh = seeds[timed.start_seed] == seeds[timed.order_seed] == 1
            fault = f"{_where(block.index, timed)}: its seeds are those of another slice"
            findings.compare("slices", fresh, fault)


def check_readings(findings: Findings, record: Record) -> None:
    """A part of a slice's time is not longer than the whole."""
    for block in record.blocks:
        for timed in block.slices:
            where = _where(block.index, timed)
            ran = timed.elapsed_ns - timed.charged_ns
            faults = {
                "its fetches took longer than all of it": timed.fetch_ns <= ran,
                "its span is shorter than what was timed in it": ran <= timed.span_ns,
                f"{counted(timed.warmups, 'run')} warmed it up": 1 <= timed.warmups <= MOST_WARMUPS,
            }
            for fault, agrees in faults.items():
                findings.compare("readings of slices", agrees, f"{where}: {fault}")


def check_cpus(findings: Findings, record: AnyRecord) -> None:
    """The blocks take turns on the CPUs that were allowed, where lanes are held to one; else they have all."""
    plan, count = record.plan, record.plan.environment.allowed_cpus
    if plan.threads == "all":
        for block in record.blocks:
            raced = counted(len(block.cpus), "CPU")
            fault = f"block {block.index}: it raced on {raced}, and {count} were allowed"
            findings.compare("CPUs of blocks", block.cpus == tuple(sorted(set(block.cpus))), fault)
            findings.compare("CPUs of blocks", len(block.cpus) == count, fault)
        return
    cpus = sorted({cpu for block in record.blocks for cpu in block.cpus})
    findings.compare(
        "CPUs of blocks",
        len(cpus) == min(count, len(record.blocks)) or bool(record.resumptions),
        f"the blocks raced on {counted(len(cpus), 'CPU')}, and {count} were allowed",
    )
    for block in record.blocks:
        alone = len(block.cpus) == 1
        fault = f"block {block.index}: it raced on {counted(len(block.cpus), 'CPU')} under --threads one"
        findings.compare("CPUs of blocks", alone, fault)
        if alone and cpus and not record.resumptions:  # a run may be gone on with on other CPUs
            turn = block_cpu(cpus, block.index)
            fault = f"block {block.index}: it raced on CPU {block.cpus[0]} when it was the turn of {turn}"
            findings.compare("CPUs of blocks", block.cpus[0] == turn, fault)


def _where(block: int, timed: Slice) -> str:
    name = arm_name(timed.lane, timed.twin)
    return f"block {block}, {name} on {timed.task}, {timed.kind} {timed.round}"
