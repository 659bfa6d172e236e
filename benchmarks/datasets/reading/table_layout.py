"""Where the table stands in its text: the lines above the names, the names, and a row of units below them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from .dialect import BLANK, NO_VALUE, RECORDS, SEPARATORS, Dialect, is_number, records

COUNT = re.compile(r"\s*\d{1,12}\s*")
FEWEST_BELOW = 3  # rows of numbers below a row that is taken for one of units


class TableRow(NamedTuple):
    """The fields of a row, and how many lines of the text end before it, and with it."""

    begin: int
    end: int
    fields: list[str]


class Layout(NamedTuple):
    """The names of the columns, empty where there is none, and how many lines stand before the first values.

    `above` are the lines over the names, `units` the fields of a row below them; `other_separator` is that of the
    names where it is not the one of the values. `line` is the number of their line, from 1, and `doubt` what
    speaks for a row of values there.
    """

    names: tuple[str, ...]
    first: int
    above: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    other_separator: str = ""
    line: int = 0
    doubt: str = ""


class Names(NamedTuple):
    """Names that stand in a line above the first row; the line, and its separator."""

    names: tuple[str, ...]
    line: str
    separator: str


def layout_of(lines: Sequence[str], dialect: Dialect, *, no_header: bool) -> Layout:
    """Where the table stands in a text, from its first lines."""
    rows = list(_rows(lines, dialect))
    place = _first_row(rows, dialect.width)
    place += _counts_what_is_below([row.fields for row in rows[place:]], dialect.width)
    top, fields = rows[place], [row.fields for row in rows[place:]]
    above = [line.strip() for line in lines[dialect.start : top.begin] if line.strip()]
    if no_header:
        return Layout(("",) * dialect.width, top.begin, tuple(above))
    if elsewhere := _names_above(top.fields, above, dialect):
        others = tuple(line for line in above if line != elsewhere.line)
        other = "" if elsewhere.separator == dialect.separator else elsewhere.separator
        return Layout(elsewhere.names, top.begin, others, other_separator=other)
    names = _names(fields)
    layout = Layout(names, top.end, tuple(above), line=top.begin + 1, doubt=_doubt(names, fields[1:]))
    if _are_units(fields[1:]):
        return layout._replace(first=rows[place + 1].end, units=tuple(fields[1]))
    return layout


def counts_up(names: Sequence[str]) -> bool:
    """Whether the numbers among names count up by one, three or more of them: years, or pandas' 0, 1, 2."""
    numbers = [int(name) for name in map(str.strip, names) if name.isdecimal()]
    apart = {later - earlier for earlier, later in pairwise(numbers)}
    return len(numbers) == sum(map(is_number, names)) > 2 and apart == {1}


def _rows(lines: Sequence[str], dialect: Dialect) -> Iterator[TableRow]:
    """The first rows that have anything in them."""
    comment = dialect.comment
    numbers = [n for n in range(dialect.start, len(lines)) if not (comment and lines[n].startswith(comment))]
    reader = records([lines[number] for number in numbers], dialect.separator, dialect.quote)
    read = count = 0
    for fields in reader:
        begin, read = numbers[read], reader.line_num  # type: ignore[attr-defined]
        if any(field.strip() for field in fields):
            yield TableRow(begin, numbers[read - 1] + 1, fields)
            count += 1
        if count == RECORDS:
            return


def _first_row(rows: Sequence[TableRow], width: int) -> int:
    """The first row with as many fields as most have, or the one before it where it names all but one of them.

    R writes no name over the names of its rows.
    """
    full = [len(row.fields) >= width for row in rows]
    pairs = zip(full, [*full[1:], True], strict=True)  # a title may have commas: the row below is full too
    place = next((index for index, both in enumerate(pairs) if all(both)), 0)
    if place and width > 2 and len(rows[place - 1].fields) == width - 1:
        return place - any(map(is_number, rows[place].fields))
    return place


def _names(fields: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names in the first row, one more than there are where every row below has one more field."""
    header, rows = fields[0], fields[1:]
    if rows and all(len(row) == len(header) + 1 for row in rows):
        trailing = all(not row[-1].strip() for row in rows)
        return (*header, "") if trailing else ("", *header)
    return tuple(header)


def _counts_what_is_below(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first row has the numbers of rows and of features, then names of classes: scikit-learn's files.

    A file may have been cut, so that it counts more rows than there are; names may follow. Numbers must stand
    below the words.
    """
    first, *below = rows or [[]]
    words = first[2:]
    if not words or any(map(is_number, words)) or not all(map(COUNT.fullmatch, first[:2])):
        return False
    body = below[1:] if below and not any(map(is_number, below[0])) else below
    if int(first[0]) < len(body) or int(first[1]) != width - 1:
        return False
    pairs = [pair for row in body for pair in zip(row[2:], words, strict=False)]
    under = [field for field, word in pairs if word.strip() and field.strip() not in NO_VALUE]
    return bool(under) and all(map(is_number, under))


def _doubt(names: Sequence[str], below: Sequence[Sequence[str]]) -> str:
    """What speaks for a row of values in the place of the names; empty where nothing does.

    Half of them are numbers; or one is, and a word beside it stands again in its column: a row without any number
    would have no target.
    """
    filled = [name for name in names if name.strip() not in NO_VALUE]
    numbers = sum(map(is_number, filled))
    if not numbers:
        return ""
    others = [row for row in below if list(row) != list(names)]
    for column, word in enumerate(map(str.strip, names)):
        if word in NO_VALUE or is_number(word):
            continue
        if any(len(row) > column and row[column].strip() == word for row in others):
            return f"has numbers, and {word!r} stands again below it"
    return "is of numbers" if 2 * numbers >= len(filled) else ""


def _names_above(first: Sequence[str], above: Sequence[str], dialect: Dialect) -> Names | None:
    """Names in a comment above the values, or in a line with another separator than theirs."""
    if not above or not _doubt(first, ()):
        return None
    for line in reversed(above):
        text = line.removeprefix(dialect.comment).strip()
        for separator in (dialect.separator, *SEPARATORS, BLANK):
            names = next(records([text], separator, dialect.quote), [])
            if len(names) == dialect.width > 1 and not any(map(is_number, names)):
                return Names(tuple(names), line, separator)
    return None


def _are_units(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has words wherever all below are numbers, in two columns or in brackets."""
    if len(rows) <= FEWEST_BELOW:
        return False
    first, words = rows[0], []
    for column, text in enumerate(first):
        below = [row[column] for row in rows[1:] if len(row) > column and row[column].strip() not in NO_VALUE]
        if below and all(map(is_number, below)) and text.strip() not in NO_VALUE:
            words.append(text.strip())
    if any(map(is_number, words)):
        return False
    return len(words) > 1 or any(word[0] + word[-1] in ("[]", "()") for word in words)


def rows_alone(path: Path, dialect: Dialect, first: int, target: Path) -> tuple[Path, int]:
    """A file of the rows that DuckDB can read, and how many lines of it to skip: the file itself where it can."""
    blanks = dialect.separator == BLANK
    if not blanks and not dialect.comment and first <= 1:
        return path, first
    with path.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8") as out:
        lines = (line for number, line in enumerate(source) if number >= first)
        if dialect.comment:
            lines = (line for line in lines if not line.startswith(dialect.comment))
        if blanks:
            rows = (row for row in records(lines, BLANK, dialect.quote) if row)
            csv.writer(out, delimiter="\t", lineterminator="\n").writerows(rows)
        else:
            out.writelines(lines)
    return target, 0
