"""Broken lanes: each gets a certificate that says in one line what is wrong."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Synthetic
from samestep.benchmarks.parity import certify
from tests.helpers.parity_trainer import certified, make, rounded, rows


class Raises(NumpyBackend):
    def forward_backward(self, state, batch):
        raise RuntimeError("no such kernel\nand a long story")


def test_a_lane_that_raises_fails_with_its_own_words():
    certificate = certified(Raises)
    assert (certificate.status, certificate.reason) == (
        "fail",
        "float64: trace raised RuntimeError: no such kernel",
    )
    assert len(certificate.evidence) == 1  # float64 failed, so float32 was not tried
    assert certificate.final is None


class RaisesLater(NumpyBackend):
    def trace(self, state, data, order, batch_size, learning_rates):
        if self.__dict__.setdefault("epochs", []):
            raise MemoryError
        self.epochs.append(order)
        return super().trace(state, data, order, batch_size, learning_rates)


def test_a_lane_that_raises_half_way_keeps_what_was_judged():
    certificate = certified(RaisesLater)
    assert certificate.reason == "float64: trace raised MemoryError"
    assert certificate.evidence[0].judgement.steps == 4
    assert (certificate.dtype, certificate.task_digest) == (
        "float32",
        make().digest(),
    )  # the task that was asked for


class WrongShape(NumpyBackend):
    def params(self, state):
        return {name: value.T for name, value in super().params(state).items()}


class NotANumber(NumpyBackend):
    def update(self, state, gradients, learning_rate):
        return super().update(state, {name: g * np.nan for name, g in gradients.items()}, learning_rate)


class Wide(NumpyBackend):
    """float64 throughout, whatever the task says."""

    def put(self, array):
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    def init(self, task, params=None, buffers=None):
        params = params and {name: value.astype(np.float64) for name, value in params.items()}
        return super().init(task, params=params, buffers=buffers)


class WidePrediction(NumpyBackend):
    def predict(self, state, x):
        return super().predict(state, x).astype(np.float64)


class WrongPrediction(NumpyBackend):
    def predict(self, state, x):
        return super().predict(state, x) * x.dtype.type(1.001)


class HidesBuffers(NumpyBackend):
    def buffers(self, state):
        return {}


class TimesAnotherProgram(NumpyBackend):
    """Proves one trajectory and times another: the last batch is left out where nobody looks."""

    def epoch(self, state, data, order, batch_size, learning_rates):
        whole = len(order) // batch_size
        return super().epoch(state, data, order[: whole * batch_size], batch_size, learning_rates[:whole])


class ForgetsTheStart(NumpyBackend):
    def init(self, task, params=None, buffers=None):
        return super().init(task)


class StopsEarly(NumpyBackend):
    def trace(self, state, data, order, batch_size, learning_rates):
        return super().trace(state, data, order[:batch_size], batch_size, learning_rates[:1])


class LosesTheLastRows(NumpyBackend):
    """Predicts in chunks and forgets the partial one."""

    def predict(self, state, x):
        whole = super().predict(state, x)
        whole[len(x) // 8 * 8 :] = 0
        return whole


class TellsNoLosses(NumpyBackend):
    """The timed program gives zeros for losses."""

    def epoch(self, state, data, order, batch_size, learning_rates):
        state, losses = super().epoch(state, data, order, batch_size, learning_rates)
        return state, [loss * loss.dtype.type(0) for loss in losses]


class UpdatesTwice(NumpyBackend):
    """`step` is right, `update` by itself is not."""

    def step(self, state, batch, learning_rate):
        loss, gradients = self.forward_backward(state, batch)
        return NumpyBackend.update(self, state, gradients, learning_rate), loss

    def update(self, state, gradients, learning_rate):
        return super().update(state, gradients, 2 * learning_rate)


@pytest.mark.parametrize(
    ("lane", "fields", "reason"),
    [
        (LosesTheLastRows, {}, "float64: predict is "),
        (TellsNoLosses, {}, "float32: the timed program gave the loss 0 at step 1, the traced "),
        (UpdatesTwice, {}, "float64: on rows with one non-zero entry, step 1 of 1: params "),
        (WrongShape, {}, "float64: params 0.weight have shape (4, 1, 3), not (4, 3, 1)"),
        (NotANumber, {}, "float64: step 1 of 8: params 0.weight[0, 0] is nan"),
        (Wide, {}, "float32: the losses are float64 in a float32 task"),
        (WidePrediction, {}, "float32: predict gives float64 (30, 1), not float32 (30, 1)"),
        (WrongPrediction, {}, "float64: predict is "),
        (HidesBuffers, {"optimizer": SGD(momentum=0.9)}, "float64: the trace does not record buffers"),
        (TimesAnotherProgram, {}, "float32: the timed program ends "),
        (ForgetsTheStart, {}, "float64: step 1 of 8: "),
        (StopsEarly, {}, "float64: 1 step was recorded of 4"),
    ],
)
def test_a_broken_lane_fails_and_says_why(lane, fields, reason):
    certificate = certified(lane, **fields)
    assert certificate.status == "fail"
    assert certificate.reason.startswith(reason)


class Cut(NumpyBackend):
    """Inputs of every product cut to 11 bits in float32, as TF32 does."""

    def precision(self, dtype):
        self.single = dtype == "float32"
        return contextlib.nullcontext()

    def layer(self, index, layer, values):
        made = super().layer(index, layer, values)
        if isinstance(layer, Linear) and self.single:
            whole = made.forward
            made.forward = lambda x: whole(rounded(x, 11))
        return made


class CutInsideTheEpoch(NumpyBackend):
    """A program of many steps that cuts its data to 11 bits in float32; single steps do not."""

    def cut(self, data):
        x, y = data
        return (rounded(x, 11) if x.dtype == np.float32 else x), y

    def epoch(self, state, data, *rest):
        return super().epoch(state, self.cut(data), *rest)

    def trace(self, state, data, *rest):
        return super().trace(state, self.cut(data), *rest)


@pytest.mark.parametrize("lane", [Cut, CutInsideTheEpoch])
def test_reduced_precision_shows_where_the_worst_case_bound_is_wide(lane):
    """On 128 rows of 512 features the sums' bound hides 11-bit inputs; rows with one entry show them."""
    dataset = Synthetic(rows=128, held_out=1, features=512)
    task = make(
        layers=(Linear(in_features=512, out_features=1),),
        batch_size=128,
        epochs=1,
        optimizer=SGD(learning_rate=0.001),
    ).model_copy(update={"dataset": dataset})
    certificate = certify(lane(), task, rows(128, 512))
    assert certificate.status == "fail"
    evidence = certificate.evidence[-1]
    assert evidence.judgement.dtype == "float32"
    assert all(worst.share <= 1 for worst in evidence.judgement.quantities.values())
    assert evidence.probe > 100
    assert certify(NumpyBackend(), task, rows(128, 512)).status == "pass"


class Narrow(NumpyBackend):
    """A device without float64."""

    def put(self, array):
        if array.dtype == np.float64:
            raise TypeError("this device has no float64")
        return super().put(array)


def test_a_device_without_float64_is_certified_in_float32_alone():
    certificate = certified(Narrow)
    assert certificate.status == "pass"
    assert [piece.judgement.status for piece in certificate.evidence] == ["not run", "pass"]
    assert "put raised TypeError: this device has no float64" in certificate.reason
    assert certificate.reason.endswith("; proven within float32 rounding only")
    assert certified(Narrow, dtype="float64").status == "not run"


class Shuffles(NumpyBackend):
    """Spoils what it was lent."""

    def epoch(self, state, data, order, batch_size, learning_rates):
        state, losses = super().epoch(state, data, order, batch_size, learning_rates)
        order[:], learning_rates[:] = 0, 0
        return state, losses


def test_a_lane_cannot_spoil_the_evidence():
    assert certified(Shuffles).status == "pass"


class LastBit(NumpyBackend):
    """The timed program differs in the last bit."""

    def epoch(self, state, data, order, batch_size, learning_rates):
        state, losses = super().epoch(state, data, order, batch_size, learning_rates)
        for value in state.model.params.values():
            value[...] = np.nextafter(value, np.inf, dtype=value.dtype)
        return state, losses


class Unnoticed(NumpyBackend):
    """The timed program ends 2e-7 off after more than a step: hidden by float32's bound, plain in float64."""

    fewest = 2  # steps

    def epoch(self, state, data, order, batch_size, learning_rates):
        state, losses = super().epoch(state, data, order, batch_size, learning_rates)
        for value in state.model.params.values() if len(learning_rates) >= self.fewest else ():
            value *= value.dtype.type(1 + 2e-7)
        return state, losses


def test_a_timed_program_that_differs_in_float32_is_held_to_the_bound_in_float64():
    certificate = certified(Unnoticed)
    assert certificate.status == "fail"
    assert certificate.reason.startswith("float64: the timed program ends")
    assert len(certificate.evidence) == 1


class UnnoticedAfterOneStep(Unnoticed):
    fewest = 1


def test_one_that_differs_after_a_single_step_is_found_in_float32():
    certificate = certified(UnnoticedAfterOneStep)
    assert certificate.reason.startswith("float32: on rows with one non-zero entry, step 1 of 1: params ")


def test_the_timed_program_may_differ_in_its_last_bits_and_that_is_said():
    certificate = certified(LastBit)
    assert certificate.status == "pass"
    run = certificate.evidence[-1].untraced[-1]
    assert not run.equal
    assert 0 < run.distance <= run.allowance
    assert "the timed program ends" in certificate.reason
    assert certificate.evidence[0].untraced, "float32 is not exact, so float64 was looked at too"
    assert not certified(NumpyBackend).evidence[0].untraced
    assert certified(NumpyBackend).evidence[-1].untraced[-1].distance == 0
