"""`samestep ceilings`: the machine's limits from real workers, as a table and as data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep.benchmarks import cli
from samestep.benchmarks.commands import ceilings
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.folder import MachineLimits, RunFolder
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.preparation import machine_limits, measure_limits
from samestep.benchmarks.measure.process import Worker
from samestep.benchmarks.measure.request import resolve
from samestep.benchmarks.report import formatting as fmt
from samestep.benchmarks.report import limits_tables
from tests.helpers.lanes import LANES
from tests.helpers.outside_lanes import hide_frameworks, python_path
from tests.helpers.records import plan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return ceilings.measure_here(resolve(Options(task=("lesson", "wide")), race=False))


def test_rates_are_those_of_a_computer(found: dict[str, Any]) -> None:
    lesson, wide = found["tasks"]
    assert (lesson["working_set"], wide["working_set"]) == (1000 * 12, 50_000 * 513 * 4)
    for row in (lesson, wide):
        assert 1e8 < row["read_rate"] < 1e13  # bytes per second
        assert 1e8 < row["copy_rate"] < 1e13
        assert 1e6 < row["blas_rate"] < row["peak_rate"] < 1e14  # operations per second
    assert wide["blas_rate"] > 10 * lesson["blas_rate"]  # 10 x 2 is too small to be fast


def test_the_floor_is_the_larger_of_moving_and_computing(found: dict[str, Any]) -> None:
    for row in found["tasks"]:
        moving = row["row_bytes_per_step"] / row["read_rate"]
        computing = row["flops_per_step"] / row["peak_rate"]
        assert row["floor_s"] == max(moving, computing)
    wide = found["tasks"][1]
    assert wide["row_bytes_per_step"] == 1024 * 513 * 4
    assert wide["flops_per_step"] == 1024 * 4 * 512  # forward and weight gradient, 2 each


def test_every_framework_here_has_its_cheapest_call(found: dict[str, Any]) -> None:
    here = {"numpy", "torch", "jax", "numba"} & set(LANES)
    assert {row["framework"] for row in found["calls"]} == here
    assert all(1e-8 < row["seconds"] < 1e-2 for row in found["calls"])
    assert found["failed"] == {}


def test_the_table_says_the_same(found: dict[str, Any]) -> None:
    shown = limits_tables.limits_text(found)
    assert max(len(line) for line in shown.splitlines()) <= 100
    (lesson,) = [line.split() for line in shown.splitlines() if line.strip().startswith("lesson")]
    assert lesson[1:3] == ["12", "kB"]
    assert " ".join(lesson[3:5]) == fmt.quantity(found["tasks"][0]["read_rate"], "B/s")
    assert "numpy.add(a, a, out=b)" in shown


@pytest.mark.parametrize(
    ("value", "what", "words"),
    [(144, "B", "144 B"), (12000, "B", "12 kB"), (4.42e10, "flop/s", "44.2 Gflop/s"), (80, "", "80")],
)
def test_units(value: float, what: str, words: str) -> None:
    assert fmt.quantity(value, what) == words


def test_a_framework_that_is_not_here_is_named_and_json_is_data(tmp_path: Path) -> None:
    hide_frameworks(tmp_path)
    command = [
        sys.executable,
        "-m",
        "samestep",
        "ceilings",
        "--task",
        "lesson",
        "--threads",
        "all",
        "--json",
    ]
    env = os.environ | {
        "PYTHONPATH": python_path(tmp_path),
        "OPENBLAS_CORETYPE": "Haswell",
        "TORCH_LOGS": "all",
    }
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["threads"] == "all"
    assert [row["framework"] for row in told["calls"]] == ["numpy"]
    assert "not installed" in told["missing"]["torch"]
    assert (told["settings"]["OPENBLAS_CORETYPE"], told["unset"]) == ("Haswell", {"TORCH_LOGS": "all"})
    shown = " ".join(limits_tables.limits_text(told).split())
    assert "Set in the environment: " in shown
    assert "OPENBLAS_CORETYPE=Haswell" in shown
    assert "Not passed on to the lanes, since it changes what is run: TORCH_LOGS=all." in shown


@pytest.mark.parametrize("words", [("--task", "nothing"), ("--threads", "many")])
def test_bad_usage_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["ceilings", *words])
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    works = plan(["numpy"], "numpy", 1, "one").works
    lanes = {"numpy": "numpy", "other": "no_such_module:Lane"}
    rng = np.random.default_rng(0)
    found = machine_limits(RunFolder(tmp_path), works, lanes, "one", WorkerLimits(), rng)  # of no work
    assert found.ceilings == ()
    assert [call.framework for call in found.dispatches] == ["numpy"]
    assert "FileNotFoundError" in found.reasons[works[0].task.name]
    assert "no_such_module" in found.reasons["other"]


def test_calls_of_all_frameworks_are_measured_in_their_order_each_while_the_others_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them was imported first."""
    lanes: dict[str, str] = {name: name for name in ("torch", "numpy", "jax") if name in LANES}
    workers, stopped, ask = list[Worker](), list[int](), Worker.ask

    def watched(self: Worker, verb: str, **arguments: Any) -> dict[str, Any]:
        if verb == "open":
            workers.append(self)
        if verb == "dispatch":
            others = [worker.pid for worker in workers if worker is not self and not worker.pipe.closed]
            states = [psutil.Process(pid).status() for pid in others]
            assert set(states) <= {psutil.STATUS_STOPPED}
            stopped.append(len(states))
        return ask(self, verb, **arguments)

    monkeypatch.setattr(Worker, "ask", watched)
    rng = np.random.default_rng(0)
    found = machine_limits(RunFolder(tmp_path), (), lanes, "one", WorkerLimits(), rng)
    assert [call.framework for call in found.dispatches] == list(lanes)
    assert all(call.seconds > 0 for call in found.dispatches)
    assert not found.reasons
    assert stopped == list(reversed(range(len(lanes))))  # those that are still to come


def test_a_race_on_an_accelerator_has_no_ceilings_of_the_cpu(tmp_path: Path) -> None:
    """Floors from NumPy's rates would say nothing of it."""
    begun = plan(["numpy"], "numpy", 1, "one").model_copy(update={"device": "cuda"})
    with made_folder(tmp_path) as place:
        place.begin(begun)
        measure_limits(place, begun, WorkerLimits())
    assert place.piece(MachineLimits) == MachineLimits()
