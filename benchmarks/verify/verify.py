"""A record checked in every part that can be worked out again, without any framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..analysis import RecordAnalysis
from ..console.errors import InputError
from .findings import Findings
from .rendered import same_page, same_table
from .steps import check_steps
from .times import BenchmarkDocument, check_benchmarks, check_slices


class Rendering(NamedTuple):
    """A file beside the record, and how each text that it may be is made anew."""

    text: str
    makers: Sequence[Callable[[], str]]


def verify(
    document: BenchmarkDocument,
    *,
    table: Rendering | None = None,
    page: Rendering | None = None,
    data: str | None = None,
) -> Findings:
    """Check a record in its JSON.

    `table` and `page` are the Markdown and the HTML that lay beside it, `data` the file of its own task.
    """
    findings, record = Findings(), document.samestep
    with np.errstate(all="ignore"):
        for planned in record.plan.works:
            check_steps(findings, record, planned, data)
    analysis = RecordAnalysis(record)
    check_slices(findings, analysis)
    check_benchmarks(findings, analysis, document.benchmarks)
    if table is not None:
        same = any(same_table(table.text, make(), analysis.lanes) for make in table.makers)
        findings.compare("tables", same, "table.md is not the table of this record")
    if page is not None:
        fault = "report.html does not show the figures of this record as this version's page of it does"
        findings.compare("pages", _page_agrees(page, analysis), fault)
    return findings


def _page_agrees(page: Rendering, analysis: RecordAnalysis) -> bool:
    try:
        return any(same_page(page.text, make(), analysis) for make in page.makers)
    except InputError:  # a part of the record cannot be drawn
        return False
