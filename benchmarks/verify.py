"""`samestep verify`: whatever in a record can be worked out again is, without any framework.

Data, order, start and reference are made anew with NumPy, and the recorded steps are judged again; every timed
slice must end in parameters that are among them; statistics, verdicts and tables follow from the raw samples.
A record is not signed: who edits all of its parts consistently, raw samples included, is not found out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.spec import Task
from benchmarks import datasets
from benchmarks.errors import InputError
from benchmarks.measure.summary import summarise
from benchmarks.parity.judge import judge_again
from benchmarks.parity.kept import decoded
from benchmarks.parity.verdicts import Certificate, Evidence
from benchmarks.parity.work import Work, digest, digest_orders
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
        return "\n".join([*lines, "verified" if not self.wrong else f"{len(self.wrong)} disagree"])


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
                certificate(findings, each, planned.task, data)
    slices(findings, record)
    benchmark(findings, record, document)
    if table is not None:
        same = table.strip() == tables.markdown(record).strip()
        findings.compare("tables", same, "table.md is not the table of this record")
    return findings


# --- certificates ---------------------------------------------------------------------------------------------


def certificate(findings: Findings, each: Certified, task: Task, data: datasets.Split) -> None:
    """A lane's certificate: what it was about, and every kept step."""
    found, where = each.certificate, f"{each.lane} on {each.task}"
    findings.compare("tasks", found.task_digest == task.digest(), f"{where}: another task was certified")
    findings.compare("data digests", found.data == data.digest(), f"{where}: other data were certified")
    for piece in found.evidence:
        work = Work.of(task.model_copy(update={"dtype": piece.judgement.dtype}), data)
        findings.compare(
            "orders", found.order == digest_orders(work), f"{where}: another order was certified"
        )
        findings.compare("starts", piece.start == digest(work.start), f"{where}: another start was certified")
        for fault in evidence(findings, piece, work):
            findings.wrong.append(f"{where}, {piece.judgement.dtype}: {fault}")
    concluded(findings, found, where)


def evidence(findings: Findings, piece: Evidence, work: Work) -> Iterator[str]:
    """What disagrees in one dtype's evidence."""
    judgement = piece.judgement
    if not judgement.kept:
        findings.skip("the steps: the version that made this record kept none")
        return
    try:
        again = judge_again(work, judgement.kept)
        steps = decoded(work.task, work.start, judgement.kept)
    except (ValueError, KeyError, InputError) as error:
        yield f"the kept steps cannot be judged: {' '.join(str(error).split())}"
        return
    recorded = {shares.step: shares.shares for shares in judgement.sample}
    for shares in again:
        findings.counts["steps"] = findings.counts.get("steps", 0) + 1
        if shares.shares != recorded.get(shares.step):
            yield f"step {shares.step} uses {shares.shares} of its bounds, not {recorded.get(shares.step)}"
        if judgement.status == "pass" and max(shares.shares.values()) > 1:
            yield f"step {shares.step} is outside its bound, and the certificate says pass"
    worst = {quantity: worst.share for quantity, worst in judgement.quantities.items()}
    for shares in judgement.sample:
        if any(share > worst.get(quantity, 0.0) * (1 + 1e-3) for quantity, share in shares.shares.items()):
            yield f"step {shares.step} used more of its bound than the largest that was recorded"
    ends = {each.number: digest({k: v[0] for k, v in each.trace.params.items()}) for each in steps}
    if judgement.steps == work.steps and piece.final != ends.get(work.steps):
        yield "the final parameters are not those after the last step"
    for run in piece.untraced:
        if run.equal and run.steps in ends and run.final != ends[run.steps]:
            yield f"the timed program's end after {run.steps} steps is not that of the kept step"


def concluded(findings: Findings, found: Certificate, where: str) -> None:
    """The certificate's own word follows from its evidence."""
    if not found.evidence:
        return
    last = found.evidence[-1].judgement
    agrees = found.status == last.status and not (
        found.status == "pass"
        and any(worst.share > 1 for piece in found.evidence for worst in piece.judgement.quantities.values())
    )
    findings.compare("certificates", agrees, f"{where}: {found.status} does not follow from its evidence")


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
    for entry in document.get("benchmarks") or []:
        info = entry.get("extra_info") or {}
        key = (info.get("task"), info.get("lane"))
        if key not in rows:
            findings.compare("benchmarks", False, f"{entry.get('name')}: not a lane of the record")
            continue
        steps = record.work(key[0]).steps
        pieces = [p for block in record.blocks for p in block.slices if (p.task, p.lane) == key]
        raw = [p.elapsed_ns / p.repeats / steps / 1e9 for p in pieces if p.kind == "race" and not p.twin]
        same = entry["stats"].get("data", raw) == raw
        findings.compare("benchmarks", same, f"{entry.get('name')}: its samples are not the raw slices")
        word = info.get("verdict")
        fault = f"{entry.get('name')}: the verdict is {rows[key].verdict.word}, {word} was recorded"
        findings.compare("verdicts", word == rows[key].verdict.word, fault)


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
