"""Experiment: a known amount of more work. How often is it found, and does the ratio say how much it is?

Every lane takes some steps twice, in a call of their own: what such a call costs is in the baseline too, so that
one step more is one percent more of a run, whatever the framework. What it really took is the mean ratio.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import fmean
from typing import Any

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.looks import as_at, reason_to_end
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure.efforts import EFFORTS, UNTIL
from samestep.benchmarks.record import AnyRecord, Record
from validation import arms, goals
from validation.campaign import EXTENTS, FRAMEWORKS, Group, of_tasks, run, sessions

EXTRA = (0, 1, 2, 3, 5, 10)  # percent
AGAIN = 1  # percent that the baseline takes twice already
COPIES = 2  # of the baseline
STANDARD, DECIDED = EFFORTS["standard"], UNTIL["decided"]
BLOCKS = DECIDED.blocks  # of a session until decided; half of them are one of standard effort
EFFORT = STANDARD.model_copy(update={"name": "power", "cold": 1, "controls": BLOCKS})
MINUTES = 70.0


def lanes(framework: str) -> list[str]:
    """The baseline, its copies, and the lanes with more work."""
    return [lane for percent in EXTRA for lane in lanes_with(framework, percent, baseline=True)]


def lanes_with(framework: str, percent: int, *, baseline: bool = False) -> list[str]:
    """The lanes that do so much more work than the baseline, which may be among them."""
    first, last = (0 if baseline else 1, COPIES) if not percent else (0, 0)
    return [arms.plus(framework, AGAIN + percent, copy) for copy in range(first, last + 1)]


def measured(minutes: float, progress: Progress) -> dict[str, AnyRecord]:
    """Race them in every framework in turn until the time is over."""
    return run("power", lanes, EFFORT, groups(), minutes, progress)


def groups() -> Iterator[Group]:
    """A session of every framework in turn, on the idle machine."""
    return (Group(framework, BLOCKS, loaded=False) for framework in cycle(FRAMEWORKS))


def summary(records: dict[str, AnyRecord]) -> list[dict[str, Any]]:
    """A row for every framework, size of tasks and amount of work."""
    rows = []
    for framework, record in records.items():
        for extent, tasks in EXTENTS.items():
            names = [task.name for task in tasks]
            standard = list(sessions(record, record.blocks, STANDARD.blocks, names))
            long = list(sessions(record, record.blocks, BLOCKS, names))
            ends = [ended(session) for session in long if isinstance(session, Record)]
            place = {"framework": framework, "tasks": extent}
            analyses, until = list(map(RecordAnalysis, standard)), list(map(RecordAnalysis, ends))
            for percent in EXTRA:
                rows.append(place | row(lanes_with(framework, percent), percent, analyses, until))
    return rows


def ended(session: Record) -> Record:
    """A session as `--until decided` would have ended it."""
    (name,) = session.tasks
    whole = of_tasks(session, {name}, session.blocks, looks=DECIDED.looks)
    assert isinstance(whole, Record)
    for look in DECIDED.looks:
        seen = as_at(whole, look)
        if reason_to_end(RecordAnalysis(seen)):
            return seen
    return whole


def row(
    lanes: Sequence[str], percent: int, standard: Sequence[RecordAnalysis], until: Sequence[RecordAnalysis]
) -> dict[str, Any]:
    """How sessions of both efforts judged the lanes with so much more work, and their mean ratio."""
    logs = [
        log
        for analysis in standard
        for lane in lanes
        for log in analysis[analysis.tasks[0], lane].block_ratios
    ]
    return {
        "percent": percent,
        "words": words(lanes, standard),
        "words_until": words(lanes, until),
        "blocks_until": fmean(len(analysis.record.blocks) for analysis in until) if until else 0.0,
        "mean_ratio": math.exp(fmean(logs)),
    }


def words(lanes: Sequence[str], analyses: Sequence[RecordAnalysis]) -> dict[str, int]:
    """How often each word was given to these lanes."""
    given = (verdict for analysis in analyses for verdict in analysis.verdicts if verdict.lane in lanes)
    return dict(Counter(verdict.word for verdict in given))


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each goal that was not met."""
    return goals.unmet(goals.power(result["rows"]))
