"""`samestep verify`: whatever in a record can be worked out again is, without any framework.

Data, order, start and reference are made anew with NumPy, and the recorded steps are judged again; every timed
slice must end in parameters that are among them; statistics, verdicts and tables follow from the raw samples.
A record is not signed: who edits all of its parts consistently, raw samples included, is not found out.
A record may come from anybody: it cannot make this open a file that is not beside it, nor work without end.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..accuracy.learning_curve import learning_curve
from ..accuracy.scores import accuracy
from ..analysis import RecordAnalysis, Row
from ..console.errors import InputError
from ..console.escapes import visible
from ..datasets import Split
from ..parity.certificate import MOST_KEPT
from ..parity.workload import digest
from ..record import Certified, Record
from ..record.files import Document
from ..record.outcome import Accuracy
from ..record.plan import PlannedWork as Planned
from ..record.proof import Untraced
from ..report import sweep_tables as sweep
from ..report import tables
from ..report.page import NAME as PAGE
from . import remake as limits
from .certificates import Again, disagreements
from .closeness import alike, near, same_page

MOST_SHOWN = 20


class Info(BaseModel):
    """What our plugin adds to one of pytest-benchmark's entries."""

    task: str = ""
    lane: str = ""
    verdict: str = ""


class Stats(BaseModel):
    """Samples, and those of pytest-benchmark's figures that do not depend on a method; seconds."""

    data: tuple[float, ...] = ()
    min: float = math.nan
    max: float = math.nan
    mean: float = math.nan
    median: float = math.nan


class Entry(BaseModel):
    """One of pytest-benchmark's entries."""

    name: str = ""
    extra_info: Info = Info()
    stats: Stats = Stats()


class Whole(Document):
    """pytest-benchmark's JSON, the record and all that is checked against it."""

    benchmarks: tuple[Entry, ...] = ()


@dataclass
class Findings:
    """What was compared, what disagrees, and what could not be checked, a line each."""

    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def compare(self, what: str, agrees: bool, fault: str) -> None:
        """Count a comparison, and note the fault if it does not agree."""
        self.counts[what] = self.counts.get(what, 0) + 1
        if not agrees:
            self.wrong.append(fault)

    def skip(self, what: str) -> None:
        """Note once what cannot be checked."""
        if what not in self.unchecked:
            self.unchecked.append(what)

    def text(self) -> str:
        """The findings as plain text."""
        done = [f"{count:,} {what}" for what, count in self.counts.items()]
        lines = [f"worked out again: {', '.join(done) or 'nothing'}"]
        lines += [f"not checked: {line}" for line in self.unchecked]
        lines += [f"DISAGREES: {line}" for line in self.wrong[:MOST_SHOWN]]
        if len(self.wrong) > MOST_SHOWN:
            lines.append(f"and {len(self.wrong) - MOST_SHOWN} more")
        if self.wrong:
            lines.append(f"{len(self.wrong)} disagree")
        else:
            lines.append("verified, but for what was not checked" if self.unchecked else "verified")
        return "\n".join(map(visible, lines))


def verify(
    document: Whole, table: str | None = None, *, page: str | None = None, data: str | None = None
) -> Findings:
    """Check a record in its JSON.

    `table` and `page` are the Markdown and the HTML that lay beside it, `data` the file of its own task.
    """
    findings, record = Findings(), document.samestep
    with np.errstate(all="ignore"):
        for planned in record.plan.works:
            steps(findings, record, planned, data)
    analysis = RecordAnalysis(record)
    rows = analysis.rows
    slices(findings, record, rows)
    benchmark(findings, analysis, document.benchmarks)
    if table is not None:
        same = table.strip() in (made(record).strip() for made in (tables.markdown, sweep.markdown))
        findings.compare("tables", same, "table.md is not the table of this record")
    if page is not None:
        fault = f"{PAGE} does not show the figures of this record as this version's page of it does"
        findings.compare("pages", same_page(page, record, rows), fault)
    return findings


# --- certificates ---------------------------------------------------------------------------------------------


def steps(findings: Findings, record: Record, planned: Planned, file: str | None) -> None:
    """The certificates of a task, on its data made anew."""
    name = planned.task.name
    try:
        data = limits.remake(planned.task, file)
    except InputError as error:
        findings.skip(f"the steps of {name}: {error}")
        return
    again = Again(planned.task, data, record.plan.effort.kept)
    same = again.digest == planned.data
    findings.compare("data sets", same, f"{name}: the data are not those that were recorded")
    if same:
        for each in (c for c in record.certified if c.task == name):
            certificate(findings, each, planned, again, data)


def certificate(findings: Findings, each: Certified, planned: Planned, again: Again, data: Split) -> None:
    """A lane's certificate: what it was about, every kept step, and the accuracy of what it ends in."""
    found, where = each.certificate, f"{each.lane} on {each.task}"
    findings.compare("lanes", found.lane == each.lane, f"{where}: the certificate is {found.lane}'s")
    kept = [piece.judgement.kept for piece in found.evidence]
    findings.counts["certificates"] = findings.counts.get("certificates", 0) + 1
    findings.counts["steps"] = findings.counts.get("steps", 0) + sum(map(len, kept))
    if found.status == "pass" and not all(kept):
        findings.skip("the steps of certificates that keep none")
    try:
        findings.wrong += [f"{where}: {fault}" for fault in disagreements(found, again, planned.steps)]
        ending(findings, each, planned, data)
        curve(findings, each, planned, data)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # numbers that nobody foresaw
        words = " ".join(str(error).split())
        findings.wrong.append(f"{where}: its certificate cannot be judged ({type(error).__name__}: {words})")


def ending(findings: Findings, each: Certified, planned: Planned, data: Split) -> None:
    """The final parameters of a certificate, and the accuracy that they have on the data."""
    found, where = each.certificate, f"{each.lane} on {each.task}"
    if each.accuracy is None:
        if found.status == "pass":
            findings.skip("the accuracy of lanes that have none")
        return
    if found.final is None:
        small = sum(math.prod(shape) for shape in planned.task.parameters.values()) <= MOST_KEPT
        findings.compare("accuracies", not small, f"{where}: an accuracy without final parameters")
        findings.skip("the accuracy of models whose final parameters are not kept")
        return
    shapes, dtype = planned.task.parameters, planned.task.dtype
    final = {name: np.array(found.final[name], dtype).reshape(shape) for name, shape in shapes.items()}
    whole = bool(found.evidence) and digest(final) == found.evidence[-1].final
    findings.compare("final parameters", whole, f"{where}: the final parameters are not the certified ones")
    again = accuracy(planned.task, data, final)
    close = all(near(*pair) for pair in zip(numbers(again), numbers(each.accuracy), strict=True))
    findings.compare("accuracies", close, f"{where}: the accuracy is not that of the final parameters")


def curve(findings: Findings, each: Certified, planned: Planned, data: Split) -> None:
    """The learning curve, from the kept steps."""
    kept = each.certificate.evidence[-1].judgement.kept if each.certificate.evidence else ()
    if not each.curve and each.certificate.status == "pass" and kept:
        findings.skip("the learning curves of lanes that have none")
    if not each.curve:
        return
    again = learning_curve(planned.task, data, kept)
    same = alike(*([point.model_dump() for point in points] for points in (again, each.curve)))
    fault = f"{each.lane} on {each.task}: the learning curve is not that of the kept steps"
    findings.compare("learning curves", same, fault)


def numbers(found: Accuracy) -> list[float | None]:
    return [value for name, value in found.model_dump().items() if name != "no_excess"]


# --- times ----------------------------------------------------------------------------------------------------


def slices(findings: Findings, record: Record, rows: Sequence[Row]) -> None:
    """Every timed slice ended in certified parameters, or its lane has no time."""
    ends: dict[tuple[str, str], Untraced | None] = {}
    for row in (row for row in rows if row.time is not None):
        certified = record.certificate(row.task, row.lane)
        ends[row.task, row.lane] = certified.ending(record.work(row.task).steps) if certified else None
    for block in record.blocks:
        for piece in (piece for piece in block.slices if (piece.task, piece.lane) in ends):
            end = ends[piece.task, piece.lane]
            proven = end is not None and (piece.final == end.final[:16] or 0 <= piece.apart <= end.allowance)
            where = f"block {block.index}, {piece.lane} on {piece.task}, round {piece.round}"
            findings.compare("slices", proven, f"{where}: not the certified parameters")


def benchmark(findings: Findings, analysis: RecordAnalysis, found: Sequence[Entry]) -> None:
    """pytest-benchmark's own numbers are the raw samples, and the verdict beside them follows from these."""
    entries = {(entry.extra_info.task, entry.extra_info.lane): entry for entry in found}
    known = {(row.task, row.lane): row for row in analysis.rows}
    for key, row in known.items():
        if row.time is not None:
            findings.compare(
                "entries", key in entries, f"{row.lane} on {row.task}: has a time and no benchmark"
            )
    for entry in found:
        key = entry.extra_info.task, entry.extra_info.lane
        if key not in known or entries[key] is not entry:
            findings.compare("benchmarks", False, f"{entry.name}: not a lane of the record, or there twice")
            continue
        same = samples_agree(entry.stats, analysis[key].seconds_per_step)
        findings.compare("benchmarks", same, f"{entry.name}: its samples are not the raw slices")
        word, recorded = known[key].verdict.word, entry.extra_info.verdict
        fault = f"{entry.name}: the verdict is {word}, {recorded} was recorded"
        findings.compare("verdicts", word == recorded, fault)


def samples_agree(stats: Stats, raw: list[float]) -> bool:
    """Whether pytest-benchmark's samples are the raw ones, and its figures follow from them."""
    again: dict[str, Any] = {"min": min, "max": max, "mean": statistics.fmean, "median": statistics.median}
    return (
        bool(raw)
        and stats.data == tuple(raw)
        and all(near(getattr(stats, name), of(raw)) for name, of in again.items())
    )
