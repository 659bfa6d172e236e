"""Which columns of a table there is room for, and how wide each is.

First headings are wrapped, then columns of prose; then columns are left out, in the order that the table states.
What is still too wide stands below, beside the first column again. A cell of figures is never broken: where two
columns have no room side by side, they are a part that is wider than the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

PROSE = 22  # characters that a column of prose keeps at least


class ColumnSizes(NamedTuple):
    """A column in characters: as it is, with its heading wrapped, and wrapped itself where it is prose."""

    whole: int
    wrapped: int
    least: int

    @classmethod
    def of(cls, heading: str, cells: Sequence[str], *, prose: bool) -> ColumnSizes:
        """The sizes of a column."""
        body = max(map(cell_len, cells), default=0)
        wrapped = max([body, *map(cell_len, heading.split())])
        return cls(max(body, cell_len(heading)), wrapped, min(wrapped, PROSE) if prose else wrapped)


class ColumnFit(NamedTuple):
    """The columns that stand side by side, with their widths by their numbers, and those that are left out."""

    parts: list[dict[int, int]]
    left_out: list[int]


def fit_columns(sizes: Sequence[ColumnSizes], drops: Sequence[int], width: int) -> ColumnFit:
    """The columns of a table within a width; `drops` are those that may be left out, the first of them first."""
    columns, left_out = list(range(len(sizes))), list[int]()
    for column in (*drops, None):
        if widths := side_by_side(sizes, columns, width):
            return ColumnFit([widths], left_out)
        if column is not None:
            columns.remove(column)
            left_out.append(column)
    return ColumnFit(in_parts(sizes, columns, width), left_out)


def side_by_side(sizes: Sequence[ColumnSizes], columns: Sequence[int], width: int) -> dict[int, int]:
    """The width of each column within that of all; none where there is not room for all."""
    widths = {column: sizes[column].least for column in columns}
    spare = width - total_width(widths)
    if spare < 0:
        return {}
    for column in columns:  # prose first gets what is left, then headings
        more = min(spare, sizes[column].wrapped - widths[column])
        widths[column], spare = widths[column] + more, spare - more
    for column in columns:
        more = sizes[column].whole - widths[column]
        if 0 < more <= spare:
            widths[column], spare = sizes[column].whole, spare - more
    return widths


def total_width(widths: Mapping[int, int]) -> int:
    """Characters of a line of columns, with what stands between them and at both ends."""
    return sum(widths.values()) + len(widths) + 1


def in_parts(sizes: Sequence[ColumnSizes], columns: Sequence[int], width: int) -> list[dict[int, int]]:
    """The columns in as many parts as it takes, each with the first of them."""
    first, *others = columns
    parts = [[first]]
    for column in others:
        if len(parts[-1]) > 1 and not side_by_side(sizes, [*parts[-1], column], width):
            parts.append([first])
        parts[-1].append(column)
    return [
        side_by_side(sizes, part, width) or {column: sizes[column].wrapped for column in part}
        for part in parts
    ]
