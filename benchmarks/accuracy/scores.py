"""How good a run's final parameters are: a pure function of the task, the data and the parameters.

Everything is worked out here in float64 NumPy, whatever trained the parameters, and on the data as loaded,
before it was rounded to the task's dtype. So lanes and dtypes are judged by one measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from samestep.backends import numpy_losses
from samestep.backends.spec import LeakyReLU, Linear, ReLU, Sigmoid, Tanh, Task

from ..datasets import Split
from ..datasets.split import Float64, is_solvable
from ..record.outcome import Accuracy

NOT_KNOWN = "the exact optimum is known for one Linear layer with mse only"
NO_OPTIMUM = "the exact optimum of so many rows and columns takes too long"


def accuracy(task: Task, split: Split, params: Mapping[str, NDArray[Any]]) -> Accuracy:
    """Judge final parameters {name: array}, named and shaped as `task.parameters`.

    A run that diverged gets NaN or infinite figures, not an error.

    Raises:
        ValueError: a parameter is missing, unknown or has another shape, or the loss does not take this target.
    """
    _check(task, params)
    with np.errstate(all="ignore"):
        output = predict(task, params, split.x)
        held_out = predict(task, params, split.x_test)
        figures: dict[str, Any] = {"loss": _loss(task, output, split.y)}
        if best := exact_solution(task, split):
            figures |= {"best_loss": best.loss, "excess": best.excess(params)}
        else:
            figures["no_excess"] = NO_OPTIMUM if _has_solution(task) else NOT_KNOWN
        if split.classes is None:
            figures |= _regression(task, split, figures["loss"], output, held_out)
        else:
            figures["held_out_accuracy"] = float(
                np.mean(_classes(task, held_out) == split.y_test.reshape(-1))
            )
        errors = parameter_errors(task, split, params)
        if errors is not None:
            figures["parameter_error"] = float(np.max([np.abs(error).max() for error in errors.values()]))
    return Accuracy(**figures)


def loss_and_excess(
    task: Task, split: Split, params: Mapping[str, NDArray[Any]], best: ExactSolution | None
) -> tuple[float, float | None]:
    """`Accuracy.loss` and `Accuracy.excess` alone; `best` is the exact solution of this task and data.

    Raises:
        ValueError: as for `accuracy`.
    """
    _check(task, params)
    with np.errstate(all="ignore"):
        loss = _loss(task, predict(task, params, split.x), split.y)
        return loss, best.excess(params) if best else None


class ExactSolution(NamedTuple):
    """The exact least-squares solution on some data: Z = [X 1] (n, k + 1), theta (k + 1, 1), and its loss."""

    z: Float64
    theta: Float64
    loss: float

    def excess(self, params: Mapping[str, NDArray[Any]]) -> float:
        """By how much the loss of one Linear layer is above this one.

        At the optimum the residual is orthogonal to every column of Z, so the excess is exactly
        mean (Z (theta - best))^2. That keeps its digits where loss - best_loss would cancel them.
        """
        theta = np.vstack([params["0.weight"], params["0.bias"][None, :]]).astype(np.float64)
        return float(np.mean(np.square(self.z @ (theta - self.theta))))


def exact_solution(task: Task, split: Split) -> ExactSolution | None:
    """The exact solution, known for one Linear layer with mse; None for other tasks and on very large data."""
    if not _has_solution(task) or not is_solvable(split.x):
        return None
    z, best = _with_ones(split.x), least_squares(split)
    return ExactSolution(z, best, float(np.mean(np.square(z @ best - split.y))))


def predict(task: Task, params: Mapping[str, NDArray[Any]], x: Float64) -> Float64:
    """The model's output (n, m) for x (n, k), in float64."""
    for index, layer in enumerate(task.layers):
        match layer:
            case Linear():
                weight, bias = (params[f"{index}.{part}"].astype(np.float64) for part in ("weight", "bias"))
                x = x @ weight + bias
            case ReLU():
                x = np.maximum(x, 0.0)
            case LeakyReLU(negative_slope=negative_slope):
                x = np.where(x > 0, x, negative_slope * x)
            case Sigmoid():
                x = np.exp(-np.logaddexp(0.0, -x))  # 1 / (1 + exp(-x)), accurate where it nears 0 and 1
            case Tanh():
                x = np.tanh(x)
            case _:
                assert_never(layer)
    return x


def parameter_errors(
    task: Task, split: Split, params: Mapping[str, NDArray[Any]]
) -> dict[str, Float64] | None:
    """Estimate minus truth by parameter name; None where there is no truth or more than one Linear layer."""
    if split.truth is None or not _one_linear(task):
        return None
    w, b = split.truth
    return {"0.weight": params["0.weight"] - w, "0.bias": params["0.bias"] - np.float64(b)}


def least_squares(split: Split) -> Float64:
    """The exact least-squares solution (k + 1, 1), the intercept last; kept for the next call on the same data.

    Where columns are collinear it is the shortest of the solutions; all of them have the same loss.
    """
    digest = split.digest()
    if digest not in _SOLUTIONS:
        _SOLUTIONS[digest] = np.linalg.lstsq(_with_ones(split.x), split.y, rcond=None)[0]
    return _SOLUTIONS[digest]


_SOLUTIONS: dict[str, Float64] = {}


def _check(task: Task, params: Mapping[str, NDArray[Any]]) -> None:
    shapes = {name: array.shape for name, array in params.items()}
    if shapes != task.parameters:
        raise ValueError(f"task {task.name!r} has the parameters {task.parameters}, not {shapes}")


def _one_linear(task: Task) -> bool:
    return len(task.layers) == 1 and isinstance(task.layers[0], Linear)


def _has_solution(task: Task) -> bool:
    return _one_linear(task) and task.loss.name == "mse"


def _with_ones(x: Float64) -> Float64:
    return np.column_stack([x, np.ones(len(x))])


def _loss(task: Task, output: Float64, y: NDArray[Any]) -> float:
    """The task's loss at reduction mean; NaN where the output is not finite, which losses do not take."""
    if not np.isfinite(output).all():
        return float("nan")
    arguments = {**task.loss.arguments, "reduction": "mean"}
    value, _ = numpy_losses.loss_and_gradient(task.loss.name, [output, y], arguments)
    return float(value)


def _regression(task: Task, split: Split, loss: float, output: Float64, held_out: Float64) -> dict[str, Any]:
    """Figures in the target's own units, and R squared; none where the held-out target has no variance."""
    scale = split.transform.target_scale
    residual = np.square(held_out - split.y_test).sum()
    total = np.square(split.y_test - split.y_test.mean()).sum()
    return {
        "r_squared": float(1 - residual / total) if total > 0 else None,
        "rmse_original_units": float(np.sqrt(np.mean(np.square(output - split.y))) * scale),
        "loss_original_units": loss * scale * scale if task.loss.name == "mse" else None,
    }


def _classes(task: Task, output: Float64) -> NDArray[Any]:
    """The predicted class (n,): the largest of several outputs, or the side of one half of a probability."""
    if output.shape[1] > 1:
        return np.asarray(output.argmax(axis=1))
    threshold = 0.5 if isinstance(task.layers[-1], Sigmoid) else 0.0
    return (output[:, 0] > threshold).astype(np.int64)
