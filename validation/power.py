"""Experiment: a known amount of more work. How often is it found, and does the ratio say how much it is?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from statistics import fmean
from typing import Any

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.record import Record
from validation import arms, packed
from validation.campaign import FRAMEWORKS, Group, Progress, run, sessions

EXTRA = (0, 1, 2, 3, 5, 10)  # percent
COPIES = 3  # the baseline, and two that do no more than it
BLOCKS = EFFORTS["standard"].blocks  # of a session
EFFORT = EFFORTS["standard"].model_copy(update={"name": "power", "cold": 1, "controls": BLOCKS})
MINUTES = 60.0


def lanes(framework: str) -> list[str]:
    """The baseline and the copies with more work."""
    return [*arms.same(framework, COPIES), *(arms.plus(framework, percent) for percent in EXTRA if percent)]


def doing(framework: str, percent: int) -> list[str]:
    """The lanes that do so much more work than the baseline."""
    return [arms.plus(framework, percent)] if percent else arms.same(framework, COPIES)[1:]


def measured(minutes: float, progress: Progress) -> dict[str, Record]:
    """Race them in every framework in turn until the time is over."""
    return run("power", lanes, EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    for framework in (each for whole in repeat(FRAMEWORKS) for each in whole):
        yield Group(framework, BLOCKS, loaded=False)


def summary(records: dict[str, Record]) -> list[dict[str, Any]]:
    """A row for every framework and amount of work."""
    return [
        row(framework, percent, list(sessions(record, record.blocks, BLOCKS)))
        for framework, record in records.items()
        for percent in EXTRA
    ]


def row(framework: str, percent: int, found: Sequence[Record]) -> dict[str, Any]:
    """How the sessions judged the lanes with so much more work, and their mean ratio over all of them."""
    own = doing(framework, percent)
    verdicts = [each for record in found for each in RecordAnalysis(record).verdicts if each.lane in own]
    logs = [log for record in found for lane in own for log in ratios(record, lane)]
    return {
        "framework": framework,
        "percent": percent,
        "sessions": len(found),
        "comparisons": len(verdicts),
        "words": dict(Counter(verdict.word for verdict in verdicts)),
        "mean_ratio": math.exp(fmean(logs)),
    }


def ratios(record: Record, lane: str) -> list[float]:
    """The log ratio of every block."""
    return RecordAnalysis(record)[record.tasks[0], lane].block_ratios


def result(folder: Path) -> dict[str, Any]:
    """The experiment's figures, from the raw data that were kept."""
    return packed.result(folder / "power", summary)
