"""A data frame or arrays as a Parquet file, which is then read, recorded and verified as any other file is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..console.errors import InputError
from .libraries import require
from .reading.duck import connection

PAIR = 2


def write(data: object, path: Path, target: str | None = None) -> str:
    """Write a table to a Parquet file, which must not be there yet; gives the name of the target.

    data: a data frame that narwhals knows (pandas, polars, Arrow and others); a mapping of names to columns; or
    (x (n, k), y (n,) or (n, 1)), whose columns are x0, x1 and so on, and `target` or y.

    Raises:
        InputError: it is no table, or its columns are not of one length.
    """
    columns = _columns(data, target or "y")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1 or not columns:
        raise InputError(
            f"data: columns of {sorted(lengths)} rows are no table" if columns else "data: no columns"
        )
    if target is None and not _is_pair(data):
        raise InputError(f"data needs target, the column to predict; it has {', '.join(columns)}")
    database = connection(path)
    try:
        names = list(columns)
        database.register("given", {f"c{place}": columns[name] for place, name in enumerate(names)})
        listed = ", ".join(f"c{place} AS {_quoted(name)}" for place, name in enumerate(names))
        database.execute(f"COPY (SELECT {listed} FROM given) TO {_literal(str(path))} (FORMAT parquet)")
    except require("duckdb").Error as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"data: cannot be written to {path} ({reason})") from error
    finally:
        database.close()
    return target or "y"


def _is_pair(data: object) -> bool:
    return isinstance(data, tuple | list) and len(data) == PAIR


def _columns(data: object, target: str) -> dict[str, Any]:
    """The columns by name, each an array."""
    if isinstance(data, tuple | list) and len(data) == PAIR:
        x, y = np.asarray(data[0]), np.asarray(data[1])
        if (
            x.ndim != 2
            or y.size != len(x)
            or target in (names := [f"x{place}" for place in range(x.shape[1])])
        ):
            shapes = f"{x.shape} and {y.shape}"
            raise InputError(f"data: arrays of shapes {shapes}, not (n, k) and (n,), or target is {target!r}")
        return {**dict(zip(names, x.T.copy(), strict=True)), target: y.reshape(-1)}
    if isinstance(data, Mapping):
        return {str(name): _array(values) for name, values in data.items()}
    frame = _frame(data)
    return {str(name): _array(frame[name].to_numpy()) for name in frame.columns}


def _frame(data: object) -> Any:
    narwhals = require("narwhals")
    try:
        frame = narwhals.from_native(data)
    except TypeError as error:
        kind = type(data).__name__
        raise InputError(f"data: {kind} is neither a file's name, a data frame, nor arrays (x, y)") from error
    return frame.collect() if isinstance(frame, narwhals.LazyFrame) else frame


def _array(values: Any) -> Any:
    """An array that DuckDB takes: numbers as they are, words as objects, None where there is no value."""
    array = np.asarray(values)
    if array.dtype.kind in "fiubMm":
        return np.ascontiguousarray(array)
    objects = np.empty(len(array), dtype=object)
    objects[:] = [None if _is_missing(value) else value for value in array.tolist()]
    return objects


def _is_missing(value: object) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")


def _quoted(name: str) -> str:
    """SQL: a name."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """SQL: a text."""
    return "'" + text.replace("'", "''") + "'"
