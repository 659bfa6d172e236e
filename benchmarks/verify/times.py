"""pytest-benchmark's own figures of the times of a record."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from ..analysis import RecordAnalysis
from ..analysis.gates import untested
from ..record.consistency import MOST_ROWS
from ..record.files import ForeignPart
from .closeness import near
from .findings import Findings
from .origin import MachineDocument


class LaneInfo(ForeignPart):
    """What the plugin adds to one of pytest-benchmark's entries."""

    task: str = ""
    lane: str = ""
    verdict: str = ""


class BenchmarkStats(ForeignPart):
    """Samples, and those of pytest-benchmark's figures that do not depend on a method; seconds."""

    data: tuple[float, ...] = ()
    min: float = math.nan
    max: float = math.nan
    mean: float = math.nan
    median: float = math.nan
    stddev: float = math.nan
    rounds: int = 0
    total: float = math.nan
    ops: float = math.nan
    iterations: int = 0


class BenchmarkEntry(ForeignPart):
    """One of pytest-benchmark's entries."""

    name: str = ""
    group: str | None = None
    params: dict[str, Any] | None = None
    extra_info: LaneInfo = LaneInfo()
    stats: BenchmarkStats = BenchmarkStats()


class BenchmarkDocument(MachineDocument):
    """pytest-benchmark's JSON, the record and all that is checked against it."""

    benchmarks: tuple[BenchmarkEntry, ...] = Field(default=(), max_length=MOST_ROWS)


def check_benchmarks(
    findings: Findings, analysis: RecordAnalysis, benchmarks: Sequence[BenchmarkEntry]
) -> None:
    """pytest-benchmark's own numbers are the raw samples, and the verdict beside them follows from these."""
    entries = {(entry.extra_info.task, entry.extra_info.lane): entry for entry in benchmarks}
    for key, row in analysis.row_of.items():
        if row.time is not None:
            fault = f"{row.lane} on {row.task}: has a time and no benchmark"
            findings.compare("entries", key in entries, fault)
    for entry in benchmarks:
        key = entry.extra_info.task, entry.extra_info.lane
        if key not in analysis.row_of or entries[key] is not entry:
            findings.compare("benchmarks", False, f"{entry.name}: not a lane of the record, or there twice")
            continue
        names = {"task": key[0], "lane": key[1]}
        same = (entry.group, entry.params) == (key[0], names)
        findings.compare("benchmarks", same, f"{entry.name}: its group or its parameters are another lane's")
        same = same_samples(entry.stats, analysis[key].seconds_per_step)
        findings.compare("benchmarks", same, f"{entry.name}: its samples are not the raw slices")
        word, recorded = analysis[key].row.verdict.word, entry.extra_info.verdict
        fault = f"{entry.name}: the verdict is {word}, {recorded} was recorded"
        former = analysis.record.schema_version == 1 and untested(
            analysis[key]
        )  # then two blocks were enough
        findings.compare("verdicts", word == recorded or bool(former), fault)


def same_samples(stats: BenchmarkStats, raw: list[float]) -> bool:
    """Whether pytest-benchmark's samples are the raw ones, and its figures follow from them."""
    figures: dict[str, Any] = {
        "min": min,
        "max": max,
        "mean": statistics.fmean,
        "median": statistics.median,
        "stddev": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
        "rounds": len,
        "total": math.fsum,
        "ops": lambda values: 1 / statistics.fmean(values),
        "iterations": lambda values: 1,  # a sample is one slice, divided by its steps
    }
    return (
        bool(raw)
        and stats.data == tuple(raw)
        and all(near(getattr(stats, name), figure(raw)) for name, figure in figures.items())
    )
