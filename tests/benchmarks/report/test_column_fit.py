"""Which columns a width has room for."""

from __future__ import annotations

import pytest

from samestep.benchmarks.report.column_fit import ColumnSizes, fit_columns
from samestep.benchmarks.report.text_table import TextTable, boxed

TABLE = TextTable(
    "T",
    ("lane", "how it works", "time per step", "memory", "import"),
    [
        ("numpy:tuned", "by hand, with buffers that are used again", "7.21 us ±0.6%", "50 MiB", "126 ms"),
        ("jax", "autodiff, donated", "260 us ±0.9%", "269 MiB", "600 ms"),
    ],
    left=("lane", "how it works"),
    drops=("memory", "how it works"),
    prose=("how it works",),
)


def shown(width: int) -> tuple[list[str], str]:
    """The lines of the table, and the note of what is not shown."""
    lines = boxed(TABLE, width).splitlines()
    note = [line.strip() for line in lines if "not shown" in line]
    return [line for line in lines if line.strip() and line.strip() not in note], " ".join(note)


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (100, ""),
        (76, ""),  # prose is wrapped
        (60, "memory"),
        (50, "memory, how it works"),
    ],
)
def test_columns_are_left_out_in_the_order_that_the_table_states(width: int, left_out: str) -> None:
    lines, note = shown(width)
    assert max(map(len, lines)) <= width
    assert note == (f"not shown in {width} columns: {left_out}" if left_out else "")
    assert any("7.21 us ±0.6%" in line and "numpy:tuned" in line and "126 ms" in line for line in lines)


def test_a_figure_that_has_no_room_beside_its_lane_stands_below_it() -> None:
    table = TextTable("T", ("lane", "time per step"), [("numpy:tuned", "0.00065 [0.00062, 0.00069]")])
    beside, below = boxed(table, 40), boxed(table, 39)
    assert " numpy:tuned 0.00065 [0.00062, 0.00069]" in beside.splitlines()
    assert below.splitlines()[-2:] == [" numpy:tuned", "   0.00065 [0.00062, 0.00069]"]
    assert [line.strip() for line in below.splitlines()[1:4]] == ["", "lane", "time per step"]


def test_headings_are_wrapped_before_anything_is_left_out() -> None:
    sizes = [ColumnSizes.of("a b c", ["1"], prose=False), ColumnSizes.of("long heading", ["22"], prose=False)]
    assert fit_columns(sizes, [1], 20).parts == [{0: 5, 1: 12}]
    assert fit_columns(sizes, [1], 19).parts == [{0: 5, 1: 7}]
    assert fit_columns(sizes, [1], 11) == ([{0: 1, 1: 7}], [])
    assert fit_columns(sizes, [1], 10) == ([{0: 5}], [1])


def test_what_may_not_be_left_out_stands_below_beside_the_first_column() -> None:
    sizes = [ColumnSizes.of("x", ["batch 1"], prose=False), *[ColumnSizes(16, 16, 16)] * 5]
    parts, left_out = fit_columns(sizes, [], 80)
    assert [list(part) for part in parts] == [[0, 1, 2, 3, 4], [0, 5]]
    assert left_out == []
    assert fit_columns(sizes, [], 10).parts == [{0: 7, column: 16} for column in range(1, 6)]
