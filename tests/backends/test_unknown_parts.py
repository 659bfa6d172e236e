"""A part of a task that a lane does not know is an error in every lane, and never another part."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import SGD, Initialization, Linear, Loss, ReLU, Spec, Synthetic, Task
from tests.helpers.lanes import LANES, refuses

TASK = Task(
    name="known",
    dataset=Synthetic(rows=4, held_out=1, features=3),
    layers=(Linear(in_features=3, out_features=2), ReLU(), Linear(in_features=2, out_features=1)),
)
X, Y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)


class Softmax(Spec):
    """A layer that no backend has; nor is it an initializer or a schedule."""

    kind: Literal["softmax"] = "softmax"


def start(name: str, **changes: Any) -> None:
    """Make a task's state and its first prediction, with parts that were never validated."""
    backend = backends.load(name)
    with backend.precision("float32"):
        backend.predict(backend.init(TASK.model_copy(update=changes)), backend.put(X))


def is_an_error(name: str, error: type[Exception], message: str, **changes: Any) -> None:
    """Such a start raises; a lane that does not do tasks with that part at all says so first."""
    if refuses(backends.load(name), TASK.model_copy(update=changes)):
        return
    with pytest.raises(error, match=message):
        start(name, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", LANES)
def test_a_task_of_known_parts_starts(name: str) -> None:
    if not refuses(backends.load(name), TASK):
        start(name)


@pytest.mark.parametrize("name", LANES)
def test_an_unknown_layer_is_an_error(name: str) -> None:
    is_an_error(name, AssertionError, "Softmax", layers=(TASK.layers[0], Softmax(), TASK.layers[2]))


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_an_unknown_initializer_is_an_error(name: str, part: str) -> None:
    is_an_error(name, AssertionError, "Softmax", init=Initialization().model_copy(update={part: Softmax()}))


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"name": "mae"}, "no loss 'mae'; the losses are l1, mse"),
        ({"reduction": "median"}, "mse: reduction is one of none, mean, sum, not 'median'"),
        ({"options": (("beta", 1.0),)}, "mse: there is no option 'beta'"),
    ],
)
def test_an_unknown_loss_reduction_or_option_is_one_clear_error(
    name: str, loss: dict[str, Any], message: str
) -> None:
    is_an_error(name, ValueError, message, loss=Loss().model_copy(update=loss))


def test_an_unknown_schedule_is_an_error() -> None:
    with pytest.raises(AssertionError, match="Softmax"):
        SGD().model_copy(update={"schedule": Softmax()}).learning_rates(3)


def test_a_reduction_that_was_not_checked_is_an_error() -> None:
    """The formulas trust their caller; torch.nn refuses its own."""
    from samestep.backends import numpy_losses

    with pytest.raises(AssertionError, match="median"):
        numpy_losses._reduced(X, {}, "median")  # type: ignore[arg-type]
    jax_losses = pytest.importorskip("samestep.backends.jax_losses")
    with pytest.raises(AssertionError, match="median"):
        jax_losses._reduced(X, "median")
