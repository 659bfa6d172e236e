"""What a comparison gives in Python: a record with its figures, asked by task and lane, and shown as a table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .benchmarks.analysis import RecordAnalysis, Row
from .benchmarks.console.errors import InputError
from .benchmarks.record import AnyRecord, files
from .benchmarks.report import notebook, tables
from .benchmarks.report.text_table import plain

if TYPE_CHECKING:  # charts are slow to import
    import altair

WIDTH = 100  # columns of a table that is printed


class Result:
    """A record and its figures: `result["lesson", "jax:fused"].ratio`, an interval with value, low and high.

    A row holds everything that a table prints of a lane on a task, in SI units; what has no figure is None.
    In a terminal a result prints its tables, in a notebook it shows them. `record` is what was measured.

    Raises:
        InputError: the baseline is not a lane of the record.
    """

    def __init__(self, record: AnyRecord, baseline: str | None = None) -> None:
        self.record, self.analysis = record, RecordAnalysis(record, baseline)

    def __getitem__(self, key: tuple[str, str]) -> Row:
        """The row of a (task, lane).

        Raises:
            KeyError: nothing of that name was in the race; the message lists what was.
        """
        rows = self.analysis.row_of
        if key in rows:
            return rows[key]
        lanes = ", ".join(self.record.plan.lanes)
        raise KeyError(
            f"no {key!r}: ask by (task, lane); tasks: {', '.join(self.record.tasks)}; lanes: {lanes}"
        )

    def __iter__(self) -> Iterator[Row]:
        """Every row, in the plan's order."""
        return iter(self.analysis.rows)

    def __len__(self) -> int:
        return len(self.analysis.rows)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Result) and self.analysis.baseline == other.analysis.baseline
        return same and self.record == other.record  # type: ignore[attr-defined]

    __hash__ = object.__hash__

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dictionary for each row, the columns of the CSV table: for pandas, polars and others."""
        return tables.as_dicts(self.analysis)

    def plot(self) -> altair.VConcatChart:
        """An Altair chart: for each task the ratios to the baseline with their intervals.

        Raises:
            InputError: there is no ratio to draw.
        """
        if chart := notebook.ratio_charts(self.analysis):
            return chart
        raise InputError("nothing to draw: no lane has a ratio to the baseline")

    @cached_property
    def _text(self) -> str:
        return plain(tables.record_document(self.analysis), width=WIDTH)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return notebook.tables_html(self.analysis)


def load(path: str | Path, *, baseline: str | None = None) -> Result:
    """The result in a run's folder, or in its benchmark.json. Another baseline than the plan's is exploratory.

    Raises:
        InputError: there is none, it is too large, it is not a record that can be read, or no lane has that name.
    """
    return Result(files.load(path), baseline)
