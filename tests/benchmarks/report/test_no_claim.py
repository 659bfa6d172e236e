"""What is UNSTABLE is marked wherever it stands, and in no sentence, range or break-even; nothing prints inf."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from docs.generate.reference_parts import Reference
from samestep import Result
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.diff import diff
from samestep.benchmarks.analysis.row_scaling import row_scaling
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.report import diff_tables, sweep_tables, tables
from samestep.benchmarks.report.columns import COLUMNS
from samestep.benchmarks.report.page import (
    change_charts,
    page,
    proof_charts,
    size_charts,
    slice_charts,
    speed_charts,
)
from samestep.benchmarks.report.page.chart_parts import Figure
from samestep.benchmarks.report.page.lane_style import LaneStyles
from tests.helpers import grid_records
from tests.helpers.grid_records import steady
from tests.helpers.records import record
from tests.helpers.unstable_records import RATIOS, analyzed, stolen, with_stolen

WIDE = {"jax": [0.8, 1.1, 0.9, 1.05, 0.85, 1.0]}  # perhaps faster


def charts(analysis: RecordAnalysis) -> Iterator[Figure]:
    """The charts of times and ratios of the lesson."""
    styles = LaneStyles(analysis.record)
    for make in (speed_charts.times, speed_charts.ratios, speed_charts.break_even, slice_charts.slices):
        if figure := make(analysis, "lesson", styles):
            yield figure


def texts(figure: Figure) -> list[str]:
    """What a chart writes beside its marks."""
    values = [row for data in (figure.spec or {}).get("datasets", {}).values() for row in data]
    values += [
        row
        for layer in (figure.spec or {}).get("layer", [])
        for row in layer.get("data", {}).get("values", [])
    ]
    return [f"{row.get('lane')}: {row[name]}" for row in values for name in ("label", "word") if name in row]


def test_an_unstable_lane_is_marked_in_every_chart() -> None:
    found = {figure.name: texts(figure) for figure in charts(analyzed("jax"))}
    assert set(found) == {"time", "ratio", "break-even", "slices"}
    for name, said in found.items():
        words = "no claim" if name == "break-even" else "UNSTABLE"
        assert [text for text in said if text.startswith("jax: ") and words in text], (name, said)
        assert not [text for text in said if text.startswith(("numpy", "torch")) and words in text]
    for figure in charts(analyzed("jax")):
        assert figure.says.endswith("No claim is made about JAX as documented (UNSTABLE).")
    for figure in charts(analyzed()):
        assert "UNSTABLE" not in figure.says


def test_a_range_of_times_holds_no_unstable_lane() -> None:
    times, *_ = charts(analyzed("jax"))
    assert re.match(r"From 80\.\d+ us \S+ \(numpy\) to 100\.?\d* us \S+ \(torch\)\. ", times.says), times.says
    assert {row[0] for row in times.table.rows if row[1].endswith(", UNSTABLE")} == {"jax"}
    times, *_ = charts(analyzed("torch"))  # the baseline: so nothing is claimed of any lane
    assert times.says.startswith("Bars are ")


def test_the_whole_training_of_an_unstable_lane_is_marked() -> None:
    analysis = analyzed("jax")
    figure = proof_charts.training(analysis, "lesson", LaneStyles(analysis.record))
    assert figure is not None
    marked = {row[0]: row[1].endswith(", UNSTABLE") for row in figure.table.rows}
    assert marked == {"jax": True, "numpy": False, "torch": False}


def test_without_a_stable_baseline_there_is_no_chart_of_ratios() -> None:
    analysis = analyzed("torch")
    assert "ratio" not in [figure.name for figure in charts(analysis)]
    with pytest.raises(InputError, match="no lane has a ratio"):
        Result(analysis.record).plot()
    text = page(analysis.record)
    assert "nothing can be said of any lane" in text
    assert not re.search(r"times as (?:fast|long)|\dx as fast", text)


def test_cells_of_an_unstable_lane_say_that_nothing_is_claimed() -> None:
    analysis = analyzed("torch")
    for lane, blanks in (
        ("jax", ("ratio", "break_even_steps", "over_fastest")),
        ("torch", ("ratio", "over_fastest")),
    ):
        for name in blanks:
            assert COLUMNS[name].cell(analysis["lesson", lane]).why.startswith("no claim"), (lane, name)
    assert COLUMNS["break_even_steps"].cell(analysis["lesson", "jax"]).text == "no claim"
    assert COLUMNS["ratio"].cell(analyzed("jax")["lesson", "jax"]).text  # measured, beside the word UNSTABLE


def test_a_ratio_in_python_is_one_that_may_be_claimed() -> None:
    result = Result(record(RATIOS, change=stolen("jax")))
    assert result["lesson", "jax"].ratio is None
    assert result["lesson", "numpy"].ratio is not None
    assert result["lesson", "jax"].verdict.ratio is not None


def test_orders_of_lanes_in_the_docs_leave_unstable_ones_out() -> None:
    parts = Reference(record(RATIOS, change=stolen("jax")))
    assert parts.fastest().splitlines()[-1] == "| lesson | `numpy`, `torch` |  |  |"


@pytest.mark.parametrize("format", ["rich", "markdown", "html", "csv", "json"])
def test_a_break_even_that_may_never_come_prints_no_infinity(format: str) -> None:
    analysis = RecordAnalysis(record(WIDE, cold={"torch": 0.1, "jax": 1.0}))
    text = tables.render(analysis, format)
    assert not re.search(r"\binf(?:inity)?\b", text, re.IGNORECASE)
    if format in ("csv", "json"):
        (row,) = (row for row in tables.as_dicts(analysis) if row["lane"] == "jax")
        assert row["break_even_high"] is None
        assert row["break_even_low"] is not None
        assert row["break_even_reason"] == "perhaps never: the interval of the ratio reaches 1"
    else:
        assert " to never" in text


def test_the_chart_and_the_csv_of_such_a_break_even_hold_numbers() -> None:
    analysis = RecordAnalysis(record(WIDE, cold={"torch": 0.1, "jax": 1.0}))
    figure = speed_charts.break_even(analysis, "lesson", LaneStyles(analysis.record))
    assert figure is not None
    assert "Infinity" not in json.dumps(figure.spec)
    (row,) = figure.table.rows
    assert row[1].endswith(" to never]")
    read = list(csv.DictReader(io.StringIO(tables.as_csv(analysis))))
    assert [line["break_even_high"] for line in read] == ["", ""]


def test_sides_of_a_change_that_are_unstable_are_marked() -> None:
    a, b = record(RATIOS, change=stolen("jax")), record(RATIOS)
    both = diff(a, b)
    (change,) = (change for change in both.changes if change.lane == "jax")
    assert (change.word, change.change) == ("not compared", None)
    assert diff_tables.ratio_text(change.a).endswith(", UNSTABLE")
    assert "UNSTABLE" not in diff_tables.ratio_text(change.b)
    figure = change_charts.ratios(both, both.changes, LaneStyles(b))
    assert figure is not None
    assert figure.spec is not None
    marks = [layer["mark"]["type"] for layer in figure.spec["layer"]]
    assert marks.count("text") == 1  # the word beside A's mark
    shaken = diff(record(RATIOS, change=stolen("torch")), b)
    assert {change.word for change in shaken.changes} == {"not compared"}
    assert "a step, UNSTABLE in A" in diff_tables.plain(shaken, a, b)


def over_sizes(unstable: str) -> RecordAnalysis:
    made = grid_records.grid(
        {
            (batch, features): {"a": steady(9.0), "b": steady(3.0), "c": steady(5.0)}
            for batch in (1, 8)
            for features in (2, 32)
        }
    )
    return RecordAnalysis(with_stolen(made, unstable))


def test_the_map_says_not_separated_and_marks_what_is_unstable() -> None:
    analysis = over_sizes("b")
    assert analysis.crossover is not None
    table = sweep_tables.fastest(analysis.crossover)
    assert {cell for row in table.rows for cell in row[1:]} == {"c +1"}
    assert any(note.startswith("b1-f2: c, not separated from b (UNSTABLE: steal: ") for note in table.notes)
    figure = size_charts.fastest(analysis.crossover, analysis, LaneStyles(analysis.record))
    assert {row[3] for row in figure.table.rows} == {"b (UNSTABLE)"}
    assert "+1 not separated" in json.dumps(figure.spec)
    assert not re.search(r"\b(?:tied|equal)\b", json.dumps(figure.spec))
    lines = size_charts.lines(analysis, LaneStyles(analysis.record))
    assert "4 of 12 times are UNSTABLE: hollow, and in no line." in lines.says


def test_times_by_rows_are_marked() -> None:
    made: Any = over_sizes("b").record
    works = [
        made.plan.works[0].model_copy(
            update={
                "rows": 100 * (number + 1),
                "task": made.plan.works[0].task.model_copy(update={"name": name}),
            }
        )
        for number, name in enumerate(made.tasks[:2])
    ]
    made = made.model_copy(update={"plan": made.plan.model_copy(update={"works": tuple(works)})})
    scaling = row_scaling(RecordAnalysis(made))
    rows = {row[0]: row[1:] for row in sweep_tables.row_times(scaling).rows}
    assert all(cell.endswith(", UNSTABLE") for cell in rows["b"])
    assert not any("UNSTABLE" in cell for cell in (*rows["a"], *rows["c"]))
