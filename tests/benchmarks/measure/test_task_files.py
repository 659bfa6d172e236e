"""What workers read, and what one run of it is; and the pieces that a worker is made of, in this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep import backends
from samestep.backends.spec import Linear, Packaged, ReLU, Synthetic
from samestep.benchmarks import datasets
from samestep.benchmarks.datasets.split import Split
from samestep.benchmarks.measure import counters, environment
from samestep.benchmarks.measure import task_files as work
from samestep.benchmarks.measure.clock import TimedWork
from samestep.benchmarks.measure.process import without_folders
from samestep.benchmarks.measure.worker import load
from samestep.benchmarks.parity.array_digest import digest
from samestep.benchmarks.parity.workload import initial_parameters
from tests.helpers.sessions import prepared
from tests.helpers.sessions import small_task as task


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


def test_arrays_of_objects_are_not_written_since_nobody_would_unpickle_them(tmp_path: Path) -> None:
    values = {"a": np.ones(2), "b": np.array([1.0, None])}
    with pytest.raises(ValueError, match=r"^b: an array of Python objects, not of"):
        work.save_arrays(tmp_path / "v.npz", values)
    assert not (tmp_path / "v.npz").exists()


def test_operations_of_a_step_are_counted_by_hand() -> None:
    assert work.flops_per_row(task()) == 2 * (2 * 2)
    deep = task(layers=(Linear(in_features=2, out_features=8), ReLU(), Linear(in_features=8, out_features=1)))
    # 2 d m forward and for the weights, for both layers; below the second as well
    assert work.flops_per_row(deep) == 2 * 2 * 16 + 3 * 2 * 8


# --- training ----------------------------------------------------------------------------------------------


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
