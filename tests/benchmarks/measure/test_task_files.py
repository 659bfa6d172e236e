"""What workers read, and what one run of it is; and the pieces that a worker is made of, in this process."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep import backends
from samestep.backends.spec import Linear, Packaged, ReLU, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.datasets.split import Split
from samestep.benchmarks.measure import counters, environment
from samestep.benchmarks.measure import limits as ceilings
from samestep.benchmarks.measure import task_files as work
from samestep.benchmarks.measure.clock import AGREE, MOST_WARMUPS, TimedWork
from samestep.benchmarks.measure.process import without_folders
from samestep.benchmarks.measure.relay import rounds
from samestep.benchmarks.measure.worker import load
from samestep.benchmarks.parity.workload import digest, initial_parameters
from samestep.benchmarks.record import Calibration
from samestep.benchmarks.record.plan import Effort


def task(rows: int = 95, batch: int = 10, dtype: str = "float32", **more: object) -> Task:
    fields = {
        "name": "t",
        "dataset": Synthetic(rows=rows, held_out=20, features=2),
        "layers": (Linear(in_features=2, out_features=1),),
        "batch_size": batch,
        "dtype": dtype,
    }
    return Task.model_validate(fields | more)


def prepared(folder: Path, wanted: Task) -> work.TaskFiles:
    work.write(folder, wanted, datasets.load(wanted.dataset), initial_parameters(wanted))
    return work.read(folder)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", [Synthetic(rows=95, held_out=20, features=2), Packaged(name="diabetes")])
def test_the_work_comes_back_bit_for_bit(data: Synthetic | Packaged, dtype: str, tmp_path: Path) -> None:
    features = 2 if isinstance(data, Synthetic) else 10
    wanted = task(dtype=dtype, dataset=data, layers=(Linear(in_features=features, out_features=1),))
    split = datasets.load(data)
    described = work.write(tmp_path, wanted, split, initial_parameters(wanted))
    found = work.read(tmp_path)
    assert found.task == wanted
    assert found.split.digest() == split.digest() == described.data
    for field in ("features", "target", "transform", "source", "dropped", "classes", "skipped_rows"):
        assert getattr(found.split, field) == getattr(split, field)
    for here, there in zip((found.x, found.y), split.rounded(dtype), strict=True):
        assert (here.dtype, here.tobytes()) == (there.dtype, there.tobytes())
    assert digest(found.start) == digest(initial_parameters(wanted))
    assert work.matches(tmp_path, described)
    assert not work.matches(tmp_path, described.model_copy(update={"rows": 1}))
    assert not work.matches(tmp_path / "nothing", described)


def true_weights(dataset: Any) -> np.ndarray:
    """The weights that synthetic data were made with."""
    truth = datasets.load(dataset).truth
    assert truth is not None
    return truth[0]


def test_truth_and_classes_come_back(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "a", task())
    assert lesson.split.truth is not None
    np.testing.assert_array_equal(lesson.split.truth[0], true_weights(task().dataset))
    data = Packaged(name="digits")
    split = datasets.load(data)
    wanted = task(
        dataset=data,
        layers=(Linear(in_features=split.x.shape[1], out_features=10),),
        loss={"name": "cross_entropy"},
    )
    digits = prepared(tmp_path / "b", wanted)
    assert (digits.split.classes, digits.y.dtype.kind) == (10, "i")


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 3000), batch=st.integers(1, 400))
def test_a_run_is_the_first_hundred_steps_or_the_epoch(
    rows: int, batch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = task(rows=rows, batch=batch)
    x = np.zeros((rows, 2))
    split = Split(x, x[:, :1], x, x[:, :1], ("a", "b"), "y", datasets.Transform.identity(2), "made")
    folder = tmp_path_factory.mktemp("run")
    described = work.write(folder, wanted, split, initial_parameters(wanted))
    found = work.read(folder)
    steps = min(wanted.steps(rows), 100)
    assert described.steps == steps == len(found.learning_rates)
    assert described.samples == len(found.row_order) == min(rows, steps * batch)
    np.testing.assert_array_equal(found.row_order, wanted.row_order(rows, 0)[: steps * batch])
    np.testing.assert_array_equal(found.learning_rates, wanted.learning_rates(rows)[0][:steps])


def test_the_digest_is_the_certificates(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values: dict[str, np.ndarray] = {
        "b": rng.normal(size=(3, 2)).T,
        "a": rng.normal(size=4).astype(np.float32),
    }
    assert digest(values).startswith(work.short_digest(values))
    assert len(work.short_digest(values)) == 16
    work.save_arrays(tmp_path / "v.npz", values)
    assert work.short_digest(work.load_arrays(tmp_path / "v.npz")) == work.short_digest(values)
    assert work.float64_distance(values, values) == 0
    assert (
        work.float64_distance(
            {"a": np.array([3.0]), "b": np.array([4.0])}, {"a": np.zeros(1), "b": np.zeros(1)}
        )
        == 5
    )


def test_operations_of_a_step_are_counted_by_hand() -> None:
    assert work.flops_per_row(task()) == 2 * (2 * 2)
    deep = task(layers=(Linear(in_features=2, out_features=8), ReLU(), Linear(in_features=8, out_features=1)))
    # 2 d m forward and for the weights, for both layers; below the second as well
    assert work.flops_per_row(deep) == 2 * 2 * 16 + 3 * 2 * 8


# --- the clock ----------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> TimedWork:
    return TimedWork(backends.load("numpy:tuned"), prepared(tmp_path, task()))


def test_every_run_ends_in_the_same_parameters_and_leaves_the_collector_off(run: TimedWork) -> None:
    try:
        piece = run.slice(3, collect=False)
        assert not gc.isenabled()
        assert run.slice(3, collect=True)["final"] == piece["final"]
        assert not gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
    assert (piece["finals"], piece["apart"], piece["compilations"]) == (1, 0.0, 0)
    assert 0 < piece["elapsed_ns"] < piece["span_ns"]


def test_a_run_far_from_the_certified_end_says_how_far(run: TimedWork, tmp_path: Path) -> None:
    certified = run.backend.params(run.backend.epoch(run.reset(), run.data, *run.inputs)[0])
    work.save_arrays(tmp_path / "final.npz", certified)
    moved = {name: value + np.float32(1) for name, value in certified.items()}
    work.save_arrays(tmp_path / "moved.npz", moved)
    assert TimedWork(run.backend, run.files, tmp_path / "final.npz").time().apart == 0
    assert TimedWork(run.backend, run.files, tmp_path / "moved.npz").time().apart == pytest.approx(
        3**0.5, rel=1e-5
    )


def test_rewarm_stops_when_two_runs_agree(run: TimedWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(*times: float) -> int:
        left = iter(times)
        reading = TimedWork.time(run)
        monkeypatch.setattr(run, "time", lambda: type(reading)(int(next(left)), 1, 1, 1, "", 0.0))
        try:
            return run.rewarm()
        finally:
            monkeypatch.undo()

    assert script(1000, 800, 800 * (1 + AGREE / 2)) == 3
    assert script(1000, 1001) == 2
    assert script(*(1000 * 2**i for i in range(9))) == MOST_WARMUPS
    assert script(10**9) == 1  # a long run is its own warm-up
    run.typical = 1000
    assert script(1050) == 1


def test_calibration_fills_a_slice_but_does_not_drown_in_resets(run: TimedWork) -> None:
    try:
        found = run.calibrate(2_000_000)
    finally:
        gc.unfreeze()
        gc.enable()
    assert 1 <= found["repeats"] <= 1 + 2_000_000 // found["run_ns"] + 1
    assert run.calibrate(1)["repeats"] == 1


def test_training_takes_all_epochs_and_all_rows(tmp_path: Path) -> None:
    wanted = task(rows=1005, batch=5)  # more steps than a run has
    found = TimedWork(backends.load("numpy"), prepared(tmp_path, wanted)).train()
    assert abs(found["0.weight"] - true_weights(wanted.dataset)).max() < 0.05


# --- process facts ------------------------------------------------------------------------------------------


def test_counters_count() -> None:
    assert counters.peak_memory() > 10 << 20
    assert counters.steal_ns() >= 0
    before = counters.context_switches()
    os.sched_yield() if hasattr(os, "sched_yield") else None
    assert counters.context_switches() >= before
    assert counters.compilations() >= 0


def test_ceilings_are_positive_and_the_cheapest_call_is_cheap(tmp_path: Path) -> None:
    found = ceilings.roofline_limits(prepared(tmp_path, task()))
    assert found["working_set"] == 95 * 3 * 4
    assert min(found["read_rate"], found["copy_rate"]) > 1e8
    assert 0 < ceilings.dispatch("numpy")["seconds"] < 1e-3
    assert ceilings.dispatch("a framework from outside") == {}


def test_the_environment_has_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/home/someone/dump")
    monkeypatch.setenv("LD_PRELOAD", "/opt/x/libone.so:/opt/y/libtwo.so")
    found = environment.read()
    assert found.settings["LD_PRELOAD"] == "libone.so:libtwo.so"
    assert "someone" not in found.model_dump_json()
    assert found == environment.read()
    assert found.memory > 1 << 28
    assert found.packages["numpy"] == np.__version__


def test_messages_lose_their_folders() -> None:
    assert without_folders("cannot open '/home/me/x y/lib.so': no") == "cannot open 'x y/lib.so': no"
    assert without_folders("1/2 of a / b") == "1/2 of a / b"


def test_lanes_are_found_by_name_or_by_class() -> None:
    assert type(load("numpy:tuned", "cpu")).__name__ == "NumpyTuned"
    assert type(load("validation.trap_lanes:Talks", "cpu")).__name__ == "Talks"
    with pytest.raises(KeyError, match="no lane 'numpy:fast'"):
        load("numpy:fast", "cpu")


def test_rounds_fit_the_seconds_of_a_block() -> None:
    effort = Effort(name="e", blocks=2, rounds=(5, 10), block_seconds=1.0)

    def of(run_ns: int) -> int:
        return rounds(effort, [Calibration(task="t", lane="a", repeats=8, run_ns=run_ns, reset_ns=1)] * 10)

    assert of(100) == 10
    assert of(10**9) == 5
    assert of(10**7 // 7 - 100) == 7
