"""The learning curve against hand-worked losses, a real run's accuracy, and kept steps that hold too little."""

from __future__ import annotations

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.accuracy.learning_curve import learning_curve
from samestep.benchmarks.accuracy.scores import accuracy
from samestep.benchmarks.parity import certify
from samestep.benchmarks.record.arrays import encode
from samestep.benchmarks.record.outcome import Point
from samestep.benchmarks.record.proof import KeptStep

DATA = Synthetic(rows=60, held_out=5, features=1, weights=(2.0,), bias=0.5, noise=0.0)
TASK = Task(name="t", dataset=DATA, layers=(Linear(in_features=1, out_features=1),), batch_size=20, epochs=2)


def kept_step(step: int, weight: float, bias: float) -> KeptStep:
    arrays = {"0.weight": np.array([[weight]], np.float32), "0.bias": np.array([bias], np.float32)}
    return KeptStep(step=step, arrays={name: encode(array) for name, array in arrays.items()})


def test_points_are_losses_on_all_rows_in_the_order_of_steps() -> None:
    """Without noise y = 2x + 1/2, so that a bias that is off by 2 has the loss 4 and the exact solution 0."""
    split = datasets.load(DATA)
    points = learning_curve(TASK, split, [kept_step(3, 2.0, 0.5), kept_step(1, 2.0, 2.5)])
    assert [point.step for point in points] == [1, 3]
    assert points[0].loss == pytest.approx(4, rel=1e-12)
    assert points[0].excess == pytest.approx(4, rel=1e-12)
    assert points[1].loss == pytest.approx(0, abs=1e-28)


def test_the_last_point_of_a_real_run_is_its_accuracy() -> None:
    split = datasets.load(DATA)
    certificate = certify(backends.load("numpy"), TASK, split)
    points = learning_curve(TASK, split, certificate.evidence[-1].judgement.kept)
    assert certificate.final
    final = {name: np.array(certificate.final[name], np.float32) for name in TASK.parameters}
    reached = accuracy(TASK, split, {k: v.reshape(TASK.parameters[k]) for k, v in final.items()})
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    assert (points[-1].loss, points[-1].excess) == (reached.loss, reached.excess)
    assert points[0].loss > points[-1].loss


def test_a_run_that_diverged_has_points_and_they_survive_json() -> None:
    (point,) = learning_curve(TASK, datasets.load(DATA), [kept_step(1, np.inf, 0.0)])
    assert np.isnan(point.loss)
    assert np.isnan(Point.model_validate_json(point.model_dump_json()).loss)


def test_a_step_without_all_parameters_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"step 1 keeps no 0\.weight"):
        learning_curve(
            TASK, datasets.load(DATA), [KeptStep(step=1, arrays={"0.bias": encode(np.zeros(1, np.float32))})]
        )
