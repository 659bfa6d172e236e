"""`samestep report`: one HTML page from a record."""

from __future__ import annotations

from pathlib import Path

from ..console.errors import InputError, cause
from ..console.targets import check_target
from ..record.files import load, write_text
from ..report.page import file_name, page

PAGE_MARK = b"<title>samestep: "  # in the head of every page


def report(result: Path, out: Path | None, baseline: str | None = None) -> int:
    """Write the page of a run's folder or JSON and print its path.

    Raises:
        InputError: there is no record, it cannot be read, its lanes are without the baseline, or the page cannot
            be written there or would overwrite another file.
    """
    record = load(result)
    place = out or (result if result.is_dir() else result.parent) / file_name(record, baseline)
    check_target("--out ", place, PAGE_MARK)
    text = page(record, baseline=baseline)
    try:
        write_text(place, text)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({cause(error)}); choose another with --out") from error
    print(place)
    return 0
