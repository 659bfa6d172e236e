"""Experiment A/A: identical arms. How often is one called faster or slower, and how often is nothing decided?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from scipy import stats

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Block, Record
from samestep.benchmarks.record.plan import Effort
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN
from validation import arms, packed
from validation.campaign import FRAMEWORKS, Group, Progress, run, sessions

COPIES = 8
GROUP = 6  # blocks, alternately idle and loaded
SIZES = (6, 12)  # blocks of a session: those of quick, and of standard
EFFORT = Effort(name="aa", blocks=GROUP, rounds=(3, 10), block_seconds=1.5, controls=GROUP)  # quick's rounds
MINUTES = 40.0


def measured(minutes: float, progress: Progress) -> dict[str, Record]:
    """Race the copies of every framework in turn, idle and loaded in turn, until the time is over."""
    return run("aa", lambda each: arms.same(each, COPIES), EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    for loaded in cycle((False, True)):
        for framework in FRAMEWORKS:
            yield Group(framework, GROUP, loaded)


def summary(records: dict[str, Record]) -> list[dict[str, Any]]:
    """A row for every framework, condition and length of session."""
    return [
        row(framework, condition, size, list(sessions(record, blocks, size)))
        for framework, record in records.items()
        for condition, blocks in conditions(record).items()
        for size in SIZES
        if len(blocks) >= size
    ]


def conditions(record: Record) -> dict[str, list[Block]]:
    """The blocks that ran on an idle machine, and those beside other load."""
    found: dict[str, list[Block]] = {"idle": [], "loaded": []}
    for block in record.blocks:
        found["loaded" if block.index // GROUP % 2 else "idle"].append(block)
    return found


def row(framework: str, condition: str, size: int, found: Sequence[Record]) -> dict[str, Any]:
    """Counts over the comparisons of all sessions; every arm copies the baseline, so the true ratio is 1."""
    words, covered, intervals, naive = Counter[str](), 0, 0, Counter[str]()
    for record in found:
        for verdict in RecordAnalysis(record).verdicts:
            if verdict.word == "BASELINE":
                continue
            words[verdict.word] += 1
            if verdict.ratio:
                intervals += 1
                covered += verdict.ratio.low <= 1 <= verdict.ratio.high
            naive.update(readings(record, verdict.lane))
    return {
        "framework": framework,
        "condition": condition,
        "blocks": size,
        "sessions": len(found),
        "words": dict(words),
        "intervals": intervals,
        "covered": covered,
        "naive": dict(naive),
    }


def readings(record: Record, lane: str) -> Iterator[str]:
    """Which usual readings of the same samples would have called the copy different.

    medians: as if the arms had been run one after another: all samples of the arm from the later half of the
    blocks against all of the baseline's from the earlier half; medians more than 2% apart. welch: all samples of
    both arms, whatever their block, by Welch's t test at 5%.
    """
    task, baseline = record.tasks[0], record.plan.baseline
    analysis = RecordAnalysis(record)
    own, other = analysis[task, lane].log_times(), analysis[task, baseline].log_times()
    blocks = sorted(own.keys() & other.keys())
    if len(blocks) < 2:
        return
    half = len(blocks) // 2
    apart = median(logs(own, blocks[half:])) - median(logs(other, blocks[:half]))
    if abs(apart) > MARGIN:
        yield "medians"
    one, two = ([math.exp(log) for log in logs(each, blocks)] for each in (own, other))
    if stats.ttest_ind(one, two, equal_var=False).pvalue < ALPHA:
        yield "welch"


def logs(times: dict[int, dict[int, float]], blocks: Sequence[int]) -> list[float]:
    """The log times of all rounds of some blocks."""
    return [log for block in blocks for log in times[block].values()]


def result(folder: Path) -> dict[str, Any]:
    """The experiment's figures, from the raw data that were kept."""
    return packed.result(folder / "aa", summary)
