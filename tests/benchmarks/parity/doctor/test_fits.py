"""Factors that were fitted, in words: known ones, one number, or a range."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.parity import Rows, Workload
from samestep.benchmarks.parity.doctor.case import Case, StepSnapshot
from samestep.benchmarks.parity.doctor.fits import Factors, describe_factors
from samestep.benchmarks.parity.reference import Arithmetic, Reference, StepStart

SIZES = (8, 8, 4)  # the rows of three steps; the last batch is a partial one
SNAPSHOTS = [
    StepSnapshot(step, np.arange(size), 0.1, StepStart({}, {})) for step, size in enumerate(SIZES, start=1)
]
TASK = Task(
    name="factors",
    dataset=Synthetic(rows=20, held_out=1, features=2),
    layers=(Linear(in_features=2, out_features=1),),
    dtype="float64",
    batch_size=8,
    epochs=1,
)


@pytest.fixture(scope="module")
def case() -> Case:
    reference = Reference(TASK)
    workload = Workload.of(TASK, Rows(np.ones((20, 2)), np.ones((20, 1))))
    return Case(workload, reference, Arithmetic.of(TASK.dtype, reference.wide), SNAPSHOTS)


@pytest.mark.parametrize(
    ("numbers", "factors"),
    [
        ((0.5, 0.5, 0.5), Factors("one half", is_constant=True)),
        (SIZES, Factors("the size of the batch: a sum in the place of a mean", is_constant=True)),
        ((0.37, 0.37, 0.37), Factors("0.37", is_constant=True)),
        ((1.00001, 1.00001, 1.00001), Factors("1 +1e-05", is_constant=True)),
        ((0.3, 0.6, 0.9), Factors("a factor that changes from step to step (0.3 to 0.9)", is_constant=False)),
        ((0, 0.6, 0.9), Factors("a factor that changes from step to step (0 to 0.9)", is_constant=False)),
    ],
)
def test_factors_are_named_and_say_whether_they_change(
    case: Case, numbers: tuple[float, ...], factors: Factors
) -> None:
    assert describe_factors(case, SNAPSHOTS, numbers) == factors
