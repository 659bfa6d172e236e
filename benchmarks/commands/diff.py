"""`samestep diff`: what changed between two records."""

from __future__ import annotations

from pathlib import Path

from ..analysis.diff import diff as compare_records
from ..console.terminal import terminal_width
from ..record.files import load
from ..report import diff_tables


def diff(a: Path, b: Path, baseline: str | None = None, *, json: bool = False) -> int:
    """Print what changed from record A to record B; 0 whatever that is.

    Raises:
        InputError: a record cannot be read, or the two have no baseline in common.
    """
    first, second = load(a), load(b)
    changes = compare_records(first, second, baseline=baseline)
    if json:
        print(changes.model_dump_json(indent=2))
    else:
        print(diff_tables.plain(changes, first, second, width=terminal_width()))
    return 0
