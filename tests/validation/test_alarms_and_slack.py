"""The long experiments on certificates, run in small; what is kept of them shows what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from validation import alarms, float32, slack, store
from validation.float32_mistakes import DroppedEntries


def test_the_kept_results_show_what_they_should() -> None:
    committed = store.read("alarms", ROOT)
    assert alarms.faults(committed) == []
    assert slack.faults(store.read("slack", ROOT)) == []
    assert set(committed["lanes"]) >= {"numpy", "torch", "jax", "torch:compile", "torch:fused", "jax:fused"}
    for lane, row in committed["lanes"].items():
        assert row["tasks"] >= (alarms.COMPILED_CASES if lane in alarms.COMPILED else alarms.CASES)
        assert row["passed"] + row["diverged"] == row["tasks"]


def test_what_is_wrong_in_float32_alone_shows_on_rows_with_one_entry() -> None:
    kept = store.read("float32", ROOT)
    assert float32.faults(kept) == []
    wide = [row for row in kept["programs"] if row["features"] == 512 and not row["right"]]
    assert sum(row["run"] <= 1 for row in wide) >= 8  # a run hides nearly all of them
    for kind, loss in ((DroppedEntries, "bce"), float32.RIGHT[0]):
        again = float32.row(kind, loss, float32.SIZES[0])
        assert again["what"] in {row["what"] for row in kept["programs"]}
        assert (again["probe"] <= 1) == again["right"]
    alarm = {"programs": [{**kept["programs"][0], "probe": 0.5}]}
    assert len(float32.faults(alarm)) == 1


@pytest.mark.slow
def test_alarms_go_on_where_they_were_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "CHUNK", 5)
    reports: list[tuple[str, int, int, str]] = []
    result = alarms.run(["numpy"], 8, tmp_path, lambda *report: reports.append(report))
    assert reports == [("alarms", 1, 2, "numpy"), ("alarms", 2, 2, "numpy")]
    assert result["lanes"]["numpy"]["tasks"] == 8
    assert result["lanes"]["numpy"]["alarms"] == []
    reports.clear()
    assert alarms.run(["numpy"], 8, tmp_path, lambda *report: reports.append(report)) == result
    assert reports == []


def test_a_compiled_lane_has_fewer_cases() -> None:
    ends = {lane: [chunk[1:] for chunk in alarms.chunks_of(lane, 60)] for lane in ("jax", "torch:compile")}
    assert ends == {"jax": [(0, 25, 60), (25, 50, 60), (50, 60, 60)], "torch:compile": [(0, 25, 60)]}


def test_an_alarm_is_kept_in_full() -> None:
    sound = {"status": "pass", "share": 0.5, "steps": 3}
    alarm = {"status": "fail", "share": 2.0, "steps": 1, "case": 7, "task": {}, "reason": "float64: step 1"}
    row = alarms.summary([sound, alarm, {"status": "diverged", "share": 9.0, "steps": 2}])
    assert (row["passed"], row["diverged"], row["alarms"]) == (1, 1, [alarm])
    assert row["largest_share"] == 0.5
    assert alarms.faults({"lanes": {"numpy": row}}) == ["numpy, task 7: float64: step 1"]


def test_slack_is_the_largest_part_of_the_bound_in_each_dtype() -> None:
    result = slack.run(["numpy"], ["lesson"], lambda *report: None)
    (row,) = result["tasks"]["lesson"]
    assert row["status"] == "pass"
    for dtype in ("float64", "float32"):
        assert row[dtype]["share"] == pytest.approx(1 / row[dtype]["slack"])
        assert 0 < row[dtype]["share"] <= 1
        assert row[dtype]["steps"] == 300
    row["status"] = "fail"
    assert slack.faults(result) == ["numpy on lesson: fail"]
