"""Accuracy against hand-worked figures, the exact optimum, and runs that diverged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samestep import backends
from samestep.backends.spec import LeakyReLU, Linear, Loss, Packaged, ReLU, Sigmoid, Synthetic, Tanh, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.accuracy.scores import accuracy, least_squares, parameter_errors, predict
from samestep.benchmarks.datasets.split import Transform
from samestep.benchmarks.record.outcome import Accuracy

EPS = np.finfo(np.float64).eps
DATA = Synthetic(rows=200, held_out=50, features=2, weights=(2.0, -3.4), bias=4.2, noise=0.01)
SPLIT = datasets.load(DATA)


def make_task(*layers, dataset=DATA, **fields) -> Task:
    return Task(
        name="t", dataset=dataset, layers=layers or (Linear(in_features=2, out_features=1),), **fields
    )


def linear(w, b) -> dict[str, np.ndarray]:
    return {"0.weight": np.array(w, dtype=float).reshape(-1, 1), "0.bias": np.array([b], dtype=float)}


def hand_split(y, classes=None, transform=None) -> datasets.Split:
    """One feature with the values 0 to 3; the held-out rows are the training rows without the first."""
    x = np.arange(4.0)[:, None]
    return datasets.Split(
        x=x,
        y=y,
        x_test=x[1:],
        y_test=y[1:],
        features=("a",),
        target="y",
        transform=transform or Transform.identity(1),
        source="by hand",
        classes=classes,
    )


# --- regression -----------------------------------------------------------------------------------------------


def test_figures_worked_by_hand():
    """y = 0, 2, 4, 7 and the prediction 2x: one residual of 1, so mse 1/4.

    Held out are 2, 4 and 7, whose squares about their mean sum to 38/3.
    """
    split = hand_split(
        np.array([[0.0], [2.0], [4.0], [7.0]]),
        transform=Transform(feature_mean=(0.0,), feature_scale=(1.0,), target_mean=3.0, target_scale=10.0),
    )
    score = accuracy(make_task(Linear(in_features=1, out_features=1)), split, linear([2.0], 0.0))
    assert score.loss == 0.25
    assert score.loss_original_units == 25.0
    assert score.rmse_original_units == 5.0
    assert score.r_squared == pytest.approx(1 - 3 / 38, rel=4 * EPS)
    # least squares through (0,0) (1,2) (2,4) (3,7): slope 2.3, intercept -0.2, residuals .2 -.1 -.4 .3
    assert score.best_loss == pytest.approx(0.3 / 4, rel=1e-13)
    assert score.excess == pytest.approx(0.25 - 0.3 / 4, rel=1e-13)
    assert (score.held_out_accuracy, score.no_excess, score.parameter_error) == (None, None, None)


def test_the_optimum_has_no_excess_and_is_worked_out_once():
    solution = least_squares(SPLIT)
    assert least_squares(SPLIT) is solution
    assert least_squares(datasets.load(DATA)) is solution  # the same data, loaded again
    score = accuracy(make_task(), SPLIT, linear(solution[:2], solution[2, 0]))
    assert score.excess == 0.0
    assert score.loss == pytest.approx(score.best_loss, rel=1e-12)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_excess_is_the_distance_to_the_best_loss(w0, w1, b):
    score = accuracy(make_task(), SPLIT, linear([w0, w1], b))
    # rounding: 200 squares summed, and residuals of a least-squares solution orthogonal to within about k n eps
    assert score.excess >= 0
    assert abs(score.loss - score.best_loss - score.excess) <= 1000 * EPS * (score.loss + 1)


def test_no_random_parameters_beat_least_squares():
    rng = np.random.default_rng(0)
    best = least_squares(SPLIT)[:, 0]
    for _ in range(50):
        w0, w1, b = best + rng.normal(0, 1e-3, 3)
        assert accuracy(make_task(), SPLIT, linear([w0, w1], b)).excess > 0


def test_parameter_error_is_estimate_minus_truth():
    params = linear([2.5, -3.4], 4.0)
    errors = parameter_errors(make_task(), SPLIT, params)
    assert errors["0.weight"].tolist() == [[0.5], [0.0]]
    assert errors["0.bias"] == pytest.approx([-0.2], rel=1e-14)
    assert accuracy(make_task(), SPLIT, params).parameter_error == 0.5


def test_float32_parameters_are_judged_in_float64():
    params = {name: value.astype(np.float32) for name, value in linear([2.0, -3.4], 4.2).items()}
    exact = accuracy(make_task(), SPLIT, {name: value.astype(np.float64) for name, value in params.items()})
    assert accuracy(make_task(), SPLIT, params) == exact
    assert 0 < exact.parameter_error < 4.2 * np.finfo(np.float32).eps


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_per_example_whatever_training_reduced(reduction):
    task = make_task(loss=Loss(name="mse", reduction=reduction))
    residual = SPLIT.x @ [[1.0], [1.0]] - SPLIT.y
    assert accuracy(task, SPLIT, linear([1.0, 1.0], 0.0)).loss == pytest.approx(
        np.mean(residual**2), rel=1e-13
    )


def test_other_losses_say_why_they_have_no_excess():
    task = make_task(loss=Loss(name="smooth_l1", options=(("beta", 0.5),)))
    score = accuracy(task, SPLIT, linear([1.0, 1.0], 0.0))
    e = np.abs(SPLIT.x @ [[1.0], [1.0]] - SPLIT.y)
    assert score.loss == pytest.approx(np.where(e < 0.5, e * e, e - 0.25).mean(), rel=1e-13)
    assert (score.excess, score.best_loss, score.loss_original_units) == (None, None, None)
    assert "one Linear layer with mse" in score.no_excess
    assert score.rmse_original_units == pytest.approx(np.sqrt(np.mean(e**2)), rel=1e-13)


def test_original_units_are_those_of_the_raw_data():
    from sklearn.datasets import load_diabetes

    dataset = Packaged(name="diabetes")
    split = datasets.load(dataset)
    task = make_task(Linear(in_features=10, out_features=1), dataset=dataset)
    score = accuracy(task, split, linear(np.zeros(10), 0.0))  # predicts the training mean
    assert score.loss == pytest.approx(1.0, rel=1e-13)
    held_out = np.zeros(442, dtype=bool)
    held_out[np.random.default_rng(0).permutation(442)[:88]] = True
    target = load_diabetes(scaled=False).target[~held_out]
    assert score.rmse_original_units == pytest.approx(target.std(), rel=1e-13)
    assert score.loss_original_units == pytest.approx(target.var(), rel=1e-13)


def test_one_held_out_row_has_no_r_squared():
    split = datasets.load(DATA.model_copy(update={"held_out": 1}))
    assert accuracy(make_task(), split, linear([2.0, -3.4], 4.2)).r_squared is None


# --- classification -------------------------------------------------------------------------------------------


def test_classes_are_the_largest_output():
    """Outputs (0, 2x - 3): rows 0 and 1 are class 0, rows 2 and 3 class 1, and one label says otherwise."""
    split = hand_split(np.array([0, 0, 1, 0]), classes=2)
    task = make_task(Linear(in_features=1, out_features=2), loss=Loss(name="cross_entropy"))
    params = {"0.weight": np.array([[0.0, 2.0]]), "0.bias": np.array([0.0, -3.0])}
    score = accuracy(task, split, params)
    margins = np.array([3.0, 1.0, 1.0, -3.0])  # the right class's output minus the other's
    assert score.loss == pytest.approx(np.mean(np.log1p(np.exp(-margins))), rel=1e-14)
    assert score.held_out_accuracy == 2 / 3
    assert (score.r_squared, score.rmse_original_units, score.excess) == (None, None, None)


@pytest.mark.parametrize("loss", ["bce_with_logits", "bce"])
def test_two_classes_are_told_apart_at_even_odds(loss):
    """The logit x - 1.2 is negative for two rows; their probabilities are above 0, so threshold 0 would err."""
    split = hand_split(np.array([[0.0], [0.0], [1.0], [0.0]]), classes=2)
    last = () if loss == "bce_with_logits" else (Sigmoid(),)
    task = make_task(Linear(in_features=1, out_features=1), *last, loss=Loss(name=loss))
    score = accuracy(task, split, linear([1.0], -1.2))
    logits, y = np.arange(4.0) - 1.2, split.y[:, 0]
    assert score.loss == pytest.approx(np.mean(np.logaddexp(0, logits) - y * logits), rel=1e-13)
    assert score.held_out_accuracy == 2 / 3


# --- predictions and edges ------------------------------------------------------------------------------------


def test_predict_agrees_with_the_numpy_backend():
    layers = (
        Linear(in_features=2, out_features=5),
        ReLU(),
        Linear(in_features=5, out_features=4),
        LeakyReLU(negative_slope=0.2),
        Linear(in_features=4, out_features=3),
        Tanh(),
        Linear(in_features=3, out_features=1),
        Sigmoid(),
    )
    task = make_task(*layers, dtype="float64")
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in task.parameters.items()}
    numpy = backends.load("numpy")
    expected = numpy.get(numpy.predict(numpy.init(task, params), SPLIT.x))
    assert np.abs(predict(task, params, SPLIT.x) - expected).max() <= 100 * EPS


def test_sigmoid_keeps_its_digits_where_it_nears_zero():
    task = make_task(Linear(in_features=1, out_features=1), Sigmoid())
    out = predict(task, linear([1.0], 0.0), np.array([[-700.0], [-50.0], [50.0], [1e4], [-1e4]]))
    assert out[:2, 0] == pytest.approx(np.exp([-700.0, -50.0]), rel=1e-13)
    assert out[2:, 0].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_run_that_diverged_is_described_and_survives_json(bad):
    score = accuracy(make_task(), SPLIT, linear([bad, 1.0], 0.0))
    assert not np.isfinite(score.loss)
    assert not np.isfinite(score.excess)
    again = Accuracy.model_validate_json(score.model_dump_json())
    np.testing.assert_equal(again.model_dump(), score.model_dump())


def test_a_sigmoid_run_that_diverged_is_no_error():
    split = hand_split(np.array([[0.0], [0.0], [1.0], [1.0]]), classes=2)
    task = make_task(Linear(in_features=1, out_features=1), Sigmoid(), loss=Loss(name="bce"))
    assert np.isnan(accuracy(task, split, linear([np.nan], 0.0)).loss)


def test_the_record_is_strict_and_frozen():
    score = accuracy(make_task(), SPLIT, linear([1.0, 1.0], 0.0))
    assert Accuracy.model_validate_json(score.model_dump_json()) == score
    for wrong in ({"loss": "0.5"}, {"loss": 0.5, "speed": 1.0}, {}):
        with pytest.raises(ValidationError):
            Accuracy.model_validate(wrong)
    with pytest.raises(ValidationError):
        score.loss = 0.0


@pytest.mark.parametrize("params", [{}, {"0.weight": np.ones((2, 1))}, linear([1.0], 0.0)])
def test_parameters_of_another_model_are_refused(params):
    with pytest.raises(ValueError, match="has the parameters"):
        accuracy(make_task(), SPLIT, params)
