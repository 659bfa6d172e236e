"""A record checked in every part that can be worked out again, without any framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..analysis import RecordAnalysis
from ..console.progress import Progress, silent
from ..measure import environment
from .completeness import check_completeness
from .findings import Findings
from .lane_descriptions import check_arms
from .origin import check_dates, check_machine
from .planned_works import check_plan
from .rendered import same_table
from .slices import check_slices
from .steps import check_steps
from .times import BenchmarkDocument, check_benchmarks


class Rendering(NamedTuple):
    """A file beside the record, and how each text that it may be is made anew."""

    text: str
    makers: Sequence[Callable[[], str]]


def verify(
    document: BenchmarkDocument,
    *,
    table: Rendering | None = None,
    data: str | None = None,
    progress: Progress = silent,
) -> Findings:
    """Check a record in its JSON.

    `table` is the Markdown that lay beside it, `data` the file of its own task.
    """
    record = document.samestep
    total = len(record.certified) + 1

    def begun(proofs: int, what: str) -> None:
        progress("verify", proofs, total, what)

    begun(0, "the plan")
    findings = Findings(same_code=record.plan.environment.source == environment.source())
    check_plan(findings, record.plan)
    check_arms(findings, record)
    with np.errstate(all="ignore"):
        for planned in record.plan.works:
            check_steps(findings, record, planned, data, begun)
    begun(total - 1, "slices, statistics, tables")
    check_machine(findings, document)
    check_dates(findings, document)
    analysis = RecordAnalysis(record)
    check_completeness(findings, analysis)
    check_slices(findings, analysis)
    check_benchmarks(findings, analysis, document.benchmarks)
    if table is not None:
        same = any(same_table(table.text, make(), analysis.lanes) for make in table.makers)
        findings.compare("tables", same, "table.md is not the table of this record")
    begun(total, "done")
    return findings
