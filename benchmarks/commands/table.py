"""`samestep table`: the tables of a record."""

from __future__ import annotations

from pathlib import Path

from ..record.files import load
from ..report import sweep_tables


def table(result: Path, format: str, baseline: str | None = None) -> int:
    """Print the tables of a record; no framework is needed.

    Raises:
        InputError: there is no record, it cannot be read, an unknown format, or a baseline it does not have.
    """
    print(sweep_tables.render(load(result), format, baseline=baseline))
    return 0
