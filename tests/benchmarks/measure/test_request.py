"""Options resolved: what is left out by default, and what is an error when asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samestep import backends
from samestep.benchmarks.commands.parity import parity
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.request import choose_device, resolve
from tests.helpers.lanes import NEEDS_TORCH
from tests.helpers.records import plan

NUMPY = ("numpy",)


@pytest.fixture
def no_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # Python's own way to make an import fail


@pytest.mark.usefixtures("no_sklearn")
def test_a_default_task_without_its_data_is_left_out_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = resolve(Options(lane=NUMPY))
    assert [task.name for task in request.tasks] == ["lesson"]
    assert "scikit-learn is needed here" in request.left_out_tasks["diabetes"]
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
    with made_folder(tmp_path) as folder:
        folder.begin(begun)
    request = resolve(Options(resume=str(tmp_path)))
    assert request.missing_lanes == {"jax": "not installed"}
    assert request.left_out_tasks == {"diabetes": "scikit-learn is needed here"}


def test_lanes_that_lack_the_same_thing_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        resolve(Options(lane=("numpy", "numpy:tuned"), device="tpu", baseline="numpy"))
    assert str(caught.value) == "no lane can run here: numpy, numpy:tuned: no device tpu here, only cpu"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("cpu", "cpu"), ("gpu", "cuda"), ("cuda:0", "cuda"), ("cuda:1", "cuda:1"), ("gpu:12", "cuda:12")],
)
def test_one_of_several_devices_is_named_by_its_number(given: str, meant: str) -> None:
    assert str(choose_device(given)) == meant


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("cuda:", "--device cuda:: give its number after the colon, as in cuda:1"),
        ("cuda:-1", "--device cuda:-1: give its number after the colon, as in cuda:1"),
        ("cudo:1", "unknown device 'cudo': did you mean 'cuda'? choose from cpu, cuda, mps, tpu"),
        ("cpu:7", "no lane can run here: numpy, numpy:tuned: no device cpu:7 here, only cpu"),
    ],
)
def test_a_device_that_is_not_here_is_one_line(given: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(Options(lane=("numpy", "numpy:tuned"), device=given, baseline="numpy"))
    assert str(caught.value) == line


@NEEDS_TORCH
def test_a_lane_for_devices_that_are_not_here_is_no_default_and_has_a_reason() -> None:
    if backends.missing("torch:tf32") is None:
        pytest.skip("there is a GPU here")
    request = resolve(Options())
    assert "torch:tf32" not in {*request.lanes, *request.missing_lanes}
    with pytest.raises(InputError, match="torch:tf32: TF32 is arithmetic of NVIDIA GPUs"):
        resolve(Options(lane=("torch:tf32",)), race=False)


@NEEDS_TORCH
def test_a_chosen_lane_brings_the_default_baseline() -> None:
    request = resolve(Options(lane=NUMPY, task=("lesson",)))
    assert (request.lanes, request.baseline) == (("numpy", "torch"), "torch")
    assert resolve(Options(lane=NUMPY, task=("lesson",)), race=False).lanes == NUMPY


@NEEDS_TORCH
def test_a_race_of_the_baseline_alone_is_no_answer_to_whoever_named_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    compiled = ("torch:compile", "torch:fused")
    with pytest.raises(
        InputError, match=r"^none of the named lanes can run here: torch:compile, torch:fused: "
    ):
        resolve(Options(lane=compiled, task=("lesson",)))
    request = resolve(Options(lane=(*compiled, "numpy"), task=("lesson",)))
    assert request.lanes == ("numpy", "torch")
    assert set(request.missing_lanes) == set(compiled)


@pytest.mark.slow
@pytest.mark.skipif(backends.missing("jax") is not None, reason="needs jax")
def test_what_a_framework_sets_at_import_is_no_setting_of_a_run() -> None:
    """JAX sets variables of its own; a run that is gone on with imports no framework, and must agree."""
    code = (
        "import os; before = dict(os.environ)\n"
        "from samestep.backends import Device\n"
        "from samestep.benchmarks.measure.able_lanes import has_device, why_not\n"
        "assert why_not('jax', Device('cpu')) is None and has_device('torch')\n"
        "assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
