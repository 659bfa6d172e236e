"""A file read into a table: a text with every field as it stands, Parquet and Arrow with their types."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...console.errors import InputError
from ..libraries import require
from .duck import connection
from .sql_table import LongTable, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_LINE = 1 << 27  # bytes
AT_ONCE = 200  # columns in one condition
WIDE, MOST_BYTES = 1_000, 1 << 28  # a text of more columns, and of fewer bytes, is read by Python


def read_text(path: Path, *, separator: str, quote: str, columns: int, skip: int) -> tuple[Table, int]:
    """The rows of a text as text, and how many had nothing in any column and were left out.

    Raises:
        Exception: DuckDB's own, for a line with too many fields.
    """
    if columns > WIDE and path.stat().st_size < MOST_BYTES:
        return _read_wide(path, separator=separator, quote=quote, columns=columns, skip=skip)
    database = connection(path)
    listed = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(columns))
    query = (
        "CREATE TABLE t AS SELECT * FROM read_csv($path, delim = $separator, quote = $quote, escape = $quote, "
        f"skip = $skip, header = false, auto_detect = false, columns = {{{listed}}}, nullstr = '', "
        "null_padding = true, max_line_size = $longest, parallel = $parallel)"
    )
    values = {
        "path": str(path),
        "separator": separator,
        "quote": quote,
        "skip": skip,
        "longest": LONGEST_LINE,
    }
    duckdb = require("duckdb")
    try:
        database.execute(query, values | {"parallel": True})
    except duckdb.Error as error:
        if "null_padding" not in str(error).partition("\n")[2].partition("\n")[0]:  # a line end within quotes
            raise
        database.execute(query, values | {"parallel": False})
    empty = _delete_empty(database, columns)
    return Table(database, ["VARCHAR"] * columns), empty


def _read_wide(path: Path, *, separator: str, quote: str, columns: int, skip: int) -> tuple[Table, int]:
    """The same of a text with very many columns, read by Python.

    Raises:
        ValueError: a line has too many fields.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter=separator, quotechar=quote)
        lines = [line for number, line in enumerate(rows) if number >= skip and line]
    if any(len(line) > columns for line in lines):
        raise ValueError("a line has too many fields")
    fields = np.full((len(lines), columns), None, dtype=object)
    for number, line in enumerate(lines):
        fields[number, : len(line)] = [field or None for field in line]
    full = (fields != None).any(axis=1)  # noqa: E711 - of each field
    fields = fields[full]
    long = {"r": np.tile(np.arange(len(fields)), columns), "c": np.repeat(np.arange(columns), len(fields))}
    database = connection()
    database.register("given", long | {"v": fields.T.reshape(-1)})
    database.execute("CREATE TABLE t AS SELECT r, c, CAST(v AS VARCHAR) AS v FROM given")
    return LongTable(database, columns, len(fields)), int((~full).sum())


def _delete_empty(database: DuckDBPyConnection, columns: int) -> int:
    """Leave out rows without any value; some columns at a time, since few rows are left after the first ones."""
    empty: list[int] | None = None
    for start in range(0, columns, AT_ONCE):
        here = range(start, min(start + AT_ONCE, columns))
        where = " AND ".join(f"c{index} IS NULL" for index in here)
        among = "" if empty is None else " AND rowid IN (SELECT unnest($1))"
        values = None if empty is None else [empty]
        empty = [
            row[0] for row in database.execute(f"SELECT rowid FROM t WHERE {where}{among}", values).fetchall()
        ]
        if not empty:
            return 0
    # made anew, so that rows are numbered from 0 without a gap
    database.execute("CREATE TABLE u AS SELECT * FROM t WHERE rowid NOT IN (SELECT unnest($1))", [empty])
    database.execute("DROP TABLE t")
    database.execute("ALTER TABLE u RENAME TO t")
    return len(empty or ())


def read_parquet(path: Path) -> tuple[Table, list[str]]:
    """A Parquet file and its names."""
    relation = "read_parquet($path, hive_partitioning = false)"
    return _numbered(connection(path), relation, {"path": str(path)})


def read_arrow(name: str, path: Path) -> tuple[Table, list[str]]:
    """An Arrow or Feather file and its names.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        from pyarrow import feather
    except ImportError as error:
        install = "pip install 'samestep[arrow]'"
        raise InputError(f"{name}: Arrow files need pyarrow ({error}): {install}") from error
    database = connection()
    database.register("arrow", feather.read_table(path, memory_map=True))
    return _numbered(database, "arrow", {})


def _numbered(database: DuckDBPyConnection, relation: str, values: dict[str, Any]) -> tuple[Table, list[str]]:
    described = database.execute(f"DESCRIBE SELECT * FROM {relation}", values or None).fetchall()
    listed = ", ".join(f"c{index}" for index in range(len(described)))
    database.execute(f"CREATE TABLE t AS SELECT * FROM {relation} AS r({listed})", values or None)
    return Table(database, [str(row[1]).strip('"') for row in described]), [str(row[0]) for row in described]


def parquet_values(path: Path) -> int:
    """Rows times columns by the footer of a Parquet file, which is quick to read."""
    database = connection(path)
    try:
        row = database.execute(
            "SELECT num_rows, (SELECT count(*) FROM parquet_schema($path) WHERE num_children IS NULL) "
            "FROM parquet_file_metadata($path)",
            {"path": str(path)},
        ).fetchone()
        return int(row[0] * row[1]) if row else 0
    finally:
        database.close()
