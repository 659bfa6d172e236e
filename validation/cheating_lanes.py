"""Lanes that look faster than they are: they leave out work, or bend the clock. Each is found."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.numpy_modes import NumpyTuned
from samestep.backends.spec import Task
from validation.faulty_lanes import SOUND, Trap


class DropsWork(Trap):
    """Certified with all steps, timed with one step fewer."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        if self.calls >= SOUND:
            rows, learning_rates = rows[:-batch_size], learning_rates[:-1]
        return super().epoch(state, data, rows, batch_size, learning_rates)


class TimesAnotherProgram(NumpyTuned):
    """Every traced step is right; the program that is timed leaves the bias out."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        bias = self.params(state)["0.bias"]
        state, losses = super().epoch(state, data, rows, batch_size, learning_rates)
        state.model.params["0.bias"][...] = bias
        return state, losses


class SkipsTheFirstCall(NumpyTuned):
    """Does nothing the first time, so that its first call looks cheap."""

    called = False

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        if self.called:
            return super().epoch(state, data, rows, batch_size, learning_rates)
        self.called = True
        return state, np.zeros_like(learning_rates)


class SkipsEarlyRuns(Trap):
    """Leaves out nine of ten runs from a start: the last ones come to nearly the same end."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.since_start = 0
        self.losses: Any = None

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        self.since_start = 0
        return super().init(task, params, buffers)

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.since_start += 1
        if self.calls > SOUND and self.since_start > 1 and self.since_start % 10:
            return state, self.losses
        state, self.losses = super().epoch(state, data, rows, batch_size, learning_rates)
        return state, self.losses


class SkipsSteps(Trap):
    """Takes every third step, in float32 alone, where the derived bound of a whole run is wide."""

    def steps(
        self, state: Any, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[Any, Any]]:
        skip = self.calls > SOUND and self.is_narrow(state) and not self.is_traced()
        loss = None
        for number, (batch, learning_rate) in enumerate(
            zip(self.batches(data, row_order, batch_size), learning_rates.tolist(), strict=True)
        ):
            if loss is None or not skip or number % 3 == 0:
                state, loss = self.step(state, batch, learning_rate)
            yield state, loss

    def is_narrow(self, state: Any) -> bool:
        return all(value.dtype == np.float32 for value in self.params(state).values())

    def is_traced(self) -> bool:
        return self.tracing

    tracing = False

    def trace(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.tracing = True
        try:
            return super().trace(state, data, rows, batch_size, learning_rates)
        finally:
            self.tracing = False


class SkipsStepsTracedToo(SkipsSteps):
    """Takes every third step, and records that as if nothing were missing."""

    def is_traced(self) -> bool:
        return False


class KeepsRows(Trap):
    """Keeps the rows that it gathered, by the identity of their order, and takes them again without looking."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.gathered: dict[int, list[Any]] = {}

    def batches(self, data: Batch, rows: RowOrder, batch_size: int) -> Any:
        if self.calls <= SOUND:
            return super().batches(data, rows, batch_size)
        key = len(rows)  # identities of arrays that are gone come again; their lengths always do
        if key not in self.gathered:
            self.gathered[key] = [(x.copy(), y.copy()) for x, y in super().batches(data, rows, batch_size)]
        return iter(self.gathered[key])


class CopiesAnEnd(Trap):
    """Takes half of the steps, then looks for anything like final parameters in the memory of its process."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        if self.calls <= SOUND:
            return super().epoch(state, data, rows, batch_size, learning_rates)
        half = len(learning_rates) // 2
        state, losses = super().epoch(
            state, data, rows[: half * batch_size], batch_size, learning_rates[:half]
        )
        names = self.params(state).keys()
        ends = [each for each in gc.get_objects() if type(each) is dict and each.keys() == names]
        for name, value in state.model.params.items():
            last = ends[-1][name] if ends else None
            value[...] = last if isinstance(last, np.ndarray) and last.shape == value.shape else value
        return state, np.resize(losses, len(learning_rates))


class AnswersLater(Trap):
    """Hands out arrays for its parameters at once, and fills them in a thread of its own."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.later = (state, data, rows, batch_size, learning_rates)
        if self.calls < SOUND or threading.current_thread() is not threading.main_thread():
            return super().epoch(state, data, rows, batch_size, learning_rates)
        self.calls += 1
        return state, np.zeros_like(learning_rates)

    def params(self, state: Any) -> dict[str, Host]:
        values = super().params(state)
        if self.calls > SOUND:
            work = self.later

            def fill() -> None:
                ended, _ = super(AnswersLater, self).epoch(*work)
                for name, value in super(AnswersLater, self).params(ended).items():
                    values[name][...] = value

            threading.Thread(target=fill).start()
        return values


class SlowsItsClocks(NumpyTuned):
    """Replaces the clocks of its process by clocks of half the speed."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        for name in ("perf_counter_ns", "process_time_ns"):
            setattr(time, name, half(getattr(time, name)))
        for name in ("perf_counter", "process_time"):
            setattr(time, name, half(getattr(time, name)))


def half(clock: Any) -> Any:
    """A clock that goes at half the speed from now on."""
    begin = clock()
    return lambda: begin + type(begin)((clock() - begin) / 2)
