"""The walk of the lesson: one walk in every documented lane that runs here, checked against NumPy alone."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from samestep.backends import losses, spec
from samestep.benchmarks import lesson
from samestep.benchmarks.commands import lesson as command
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.lesson import catalog
from samestep.benchmarks.lesson import lane as lane_module
from samestep.benchmarks.lesson.models import LaneWalk, Walk
from tests.helpers.lesson import DOCUMENTED, SPLIT, TASK, UNIT, Z, by_hand, same_run_ulps, start, walked


@pytest.fixture(scope="module")
def walk() -> Walk:
    """In NumPy alone, which takes a second."""
    return walked("numpy")


@pytest.fixture(scope="module")
def whole_walk() -> Walk:
    return walked()


@pytest.fixture(
    params=["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in DOCUMENTED if name != "numpy")]
)
def lane(request: pytest.FixtureRequest) -> LaneWalk:
    lanes = walked("numpy").lanes if request.param == "numpy" else walked().lanes
    lane_walk = next(report.walk for report in lanes if report.name == request.param)
    assert lane_walk is not None
    return lane_walk


# --- the walk -------------------------------------------------------------------------------------------------


def test_setting_is_the_lesson(walk: Walk) -> None:
    s = walk.setting
    assert (s.weights, s.bias, s.noise, s.rows, s.labels_shape) == ((2.0, -3.4), 4.2, 0.01, 1000, (1000, 1))
    assert (s.batch_size, s.steps_per_epoch, s.last_batch, s.epochs, s.learning_rate) == (
        10,
        100,
        10,
        3,
        0.03,
    )
    best = np.linalg.solve(Z.T @ Z, Z.T @ SPLIT.y)
    assert s.best_loss == pytest.approx(np.mean((Z @ best - SPLIT.y) ** 2), rel=1e-9)


def test_lanes_share_data_order_and_start(lane: LaneWalk, walk: Walk) -> None:
    assert lane.held.same
    assert (lane.held.data, lane.held.order, lane.held.start) == (
        walk.setting.data,
        walk.setting.order,
        walk.setting.start,
    )


def test_first_batches(lane: LaneWalk) -> None:
    batches = lane.iterator
    assert batches.training.rows == tuple(TASK.row_order(1000, 0)[:10])
    assert batches.evaluation.rows == tuple(range(10))
    for batch in (batches.training, batches.evaluation, batches.own):
        rows = list(batch.rows[:3])
        np.testing.assert_allclose(batch.features, SPLIT.x[rows], rtol=UNIT)
        np.testing.assert_allclose(batch.labels, SPLIT.y[rows, 0], rtol=UNIT)
    assert batches.full_passes
    assert batches.new_order_each_epoch


def test_parameters_are_replaced(lane: LaneWalk) -> None:
    assert lane.model.replaced_exactly
    drawn, start = (np.array(tensors[0].values) for tensors in (lane.model.drawn, lane.model.start))
    assert not np.array_equal(drawn, start)
    assert np.abs(drawn).max() < 0.06  # six standard deviations
    assert lane.model.drawn[1].values == lane.model.start[1].values == (0.0,)


def test_loss_goes_to_the_best_and_is_certified(lane: LaneWalk, walk: Walk) -> None:
    result, best = lane.training, walk.setting.best_loss
    assert result.certificate.status == "pass", result.certificate.reason
    assert set(result.certificate.shares) >= {"loss", "gradients", "params"}
    assert all(0 < share <= 1 for share in result.certificate.shares.values())
    # a residual of about sigma = 0.01 carries 10 roundings of numbers up to 20
    tolerance = 2 * 10 * UNIT * 20 / 0.01
    for loss, above in zip(result.losses, result.above_best, strict=True):
        assert above > 0
        assert loss == pytest.approx(best + above, rel=tolerance)
    assert result.above_best[0] > 100 * result.above_best[-1]


def test_estimate_is_the_float64_run_rounded(lane: LaneWalk) -> None:
    estimate = np.array([*lane.training.weights, lane.training.bias])
    ulps = np.abs(estimate - by_hand()[:, 0]) / np.spacing(np.float32(4.2))
    assert ulps.max() <= same_run_ulps(0.03)
    truth = np.array([2.0, -3.4, 4.2])
    errors = np.array([*lane.training.weights_error, lane.training.bias_error])
    np.testing.assert_allclose(errors, estimate - truth, atol=1e-15)
    assert np.abs(errors).max() < 0.01 / math.sqrt(1000) * 6  # six standard errors, sigma / sqrt(n) each


def test_exercise_1_the_rate_matters_and_not_the_reduction(lane: LaneWalk) -> None:
    runs = {run.name: run for run in lane.exercise1.runs}
    assert [(run.reduction, run.learning_rate) for run in runs.values()] == [
        ("mean", 0.03),
        ("sum", 0.003),
        ("sum", 0.03),
        ("mean", pytest.approx(0.3)),
    ]
    same, other, across = lane.exercise1.equal
    assert same.ulps <= same_run_ulps(0.03)
    assert other.ulps <= same_run_ulps(0.03)  # contraction at 0.3 is no weaker
    assert across.ulps > 10 * same_run_ulps(0.03)
    for run in runs.values():
        np.testing.assert_allclose(run.sums, np.array(run.means) * 1000, rtol=1e-12)
    # what was measured with this data before: A 1.1e-4 then 4.4e-7, C 1.7e-6 then 1.5e-6
    assert [f"{value:.1e}" for value in runs["A"].above_best] == ["1.1e-04", "2.0e-07", "4.4e-07"]
    assert f"{runs['C'].above_best[0]:.1e} {runs['C'].above_best[-1]:.1e}" == "1.7e-06 1.5e-06"


def test_exercise_1_where_the_text_went_wrong(lane: LaneWalk) -> None:
    exercise = lane.exercise1
    assert exercise.gradient_ratio == pytest.approx(10, rel=32 * UNIT)
    assert exercise.continued.above_best[0] < exercise.runs[0].above_best[0] / 10
    assert len({ratio.seed for ratio in exercise.ratios}) == 3
    assert all(ratio.first < 1 < ratio.last for ratio in exercise.ratios)
    assert exercise.ratios[0].last == exercise.runs[2].above_best[-1] / exercise.runs[0].above_best[-1]


def test_exercise_1_no_constant_rule_on_a_partial_batch(lane: LaneWalk) -> None:
    constant, own = lane.exercise1.partial.equal
    assert lane.exercise1.partial.last_batch == 1000 % 7
    assert own.ulps <= same_run_ulps(0.03) < constant.ulps


def test_the_factor_one_half_is_half_the_rate(lane: LaneWalk) -> None:
    # optax differentiates through delta + (|e| - delta), which leaves an error of half a ULP of delta = 64
    assert lane.half.gradient_ratio == pytest.approx(2, rel=32 * UNIT * 64)
    assert lane.half.equal.ulps <= same_run_ulps(0.015)


def test_the_lessons_huber_is_smooth_l1(lane: LaneWalk) -> None:
    half, one = lane.huber.relations
    residual = np.abs(Z @ start() - SPLIT.y)
    for relation in (half, one):
        s = relation.sigma
        formula = np.where(residual > s, residual - s / 2, residual**2 / (2 * s)).mean()
        assert relation.smooth_l1 == pytest.approx(formula, rel=1000 * UNIT)
        assert relation.huber == pytest.approx(s * formula, rel=1000 * UNIT)
        assert relation.ratio == pytest.approx(s, rel=2000 * UNIT)
        assert relation.gradient_ratio == pytest.approx(s, rel=2000 * UNIT)
    assert (half.sigma, one.sigma) == (0.5, 1.0)
    assert lane.huber.losses[0] > lane.huber.losses[1] > lane.huber.losses[2]
    assert max(map(abs, (*lane.huber.weights_error, lane.huber.bias_error))) < 0.01


@pytest.mark.slow
def test_every_loss_has_one_value(whole_walk: Walk) -> None:
    assert tuple(row.name for row in whole_walk.losses) == losses.names()
    values = [report.walk.loss_values for report in whole_walk.lanes if report.walk is not None]
    for name in losses.names():
        # at most 50 terms of at most 10 roundings each, none of them cancelling more than a digit
        assert [losses_of_lane[name] for losses_of_lane in values] == pytest.approx(
            [values[0][name]] * len(values), rel=1e4 * UNIT
        )


def test_initializers_follow_their_distributions(lane: LaneWalk) -> None:
    for row, drawn in zip(catalog.INITIALIZERS, lane.initialisers, strict=True):
        if row.std.value is not None:
            assert drawn.std == pytest.approx(
                row.std.value, rel=0.03, abs=1e-6
            )  # six times 1 / sqrt(2 x 20,000)
    named = {drawn.name: drawn for drawn in lane.initialisers}
    assert named["constant"].mean == 0.5
    assert abs(named["normal"].mean) < 6 * 0.01 / math.sqrt(20_000)


def test_the_table_of_initializers_is_complete() -> None:
    union = get_args(get_args(spec.Initializer)[0])
    assert {type(row.initializer) for row in catalog.INITIALIZERS} == set(union)


def test_gradients_of_the_last_batch_and_of_all_rows(lane: LaneWalk) -> None:
    theta, last = by_hand(steps_left=1), TASK.row_order(1000, 2)[-10:]
    for tensors, rows in ((lane.exercise3.last_batch, last), (lane.exercise3.all_rows, np.arange(1000))):
        gradient = 2 / len(rows) * Z[rows].T @ (Z[rows] @ theta - SPLIT.y[rows])
        values = np.concatenate([tensor.values for tensor in tensors])
        np.testing.assert_allclose(values, gradient[:, 0], atol=1e-5)  # theta within 20 ULP, and z up to 4
    gap = np.array(lane.exercise3.last_batch[0].values) - lane.exercise3.all_rows[0].values
    assert np.abs(gap).max() > 1e-3


@pytest.mark.slow
def test_gradients_have_each_frameworks_own_shape(whole_walk: Walk) -> None:
    expected = {
        "numpy": [("0.weight", (2, 1)), ("0.bias", (1,))],
        "torch": [("0.weight", (1, 2)), ("0.bias", (1,))],
        "jax": [("layers.0.kernel", (2, 1)), ("layers.0.bias", (1,))],
    }
    for report in whole_walk.lanes:
        assert report.walk is not None
        assert [(tensor.name, tensor.shape) for tensor in report.walk.exercise3.last_batch] == expected[
            report.name
        ]
        assert [(tensor.name, tensor.shape) for tensor in report.walk.step.gradients] == expected[report.name]


def test_a_deeper_chain_goes_through_the_same_loop(lane: LaneWalk, walk: Walk) -> None:
    assert walk.deeper_layers == ("Linear(2, 8)", "ReLU", "Linear(8, 1)")
    assert [tensor.values for tensor in lane.deeper.parameters[1::2]] == [(0.0,) * 8, (0.0,)]
    assert lane.deeper.before > lane.deeper.losses[0] > lane.deeper.losses[1] > lane.deeper.losses[2]
    first = walk.lanes[0].walk
    assert first is not None
    # no bound is claimed for 300 steps through a kink; a wrong layer would differ in the first digit
    assert lane.deeper.losses == pytest.approx(first.deeper.losses, rel=1e-2)


@pytest.mark.slow
def test_lanes_agree(whole_walk: Walk) -> None:
    assert len(whole_walk.between_lanes) == len(DOCUMENTED) * (len(DOCUMENTED) - 1) // 2
    assert all(pair.ulps <= same_run_ulps(0.03) for pair in whole_walk.between_lanes)


# --- lanes and input ------------------------------------------------------------------------------------------


def test_a_lane_that_cannot_run_is_a_column_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "samestep.backends.jax_backend", None)
    walk = lesson.walk(["numpy", "jax"], batch_size=500)
    absent = walk.lanes[1]
    reason = absent.missing
    assert reason is not None
    assert "samestep[jax]" in reason
    assert (absent.walk, absent.failed) == (None, False)
    text = lesson.render(walk)
    assert all(word in re.sub(r"\s+", " ", text) for word in re.split(r"\s+", reason))
    assert "not here" in text
    assert Walk.model_validate_json(walk.model_dump_json()) == walk


def test_when_no_lane_can_run_that_is_all_there_is_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "samestep.backends.jax_backend", None)
    with pytest.raises(InputError, match=r"^no lane can run here: jax: .*samestep\[jax\]") as caught:
        lesson.walk(["jax"])
    assert "\n" not in str(caught.value)


def fails(session: object, setting: object, begun: object) -> None:
    raise ArithmeticError("two lines\nof it")


def test_a_lane_that_fails_is_shown_with_its_reason_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = lane_module.walk_lane
    monkeypatch.setattr(
        lane_module,
        "walk_lane",
        lambda s, *rest: (fails if s.backend.framework == "torch" else real)(s, *rest),
    )
    lanes = [name for name in ("numpy", "torch") if name in DOCUMENTED]
    assert command.lesson(lanes, 500, json=True) == int("torch" in lanes)
    stdout, stderr = capsys.readouterr()
    walk = Walk.model_validate_json(stdout)
    assert [report.failed for report in walk.lanes] == [name == "torch" for name in lanes]
    assert all(report.missing == "it fails: ArithmeticError: two lines of it" for report in walk.lanes[1:])
    assert "lesson 0/" not in stderr  # progress is for terminals
    assert "Traceback" not in stderr


def test_when_every_lane_fails_only_the_reason_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lane_module, "walk_lane", fails)
    assert command.lesson(["numpy"], 10, json=False) == 1
    text = capsys.readouterr().out
    assert "it fails: ArithmeticError: two lines of it" in text
    assert "not here" in text
    assert "share" not in text
    assert len(text.splitlines()) < 15
    assert max(map(len, text.splitlines())) == 100  # where output is no terminal


def test_unknown_lanes_name_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown lane 'troch': did you mean 'torch'\?.*numpy"):
        lesson.walk(["numpy", "troch"])


@pytest.mark.parametrize("batch_size", [-1, 0, 1001])
def test_a_batch_has_1_to_1000_rows(batch_size: int) -> None:
    with pytest.raises(InputError, match=f"--batch {batch_size}: .*1 to 1000"):
        lesson.walk(["numpy"], batch_size=batch_size)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [7, 1000])
def test_other_batches(batch_size: int) -> None:
    walk = lesson.walk(["numpy", "numpy"], batch_size=batch_size)
    assert [lane.name for lane in walk.lanes] == ["numpy"]
    lane_walk = walk.lanes[0].walk
    assert lane_walk is not None
    assert lane_walk.held.same
    assert lane_walk.training.certificate.status == "pass"
    assert lane_walk.exercise1.gradient_ratio == pytest.approx(batch_size, rel=32 * UNIT)
    assert walk.setting.last_batch == (1000 % batch_size or batch_size)
    assert max(map(len, lesson.render(walk).splitlines())) <= 100


@pytest.mark.slow
def test_importing_the_lesson_imports_no_framework() -> None:
    heavy = {"torch", "jax", "flax", "optax"}
    code = f"import sys, samestep.benchmarks.lesson; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
