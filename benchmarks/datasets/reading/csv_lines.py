"""What DuckDB passes over in a text, or does not name: a quote never closed, a line that is too long."""

from __future__ import annotations

import csv
import re
from pathlib import Path

PIECE = 1 << 20
ESCAPED = re.compile(rb'\\"\w')  # a quote that ends no field


def doubled_quotes(path: Path, target: Path) -> Path:
    """The text with every quote inside a field written as two, where a backslash stands before them.

    The text itself where no quote with a backslash has a letter or a digit behind it.
    """
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(PIECE), b"")
        if not any(ESCAPED.search(piece) for piece in pieces):
            return path
    with (
        path.open(encoding="utf-8", newline="") as text,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        out.writelines(line.replace('\\"', '""') for line in text)
    return target


def ends_within_quotes(path: Path, separator: str, quote: str) -> bool:
    """Whether the text ends inside quotes: DuckDB would leave the row out without a word.

    Then there is an odd number of quotes; only where there is are the lines looked at.
    """
    mark, count = quote.encode(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            count += piece.count(mark)
    if count % 2 == 0:
        return False
    with path.open(encoding="utf-8-sig", newline="") as text:
        try:
            for _ in csv.reader(text, delimiter=separator, quotechar=quote, strict=True):
                pass
        except csv.Error as error:
            return "unexpected end of data" in str(error)
    return False


def too_long_line(path: Path, separator: str, quote: str, columns: int, lines_before: int = 0) -> str:
    """The first line with more fields than there are columns, in one sentence; empty where there is none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows, line = csv.reader(file, delimiter=separator, quotechar=quote), 1
        try:
            for fields in rows:
                if len(fields) > columns:
                    return f"line {line + lines_before} has {len(fields)} fields, and the first one has {columns}"
                line = rows.line_num + 1
        except csv.Error:  # a field of more than 131,072 characters
            pass
    return ""
