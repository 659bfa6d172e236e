"""Options resolved: what is left out by default, and what is an error when asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from record_maker import plan

from benchmarks.compare import parity
from benchmarks.errors import InputError
from benchmarks.measure.folder import Folder
from benchmarks.session import Options, resolve

NUMPY = ("numpy",)


@pytest.fixture
def no_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # Python's own way to make an import fail


@pytest.mark.usefixtures("no_sklearn")
def test_a_default_task_without_its_data_is_left_out_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = resolve(Options(lane=NUMPY))
    assert [task.name for task in asked.tasks] == ["lesson"]
    assert "scikit-learn is needed here" in asked.left_out["diabetes"]
    assert parity(Options(lane=NUMPY), None) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "diabetes: not run: scikit-learn is needed here" in shown
    assert "pip install 'samestep[data]'" in shown


@pytest.mark.usefixtures("no_sklearn")
def test_a_task_that_was_asked_for_is_an_error_without_its_data() -> None:
    with pytest.raises(InputError, match="scikit-learn is needed here"):
        parity(Options(lane=NUMPY, task=("lesson", "diabetes")), None)


def test_a_resumed_run_still_tells_lanes_and_tasks_apart(tmp_path: Path) -> None:
    missing = {"jax": "not installed", "diabetes": "scikit-learn is needed here"}
    begun = plan(["numpy"], "numpy", 1, "one").model_copy(update={"missing": missing})
    Folder(tmp_path).begin(begun)
    asked = resolve(Options(resume=str(tmp_path)))
    assert asked.missing == {"jax": "not installed"}
    assert asked.left_out == {"diabetes": "scikit-learn is needed here"}


def test_lanes_that_lack_the_same_thing_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        resolve(Options(lane=("numpy", "numpy:tuned"), device="tpu", baseline="numpy"))
    assert str(caught.value) == "no lane can run here: numpy, numpy:tuned: no device tpu here, only cpu"
