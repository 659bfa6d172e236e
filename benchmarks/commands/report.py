"""`samestep report`: one HTML page from a record, or from two side by side."""

from __future__ import annotations

from pathlib import Path

from ..console.errors import InputError, cause
from ..console.targets import check_target
from ..record.files import load, write_text
from ..report.page import CHANGES, changes_page, file_name, page

PAGE_MARK = b"<title>samestep: "  # in the head of every page


def report(result: Path, other: Path | None, out: Path | None, baseline: str | None = None) -> int:
    """Write the page of a run's folder or JSON, or of what changed from it to another's, and print its path.

    Raises:
        InputError: there is no record, it cannot be read, its lanes are without the baseline, or the page cannot
            be written there or would overwrite another file.
    """
    record, later = load(result), load(other) if other else None
    last = other or result
    name = file_name(later, baseline, CHANGES) if later else file_name(record, baseline)
    place = out or (last if last.is_dir() else last.parent) / name
    check_target("--out ", place, PAGE_MARK)
    text = changes_page(record, later, baseline=baseline) if later else page(record, baseline=baseline)
    try:
        write_text(place, text)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({cause(error)}); choose another with --out") from error
    print(place)
    return 0
