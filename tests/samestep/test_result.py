"""A comparison in Python: its figures by task and lane, as dictionaries, as a chart, and in a notebook."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
import vl_convert

import samestep
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.page.chart_parts import VEGA_LITE
from tests.helpers.paths import REFERENCE


@pytest.fixture(scope="module")
def result() -> samestep.Result:
    return samestep.load(REFERENCE)


def test_figures_are_asked_by_task_and_lane(result: samestep.Result) -> None:
    task, baseline = result.record.tasks[0], result.analysis.baseline
    row = result[task, "jax:fused"]
    assert row.ratio is not None
    assert row.ratio.low < row.ratio.value < row.ratio.high < 1
    assert result[task, baseline].ratio is None
    assert len(result) == len(list(result)) == len(result.analysis.rows)
    other = samestep.load(REFERENCE, baseline="numpy")
    assert other[task, "numpy"].ratio is None
    assert other != result == samestep.load(REFERENCE)
    with pytest.raises(KeyError, match=r"ask by \(task, lane\); tasks: .*; lanes: .*jax:fused"):
        result["lession", "jax:fused"]
    with pytest.raises(samestep.InputError, match="no lane 'nump'"):
        samestep.load(REFERENCE, baseline="nump")


def test_dictionaries_hold_what_the_csv_table_holds(result: samestep.Result) -> None:
    rows = result.to_dicts()
    read = list(csv.DictReader(io.StringIO(tables.render(result.analysis, "csv"))))
    assert [list(row) for row in rows] == [list(row) for row in read]
    for row, line in zip(rows, read, strict=True):
        assert (row["task"], row["lane"]) == (line["task"], line["lane"])
        assert (row["ratio"] is None) == (line["ratio"] == "")
        assert row["ratio"] is None or math.isclose(float(line["ratio"]), row["ratio"])


def test_json_holds_the_dictionaries(result: samestep.Result) -> None:
    read = json.loads(tables.render(result.analysis, "json"))
    rows = result.to_dicts()
    assert [list(row) for row in rows] == [list(row) for row in read]
    assert all(float(a["ratio"]) == b["ratio"] for a, b in zip(read, rows, strict=True) if b["ratio"])


def test_a_result_prints_its_tables_and_shows_them_in_a_notebook(result: samestep.Result) -> None:
    assert repr(result) == tables.render(result.analysis, "rich")
    html = result._repr_html_()
    assert html.count("<table>") == 3 * len(result.record.tasks)
    assert "<html" not in html
    assert "<script" not in html
    assert "jax:fused" in html


def test_a_chart_has_a_part_for_each_task_and_can_be_drawn(result: samestep.Result) -> None:
    chart = result.plot()
    assert [part["title"] for part in chart.to_dict()["vconcat"]] == list(result.record.tasks)
    svg = vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA_LITE)
    assert all(row.lane in svg for row in result)


def test_a_step_that_is_not_the_same_fails_with_the_likely_cause() -> None:
    task = samestep.Task(
        name="mine",
        dataset=samestep.Synthetic(rows=95, held_out=20, features=2),
        layers=(samestep.Linear(in_features=2, out_features=1),),
    )

    def of_half_the_loss(
        params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float
    ) -> dict[str, np.ndarray]:
        error = x @ params["0.weight"] + params["0.bias"] - y
        scale = np.asarray(rate / len(x), x.dtype)
        weight, bias = scale * (x.T @ error), scale * error.sum(0)
        return {"0.weight": params["0.weight"] - weight, "0.bias": params["0.bias"] - bias}

    with pytest.raises(AssertionError, match=r"^port on mine: fail: float64: .*likely cause: "):
        samestep.assert_same_step(of_half_the_loss, task, samestep.datasets.load(task.dataset))
