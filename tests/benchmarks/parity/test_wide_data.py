"""Far more columns than rows: no matrix of columns by columns is ever made, nor one much larger than the data."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep.backends import numpy_modes
from samestep.backends.interface import Backend
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Synthetic, Task
from samestep.benchmarks import datasets, tasks
from samestep.benchmarks.accuracy.scores import accuracy
from samestep.benchmarks.datasets import Split, split
from samestep.benchmarks.measure import task_files
from samestep.benchmarks.parity import certify

ROWS, COLUMNS = 20, 20_000
DATA = ROWS * COLUMNS * 8
SQUARE = COLUMNS * COLUMNS * 8  # a thousand times the data
# Beside the data: the rounded ones, a probe's, a trace of 3 steps of parameters, gradients and snapshots, and a
# batch in the reference's precision, twice as wide, with what its error analysis makes of it.
MOST = 24 * DATA


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(
        name="wide",
        dataset=Synthetic(rows=ROWS, held_out=4, features=COLUMNS),
        layers=(Linear(in_features=COLUMNS, out_features=1),),
        optimizer=SGD(learning_rate=1e-5),
        batch_size=8,
        epochs=1,
    )


@pytest.fixture(scope="module")
def data(task: Task) -> Split:
    return datasets.load(task.dataset)


def peak(work: Callable[[], Any]) -> tuple[int, Any]:
    """The most bytes that were in use at once, beyond those before, and the result."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        return tracemalloc.get_traced_memory()[1] - before, result
    finally:
        tracemalloc.stop()


def test_the_measure_sees_a_square_matrix() -> None:
    used, _ = peak(lambda: np.empty((COLUMNS, COLUMNS)).shape)
    assert used >= SQUARE > 100 * MOST / 24


class HalfTheGradient(NumpyBackend):
    def forward_backward(self, state: Any, batch: Any) -> Any:
        loss, gradients = super().forward_backward(state, batch)
        return loss, {name: g / 2 for name, g in gradients.items()}


@pytest.mark.parametrize("lane", [NumpyBackend, numpy_modes.NumpyTuned, numpy_modes.NumpyFused])
def test_a_certificate_needs_no_square_matrix(lane: type[Backend], task: Task, data: Split) -> None:
    used, certificate = peak(lambda: certify(lane(), task, data))
    assert certificate.status == "pass", certificate.reason
    assert used < MOST


@pytest.mark.slow
def test_nor_does_the_doctor(task: Task, data: Split) -> None:
    used, certificate = peak(lambda: certify(HalfTheGradient(), task, data))
    assert "the gradient is multiplied by one half" in certificate.reason
    assert used < 2 * MOST


def test_nor_do_accuracy_rank_and_learning_rate(task: Task, data: Split, tmp_path: Path) -> None:
    params = {name: np.zeros(shape) for name, shape in task.parameters.items()}

    def work() -> Any:
        tasks.stability_limit(data, 8, 2.0)
        task_files.write(tmp_path, task, data, params)
        return accuracy(task, data, params)

    used, score = peak(work)
    assert data.rank == ROWS
    assert score.best_loss == pytest.approx(0.0, abs=1e-20)
    assert score.excess == pytest.approx(score.loss)
    assert used < MOST


def test_data_that_take_hours_to_solve_are_measured_without(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(split, "MOST_FACTORED", ROWS * COLUMNS * ROWS - 1)
    data = datasets.load(task.dataset)
    params = {name: np.zeros(shape) for name, shape in task.parameters.items()}
    score = accuracy(task, data, params)
    assert (data.rank, score.best_loss, score.excess) == (None, None, None)
    assert score.no_excess == "the exact optimum of so many rows and columns takes too long"
    assert score.loss > 0
    monkeypatch.setattr(split, "MOST_FACTORED", ROWS * COLUMNS * ROWS)
    assert accuracy(task, data, params).excess is not None


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (12, 12)])
def test_the_rank_is_that_of_rows_and_of_columns(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1]))
    y = np.zeros((shape[0], 1))
    names = tuple(map(str, range(shape[1])))
    assert Split(x, y, x, y, names, "y", split.Transform.identity(shape[1]), "drawn").rank == 3
