"""`samestep verify`: work a record out again and print what disagrees."""

from __future__ import annotations

from pathlib import Path

from ..record.files import open_document
from ..report.page import NAME as PAGE
from ..verify import Whole
from ..verify import verify as worked_out_again
from ..verify.remake import small_text


def verify(result: str | Path, data: str | None = None) -> int:
    """Verify a run's folder or JSON, print what was found; 1 if anything disagrees.

    Raises:
        InputError: there is no record, or it cannot be read.
    """
    document = open_document(result, Whole)
    folder = Path(result) if Path(result).is_dir() else Path(result).parent
    table, page = (
        small_text(folder / name) if (folder / name).exists() else None for name in ("table.md", PAGE)
    )
    findings = worked_out_again(document, table, page=page, data=data)
    print(findings.text())
    return int(bool(findings.wrong))
