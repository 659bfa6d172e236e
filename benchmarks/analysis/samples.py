"""The raw slices of a record by task, lane, block and round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median
from typing import TypeAlias

from ..record import Block, Kind, Record, Slice

By: TypeAlias = dict[tuple[str, str, bool, Kind], list[tuple[int, Slice]]]


def slices(
    record: Record, task: str, lane: str, *, twin: bool = False, kind: Kind = "race"
) -> Iterator[tuple[int, Slice]]:
    """The slices of one arm, each with the index of its block."""
    return iter(_by_arm(record.blocks).get((task, lane, twin, kind), ()))


def _by_arm(blocks: tuple[Block, ...]) -> By:
    """The slices of every arm; kept for the next call about the same blocks, which cannot change."""
    if _last[0][0] is not blocks:
        found: By = {}
        for block in blocks:
            for piece in block.slices:
                arm = (piece.task, piece.lane, piece.twin, piece.kind)
                found.setdefault(arm, []).append((block.index, piece))
        _last[:] = [(blocks, found)]
    return _last[0][1]


_last: list[tuple[tuple[Block, ...], By]] = [((), {})]


def seconds_per_step(record: Record, task: str, lane: str) -> list[float]:
    """The slices that count, in the order in which they were measured."""
    steps = record.work(task).steps
    return [piece.elapsed_ns / piece.repeats / steps / 1e9 for _, piece in slices(record, task, lane)]


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
