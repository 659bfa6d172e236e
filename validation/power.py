"""Experiment: a known amount of more work. How often is it found, and does the ratio say how much it is?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import fmean
from typing import Any

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.record import AnyRecord
from validation import arms, goals
from validation.campaign import FRAMEWORKS, Group, run, sessions

EXTRA = (0, 1, 2, 3, 5, 10)  # percent
COPIES = 3  # the baseline, and two that do no more than it
BLOCKS = EFFORTS["standard"].blocks  # of a session
EFFORT = EFFORTS["standard"].model_copy(update={"name": "power", "cold": 1, "controls": BLOCKS})
MINUTES = 60.0


def lanes(framework: str) -> list[str]:
    """The baseline and the copies with more work."""
    return [*arms.same(framework, COPIES), *(arms.plus(framework, percent) for percent in EXTRA if percent)]


def lanes_with(framework: str, percent: int) -> list[str]:
    """The lanes that do so much more work than the baseline."""
    return [arms.plus(framework, percent)] if percent else arms.same(framework, COPIES)[1:]


def measured(minutes: float, progress: Progress) -> dict[str, AnyRecord]:
    """Race them in every framework in turn until the time is over."""
    return run("power", lanes, EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    """A session of every framework in turn, on the idle machine."""
    return (Group(framework, BLOCKS, loaded=False) for framework in cycle(FRAMEWORKS))


def summary(records: dict[str, AnyRecord]) -> list[dict[str, Any]]:
    """A row for every framework and amount of work."""
    rows = []
    for framework, record in records.items():
        analyses = [RecordAnalysis(session) for session in sessions(record, record.blocks, BLOCKS)]
        rows += [row(framework, percent, analyses) for percent in EXTRA]
    return rows


def row(framework: str, percent: int, analyses: Sequence[RecordAnalysis]) -> dict[str, Any]:
    """How the sessions judged the lanes with so much more work, and their mean ratio over all of them."""
    lanes = lanes_with(framework, percent)
    verdicts = [
        verdict.word for analysis in analyses for verdict in analysis.verdicts if verdict.lane in lanes
    ]
    logs = [
        log
        for analysis in analyses
        for lane in lanes
        for log in analysis[analysis.tasks[0], lane].block_ratios
    ]
    return {
        "framework": framework,
        "percent": percent,
        "sessions": len(analyses),
        "comparisons": len(verdicts),
        "words": dict(Counter(verdicts)),
        "mean_ratio": math.exp(fmean(logs)),
    }


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each goal that was not met."""
    return goals.unmet(goals.power(result["rows"]))
