"""A file opened as a table: which columns it has, and what was made of its text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from samestep.backends.spec import Reading

from ...console.choices import first_names
from ...console.errors import InputError
from ..libraries import require
from ..refusal import Fault, as_option, refuse
from .csv_lines import doubled_quotes, ends_within_quotes, too_long_line
from .dialect import BLANK, NO_VALUE, SPOKEN, Dialect, dialect_of, head_of, is_number
from .encoding import as_utf8, encoding_of
from .plain_file import PlainFile, opened
from .readers import read_arrow, read_parquet, read_text
from .sql_table import Table
from .table_layout import Layout, counts_up, layout_of, rows_alone

NUMBERED = re.compile(r"column \d+")
SHOWN = 60  # characters of a line that was left out
DAMAGED = "the file is damaged or of another format: write it again"


class Source(NamedTuple):
    """A table with the names of its columns, the separator of its text, and what is to be said of it.

    empty_rows: rows that had nothing in them and were left out.
    """

    table: Table
    names: tuple[str, ...]
    separator: str = ""
    said: tuple[str, ...] = ()
    empty_rows: int = 0


@contextmanager
def source_of(path: str, reading: Reading, target: str | None) -> Iterator[Source]:
    """The table in a file, for a while; the target tells whether a first line of numbers has the names.

    Raises:
        InputError: it cannot be read, or two of its columns have the same name.
    """
    duckdb = require("duckdb")
    with opened(path) as file:
        try:
            source = _read(file, reading, target)
        except (OSError, UnicodeError, duckdb.Error) as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"{path}: cannot be read ({reason}); {DAMAGED}") from error
        try:
            _refuse_doubled(path, source.names, reading)
            yield source
        finally:
            source.table.close()


def _read(file: PlainFile, reading: Reading, target: str | None) -> Source:
    if file.kind == "text":
        return _read_text(file, reading, target)
    table, names = read_parquet(file.path) if file.kind == "parquet" else read_arrow(file.name, file.path)
    return Source(table, tuple(map(_tidy, names)), said=(f"{file.kind}",))


def _read_text(file: PlainFile, reading: Reading, target: str | None) -> Source:
    encoding = encoding_of(file.name, file.path, reading.encoding)
    text = as_utf8(file.name, file.path, encoding, file.folder / "utf8")
    text = doubled_quotes(text, file.folder / "quotes")
    lines = head_of(text)
    dialect = dialect_of(file.name, lines, reading.separator)
    if ends_within_quotes(text, dialect.separator, dialect.quote):
        raise InputError(f"{file.name}: cannot be read (a quote is never closed); close it, or remove it")
    layout = layout_of(lines, dialect, no_header=reading.no_header)
    header = not reading.no_header
    if header and len(layout.names) > 1 and layout.doubt:
        header = _is_header(file.name, layout, target)
        layout = layout if header else layout_of(lines, dialect, no_header=True)
    names = tuple(_tidy(name) or f"column {number}" for number, name in enumerate(layout.names, 1))
    table, empty = _rows(file, text, dialect, layout)
    guessed = ", a guess" if encoding.guessed else ""
    said = [f"separated by {SPOKEN.get(dialect.separator, repr(dialect.separator))}"]
    said += [f"{encoding.name}{guessed}"] if encoding.name not in ("utf-8", "utf-8-sig") else []
    said += _said(layout, header=header)
    return Source(table, names, dialect.separator, tuple(said), empty)


def _said(layout: Layout, *, header: bool) -> list[str]:
    """What was found above and below the names."""
    said = [] if header else ["no names, so they are column 1, column 2 and so on"]
    if layout.other_separator:
        said.append(f"names separated by {SPOKEN[layout.other_separator]}")
    if layout.above:
        count = len(layout.above)
        lines = "a line" if count == 1 else f"{count} lines"
        said.append(f"{lines} above left out ({layout.above[0][:SHOWN]!r})")
    if layout.units:
        units = first_names([unit.strip() for unit in layout.units if unit.strip()])
        said.append(f"a row of units left out ({units})")
    return said


def _tidy(name: str | None) -> str:
    """A name with one space where there is any white space, so that it can be typed."""
    return " ".join((name or "").split())


def _is_header(name: str, layout: Layout, target: str | None) -> bool:
    """Whether a first line that looks like values has the names: the target tells."""
    names = layout.names
    if target is not None and target in map(_tidy, names):
        return True
    if target is not None and NUMBERED.fullmatch(target):
        return False
    names_beside = any(name.strip() not in NO_VALUE and not is_number(name) for name in names)
    if (
        counts_up(names) and names_beside and "again" not in layout.doubt
    ):  # of countries, 1960, 1961 and so on
        return True
    shown = first_names([repr(_tidy(field)) for field in names])
    last = max(number for number, field in enumerate(names, 1) if is_number(field))
    ways: tuple[str, ...] = (f"--no-header {as_option('target', [f'column {last}'])}",)
    text, otherwise = f"line {layout.line} {layout.doubt} ({shown})", "another column as --target"
    if layout.above:
        text = f"{layout.above[-1][:SHOWN]!r} stands above the table and is left out; {text}"
    if counts_up(names):
        ways = as_option("target", [_tidy(names[-1])]), *ways
        text += " that count up, so they are probably names"
    else:
        text, otherwise = (
            f"{text}, so it has probably no names",
            f"{otherwise}; one of these, if they are names",
        )
    refuse(name, [Fault(text, ways, otherwise)])
    return False


def _rows(file: PlainFile, text: Path, dialect: Dialect, layout: Layout) -> tuple[Table, int]:
    """The rows as a table, and how many of them were empty."""
    duckdb = require("duckdb")
    rows, skip = rows_alone(text, dialect, layout.first, file.folder / "rows")
    separator = "\t" if dialect.separator == BLANK else dialect.separator
    try:
        return read_text(rows, separator=separator, quote=dialect.quote, columns=len(layout.names), skip=skip)
    except (ValueError, duckdb.Error) as error:
        before = layout.first - skip
        if reason := too_long_line(rows, separator, dialect.quote, len(layout.names), before):
            fix = f'write a text with {separator!r} in it as "in quotes", and leave out fields that are too many'
            raise InputError(f"{file.name}: {reason}: {fix}, or name another `--separator`") from error
        raise


def _refuse_doubled(path: str, names: tuple[str, ...], reading: Reading) -> None:
    """Raise for a name that two columns have, unless both are left out."""
    doubled = sorted(name for name, count in Counter(names).items() if count > 1 and name not in reading.skip)
    if doubled:
        text = f"two columns have the same name ({first_names(doubled)})"
        refuse(path, [Fault(text, (as_option("skip", doubled),), "rename one")])
