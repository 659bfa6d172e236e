"""When a hypothesis counts: rounding is all it leaves, the correct step leaves more, and unfitted steps agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.parity import Rows, Workload
from samestep.benchmarks.parity.doctor.case import Case, StepSnapshot
from samestep.benchmarks.parity.doctor.hypothesis import SLACK, Hypothesis, Prediction, best, explanations
from samestep.benchmarks.parity.doctor.observations import observation
from samestep.benchmarks.parity.reference import Arithmetic, Reference, StepStart

TASK = Task(
    name="hypotheses",
    dataset=Synthetic(rows=20, held_out=1, features=2),
    layers=(Linear(in_features=2, out_features=1),),
    dtype="float64",
    batch_size=8,
    epochs=2,
)
TOLERANCE = 1e-12
RNG = np.random.default_rng(0)
CORRECT = {number: RNG.normal(size=3) for number in range(1, 5)}
OTHER = {number: RNG.normal(size=3) for number in range(1, 5)}
SNAPSHOTS = [
    StepSnapshot(number, np.arange(8), 0.1, StepStart({}, {}), wrong=frozenset({("gradients", "0.weight")}))
    for number in CORRECT
]


@pytest.fixture(scope="module")
def case() -> Case:
    reference = Reference(TASK)
    workload = Workload.of(TASK, Rows(np.ones((20, 2)), np.ones((20, 1))))
    return Case(workload, reference, Arithmetic.of(TASK.dtype, reference.wide), SNAPSHOTS)


def observed(values):
    tolerance = np.full(3, TOLERANCE)
    return [observation(s, values(s.number), CORRECT[s.number], tolerance) for s in SNAPSHOTS]


def fixed(values):
    return Hypothesis("rows", "fixed", lambda snapshot: Prediction(values(snapshot.number)))


def scaled(values, clause="scaled"):
    return Hypothesis(
        "scale", clause, lambda s: Prediction(values(s.number) * 0, (values(s.number),)), free=1
    )


def test_what_was_recorded_is_explained(case):
    (result,) = explanations(case, observed(OTHER.get), [fixed(OTHER.get), fixed(lambda n: OTHER[n] + 1e-6)])
    assert result.clause == "fixed"
    assert result.everywhere


def test_nothing_is_explained_where_the_correct_step_fits_as_well(case):
    """Numbers outside their bound, and within what a hypothesis may be off by."""
    values = observed(lambda n: CORRECT[n] + SLACK / 2 * TOLERANCE)
    reordered = fixed(lambda n: CORRECT[n] * (1 + 2e-16))
    assert explanations(case, values, [reordered, scaled(CORRECT.get)]) == []


def test_a_fitted_number_has_to_hold_at_steps_that_were_not_fitted(case):
    constant = observed(lambda n: 0.37 * CORRECT[n])
    (result,) = explanations(case, constant, [scaled(CORRECT.get)])
    assert result.numbers == pytest.approx((0.37,))
    assert explanations(case, observed(lambda n: 0.37 * n * CORRECT[n]), [scaled(CORRECT.get)]) == []
    assert explanations(case, constant[:1], [scaled(CORRECT.get)]) == []


def test_fewer_fitted_numbers_come_first_and_equals_are_all_named(case):
    values = observed(lambda n: 0.5 * CORRECT[n])
    half, same = (
        fixed(lambda n: 0.5 * CORRECT[n]),
        Hypothesis("loss", "same", lambda s: Prediction(0.5 * CORRECT[s.number])),
    )
    results = best(explanations(case, values, [scaled(CORRECT.get), half, same, half]))
    assert [result.clause for result in results] == ["fixed", "same"]


def test_a_factor_near_to_a_known_one_is_not_taken_for_it(case):
    values = observed(lambda n: 1.00001 * CORRECT[n])
    results = best(explanations(case, values, [fixed(CORRECT.get), scaled(CORRECT.get)]))
    assert [result.clause for result in results] == ["scaled"]


def test_a_hypothesis_holds_at_the_right_steps_too_or_is_said_of_the_wrong_ones(case):
    right = [replace(s, wrong=frozenset()) for s in SNAPSHOTS[:2]] + SNAPSHOTS[2:]
    tolerance = np.full(3, TOLERANCE)
    values = [
        observation(s, (OTHER if s.wrong else CORRECT)[s.number], CORRECT[s.number], tolerance) for s in right
    ]
    results = explanations(
        case, values, [fixed(OTHER.get), fixed(lambda n: OTHER[n] if n > 2 else CORRECT[n])]
    )
    assert [result.everywhere for result in results] == [False, True]
    assert best(results) == results[1:]
