"""Times of slices by block and round, and the ratios of two lanes within the same rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import TypeAlias

from ..record import TimedSlice

LogTimes: TypeAlias = dict[int, dict[int, float]]  # {block: {round: log of the seconds of one run}}


def run_seconds(timed: TimedSlice) -> float:
    """Seconds of one run of a slice."""
    return timed.elapsed_ns / timed.repeats / 1e9


def log_times(slices: Iterable[tuple[int, TimedSlice]]) -> LogTimes:
    """{block: {round: log of the seconds of one run}} of slices, each with the index of its block."""
    times: LogTimes = {}
    for block, timed in slices:
        times.setdefault(block, {})[timed.round] = math.log(run_seconds(timed))
    return times


def block_ratios(numerator: LogTimes, denominator: LogTimes) -> dict[int, float]:
    """{block: median over rounds of the log ratio}, over the rounds that both have."""
    ratios = {}
    for block in sorted(numerator.keys() & denominator.keys()):
        rounds = numerator[block].keys() & denominator[block].keys()
        if rounds:
            ratios[block] = median(numerator[block][r] - denominator[block][r] for r in rounds)
    return ratios


def block_medians(times: Mapping[int, Mapping[int, float]]) -> dict[int, float]:
    """{block: median over rounds of the log time}."""
    return {block: median(rounds.values()) for block, rounds in sorted(times.items())}
