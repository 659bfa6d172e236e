"""Specifications: frozen, strict, round trip through JSON, and one schedule for every backend."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samestep.backends.spec import (
    SGD,
    Cosine,
    Initialization,
    Kaiming,
    LeakyReLU,
    Linear,
    Loss,
    Sigmoid,
    StepDecay,
    Synthetic,
    Task,
    Xavier,
)

DATA = Synthetic(rows=20, held_out=5, features=2)
LAYERS = (Linear(in_features=2, out_features=3), LeakyReLU(), Linear(in_features=3, out_features=1))
TASK = Task(
    name="all parts",
    dataset=DATA,
    layers=LAYERS,
    init=Initialization(weight=Kaiming(mode="fan_out")),
    loss=Loss(name="smooth_l1", options=(("beta", 0.5),)),
    optimizer=SGD(momentum=0.9, nesterov=True, schedule=Cosine(final=0.01)),
)


def test_json_round_trip_and_digest() -> None:
    again = Task.model_validate_json(TASK.model_dump_json())
    assert again == TASK
    assert again.digest() == TASK.digest()
    assert TASK.model_copy(update={"seed": 1}).digest() != TASK.digest()


def test_a_task_cannot_be_edited_or_extended() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TASK.seed = 2  # type: ignore[misc]
    document = json.loads(TASK.model_dump_json()) | {"burn_in": 3}
    with pytest.raises(ValidationError, match="burn_in"):
        Task.model_validate_json(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": (Linear(in_features=2, out_features=3), Linear(in_features=2, out_features=1))}, "feeds"),
        ({"layers": (Sigmoid(),)}, "need a Linear"),
        ({"loss": {"name": "mse", "reduction": "none"}}, "reduced to one number"),
        ({"loss": {"name": "margin_ranking"}}, "cannot train"),
        ({"loss": {"name": "mean_square"}}, "mean_square"),
        ({"loss": {"name": "huber", "options": {"delta": -1.0}}}, "delta"),
        ({"loss": {"name": "mse", "options": {"beta": 1.0}}}, "beta"),
        ({"optimizer": {"nesterov": True}}, "nesterov needs momentum"),
        ({"optimizer": {"learning_rate": math.nan}}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 10.0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"dtype": "float16"}, "dtype"),
        (
            {"dataset": {"kind": "synthetic", "rows": 5, "held_out": 1, "features": 2, "weights": (1.0,)}},
            "weights: 1 given",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    fields = {"name": "t", "dataset": DATA, "layers": LAYERS} | changes
    with pytest.raises(ValidationError, match=words):
        Task.model_validate(fields)


def test_parameters_carry_torch_names_and_one_orientation() -> None:
    assert TASK.parameters == {"0.weight": (2, 3), "0.bias": (3,), "2.weight": (3, 1), "2.bias": (1,)}


@given(rows=st.integers(1, 500), seed=st.integers(0, 2**32), epoch=st.integers(0, 100))
def test_an_order_is_a_permutation_fixed_by_seed_and_epoch(rows: int, seed: int, epoch: int) -> None:
    task = TASK.model_copy(update={"seed": seed})
    order = task.row_order(rows, epoch)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(rows))
    assert (order == task.row_order(rows, epoch)).all()


def test_an_epoch_of_the_most_steps_takes_so_many_rows_and_no_digest_changes() -> None:
    task = TASK.model_copy(update={"batch_size": 10, "most_steps": 4})
    for rows, steps in ((1_000_000, 4), (25, 3)):
        order = task.row_order(rows, 0)
        assert len(order) == min(rows, 40) == len(set(order.tolist()))
        assert order.dtype == np.int64
        assert order.max() < rows
        assert task.steps(rows) == task.learning_rates(rows).shape[1] == steps
    assert "most_steps" not in TASK.model_dump_json()  # tasks of older records have the same digest
    assert Task.model_validate_json(task.model_dump_json()) == task
    assert task.digest() != TASK.model_copy(update={"batch_size": 10}).digest()


def test_orders_change_between_epochs_and_seeds() -> None:
    orders = [TASK.model_copy(update={"seed": s}).row_order(100, e).tolist() for s in (0, 1) for e in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


@given(rows=st.integers(1, 1000), batch=st.integers(1, 1000))
def test_the_last_batch_may_be_partial(rows: int, batch: int) -> None:
    assert TASK.model_copy(update={"batch_size": batch}).steps(rows) == math.ceil(rows / batch)


def test_schedules_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")

    steps = 40
    for ours, theirs in (
        (StepDecay(every=7, gamma=0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5)),
        (Cosine(final=0.01), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps, 0.01)),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
        scheduler, rates = theirs(optimizer), []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        # torch multiplies its rate step by step: a few roundings a step
        np.testing.assert_allclose(
            SGD(learning_rate=0.3, schedule=ours).learning_rates(steps), rates, rtol=1e-13
        )


def test_rates_are_rounded_once_to_the_dtype() -> None:
    rates = TASK.learning_rates(20)
    assert rates.shape == (3, 2)
    assert rates.dtype == np.float32
    exact = TASK.optimizer.learning_rates(6)
    assert (rates.ravel() == exact.astype(np.float32)).all()


def test_xavier_and_kaiming_are_for_weights() -> None:
    with pytest.raises(ValidationError, match="bias"):
        Initialization.model_validate({"bias": Xavier()})
