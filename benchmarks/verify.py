"""`samestep verify`: whatever in a record can be worked out again is, without any framework.

Data, order, start and reference are made anew with NumPy, and the recorded steps are judged again; every timed
slice must end in parameters that are among them; statistics, verdicts and tables follow from the raw samples.
A record is not signed: who edits all of its parts consistently, raw samples included, is not found out.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import Accuracy, accuracy
from benchmarks.errors import InputError
from benchmarks.measure.summary import summarise
from benchmarks.measure.work import Work as Planned
from benchmarks.parity.again import disagreements
from benchmarks.parity.work import digest
from benchmarks.record import Certified, Record
from benchmarks.report import tables

MOST_SHOWN = 20


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
        lines = [f"worked out again: {', '.join(done)}"]
        lines += [f"not checked: {line}" for line in self.unchecked]
        lines += [f"DISAGREES: {line}" for line in self.wrong[:MOST_SHOWN]]
        if len(self.wrong) > MOST_SHOWN:
            lines.append(f"and {len(self.wrong) - MOST_SHOWN} more")
        if self.wrong:
            return "\n".join([*lines, f"{len(self.wrong)} disagree"])
        return "\n".join([*lines, "verified, but for what was not checked" if self.unchecked else "verified"])


def verify(record: Record, document: dict[str, Any], table: str | None) -> Findings:
    """Check a record; `document` is the JSON it came in, `table` the Markdown that lay beside it."""
    findings = Findings()
    for planned in record.plan.works:
        try:
            data = datasets.load(planned.task.dataset)
        except InputError as error:
            findings.skip(f"the steps of {planned.task.name}: {error}")
            continue
        same = data.digest() == planned.data
        findings.compare("data sets", same, f"{planned.task.name}: the data are not those that were recorded")
        if same:
            for each in (c for c in record.certified if c.task == planned.task.name):
                certificate(findings, each, planned, data)
    slices(findings, record)
    benchmark(findings, record, document)
    if table is not None:
        same = table.strip() == tables.markdown(record).strip()
        findings.compare("tables", same, "table.md is not the table of this record")
    return findings


# --- certificates ---------------------------------------------------------------------------------------------


def certificate(findings: Findings, each: Certified, planned: Planned, data: datasets.Split) -> None:
    """A lane's certificate: what it was about, every kept step, and the accuracy of what it ends in."""
    found, where = each.certificate, f"{each.lane} on {each.task}"
    faults = list(disagreements(found, planned.task, data, planned.steps))
    findings.counts["certificates"] = findings.counts.get("certificates", 0) + 1
    findings.wrong += [f"{where}: {fault}" for fault in faults]
    findings.compare("lanes", found.lane == each.lane, f"{where}: the certificate is {found.lane}'s")
    kept = [piece.judgement.kept for piece in found.evidence]
    findings.counts["steps"] = findings.counts.get("steps", 0) + sum(map(len, kept))
    if found.status == "pass" and not all(kept):
        findings.skip("the steps of certificates that keep none")
    if found.final is not None and each.accuracy is not None:
        shapes, dtype = planned.task.parameters, planned.task.dtype
        final = {name: np.array(found.final[name], dtype).reshape(shape) for name, shape in shapes.items()}
        whole = bool(found.evidence) and digest(final) == found.evidence[-1].final
        findings.compare(
            "final parameters", whole, f"{where}: the final parameters are not the certified ones"
        )
        again = accuracy(planned.task, data, final)
        close = all(near(*pair) for pair in zip(numbers(again), numbers(each.accuracy), strict=True))
        findings.compare("accuracies", close, f"{where}: the accuracy is not that of the final parameters")


def numbers(found: Accuracy) -> list[float | None]:
    return [value for value in found.model_dump().values() if not isinstance(value, str)]


def near(one: float | None, other: float | None) -> bool:
    """The same but for the last digits, which depend on the order of sums."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))


# --- times ----------------------------------------------------------------------------------------------------


def slices(findings: Findings, record: Record) -> None:
    """Every timed slice ended in certified parameters, or its lane has no time."""
    timed = {(row.task, row.lane) for row in summarise(record) if row.time is not None}
    for block in record.blocks:
        for piece in block.slices:
            if (piece.task, piece.lane) not in timed:
                continue
            certified = record.certificate(piece.task, piece.lane)
            ending = certified.ending(record.work(piece.task).steps) if certified else None
            proven = ending is not None and (
                ending.final.startswith(piece.final) or piece.apart <= ending.allowance
            )
            where = f"block {block.index}, {piece.lane} on {piece.task}, round {piece.round}"
            findings.compare("slices", proven, f"{where}: not the certified parameters")


def benchmark(findings: Findings, record: Record, document: dict[str, Any]) -> None:
    """pytest-benchmark's own numbers are the raw samples, and the verdict beside them follows from these."""
    rows = {(row.task, row.lane): row for row in summarise(record)}
    entries = {key_of(entry): entry for entry in document.get("benchmarks") or []}
    for (task, lane), row in rows.items():
        if row.time is not None:
            present = (task, lane) in entries
            findings.compare("entries", present, f"{lane} on {task}: has a time and no benchmark")
    for key, entry in entries.items():
        info = entry.get("extra_info") or {}
        if key not in rows:
            findings.compare("benchmarks", False, f"{entry.get('name')}: not a lane of the record")
            continue
        steps = record.work(key[0]).steps
        pieces = [p for block in record.blocks for p in block.slices if (p.task, p.lane) == key]
        raw = [p.elapsed_ns / p.repeats / steps / 1e9 for p in pieces if p.kind == "race" and not p.twin]
        stats = entry.get("stats") or {}
        same = stats.get("data") == raw and all(
            near(stats.get(name), value) for name, value in statistics_of(raw).items()
        )
        findings.compare("benchmarks", same, f"{entry.get('name')}: its samples are not the raw slices")
        word = info.get("verdict")
        fault = f"{entry.get('name')}: the verdict is {rows[key].verdict.word}, {word} was recorded"
        findings.compare("verdicts", word == rows[key].verdict.word, fault)


def key_of(entry: dict[str, Any]) -> tuple[Any, Any]:
    """Task and lane of one of pytest-benchmark's entries."""
    info = entry.get("extra_info") or {}
    return info.get("task"), info.get("lane")


def statistics_of(samples: list[float]) -> dict[str, float]:
    """Those of pytest-benchmark's figures that do not depend on a method."""
    return {
        "min": min(samples),
        "max": max(samples),
        "mean": statistics.fmean(samples),
        "median": statistics.median(samples),
    }


def command(result: str | Path) -> int:
    """Verify a run's folder or JSON, print what was found; 1 if anything disagrees.

    Raises:
        InputError: there is no record, or it cannot be read.
    """
    from benchmarks.record import load

    record = load(result)
    place = Path(result) / "benchmark.json" if Path(result).is_dir() else Path(result)
    beside = place.with_name("table.md")
    table = beside.read_text(encoding="utf-8") if beside.exists() else None
    findings = verify(record, json.loads(place.read_bytes()), table)
    print(findings.text())
    return int(bool(findings.wrong))
