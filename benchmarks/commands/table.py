"""`samestep table`: the tables of a record."""

from __future__ import annotations

from pathlib import Path

from ..analysis import RecordAnalysis
from ..console.terminal import terminal_width
from ..record.files import load
from ..report import tables


def table(result: Path, format: str, baseline: str | None = None) -> int:
    """Print the tables of a record; no framework is needed.

    Raises:
        InputError: there is no record, it cannot be read, an unknown format, or a baseline it does not have.
    """
    print(tables.render(RecordAnalysis(load(result), baseline), format, width=terminal_width()))
    return 0
