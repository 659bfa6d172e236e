"""Tables in files, written by Python's own csv module and by DuckDB."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb


def write_table(path: Path, columns: Mapping[str, Any], separator: str = ",", **types: str) -> str:
    """Write columns to a CSV or Parquet file; `types` are DuckDB's, of Parquet columns by name."""
    if path.suffix == ".parquet":
        _write_parquet(path, columns, types)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=separator, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    return str(path)


def _write_parquet(path: Path, columns: Mapping[str, Any], types: Mapping[str, str]) -> None:
    with duckdb.connect() as database:
        kinds = [types.get(name) or _type(values) for name, values in columns.items()]
        names = [f'"{name}" {kind}' for name, kind in zip(columns, kinds, strict=True)]
        database.execute(f"CREATE TABLE t ({', '.join(names)})")
        places = ", ".join("?" * len(names))
        if rows := list(zip(*columns.values(), strict=True)):
            database.executemany(f"INSERT INTO t VALUES ({places})", rows)
        database.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def _type(values: Sequence[Any]) -> str:
    """DuckDB's type for a column of Python's values."""
    kinds = {type(value) for value in values if value is not None}
    return (
        {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}[kinds.pop()] if kinds else "INTEGER"
    )
