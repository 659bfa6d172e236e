"""Your own file: a CSV or Parquet table, checked column by column before anything is trained on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samestep.backends.spec import File
from samestep.backends.strict_model import LONGEST_NAME

from ..console.choices import nearest
from ..console.errors import InputError
from .packaged import require
from .split import CompleteRows, Float64, Split, split

if TYPE_CHECKING:
    import polars as pl

GAPS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
FIX = {
    ".csv": "a CSV is UTF-8 text with column names in its first line and as many fields in every other line",
    ".parquet": "the file is damaged or no Parquet: write it again",
}
SHOWN = 12  # names listed in a message before the rest is only counted


def load(spec: File) -> Split:
    """The chosen columns of a file as numbers, split 80/20.

    Booleans count as 0 and 1.

    Raises:
        InputError: the file cannot be read, a column is missing, doubled or not numeric, there are gaps or
            infinities, or `split` finds nothing to train on.
    """
    frame = _read(Path(spec.path))
    features = _features(spec, frame.columns)
    columns = {name: _numbers(frame[name], spec.path) for name in (*features, spec.target)}
    _complete(columns, spec.path)
    y = columns.pop(spec.target)
    x = np.stack([columns[name] for name in features], axis=1)
    return split(CompleteRows(x, y, features, spec.target, spec.path), seed=spec.seed)


def footer_values(path: Path) -> int:
    """Rows times columns by the footer of a Parquet file, which is quick to read; 0 for any other file."""
    polars = require("polars")
    if path.suffix.lower() != ".parquet":
        return 0
    try:
        table = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        return int(table.select(polars.len()).collect().item()) * len(table.collect_schema())
    except (OSError, polars.exceptions.PolarsError):
        return 0  # reading it says what is wrong


# --- reading --------------------------------------------------------------------------------------------------


def _read(path: Path) -> pl.DataFrame:
    """The whole table; the columns of a CSV are still text."""
    polars = require("polars")
    if os.path.isdir(path):  # unlike Path's, these never raise, whatever the name
        raise InputError(f"{path}: is a directory; give one .csv or .parquet file")
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; give the path of a .csv or .parquet file")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: cannot tell its format from {path.suffix!r}; give a .csv or .parquet file")
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, UnicodeDecodeError, polars.exceptions.PolarsError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read ({reason}); {FIX[path.suffix.lower()]}") from error


def _read_parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _read_csv(path: Path) -> pl.DataFrame:
    """Columns as text, named by the first line; lines with nothing on them are left out."""
    import polars as pl

    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    separator = max(",;\t", key=first.count)  # spreadsheets in many countries write semicolons
    lines = pl.read_csv(path, separator=separator, has_header=False, infer_schema=False, glob=False)
    lines = lines.filter(~pl.all_horizontal(pl.all().is_null()))
    if lines.is_empty():
        raise InputError(f"{path}: holds only blank lines; {FIX['.csv']}")
    names = [(name or "").strip() or f"column {number}" for number, name in enumerate(lines.row(0), 1)]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InputError(f"{path}: two columns have the same name ({_listed(sorted(doubled))}): rename one")
    lines.columns = names
    return lines.slice(1)


# --- checking -------------------------------------------------------------------------------------------------


def _features(spec: File, columns: list[str]) -> tuple[str, ...]:
    """The feature columns: those named, or every column but the target."""
    features = spec.features
    if features is None:
        features = tuple(name for name in columns if name != spec.target)
    for name in (spec.target, *features):
        if name not in columns:
            near = nearest(name, columns)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(f"{spec.path}: no column {name!r}; it has {_listed(columns)}{hint}")
    if spec.target in features:
        raise InputError(
            f"{spec.path}: {spec.target!r} is the target and also a feature: leave it out of the features"
        )
    doubled = [name for index, name in enumerate(features) if name in features[:index]]
    if doubled:
        raise InputError(f"{spec.path}: feature {doubled[0]!r} is named twice: name it once")
    if long := [name for name in features if len(name) > LONGEST_NAME]:
        fault = f"a column's name has {len(long[0]):,} characters; at most {LONGEST_NAME:,} are recorded"
        raise InputError(f"{spec.path}: {fault}: rename it")
    if not features:
        raise InputError(
            f"{spec.path}: no feature beside the target {spec.target!r}: add at least one column"
        )
    return features


def _numbers(column: pl.Series, path: str) -> Float64:
    """A column as float64 (n,), NaN where there is a gap."""
    import polars as pl

    text = column.dtype == pl.String
    if text:
        stripped = column.str.strip_chars()
        column = stripped.set(stripped.is_in(GAPS), None)
        lower_case = column.str.to_lowercase()
        if len(column) and lower_case.is_in(["true", "false"]).all():
            column = lower_case == "true"
    if not (text or column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise InputError(
            f"{path}: column {column.name!r} is not numeric (its type is {column.dtype.base_type().__name__}): "
            "leave it out, or write it as numbers"
        )
    numbers = column.cast(pl.Float64, strict=False)
    bad = column.filter(numbers.is_null() & column.is_not_null())
    if len(bad):
        raise InputError(
            f"{path}: column {column.name!r} is not numeric (first bad value {str(bad[0])!r}, "
            f"{len(bad)} in all): leave it out, or write it as numbers"
        )
    return numbers.to_numpy().astype(np.float64)


def _complete(columns: dict[str, Float64], path: str) -> None:
    """Raise for gaps (NaN) and infinities, naming the columns and counts."""
    for fault, is_bad, fix in (
        ("gaps", np.isnan, "fill them, or leave those rows or columns out"),
        ("infinite values", np.isinf, "fix them, or leave those rows or columns out"),
    ):
        counts = {name: int(is_bad(values).sum()) for name, values in columns.items()}
        columns_at_fault = [f"{name!r} ({count})" for name, count in counts.items() if count]
        if columns_at_fault:
            raise InputError(f"{path}: {fault} in {_listed(columns_at_fault)}: {fix}")


def _listed(names: list[str]) -> str:
    """Names with commas; a long list is cut and counted."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
