"""Lanes that show no gradients and cheat, in the trace or where they are timed alone: each is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samestep.backends.interface import Trace
from samestep.backends.numpy_modes import NumpyFused
from samestep.benchmarks import datasets, tasks
from samestep.benchmarks.parity import Certificate, certify


class LossesOfTheStepAfter(NumpyFused):
    def epoch(self, *given: Any) -> Any:
        state, losses = super().epoch(*given)
        return state, np.roll(losses, -1)

    def trace(self, *given: Any) -> Any:
        state, trace = super().trace(*given)
        return state, Trace(np.roll(trace.losses, -1), trace.params)


class TimedLossesOfTheStepAfter(LossesOfTheStepAfter):
    trace = NumpyFused.trace


class AnotherWayToTheEnd(NumpyFused):
    """Every other step is said to end half way to the next."""

    def trace(self, *given: Any) -> Any:
        state, trace = super().trace(*given)
        for values in trace.params.values():
            values[0:-1:2] = (values[0:-1:2] + values[1::2]) / 2
        return state, trace


class Changed(NumpyFused):
    """Other row orders or learning rates, when it is traced too."""

    def changed(self, order: Any, size: int, rates: Any) -> Any:
        rates = rates.copy()
        rates[len(rates) // 2] *= 1 + 1e-3
        return order, size, rates

    def epoch(self, state: Any, data: Any, *work: Any) -> Any:
        return super().epoch(state, data, *self.changed(*work))

    def trace(self, state: Any, data: Any, *work: Any) -> Any:
        return super().trace(state, data, *self.changed(*work))


class OneRateOff(Changed):
    pass


class OneTimedRateOff(Changed):
    trace = NumpyFused.trace


class OneRateOffInFloat32(Changed):
    def changed(self, order: Any, size: int, rates: Any) -> Any:
        return super().changed(order, size, rates) if rates.dtype == np.float32 else (order, size, rates)


class RowsSwapped(Changed):
    """Two rows of neighbouring batches change places."""

    def changed(self, order: Any, size: int, rates: Any) -> Any:
        order = order.copy()
        if len(order) > size:
            order[[0, size]] = order[[size, 0]]
        return order, size, rates


class TimedRowsSwapped(RowsSwapped):
    trace = NumpyFused.trace


class Shadow(NumpyFused):
    """Traced in float64 and rounded; timed with rows of fewer bits. A trace so exact says nothing of the rest."""

    bits = 20

    def init(self, task: Any, params: Any = None, buffers: Any = None) -> Any:
        self.task = task
        return super().init(task, params, buffers)

    def trace(self, state: Any, data: Any, order: Any, size: int, rates: Any) -> Any:
        exact, dtype = NumpyFused(), rates.dtype
        x, y, wide_rates = (np.asarray(array, float) for array in (*data, rates))
        params = {name: value.astype(float) for name, value in self.params(state).items()}
        begun = exact.init(self.task.model_copy(update={"dtype": "float64"}), params=params)
        _, shadow = exact.trace(begun, (x, y), order, size, wide_rates)
        params = {name: values.astype(dtype) for name, values in shadow.params.items()}
        state = self.init(self.task, {name: values[-1] for name, values in params.items()})
        return state, Trace(shadow.losses.astype(dtype), params)

    def epoch(self, state: Any, data: Any, *work: Any) -> Any:
        return super().epoch(state, tuple(map(self.cut, data)), *work)

    def cut(self, array: Any) -> Any:
        if array.dtype != np.float32:
            return array
        mask = np.uint32((0xFFFFFFFF << (24 - self.bits)) & 0xFFFFFFFF)
        return (array.view(np.uint32) & mask).view(np.float32)


class Shadow16(Shadow):
    bits = 16


def certified(lane: type[NumpyFused]) -> Certificate:
    task = tasks.get("lesson")
    return certify(lane(), task, datasets.load(task.dataset))


PROBE = "float32: on rows with one non-zero entry, "


@pytest.mark.parametrize(
    ("lane", "reason"),
    [
        (LossesOfTheStepAfter, "float64: step 1 of 300: loss is "),
        (TimedLossesOfTheStepAfter, "float32: the timed program gave the loss "),
        (AnotherWayToTheEnd, "float64: step 1 of 300: params "),
        (OneRateOff, "float64: step 51 of 300: params "),
        (OneTimedRateOff, "float32: the timed program gave the loss "),
        (OneRateOffInFloat32, "float32: step 51 of 300: params "),
        (RowsSwapped, "float64: step 1 of 300: loss is "),
        (TimedRowsSwapped, PROBE),
        (Shadow16, PROBE),
        (Shadow, PROBE),
    ],
)
def test_it_is_refused(lane: type[NumpyFused], reason: str) -> None:
    certificate = certified(lane)
    assert certificate.status == "fail"
    assert certificate.reason.startswith(reason), certificate.reason


def test_the_honest_lane_passes() -> None:
    assert certified(NumpyFused).status == "pass"
