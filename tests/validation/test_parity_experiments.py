"""The experiments: seeded bugs are run whole, the long ones in small; the page is what the kept results say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samestep import backends
from samestep.backends.numpy_backend import NumpyBackend
from samestep.benchmarks import datasets
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.parity import certify
from tests.helpers.paths import ROOT
from tests.helpers.processes import samestep
from validation import alarms, slack, store
from validation.experiment import wrong
from validation.mutants import MUTANTS, experiment
from validation.mutants.foreseen import FORESEEN
from validation.mutants.unseen_first import FIRST
from validation.mutants.unseen_second import SECOND

RESULTS = ROOT / store.FOLDER
ALL = all(backends.missing(name) is None for name in ("torch", "jax"))


@pytest.fixture(scope="module")
def table() -> list[dict[str, Any]]:
    return list(experiment.run()["mutants"])


def test_there_are_enough_mutants_and_each_is_another() -> None:
    assert len(MUTANTS) >= 40
    assert len(FORESEEN) + len(FIRST) + len(SECOND) == len(FORESEEN | FIRST | SECOND)


def test_every_mutant_is_caught(table: list[dict[str, Any]]) -> None:
    assert [one["what"] for one in table if not one["caught"]] == []


def test_the_doctor_answers_as_the_kept_result_says(table: list[dict[str, Any]]) -> None:
    kept = {one["what"]: one for one in store.read("mutants", RESULTS)["mutants"]}
    for one in table:
        assert (one["named"], one["right"]) == (kept[one["what"]]["named"], kept[one["what"]]["right"]), one
    if ALL:
        assert len(kept) == len(table)


def test_most_mutants_are_named_rightly(table: list[dict[str, Any]]) -> None:
    foreseen, others = (
        [one for one in table if (one["origin"] == "foreseen") is own] for own in (True, False)
    )
    assert all(one["right"] for one in foreseen)
    assert sum(one["right"] for one in others) > 0.8 * len(others)


def test_every_task_passes_without_its_mutant() -> None:
    for task in {mutant.task.digest(): mutant.task for mutant in MUTANTS.values()}.values():
        found = certify(NumpyBackend(), task, datasets.load(task.dataset))
        assert found.status == "pass", found.reason


def test_the_kept_results_show_what_they_should() -> None:
    for name in ("mutants", "alarms", "slack"):
        assert wrong(name, store.read(name, RESULTS)) == []
    lanes = store.read("alarms", RESULTS)["lanes"]
    assert set(lanes) >= {"numpy", "torch", "jax", "torch:compile", "torch:fused", "jax:fused"}
    for lane, one in lanes.items():
        assert one["tasks"] >= (alarms.COMPILED_CASES if lane in alarms.COMPILED else alarms.CASES)
        assert one["passed"] + one["diverged"] == one["tasks"]


def test_alarms_go_on_where_they_were_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "lanes", lambda: ("numpy",))
    told: list[tuple[int, int, str]] = []
    found = alarms.run(30, tmp_path, lambda *each: told.append(each))
    assert told == [(1, 2, "numpy"), (2, 2, "numpy")]
    assert found["lanes"]["numpy"]["tasks"] == 30
    assert found["lanes"]["numpy"]["alarms"] == []
    told.clear()
    assert alarms.run(30, tmp_path, lambda *each: told.append(each)) == found
    assert told == []


def test_an_alarm_is_kept_in_full() -> None:
    sound = {"status": "pass", "share": 0.5, "steps": 3}
    alarm = {"status": "fail", "share": 2.0, "steps": 1, "case": 7, "task": {}, "reason": "float64: step 1"}
    found = alarms.summary([sound, alarm, {"status": "diverged", "share": 9.0, "steps": 2}])
    assert (found["passed"], found["diverged"], found["alarms"]) == (1, 1, [alarm])
    assert found["largest_share"] == 0.5
    assert wrong("alarms", {"lanes": {"numpy": found}}) == ["numpy, task 7: float64: step 1"]


def test_slack_is_the_largest_share_of_each_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack, "lanes", lambda: ("numpy",))
    monkeypatch.setattr(slack.tasks, "names", lambda: ("lesson",))
    found = slack.run(lambda *each: None)
    (row,) = found["tasks"]["lesson"]
    assert row["status"] == "pass"
    for dtype in ("float64", "float32"):
        assert row[dtype]["share"] == pytest.approx(1 / row[dtype]["slack"])
        assert 0 < row[dtype]["share"] <= 1
        assert row[dtype]["steps"] == 300


def test_a_result_is_kept_with_its_command_and_versions(tmp_path: Path) -> None:
    path = store.keep("mutants", {"mutants": []}, tmp_path)
    kept = json.loads(path.read_text())
    assert kept["command"] == "python -m validation mutants"
    assert kept["versions"]["numpy"]
    assert store.read("mutants", tmp_path)["mutants"] == []
    with pytest.raises(InputError, match="make it with: python -m validation slack"):
        store.read("slack", tmp_path)


@pytest.mark.parametrize("words", [("mutant",), ("mutants", "--cases", "3"), ("alarms", "--cases", "0")])
def test_bad_usage_is_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    done = samestep("experiment", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
