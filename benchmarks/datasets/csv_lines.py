"""What the lines of a CSV show before it is a table: rows without a value, and a line that is too long."""

from __future__ import annotations

import csv
import mmap
import re
from pathlib import Path


def rows_of_separators(path: Path, separator: str) -> int:
    """How many lines hold nothing but separators; a blank line holds none and is not counted."""
    mark = re.escape(separator).encode()
    pattern = re.compile(rb"^" + mark + rb"+\r?$", re.MULTILINE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return sum(1 for _ in pattern.finditer(content))


def too_long_line(path: Path, separator: str) -> str:
    """The first line with more fields than the first one, in one sentence; empty where there is none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows, columns, line = csv.reader(file, delimiter=separator), 0, 1
        try:
            for fields in rows:
                columns = columns or len(fields)  # a blank line has none
                if len(fields) > columns:
                    return f"line {line} has {len(fields)} fields, and the first one has {columns}"
                line = rows.line_num + 1
        except csv.Error:  # a field of more than 131,072 characters
            pass
    return ""
