"""The named tasks fit their data and train stably; a file of one's own becomes a task."""

from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks import datasets, tasks
from samestep.benchmarks.accuracy.scores import accuracy, parameter_errors
from samestep.benchmarks.console.errors import InputError
from tests.helpers.tables import write_table

# Bounds on each loss's second derivative in the prediction, at reduction mean: 2 for mse, 1/beta for smooth_l1;
# no eigenvalue of the softmax's diag(p) - p p^T is above 1/2, and the sigmoid's p (1 - p) is at most 1/4.
CURVATURE = {"mse": 2.0, "smooth_l1": 2.0, "cross_entropy": 0.5, "bce_with_logits": 0.25}
ONE_LAYER = [name for name in tasks.names() if len(tasks.get(name).layers) == 1]


@cache
def load(name: str) -> datasets.Split:
    return datasets.load(tasks.get(name).dataset)


def start(task: Task, seed: int = 0) -> dict[str, np.ndarray]:
    """Initial values from the task's own distribution: for every named task normal weights and zero biases."""
    rng, weight = np.random.default_rng(seed), cast(Any, task.init.weight)
    deviation = {"normal": lambda fan_in: weight.std, "kaiming": lambda fan_in: weight.gain / np.sqrt(fan_in)}
    return {
        name: np.zeros(shape) if len(shape) == 1 else rng.normal(0.0, deviation[weight.kind](shape[0]), shape)
        for name, shape in task.parameters.items()
    }


def train(task: Task, split: datasets.Split) -> dict[str, np.ndarray]:
    """The final parameters of the whole task, by the NumPy lane in float64."""
    numpy, learning_rates = backends.load("numpy"), task.learning_rates(len(split.x))
    data = tuple(numpy.put(array) for array in split.rounded("float64"))
    state = numpy.init(task, start(task))
    for epoch in range(task.epochs):
        state, _ = numpy.epoch(
            state, data, task.row_order(len(split.x), epoch), task.batch_size, learning_rates[epoch]
        )
    return numpy.params(state)


# --- named tasks ----------------------------------------------------------------------------------------------


def test_the_tasks_are_those_of_the_suite():
    expected = ("lesson", "lesson-huber", "diabetes", "flights", "wide", "mlp", "digits", "breast-cancer")
    assert tasks.names() == expected
    assert [tasks.get(name).name for name in expected] == list(expected)


def test_the_lesson_is_the_book():
    task = tasks.get("lesson")
    data = task.dataset
    assert isinstance(data, Synthetic)
    assert (data.rows, data.features, data.weights, data.bias, data.noise) == (
        1000,
        2,
        (2.0, -3.4),
        4.2,
        0.01,
    )
    assert task.layers == (Linear(in_features=2, out_features=1),)
    assert (task.init.weight.mean, task.init.weight.std, task.init.bias.value) == (0.0, 0.01, 0.0)
    assert (task.loss.name, task.loss.reduction) == ("mse", "mean")
    assert (task.optimizer.learning_rate, task.batch_size, task.epochs) == (0.03, 10, 3)
    huber = tasks.get("lesson-huber")
    assert huber.dataset == data
    assert huber.loss.arguments == {"reduction": "mean", "beta": 0.5}


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_fits_its_data_and_survives_json(name):
    task, split = tasks.get(name, "float64"), load(name)
    assert task.dtype == "float64"
    assert Task.model_validate_json(task.model_dump_json()) == task
    assert task.layers[0].in_features == split.x.shape[1]
    assert task.layers[-1].out_features == (split.classes if split.y.dtype == np.int64 else 1)


@pytest.mark.parametrize("name", tasks.names())
def test_describe_is_one_line_with_the_true_size(name):
    line, split = tasks.describe(name), load(name)
    assert "\n" not in line
    assert len(line) < 140
    rows = len(split.x) + (0 if split.truth else len(split.x_test))
    if name not in ("lesson-huber", "mlp"):  # their lines name the task whose data they share
        assert f"{rows:,} x {split.x.shape[1]}" in line


def test_unknown_names_say_what_there_is():
    with pytest.raises(
        InputError, match=r"unknown task 'lessn': did you mean 'lesson'\? choose from lesson, "
    ):
        tasks.get("lessn")
    with pytest.raises(InputError, match=r"unknown dtype 'float16'.*float32, float64"):
        tasks.get("lesson", "float16")


@pytest.mark.parametrize("name", ONE_LAYER)
def test_learning_rates_are_below_the_stability_limit(name):
    task, split = tasks.get(name), load(name)
    few = replace(split, x=split.x[:2000]) if name == "wide" else split  # its rows are alike, and many
    limit = tasks.stability_limit(few, task.batch_size, CURVATURE[task.loss.name])
    assert 0.05 < task.optimizer.learning_rate / limit < 0.7


def test_beyond_the_limit_of_full_batches_training_diverges():
    """The limit without the minibatch term is sharp: 1% below it the error shrinks, 1% above it grows."""
    split = load("diabetes")
    task = tasks.get("diabetes", "float64")
    z = np.column_stack([split.x, np.ones(len(split.x))])
    limit = 2 / (tasks.MSE_CURVATURE * np.linalg.eigvalsh(z.T @ z / len(z))[-1])
    assert tasks.stability_limit(split, 10**9, tasks.MSE_CURVATURE) == pytest.approx(limit, rel=1e-5)

    def loss(rate: float) -> float:
        optimizer = task.optimizer.model_copy(update={"learning_rate": rate})
        full = task.model_copy(update={"optimizer": optimizer, "batch_size": len(z), "epochs": 1000})
        return accuracy(full, split, train(full, split)).loss

    assert loss(0.99 * limit) < 0.5
    assert loss(1.01 * limit) > 1e6


@pytest.mark.parametrize(("name", "excess"), [("lesson", 0.02), ("diabetes", 0.02), ("flights", 0.001)])
def test_linear_tasks_end_near_least_squares(name, excess):
    """Excess over the exact optimum as a share of it."""
    task, split = tasks.get(name, "float64"), load(name)
    final = accuracy(task, split, train(task, split))
    assert 0 <= final.excess < excess * final.best_loss


def test_wide_finds_its_weights():
    """A constant rate ends as far from w as its noise: sigma sqrt(h / (B (2 - h (1 + k/B)))), h = 2 rate."""
    task, split = tasks.get("wide", "float64"), load("wide")
    errors = parameter_errors(task, split, train(task, split))
    h, batch = 2 * task.optimizer.learning_rate, task.batch_size
    expected = task.dataset.noise * np.sqrt(h / (batch * (2 - h * (1 + 512 / batch))))  # 1.1e-4
    assert 0.5 < np.sqrt(np.mean(np.square(errors["0.weight"]))) / expected < 2


def test_the_other_tasks_learn():
    final = {
        name: accuracy(tasks.get(name), load(name), train(tasks.get(name, "float64"), load(name)))
        for name in ("lesson-huber", "mlp", "digits", "breast-cancer")
    }
    assert final["lesson-huber"].parameter_error < 0.01
    assert final["mlp"].r_squared > 0.4
    assert final["digits"].held_out_accuracy > 0.94
    assert final["breast-cancer"].held_out_accuracy > 0.94


def test_the_mlp_rate_is_below_two_over_the_curvature_at_both_ends():
    """The largest eigenvalue of the Hessian by power iteration on differences of gradients."""
    task, split = tasks.get("mlp", "float64"), load("mlp")
    numpy, data = backends.load("numpy"), split.rounded("float64")

    def gradient(params):
        return numpy.gradients(numpy.forward_backward(numpy.init(task, params), data)[1])

    for params in (start(task), train(task, split)):
        rng = np.random.default_rng(0)
        v, norm = {name: rng.normal(size=value.shape) for name, value in params.items()}, 1.0
        for _ in range(30):
            norm = np.sqrt(sum(np.square(part).sum() for part in v.values()))
            step = {name: 1e-5 * part / norm for name, part in v.items()}
            above = gradient({name: params[name] + step[name] for name in params})
            below = gradient({name: params[name] - step[name] for name in params})
            v = {name: (above[name] - below[name]) / 2e-5 for name in params}
        assert task.optimizer.learning_rate < 0.5 * 2 / norm


# --- a file of one's own --------------------------------------------------------------------------------------


@pytest.fixture
def houses(tmp_path) -> str:
    rng = np.random.default_rng(3)
    size, rooms = rng.uniform(40, 200, 400), rng.integers(1, 7, 400)
    price = 900 * size + 8000 * rooms + rng.normal(0, 5000, 400)
    path = tmp_path / "houses.csv"
    write_table(path, {"size": size, "rooms": rooms, "country": ["1"] * 400, "price": price})
    return str(path)


def test_a_file_becomes_a_task_that_trains(houses):
    task = tasks.from_file(houses, "price", dtype="float64")
    split = datasets.load(task.dataset)
    assert (task.name, task.dtype, task.layers) == (
        "houses.csv",
        "float64",
        (Linear(in_features=2, out_features=1),),
    )
    assert split.dropped == ("country",)
    final = accuracy(task, split, train(task, split))
    assert final.excess < 0.1 * final.best_loss
    assert final.r_squared > 0.95


def test_a_file_task_takes_its_options(houses):
    task = tasks.from_file(
        houses, "price", ["size"], "float32", seed=5, batch_size=16, epochs=2, learning_rate=0.001
    )
    assert task.dataset.features == ("size",)
    assert (task.dataset.seed, task.seed, task.batch_size, task.epochs) == (5, 5, 16, 2)
    assert task.optimizer.learning_rate == 0.001


def test_bad_input_for_a_file_task_is_one_line(houses):
    with pytest.raises(InputError, match=r"no column 'prize'.*did you mean 'price'\?"):
        tasks.from_file(houses, "prize")
    with pytest.raises(InputError, match="unknown dtype"):
        tasks.from_file(houses, "price", dtype="int8")


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (12, 2)])
@pytest.mark.parametrize("dense", [2_000, 1])
def test_the_largest_eigenvalue_needs_no_matrix_of_the_longer_side(shape, dense, monkeypatch):
    monkeypatch.setattr(tasks, "MOST_DENSE", dense)
    z = np.random.default_rng(1).normal(size=shape)
    expected = np.linalg.norm(z, 2) ** 2 / shape[0]
    assert tasks.largest_eigenvalue(z) == pytest.approx(expected, rel=1e-12 if dense > 1 else 1e-4)
    assert tasks.largest_eigenvalue(z) == tasks.largest_eigenvalue(z)


def test_wide_data_become_a_task_without_a_matrix_of_its_columns(tmp_path):
    """4,000 columns: the products of all pairs would take 128 MB."""
    import tracemalloc

    path, columns = tmp_path / "genes.csv", 4_000
    table = np.random.default_rng(0).normal(size=(40, columns))
    np.savetxt(
        path, table, delimiter=",", header=",".join(f"g{index}" for index in range(columns)), comments=""
    )
    tracemalloc.start()
    try:
        task = tasks.from_file(str(path), "g0")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert task.layers == (Linear(in_features=columns - 1, out_features=1),)
    assert peak < 40e6  # the data are 1.3 MB
