"""Your own file: a CSV or Parquet table, checked column by column before anything is trained on it."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from samestep.backends.spec import File
from samestep.backends.strict_model import LONGEST_NAME

from ..console.choices import first_names, nearest
from ..console.errors import InputError
from .csv_lines import rows_of_separators, too_long_line
from .integers import LARGEST_EXACT, rounded_by_float64
from .packaged import require
from .split import CompleteRows, Float64, Split, split

if TYPE_CHECKING:
    import polars as pl

GAPS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
FIX = {
    ".csv": "a CSV is UTF-8 text with column names in its first line and as many fields in every other line",
    ".parquet": "the file is damaged or no Parquet: write it again",
}
WITHOUT_NAME = re.compile(
    r"(column \d+|Unnamed: \d+|__index_level_\d+__)?"
)  # here, and as pandas reads and writes them


class Table(NamedTuple):
    """The columns of a file, and how many of its rows had nothing in them and were left out."""

    frame: pl.DataFrame
    skipped_rows: int = 0


def load(spec: File) -> Split:
    """The chosen columns of a file as numbers, split 80/20.

    Booleans count as 0 and 1. Rows of a CSV that hold nothing but separators are left out, and counted.

    Raises:
        InputError: the file cannot be read, a column is missing, doubled or not numeric, there are gaps or
            infinities, a column without a name looks like an index, float64 cannot hold an integer, or `split`
            finds nothing to train on.
    """
    table = _read(Path(spec.path))
    features = _features(spec, table.frame.columns)
    chosen = _tidied(table.frame.select(*features, spec.target))
    series = {column.name: column for column in chosen.iter_columns()}
    columns = {name: _numbers(series[name], spec.path) for name in (*features, spec.target)}
    _complete(columns, spec.path)
    if spec.features is None:
        _refuse_index(features, columns, spec.path)
    y = columns.pop(spec.target)
    x = np.stack([columns[name] for name in features], axis=1)
    rows = CompleteRows(x, y, features, spec.target, spec.path, skipped_rows=table.skipped_rows)
    return split(rows, seed=spec.seed)


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


def _read(path: Path) -> Table:
    """The whole table; the columns of a CSV are still text."""
    polars = require("polars")
    if os.path.isdir(path):  # unlike Path's, these never raise, whatever the name
        raise InputError(f"{path}: is a directory; give one .csv or .parquet file")
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; give the path of a .csv or .parquet file")
    if not os.path.isfile(path):  # a pipe would be waited for without end
        raise InputError(f"{path}: is a pipe or a device; write it to a .csv or .parquet file first")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: cannot tell its format from {path.suffix!r}; give a .csv or .parquet file")
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, UnicodeDecodeError, polars.exceptions.PolarsError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read ({reason}); {FIX[path.suffix.lower()]}") from error


def _read_parquet(path: Path) -> Table:
    import polars as pl

    return Table(pl.read_parquet(path, glob=False, hive_partitioning=False))


def _read_csv(path: Path) -> Table:
    """Columns as text, named by the first line; lines with nothing on them are left out."""
    import polars as pl

    with path.open(encoding="utf-8-sig") as file:
        first = next((line for line in file if line.strip()), "")
    separator = max(",;\t", key=first.count)  # spreadsheets in many countries write semicolons
    try:
        lines = pl.read_csv(path, separator=separator, has_header=False, infer_schema=False, glob=False)
    except pl.exceptions.ComputeError as error:
        if reason := too_long_line(path, separator):
            fix = f'write a text with {separator!r} in it as "in quotes", and leave out fields that are too many'
            raise InputError(f"{path}: {reason}: {fix}") from error
        raise
    empty = _empty_rows(lines)
    skipped_rows = min(rows_of_separators(path, separator), int(empty.sum())) if empty.any() else 0
    lines = lines.filter(~empty) if empty.any() else lines
    if lines.is_empty():
        raise InputError(f"{path}: holds only blank lines; {FIX['.csv']}")
    names = [(name or "").strip() or f"column {number}" for number, name in enumerate(lines.row(0), 1)]
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(
            f"{path}: two columns have the same name ({first_names(sorted(doubled))}): rename one"
        )
    lines.columns = names
    return Table(lines.slice(1), skipped_rows)


def _empty_rows(lines: pl.DataFrame) -> pl.Series:
    """Which rows have no value in any column, as a series of booleans."""
    columns = lines.iter_columns()
    empty = next(columns).is_null()
    for column in columns:
        if not empty.any():
            break
        empty &= column.is_null()
    return empty


# --- checking -------------------------------------------------------------------------------------------------


def _features(spec: File, columns: list[str]) -> tuple[str, ...]:
    """The feature columns: those named, or every column but the target."""
    features = spec.features
    if features is None:
        features = tuple(name for name in columns if name != spec.target)
    present = set(columns)
    for name in (spec.target, *features):
        if name not in present:
            near = nearest(name, columns)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(f"{spec.path}: no column {name!r}; it has {first_names(columns)}{hint}")
    if spec.target in features:
        raise InputError(
            f"{spec.path}: {spec.target!r} is the target and also a feature: leave it out of the features"
        )
    if doubled := [name for name, count in Counter(features).items() if count > 1]:
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
    if not (text or column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise InputError(
            f"{path}: column {column.name!r} is not numeric (its type is {column.dtype.base_type().__name__}): "
            "leave it out, or write it as numbers"
        )
    numbers = column.cast(pl.Float64, strict=False)
    if text and numbers.null_count() > column.null_count():
        lower_case = column.str.to_lowercase()
        if lower_case.is_in(["true", "false"]).all():
            return (lower_case == "true").to_numpy().astype(np.float64)  # a gap is NaN
    if numbers.null_count() > column.null_count():
        bad = column.filter(numbers.is_null() & column.is_not_null())
        raise InputError(
            f"{path}: column {column.name!r} is not numeric (first bad value {str(bad[0])!r}, "
            f"{len(bad)} in all): leave it out, or write it as numbers"
        )
    values: Float64 = numbers.to_numpy().astype(np.float64)
    _refuse_rounding(column, values, path)
    return values


def _tidied(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table: text that is no number without spaces around it, and gaps in place of words for them.

    All columns at once, since a call for each is slow where there are thousands.
    """
    import polars as pl

    text = frame.select(pl.selectors.string())
    counts = zip(*(table.null_count().row(0) for table in (text, _cast(text))), strict=True)
    names = [name for name, (gaps, failed) in zip(text.columns, counts, strict=True) if failed > gaps]
    if not names:
        return frame
    stripped = pl.col(names).str.strip_chars()
    return frame.with_columns(pl.when(stripped.is_in(list(GAPS))).then(None).otherwise(stripped).name.keep())


def _cast(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as float64; null what is no number."""
    import polars as pl

    return frame.select(pl.all().cast(pl.Float64, strict=False))


def _refuse_rounding(column: pl.Series, values: Float64, path: str) -> None:
    """Raise for an integer that float64 cannot hold."""
    large = np.flatnonzero(np.abs(values) >= LARGEST_EXACT)
    if not large.size or column.dtype.is_float():
        return
    integers = column.gather(large).to_list()
    if rounded := rounded_by_float64(integers):
        raise InputError(
            f"{path}: column {column.name!r} has integers that float64 cannot hold (first "
            f"{integers[rounded[0]]}, {len(rounded)} in all): leave it out, or subtract what they have in common"
        )


def _complete(columns: dict[str, Float64], path: str) -> None:
    """Raise for gaps (NaN) and infinities, naming the columns and counts."""
    for fault, is_bad, fix in (
        ("gaps", np.isnan, "fill them, or leave those rows or columns out"),
        ("infinite values", np.isinf, "fix them, or leave those rows or columns out"),
    ):
        counts = {name: int(is_bad(values).sum()) for name, values in columns.items()}
        columns_at_fault = [f"{name!r} ({count})" for name, count in counts.items() if count]
        if columns_at_fault:
            raise InputError(f"{path}: {fault} in {first_names(columns_at_fault)}: {fix}")


def _refuse_index(features: tuple[str, ...], columns: dict[str, Float64], path: str) -> None:
    """Raise for a feature that nobody named and that is another integer in every row."""
    for name in features:
        if WITHOUT_NAME.fullmatch(name):
            values = columns[name]
            if (values == np.floor(values)).all() and len(np.unique(values)) == len(values):
                raise InputError(
                    f"{path}: column {name!r} has no name of its own, and another integer in every row, as an "
                    "index has: write the file without it, name it, or choose other columns with --features"
                )
