"""Columns that count the rows, and numbers that stand for a missing value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..console.choices import first_names
from .refusal import Fault, as_option
from .split import Float64
from .word_columns import DataColumn, is_float

WITHOUT_NAME = re.compile(r"(column \d+|Unnamed: \d+|__index_level_\d+__|\.\.\.\d+)?")  # here, pandas, readr
INDEX_NAME = re.compile("id|idx|index|no|nr|num|obs|row(s|id|names?|num(ber)?)?|case(id)?|recordid|sno")
SENTINELS = (-9.0, -32768.0, *(float(sign * (10**digits - 1)) for digits in range(2, 11) for sign in (1, -1)))
FEWEST_NEGATIVE, FEWEST_POSITIVE = 1, 2  # rows with it: a count of 999 can be one, -999 hardly


def is_nameless(name: str) -> bool:
    """Whether a column got its name from a program and not from a person."""
    return WITHOUT_NAME.fullmatch(name) is not None


def counts_rows(values: Float64) -> bool:
    """Whether a column is 0, 1, 2 or 1, 2, 3 and so on, to its last row."""
    return (
        len(values) > 2
        and values[0] in (0, 1)
        and bool(np.array_equal(values, values[0] + np.arange(len(values))))
    )


def numbers_rows(values: Float64) -> bool:
    """Whether a column has another integer in every row."""
    return bool((values == np.floor(values)).all()) and len(np.unique(values)) == len(values)


def index_of(name: str, column: DataColumn, place: int) -> str:
    """Why a column of numbers is an index and no feature, in a few words; empty where it is none.

    `place` is its place in the file.
    """
    if column.words:
        return ""
    if counts_rows(column.values):
        plain_name = re.sub(r"[^a-z]", "", name.lower())
        if is_nameless(name) or INDEX_NAME.fullmatch(plain_name) or (name == "X" and place == 0):
            return f"counts {_beginning(column.values)}"
    if is_nameless(name) and numbers_rows(column.values):
        return "another integer in every row and no name"
    return ""


def counters(features: Mapping[str, DataColumn]) -> list[Fault]:
    """Features with a name of their own that count the rows: a time, or an index. One alone is a time."""
    named = [name for name, column in features.items() if not column.words and counts_rows(column.values)]
    if len(named) == len(features):
        return []
    text = "{!r} counts the rows ({}); to train on it, name all features in --features"
    return [
        Fault(text.format(name, _beginning(features[name].values)), (as_option("skip", [name]),))
        for name in named
    ]


def sentinels(columns: Mapping[str, DataColumn]) -> dict[float, list[str]]:
    """Numbers such as -999 that lie far from all others of a column: by value the columns that have it."""
    suspects: dict[float, list[str]] = {}
    for name, column in columns.items():
        for value in () if column.words else _far(column.values):
            suspects.setdefault(value, []).append(name)
    return suspects


def sentinel_faults(
    suspects: Mapping[float, Sequence[str]], columns: Mapping[str, DataColumn]
) -> list[Fault]:
    """The question whether they stand for a missing value."""
    if not suspects:
        return []
    places = []
    for value, names in suspects.items():
        rows = {name: int((columns[name].values == value).sum()) for name in names}
        where = first_names([f"{name!r} ({count:,})" for name, count in rows.items()])
        places.append(f"{value:g} in {where}")
    words = [f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}" for value in suspects]
    text = f"far from all other values: {', '.join(places)}; a missing value, or else a measurement?"
    return [Fault(text, (as_option("null", words), "--null NA"))]


def with_gaps_at(value: float, column: DataColumn) -> DataColumn:
    """The same column with gaps where a number stands, as a number or as a word."""
    if column.words:
        codes = [code for code, word in enumerate(column.words) if is_float(word) and float(word) == value]
        return replace(column, values=np.where(np.isin(column.values, codes), np.nan, column.values))
    return replace(column, values=np.where(column.values == value, np.nan, column.values))


def _far(values: Float64) -> list[float]:
    """The least or largest value of a column, if it is a sentinel farther from the rest than that is wide."""
    finite, far = values[np.isfinite(values)], []
    for value in dict.fromkeys((finite.min(), finite.max())) if finite.size else ():
        if value in SENTINELS:
            rest = finite[finite != value]
            fewest = FEWEST_NEGATIVE if value < 0 else FEWEST_POSITIVE
            width = np.ptp(rest) if rest.size else 0
            if width and len(finite) - len(rest) >= fewest and np.abs(rest - value).min() > width:
                far.append(float(value))
    return far


def _beginning(values: Float64) -> str:
    return ", ".join(f"{value:g}" for value in values[:3]) + " ..."
