"""Experiment A/A: identical arms. How often is one called faster or slower, and how often is nothing decided?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import median
from typing import Any

import numpy as np
from scipy import stats

from samestep.benchmarks.analysis import RecordAnalysis, Verdict
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.record import AnyBlock, AnyRecord
from samestep.benchmarks.record.plan import Effort
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, Interval, interval
from validation import arms, goals
from validation.campaign import FRAMEWORKS, Group, run, sessions

COPIES = 8
GROUP = 6  # blocks, alternately idle and loaded
SIZES = (6, 12)  # blocks of a session: those of quick, and of standard
EFFORT = Effort(name="aa", blocks=GROUP, rounds=(3, 10), block_seconds=1.5, controls=GROUP)  # quick's rounds
MINUTES = 40.0


def measured(minutes: float, progress: Progress) -> dict[str, AnyRecord]:
    """Race the copies of every framework in turn, idle and loaded in turn, until the time is over."""
    return run("aa", lambda framework: arms.same(framework, COPIES), EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    """All frameworks on the idle machine, all beside other load, and so on."""
    for loaded in cycle((False, True)):
        for framework in FRAMEWORKS:
            yield Group(framework, GROUP, loaded)


def summary(records: dict[str, AnyRecord]) -> list[dict[str, Any]]:
    """A row for every framework, condition and length of session."""
    return [
        row(framework, condition, size, list(sessions(record, blocks, size)))
        for framework, record in records.items()
        for condition, blocks in conditions(record).items()
        for size in SIZES
        if len(blocks) >= size
    ]


def conditions(record: AnyRecord) -> dict[str, list[AnyBlock]]:
    """The blocks that ran on an idle machine, and those beside other load."""
    blocks: dict[str, list[AnyBlock]] = {"idle": [], "loaded": []}
    for block in record.blocks:
        blocks["loaded" if block.index // GROUP % 2 else "idle"].append(block)
    return blocks


def row(framework: str, condition: str, size: int, records: Sequence[AnyRecord]) -> dict[str, Any]:
    """Counts over the comparisons of all sessions; every arm copies the baseline, so the true ratio is 1."""
    verdicts, ratios, naive = [], [], Counter[str]()
    for analysis in map(RecordAnalysis, records):
        copies = [verdict for verdict in analysis.verdicts if verdict.lane != analysis.baseline]
        verdicts += copies
        ratios += [ratio for verdict in copies if (ratio := measured_ratio(analysis, verdict))]
        naive.update(reading for verdict in copies for reading in readings(analysis, verdict.lane))
    return {
        "framework": framework,
        "condition": condition,
        "blocks": size,
        "sessions": len(records),
        "words": dict(Counter(verdict.word for verdict in verdicts)),
        "intervals": len(ratios),
        "covered": sum(ratio.low <= 1 <= ratio.high for ratio in ratios),
        "naive": dict(naive),
    }


def measured_ratio(analysis: RecordAnalysis, verdict: Verdict) -> Interval | None:
    """The ratio of a copy, whatever may be claimed of it: intervals are counted on an unstable machine too."""
    if verdict.word != "UNSTABLE":
        return verdict.ratio
    return interval(analysis[verdict.task, verdict.lane].block_ratios)


def readings(analysis: RecordAnalysis, lane: str) -> Iterator[str]:
    """Which usual readings of the same samples would have called the copy different.

    medians: as if the arms had been run one after another: all samples of the arm from the later half of the
    blocks against all of the baseline's from the earlier half; medians more than 2% apart. welch: all samples of
    both arms, whatever their block, by Welch's t test at 5%.
    """
    (task,) = analysis.tasks
    arm, baseline = analysis[task, lane].log_times(), analysis[task, analysis.baseline].log_times()
    blocks = sorted(arm.keys() & baseline.keys())
    if len(blocks) < 2:
        return
    half = len(blocks) // 2
    difference = median(logs(arm, blocks[half:])) - median(logs(baseline, blocks[:half]))
    if abs(difference) > MARGIN:
        yield "medians"
    seconds = (np.exp(logs(times, blocks)) for times in (arm, baseline))
    if stats.ttest_ind(*seconds, equal_var=False).pvalue < ALPHA:
        yield "welch"


def logs(times: dict[int, dict[int, float]], blocks: Sequence[int]) -> list[float]:
    """The log times of all rounds of some blocks."""
    return [log for block in blocks for log in times[block].values()]


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each goal that was not met."""
    return goals.unmet(goals.aa(result["rows"]))
