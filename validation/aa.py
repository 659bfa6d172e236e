"""Experiment A/A: identical arms. How often is one called faster or slower, and how often is nothing decided?

A session is so many blocks of one task, as `--effort quick` or `standard` has them, with seven comparisons; or of
three tasks with six each: the eighteen comparisons of a record with more lanes and tasks, each of less power.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, cycle
from statistics import median, stdev
from typing import Any

import numpy as np
from scipy import stats

from samestep.benchmarks.analysis import RecordAnalysis, Verdict
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.record import AnyBlock, AnyRecord
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, Interval, interval
from validation import arms, goals
from validation.campaign import EXTENTS, FRAMEWORKS, Group, of_tasks, run, sessions

COPIES = 8
GROUP = 6  # blocks
LOADED = (False, False, True, False)  # groups in turn, the first two at once: twelve idle blocks
SIZES = {
    name: EFFORTS[name].blocks for name in ("quick", "standard")
}  # blocks of a session; the rounds are the same
EFFORT = EFFORTS["quick"].model_copy(update={"name": "aa", "controls": GROUP})
FAMILY, TRIPLE = 18, 3  # comparisons of the larger sessions, and their tasks
MINUTES = 60.0


def measured(minutes: float, progress: Progress) -> dict[str, AnyRecord]:
    """Race the copies of every framework in turn, idle or loaded, until the time is over."""
    return run("aa", lambda framework: arms.same(framework, COPIES), EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    """Of all frameworks twelve idle blocks, then six beside other load, then six idle ones, and so on."""
    for blocks, loaded in cycle(((2 * GROUP, False), (GROUP, True), (GROUP, False))):
        for framework in FRAMEWORKS:
            yield Group(framework, blocks, loaded)


def summary(records: dict[str, AnyRecord]) -> list[dict[str, Any]]:
    """A row for every framework, condition, effort and size of tasks."""
    rows = []
    for framework, record in records.items():
        for condition, blocks in conditions(record).items():
            for effort, size in SIZES.items():
                if len(blocks) < size:
                    continue
                for extent, tasks in EXTENTS.items():
                    names = [task.name for task in tasks]
                    found = counts(list(sessions(record, blocks, size, names)))
                    of_18 = word_counts(map(RecordAnalysis, triples(record, blocks, size, names)))
                    place = {
                        "framework": framework,
                        "condition": condition,
                        "effort": effort,
                        "tasks": extent,
                    }
                    rows.append(place | found | {"words_of_18": of_18})
    return rows


def triples(
    record: AnyRecord, blocks: Sequence[AnyBlock], size: int, names: Sequence[str]
) -> Iterator[AnyRecord]:
    """Sessions of three tasks and six copies; the task that is left out changes from one to the next."""
    if len(names) < TRIPLE:
        return
    lanes = record.plan.lanes[: 1 + FAMILY // TRIPLE]
    for number, start in enumerate(range(0, len(blocks) - size + 1, size)):
        chosen = [names[(number + i) % len(names)] for i in range(TRIPLE)]
        yield of_tasks(record, chosen, blocks[start : start + size], lanes=lanes)


def conditions(record: AnyRecord) -> dict[str, list[AnyBlock]]:
    """The blocks that ran on an idle machine, and those beside other load."""
    blocks: dict[str, list[AnyBlock]] = {"idle": [], "loaded": []}
    for block in record.blocks:
        blocks["loaded" if LOADED[block.index // GROUP % len(LOADED)] else "idle"].append(block)
    return blocks


def counts(records: Sequence[AnyRecord]) -> dict[str, Any]:
    """Over the comparisons of sessions of one task; every arm copies the baseline, so the true ratio is 1."""
    analyses = list(map(RecordAnalysis, records))
    ratios, naive = [], Counter[str]()
    for analysis in analyses:
        copies = of_copies(analysis)
        ratios += [ratio for verdict in copies if (ratio := measured_ratio(analysis, verdict))]
        naive.update(reading for verdict in copies for reading in readings(analysis, verdict.lane))
    return {
        "sessions": len(records),
        "words": word_counts(analyses),
        "intervals": len(ratios),
        "covered": sum(ratio.low <= 1 <= ratio.high for ratio in ratios),
        "naive": dict(naive),
        "spread": median(chain.from_iterable(map(spreads, analyses))),
    }


def spreads(analysis: RecordAnalysis) -> Iterator[float]:
    """For each copy and block the standard deviation of log(t / t_baseline) from round to round."""
    (task,) = analysis.tasks
    baseline = analysis[task, analysis.baseline].log_times()
    for lane in analysis.lanes:
        if lane != analysis.baseline:
            for block, times in analysis[task, lane].log_times().items():
                yield stdev(times[number] - baseline[block][number] for number in times)


def of_copies(analysis: RecordAnalysis) -> list[Verdict]:
    """The verdicts of all arms but the baseline."""
    return [verdict for verdict in analysis.verdicts if verdict.lane != analysis.baseline]


def word_counts(analyses: Iterable[RecordAnalysis]) -> dict[str, int]:
    """How often each word was given to a copy."""
    return dict(Counter(verdict.word for analysis in analyses for verdict in of_copies(analysis)))


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
