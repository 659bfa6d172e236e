"""The page of two records: its sentences, charts and tables say what `samestep diff` finds, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from samestep.benchmarks import cli
from samestep.benchmarks.analysis.diff import diff
from samestep.benchmarks.record import AnyRecord, Record
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import diff_tables
from samestep.benchmarks.report.formatting import typeset
from samestep.benchmarks.report.page import CHANGES, changes_page
from samestep.benchmarks.report.page.change_charts import moves, ratios
from samestep.benchmarks.report.page.changes import findings
from samestep.benchmarks.report.page.lane_style import LaneStyles
from tests.helpers.page_records import EVEN, awkward, grid, hostile
from tests.helpers.records import record

WILD = [1.2, 0.9, 1.1, 0.8, 1.0, 1.3]


def times(factor: float) -> list[float]:
    """A lane's ratio to the baseline, with a little noise."""
    return [factor * value for value in EVEN]


def said(a: AnyRecord, b: AnyRecord) -> list[str]:
    return list(findings(diff(a, b)))


def written(folder: Path, made: Record) -> Path:
    """A run's folder with a record."""
    folder.mkdir()
    (folder / "benchmark.json").write_text(json.dumps({"samestep": made.model_dump(mode="json")}))
    return folder


# --- sentences ------------------------------------------------------------------------------------


def test_lanes_that_changed_are_named_the_largest_change_first() -> None:
    a = record({"jax": times(0.5), "numpy": times(0.1), "jax:tuned": EVEN, "jax:fused": WILD})
    b = record({"jax": times(0.6), "numpy": times(0.2), "jax:tuned": EVEN, "jax:fused": WILD})
    assert said(a, b) == [
        "On the lesson, beside torch, 2 of 4 lanes changed: numpy takes 2.000 times as long in B as in A and jax "
        "1.200 times; 1 the same within 2% and 1 undecided."
    ]


def test_many_changes_are_counted() -> None:
    lanes = [f"lane{index}" for index in range(6)]
    a, b = (record({lane: times(factor + index) for index, lane in enumerate(lanes)}) for factor in (1, 2))
    (text,) = said(a, b)
    assert text.startswith(
        "On the lesson, beside torch, 6 of 6 lanes changed: lane0 takes 2.000 times as long"
    )
    assert text.endswith(" and 2 more in the table.")


def test_without_a_change_the_tasks_are_one_sentence() -> None:
    assert said(record({"jax": EVEN}), record({"jax": EVEN})) == [
        "On the lesson no lane was shown to change: 1 the same within 2%."
    ]
    (text,) = said(grid(), grid())
    assert text.startswith(
        "On b1-f2, b1-f32, b8-f2, b8-f32 and 2 more tasks no lane was shown to change: 12 "
    )


def test_a_lane_without_a_claim_in_either_record_is_not_compared() -> None:
    (text,) = said(awkward(), awkward())
    assert text.endswith("and 3 not compared.")
    assert "changed:" not in text


def test_records_without_a_task_in_common_have_a_page_that_says_so() -> None:
    a, b = record({"jax": EVEN}), grid()
    assert said(a, b) == ["Nothing can be compared: no task and lane beside the baseline is in both."]
    text = changes_page(a, b)
    assert "<title>samestep: what changed on nothing in common</title>" in text
    assert "Only in A: task lesson." in text


# --- the page -------------------------------------------------------------------------------------


def test_the_charts_hold_the_figures_of_the_difference_and_only_of_what_was_compared() -> None:
    a = record({"jax": times(0.5), "numpy": times(0.1)}, status={"numpy": "fail"})
    b = record({"jax": times(0.6), "numpy": times(0.2)})
    found, styles = diff(a, b), LaneStyles(b)
    both, move = (make(found, found.changes, styles) for make in (ratios, moves))
    assert both
    assert both.spec
    assert move
    assert move.spec
    values = [value for some in both.spec["datasets"].values() for value in some if "record" in value]
    shown = {(value["lane"], value["record"]): value["value"] for value in values}
    (jax,) = [change for change in found.changes if change.lane == "jax"]
    assert jax.a.ratio
    assert jax.b.ratio
    assert shown["jax", "A"] == jax.a.ratio.value
    assert shown["jax", "B"] == jax.b.ratio.value
    assert ("numpy", "A") not in shown  # it has no time there
    assert {row[0]: row[1] for row in both.table.rows}["numpy"] == "INVALID"
    assert [row[0] for row in move.table.rows] == ["jax"]


def test_the_page_has_the_tables_and_the_scope_of_the_command() -> None:
    a, b = record({"jax": times(0.5)}), record({"jax": times(0.6)})
    text, found = changes_page(a, b), diff(a, b)
    table = diff_tables.change_table(found, found.changes)
    for cell in table.rows[0]:
        assert typeset(cell) in text
    for line in (*diff_tables.sides(found, a, b), *diff_tables.closing(found)):
        assert line.replace("'", "&#39;") in text
    assert text == changes_page(a, b)


def test_names_are_text_and_addresses_are_given_once() -> None:
    text = changes_page(hostile(), hostile())
    assert "<script>alert" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_another_environment_is_shown_and_the_same_is_said() -> None:
    made = record({"jax": EVEN})
    assert diff_tables.SAME_ENVIRONMENT in changes_page(made, made)
    moved = made.plan.environment.model_copy(update={"cpu": "another <processor>"})
    other = made.model_copy(update={"plan": made.plan.model_copy(update={"environment": moved})})
    assert "another &lt;processor&gt;" in changes_page(made, other)


# --- the command ----------------------------------------------------------------------------------


def test_two_records_make_one_page_beside_the_second(tmp_path: Path) -> None:
    a = written(tmp_path / "a", record({"jax": times(0.5)}))
    b = written(tmp_path / "b", record({"jax": times(0.6)}))
    done = CliRunner().invoke(cli.app, ["report", str(a), str(b)])
    assert done.stdout.strip() == str(b / CHANGES)
    assert (b / CHANGES).read_text(encoding="utf-8") == changes_page(load(a), load(b))
    done = CliRunner().invoke(cli.app, ["report", str(a), str(b), "--baseline", "jax"])
    assert done.stdout.strip() == str(b / "changes-jax.html")
    assert "Exploratory: the baseline jax was not fixed" in (b / "changes-jax.html").read_text(
        encoding="utf-8"
    )


def test_two_baselines_are_one_line(tmp_path: Path) -> None:
    a = written(tmp_path / "a", record({"jax": EVEN}))
    b = written(tmp_path / "b", record({"torch": EVEN, "jax": EVEN}, baseline="jax"))
    done = CliRunner().invoke(cli.app, ["report", str(a), str(b)])
    assert "the baselines differ (torch in A, jax in B)" in str(done.exception)
    assert not (b / CHANGES).exists()
