"""The raw slices of a record by task, lane, block and round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from benchmarks.record import Kind, Record, Slice


def slices(
    record: Record, task: str, lane: str, *, twin: bool = False, kind: Kind = "race"
) -> Iterator[tuple[int, Slice]]:
    """The slices of one arm, each with the index of its block."""
    for block in record.blocks:
        for piece in block.slices:
            if (piece.task, piece.lane, piece.twin, piece.kind) == (task, lane, twin, kind):
                yield block.index, piece


def log_times(
    record: Record, task: str, lane: str, *, twin: bool = False, kind: Kind = "race"
) -> dict[int, dict[int, float]]:
    """{block: {round: log of the seconds of one run}}."""
    found: dict[int, dict[int, float]] = {}
    for block, piece in slices(record, task, lane, twin=twin, kind=kind):
        found.setdefault(block, {})[piece.round] = math.log(piece.elapsed_ns / piece.repeats / 1e9)
    return found


def block_ratios(arm: dict[int, dict[int, float]], other: dict[int, dict[int, float]]) -> dict[int, float]:
    """{block: median over rounds of log(t_arm / t_other)}, over the rounds that both have."""
    ratios = {}
    for block in sorted(arm.keys() & other.keys()):
        rounds = arm[block].keys() & other[block].keys()
        if rounds:
            ratios[block] = median(arm[block][r] - other[block][r] for r in rounds)
    return ratios


def block_times(times: dict[int, dict[int, float]]) -> dict[int, float]:
    """{block: median over rounds of the log time}."""
    return {block: median(rounds.values()) for block, rounds in sorted(times.items())}


def twin_ratios(record: Record, task: str) -> dict[int, float]:
    """{block: log(t_twin / t_arm)} of the lane that was twinned in that block."""
    ratios: dict[int, float] = {}
    for lane in record.plan.lanes:
        ratios |= block_ratios(log_times(record, task, lane, twin=True), log_times(record, task, lane))
    return dict(sorted(ratios.items()))
