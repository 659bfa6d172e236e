"""Columns as the rows to train on: words as columns of 0 and 1, gaps left out or filled.

What is learned from values (which words there are, the mean that fills a gap) is learned from the training rows
alone: a word that only held-out rows have is 0 in every column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import File

from ..console.errors import InputError
from .gaps import any_gap, filled
from .split import Float64, held_out_rows
from .word_columns import DataColumn

MOST_VALUES = 500_000_000  # of all columns of 0 and 1: 4 GB


class TrainingRows(NamedTuple):
    """x (n, k) and y (n,) without gaps; `skipped` rows were left out for theirs.

    words: of each column of words, those of the training rows. unseen: how many held-out rows have another one.
    means: what filled the gaps of a column.
    """

    x: Float64
    y: Float64
    features: tuple[str, ...]
    skipped: int
    words: dict[str, tuple[str, ...]]
    unseen: dict[str, int]
    means: dict[str, float]


class Part(NamedTuple):
    """One feature: its name, its values, and the mean that filled its gaps."""

    name: str
    values: Float64
    mean: float | None


def rows_of(columns: Mapping[str, DataColumn], spec: File) -> TrainingRows:
    """The rows of a file's columns, in their order.

    Raises:
        InputError: there are fewer than ten, or words would make too many columns.
    """
    target = columns[spec.target]
    gaps = any_gap(columns if spec.reading.missing == "drop" else {spec.target: target})
    keep = np.flatnonzero(~gaps)
    train = ~held_out_rows(len(keep), spec.seed, spec.path)
    words, unseen, parts = dict[str, tuple[str, ...]](), dict[str, int](), list[Part]()
    for name, column in columns.items():
        if name == spec.target:
            continue
        values = column.values[keep] if gaps.any() else column.values
        if not column.words:
            parts.append(_filled(name, values, train))
            continue
        present = np.unique(values[train & np.isfinite(values)]).astype(int)
        if len(present) * len(values) > MOST_VALUES:
            raise InputError(f"{spec.path}: {name!r} has too many words for so many rows: `--skip {name}`")
        words[name] = tuple(column.words[code] for code in present)
        unseen[name] = int((np.isfinite(values) & ~np.isin(values, present)).sum())
        parts += list(_indicators(name, values, present, column.words, train))
    x = np.empty((len(keep), len(parts)))
    for place, part in enumerate(parts):
        x[:, place] = part.values
    means = {part.name: part.mean for part in parts if part.mean is not None}
    names = tuple(part.name for part in parts)
    return TrainingRows(x, target.values[keep], names, int(gaps.sum()), words, unseen, means)


def _filled(name: str, values: Float64, train: NDArray[np.bool_]) -> Part:
    if not np.isnan(values).any():
        return Part(name, values, None)
    return Part(name, *filled(values, train))


def _indicators(
    name: str, codes: Float64, present: NDArray[np.int64], words: tuple[str, ...], train: NDArray[np.bool_]
) -> Iterator[Part]:
    """A column of 0 and 1 for each word of the training rows; a gap is a gap in all of them."""
    gap = np.isnan(codes)
    for code in present:
        values = np.where(gap, np.nan, (codes == code).astype(np.float64))
        yield _filled(f"{name}={words[code]}", values, train)
