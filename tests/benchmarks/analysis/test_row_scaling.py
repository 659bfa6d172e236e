"""Time and memory by rows, from records made by hand."""

from __future__ import annotations

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.row_scaling import row_scaling
from samestep.benchmarks.record import Cold, Record
from samestep.benchmarks.report.sweep_tables import sweep_document
from samestep.benchmarks.report.text_table import plain
from tests.helpers.grid_records import grid, steady
from tests.helpers.records import AUDIT


def by_rows() -> Record:
    """A grid of two sizes made one of rows: ten rows of 8 features and a target a step, 36 bytes each."""
    made = grid({(10, 8): {"numpy": steady(5.0)}, (10, 2): {"numpy": steady(7.0)}})
    first, second = made.plan.works
    task = first.task.model_copy(update={"name": second.task.name})
    other = first.model_copy(update={"task": task, "rows": 101_000})
    colds = [
        Cold(
            task=work.task.name,
            lane="numpy",
            repeat=0,
            import_s=1.0,
            first_call_s=1.0,
            peak_memory=50_000_000 + 40 * work.rows,
            beside=0,
            audit=AUDIT,
        )
        for work in (first, other)
    ]
    plan = made.plan.model_copy(update={"works": (other, first)})
    return made.model_copy(update={"plan": plan, "colds": tuple(colds)})


def test_memory_that_grows_by_more_than_the_data_is_told_by_the_row() -> None:
    (lane,) = row_scaling(RecordAnalysis(by_rows()))
    assert lane.rows == (1_000, 101_000)
    assert [time and time.value for time in lane.times] == pytest.approx([5e-6, 7e-6])
    assert lane.memory == (50_040_000, 54_040_000)
    assert lane.beyond == pytest.approx(40 - 36)


def test_the_tables_of_a_sweep_are_then_those_of_rows() -> None:
    shown = plain(sweep_document(RecordAnalysis(by_rows())), width=100)
    assert "TIME PER STEP BY ROWS" in shown
    assert "101,000 rows" in shown
    assert "4.0 B a row" in shown
    assert "COST OF A STEP" not in shown


def test_a_grid_of_batches_is_not_one_of_rows() -> None:
    made = grid({(1, 2): {"numpy": steady(5.0)}, (8, 2): {"numpy": steady(7.0)}})
    assert row_scaling(RecordAnalysis(made)) == ()
