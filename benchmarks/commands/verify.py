"""`samestep verify`: work a record out again and print what disagrees."""

from __future__ import annotations

import json as encoder
from pathlib import Path

from ..analysis import RecordAnalysis
from ..console.progress import progress
from ..record import AnyRecord
from ..record.files import open_document
from ..report.page import NAME as PAGE
from ..report.sweep_tables import sweep_document
from ..report.tables import record_document
from ..report.text_table import markdown, prose
from ..verify import BenchmarkDocument, Rendering
from ..verify import verify as check
from ..verify.against_code import check_against_code
from ..verify.origin import MachineFacts
from ..verify.remake import small_text

TABLE = "table.md"


def verify(
    result: str | Path,
    data: str | None = None,
    *,
    against_code: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Verify a run's folder or JSON, print the findings as text or as JSON; 1 if anything disagrees.

    `against_code`: certify again every lane that can run here.

    Raises:
        InputError: there is no record, or it cannot be read.
    """
    document = open_document(result, BenchmarkDocument)
    folder = Path(result) if Path(result).is_dir() else Path(result).parent
    table = small_text(folder / TABLE) if (folder / TABLE).exists() else None
    record = document.samestep
    rendering = None if table is None else table_rendering(record, table)
    with progress(lines_in_files=False, quiet=quiet) as report:
        findings = check(document, table=rendering, data=data, progress=report)
        if (folder / PAGE).exists():
            findings.skip(f"{PAGE}; make your own: samestep report")
        if against_code:
            from ..pytest_plugin.adapter import machine_info  # it loads pytest-benchmark

            here = MachineFacts.model_validate(machine_info())
            check_against_code(findings, document, here, data=data, progress=report)
    print(encoder.dumps(findings.data(), indent=2, allow_nan=False) if json else prose(findings.text()))
    return int(bool(findings.wrong))


def table_rendering(record: AnyRecord, text: str) -> Rendering:
    """A table.md, and the two that a record can have: of its tasks, or of its sizes."""
    analysis = RecordAnalysis(record)
    makers = [lambda: markdown(record_document(analysis)), lambda: markdown(sweep_document(analysis))]
    return Rendering(text, makers)
