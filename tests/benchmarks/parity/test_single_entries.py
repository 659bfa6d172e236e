"""Rows with one non-zero entry show what a long sum or a large neighbor hides, and correct programs pass."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Loss, ReLU, Sigmoid, Synthetic, Tanh, Task
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.parity import Certificate, Rows, Workload, certify, export
from samestep.benchmarks.parity.single_entries import probe_work, single_entries
from tests.helpers.parity_trainer import Trainer
from validation import float32_mistakes as mistakes

WIDE, SMALL = (1024, 512, 1024), (100, 3, 16)  # rows, features, batch size
HIDDEN = (Linear(in_features=3, out_features=5), Tanh(), Linear(in_features=5, out_features=1))


def task(size: tuple[int, int, int], loss: str = "mse", **fields: object) -> Task:
    rows, features, batch_size = size
    last = (Sigmoid(),) if loss == "bce" else ()
    return Task.model_validate(
        {
            "name": "probed",
            "dataset": Synthetic(rows=rows, held_out=1, features=features),
            "layers": (Linear(in_features=features, out_features=1), *last),
            "loss": Loss(name=loss),
            "optimizer": SGD(learning_rate=0.01),
            "batch_size": batch_size,
            "epochs": 1,
            **fields,
        }
    )


def data(declared: Task) -> Rows:
    rng = np.random.default_rng(1)
    assert isinstance(declared.dataset, Synthetic)
    rows, features = declared.dataset.rows, declared.dataset.features
    x = rng.normal(size=(rows, features))
    y = x @ rng.normal(size=(features, 1)) + 0.1 * rng.normal(size=(rows, 1))
    return Rows(x, (y > 0).astype(float) if declared.loss.name == "bce" else y)


def recorded(declared: Task, **trainer: Any) -> dict[str, np.ndarray]:
    """What a program records of the probe's work."""
    work = probe_work(Workload.of(declared, data(declared)))
    trace = Trainer(declared, **trainer).run(work)
    gradients = {f"gradients/{name}": values for name, values in trace.gradients.items()}
    return {**trace.params, **gradients, "loss": trace.losses}


# --- the rows -------------------------------------------------------------------------------------------------


def test_a_batch_has_at_most_one_entry_in_a_row_and_in_a_column() -> None:
    declared = task((70, 5, 8))
    work = single_entries(Workload.of(declared, data(declared)))
    for batch in work.batches():
        assert ((batch.x != 0).sum(axis=1) <= 1).all()
        assert ((batch.x != 0).sum(axis=0) <= 1).all()
    assert {int(column) for column in np.nonzero(work.x)[1]} == set(range(5))


def test_columns_and_residuals_are_of_sizes_far_apart() -> None:
    declared = task((64, 6, 8))
    work = single_entries(Workload.of(declared, data(declared)))
    sizes = abs(work.x).max(axis=0)
    assert sizes.max() / sizes.min() > 1e8
    residuals = abs(work.x @ work.start["0.weight"] + work.start["0.bias"] - work.y)
    assert residuals.max() > 0.5
    assert residuals.min() < 1e-5


@pytest.mark.parametrize("rate", [0.0, 1e-5, 0.3, 0.5])
def test_steps_on_them_converge(rate: float) -> None:
    declared = task((64, 6, 8), optimizer=SGD(learning_rate=rate))
    work = probe_work(Workload.of(declared, data(declared)))
    trace = Trainer(declared).run(work)
    assert np.isfinite(trace.losses).all()


# --- lanes ----------------------------------------------------------------------------------------------------

ALONE = {  # right in float64, wrong in float32 alone, and inside every bound of a run on long sums
    "inputs of 20 bits": (mistakes.ShortInputs, "mse"),
    "small entries dropped": (mistakes.DroppedEntries, "bce"),
    "a shifted logarithm": (mistakes.ShiftedLogarithm, "bce"),
    "a polynomial exponential": (mistakes.PolynomialExponential, "bce"),
    "a smoothed root": (mistakes.SmoothedRoot, "l1"),
}


@cache
def wide_certificate(lane: type[NumpyBackend], loss: str) -> Certificate:
    """What a lane gets on a wide batch under a loss."""
    declared = task(WIDE, loss)
    return certify(lane(), declared, data(declared))


@pytest.mark.parametrize("name", ALONE)
def test_what_is_wrong_in_float32_alone_shows_on_a_wide_batch(name: str) -> None:
    lane, loss = ALONE[name]
    certificate = wide_certificate(lane, loss)
    double, single = certificate.evidence
    assert double.judgement.status == "pass"
    assert certificate.status == "fail"
    assert all(worst.share < 1 for worst in single.judgement.quantities.values())  # the run does not show it
    assert single.probe is not None
    assert single.probe > 1
    right = wide_certificate(NumpyBackend, loss)
    assert right.status == "pass", right.reason
    assert right.evidence[-1].probe is not None
    assert right.evidence[-1].probe < 0.7


@pytest.mark.parametrize("size", [WIDE, SMALL])
def test_small_gradients_left_out_lie_many_bounds_away(size: tuple[int, int, int]) -> None:
    if size == WIDE:
        evidence = wide_certificate(mistakes.DroppedEntries, "bce").evidence[-1]
    else:
        declared = task(size, "bce")
        evidence = certify(mistakes.DroppedEntries(), declared, data(declared)).evidence[-1]
    assert evidence.probe is not None
    assert evidence.probe > 1e5


class Subtracting(NumpyBackend):
    """The soft margin loss with the derivative t (sigmoid(t x) - 1), as torch's compiler takes it."""

    def loss(self, declared: Loss) -> Any:
        right = super().loss(declared)

        def subtracted(x: Any, t: Any) -> Any:
            y = t.astype(x.dtype)
            return right(x, t)[0], y * (1 / (1 + np.exp(-y * x)) - 1) / x.dtype.type(x.size)

        return subtracted


def test_a_usual_derivative_whose_digits_cancel_passes() -> None:
    declared = task((64, 16, 32), "soft_margin")
    rows = data(declared)
    certificate = certify(Subtracting(), declared, Rows(rows.x, np.sign(rows.y)))
    assert certificate.status == "pass", certificate.reason


# --- programs from outside ------------------------------------------------------------------------------------


def test_a_stream_alone_is_proven_within_float32_rounding_only() -> None:
    declared = task(SMALL)
    run = Trainer(declared).run(Workload.of(declared, data(declared))).params
    certificate = certify(run, declared, data(declared))
    assert certificate.status == "pass"
    assert certificate.reason.endswith("; proven within float32 rounding only")
    assert certificate.evidence[0].judgement.reason in certificate.reason
    double = declared.model_copy(update={"dtype": "float64"})
    run = Trainer(double).run(Workload.of(double, data(declared))).params
    assert "only" not in certify(run, double, data(declared)).reason


@pytest.mark.parametrize("fields", [{}, {"layers": HIDDEN}, {"optimizer": SGD(momentum=0.9, nesterov=True)}])
@pytest.mark.parametrize("loss", ["mse", "l1", "bce_with_logits"])
def test_a_correct_stream_passes_its_probe(loss: str, fields: dict[str, object]) -> None:
    declared = task(SMALL, loss, **fields)
    rows = (
        data(declared) if loss != "bce_with_logits" else Rows(data(declared).x, (data(declared).y > 0) * 1.0)
    )
    work = Workload.of(declared, rows)
    probe = Trainer(declared).run(probe_work(work)).params
    certificate = certify(Trainer(declared).run(work).params, declared, rows, probe=probe)
    assert certificate.status == "pass", certificate.reason
    assert "on rows with one non-zero entry, all" in certificate.reason
    assert certificate.evidence[0].probe is not None
    assert certificate.evidence[0].probe <= 1


def test_a_wrong_probe_fails_and_a_run_that_fails_is_not_probed() -> None:
    declared = task(SMALL)
    run = Trainer(declared).run(Workload.of(declared, data(declared))).params
    certificate = certify(
        run, declared, data(declared), probe=recorded(declared, mistake="bias never updated")
    )
    assert certificate.status == "fail"
    assert certificate.reason.startswith("float32: on rows with one non-zero entry, step 1 of ")
    wrong = {name: values * 2 for name, values in run.items()}
    certificate = certify(wrong, declared, data(declared), probe=recorded(declared))
    assert certificate.reason.startswith("float32: step 1 of ")
    assert certificate.evidence[0].probe is None


def test_a_probe_of_too_few_steps_is_said() -> None:
    declared = task(SMALL)
    run = Trainer(declared).run(Workload.of(declared, data(declared))).params
    short = {name: values[:3] for name, values in recorded(declared).items()}
    certificate = certify(run, declared, data(declared), probe=short)
    assert certificate.status == "fail"
    assert "3 steps were recorded of" in certificate.reason


def test_functions_are_probed_afresh_in_both_dtypes() -> None:
    declared = task(SMALL)

    def step(params, x, y, learning_rate):
        e = x @ params["0.weight"] + params["0.bias"] - y
        gradients = {"0.weight": 2 / len(x) * x.T @ e, "0.bias": 2 / len(x) * e.sum(axis=0)}
        return {name: params[name] - learning_rate * gradients[name] for name in params}

    certificate = certify(step, declared, data(declared), probe=step)
    assert certificate.status == "pass"
    assert all(piece.probe is not None and piece.probe <= 1 for piece in certificate.evidence)


def test_the_probe_is_exported_as_the_work_is(tmp_path) -> None:
    declared = task(SMALL)
    export(tmp_path / "probe.npz", declared, data(declared), probe=True)
    work = probe_work(Workload.of(declared, data(declared)))
    with np.load(tmp_path / "probe.npz") as file:
        assert np.array_equal(file["x"], work.x)
        assert file["order"].shape == (1, len(work.x))
        assert file["rates"].shape == (1, work.steps)
        assert np.array_equal(file["start/0.weight"], work.start["0.weight"])


def test_a_backend_comes_without_a_probe() -> None:
    declared = task(SMALL)
    with pytest.raises(InputError, match="probed by itself"):
        certify(NumpyBackend(), declared, data(declared), probe={})
    number: Any = 3
    with pytest.raises(InputError, match="is no program"):
        certify({}, declared, data(declared), probe=number)


@pytest.mark.parametrize(
    "layers",
    [
        (Linear(in_features=1, out_features=1),),
        (Linear(in_features=1, out_features=3), ReLU(), Linear(in_features=3, out_features=1)),
    ],
)
def test_one_feature_is_enough(layers: tuple[object, ...]) -> None:
    declared = task((20, 1, 6), layers=layers)
    assert certify(NumpyBackend(), declared, data(declared)).status == "pass"
