"""How the fields of a text are told apart: its separator and quotes.

Worked out from the first lines. Each separator is tried; the one whose fields are the same in number from line
to line, and most of them numbers, is taken. Blanks are tried only where no other one fits.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...console.errors import InputError

SEPARATORS = (",", ";", "\t", "|")
BLANK = " "  # one or more of them, and of tabs
SPOKEN = {"\t": "tabs", BLANK: "blanks", ",": "commas", ";": "semicolons", "|": "bars"}
GIVEN = {"tab": "\t", "\\t": "\t", "blank": BLANK, "blanks": BLANK, "space": BLANK}
NUMBER = re.compile(r"\s*[+-]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?\s*%?\s*")
NO_VALUE = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "."))
COMMENTS = ("#", "%", "//")
HEAD = 1 << 20  # characters from which it is worked out, or more where a line is longer
RECORDS = 200
FITS = 0.8  # of the lines must have as many fields as most have


class Dialect(NamedTuple):
    """How lines become fields, and how many fields most lines have.

    `comment` begins the lines that are none of the table; `start` counts lines such as "sep=;" before it.
    """

    separator: str
    quote: str
    width: int
    comment: str
    start: int


def dialect_of(name: str, lines: Sequence[str], separator: str | None) -> Dialect:
    """The dialect of a text, from its first lines.

    Raises:
        InputError: they hold nothing, or the separator that was given is none.
    """
    if not any(line.strip() for line in lines):
        raise InputError(f"{name}: holds only blank lines; a table has names in its first line, then rows")
    marked = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE)
    start = 1 if marked else 0
    comment = next((mark for mark in COMMENTS if lines[start:] and lines[start].startswith(mark)), "")
    quote = _quote(lines)
    chosen = _separator(separator) if separator else marked[1] if marked else None
    choices = (chosen,) if chosen else SEPARATORS
    body = [line for line in lines[start:] if not (comment and line.startswith(comment))]
    fits = [_fit(body, choice, quote) for choice in choices]
    best = max(fits, key=lambda fit: fit.score)
    if not chosen and (best.width < 2 or best.alike < FITS):
        blanks = _fit(body, BLANK, quote)
        best = blanks if blanks.width > 1 and blanks.alike >= FITS and blanks.score > best.score else best
    comment = comment or _comment_below(lines[start:], best, quote)
    return Dialect(best.separator, quote, best.width, comment, start)


def head_of(path: Path) -> list[str]:
    """The first lines, whole, and two of them at least."""
    lines, characters = [], 0
    with path.open(encoding="utf-8", newline="") as file:
        for line in file:
            lines.append(line)
            characters += len(line)
            if (characters > HEAD and len(lines) > 2) or len(lines) > 10 * RECORDS:
                break
    return lines


def records(lines: Iterable[str], separator: str, quote: str = '"') -> Iterator[list[str]]:
    """The fields of each line, those of a blank line being none."""
    if separator == BLANK:
        lines = (" ".join(line.split("\t")).strip() + "\n" for line in lines)
    return csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=separator == BLANK)


def is_number(field: str) -> bool:
    """Whether a field is a number in some way of writing one."""
    return NUMBER.fullmatch(field) is not None


# --- the separator --------------------------------------------------------------------------------------------


def _comment_below(lines: Sequence[str], fit: _Fit, quote: str) -> str:
    """The mark of comments that begin right below the names; none where a row of values begins with it too."""
    for mark in COMMENTS:
        marked = [line for line in lines if line.startswith(mark)]
        if lines[1:2] == marked[:1] and not any(
            len(fields) >= fit.width for fields in records(marked, fit.separator, quote)
        ):
            return mark if marked else ""
    return ""


class _Fit(NamedTuple):
    separator: str
    width: int  # fields of most lines
    alike: float  # of the lines have as many
    score: float


def _separator(text: str) -> str:
    separator = GIVEN.get(text, text)
    if len(separator) != 1 or separator in "\"'\r\n":
        raise InputError(f"--separator {text!r}: give one character, or tab or blank")
    return separator


def _quote(lines: Sequence[str]) -> str:
    text = "".join(lines[:RECORDS])
    single = re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|]|\s*$)", text, re.MULTILINE)
    return "'" if '"' not in text and len(single) > 1 else '"'


def _fit(lines: Sequence[str], separator: str, quote: str) -> _Fit:
    """How well a separator fits the lines."""
    rows = []
    try:
        for row in records(lines, separator, quote):
            if any(field.strip() for field in row):
                rows.append(row)
            if len(rows) == RECORDS:
                break
    except csv.Error:  # a field without end
        pass
    counts = Counter(map(len, rows))
    if not counts:
        return _Fit(separator, 1, 0, -1)
    width = max(counts, key=lambda count: (counts[count], count))
    fields = [field for row in rows if len(row) == width for field in row]
    numbers = sum(map(is_number, fields)) / len(fields)
    alike = counts[width] / len(rows)
    return _Fit(separator, width, alike, alike * (1 + numbers) if width > 1 else 0)
