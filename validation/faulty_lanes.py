"""Lanes that break or are wrong, each in its own way: the certificate or the session must name the cause.

Those that go wrong only when they are timed count their calls: a cold process calls `epoch` fewer than `SOUND`
times, a racing one more often.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from samestep import backends
from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.numpy_backend import NumpyBackend, SGDOptimizer
from samestep.backends.numpy_modes import NumpyTuned
from samestep.backends.spec import SGD, Task

SOUND = 20


class Trap(NumpyTuned):
    """Correct for the first calls of `epoch`; then `go_wrong` runs before each."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.calls = 0

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.calls += 1
        if self.calls > SOUND:
            self.go_wrong()
        return super().epoch(state, data, rows, batch_size, learning_rates)

    def go_wrong(self) -> None:
        """Does nothing here."""


class Crashes(Trap):
    def go_wrong(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(Trap):
    def go_wrong(self) -> None:
        sys.stderr.write("cannot go on in /some/private/folder/library.so\n")
        sys.stderr.flush()
        os._exit(3)


class ExitsWithAMessage(Trap):
    def go_wrong(self) -> None:
        sys.exit("no license in /some/private/folder/license.txt")


class IsKilled(Trap):
    def go_wrong(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class LeavesAChild(Trap):
    """Ends while a child in a session of its own still holds the pipe to the coordinator."""

    def go_wrong(self) -> None:
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        os._exit(4)


class Hangs(Trap):
    def go_wrong(self) -> None:
        time.sleep(600)


class Raises(Trap):
    def go_wrong(self) -> None:
        raise RuntimeError("no\nmore")


class Leaks(Trap):
    def go_wrong(self) -> None:
        arrays = []
        while True:
            arrays.append(np.ones(2**22))  # 32 MiB
            time.sleep(0.01)


class LeaksInAChild(Leaks):
    """The process itself stays small."""

    def go_wrong(self) -> None:
        if os.fork() == 0:
            super().go_wrong()
        time.sleep(600)


class WorksInAChild(NumpyTuned):
    """Has a child that works as long as it does, from its first run on, on a core that it may not use itself."""

    child = 0

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        if not self.child:
            self.child = os.fork()
            if not self.child:
                while True:
                    self.keep_away()
        return super().epoch(state, data, rows, batch_size, learning_rates)

    def keep_away(self) -> None:
        """Move to the cores that the parent, which the suite moves, may not use; stay where there are none."""
        if hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - os.sched_getaffinity(os.getppid()))


class Talks(Trap):
    """Correct, but prints where the protocol was, in Python and below it."""

    def go_wrong(self) -> None:
        print('{"error": "not a reply"}')
        os.write(1, b"{}\n")


class Recompiles(Trap):
    """Compiles a new JAX program in every run."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        import jax

        self.jax = jax

    def go_wrong(self) -> None:
        self.jax.jit(lambda x: x + self.calls)(np.float32(self.calls))


class JitSwitchedOff:
    """Says that a step is one compiled program, and runs it operation by operation."""

    def __new__(cls, device: str = "cpu") -> Any:  # a lane of JAX, which no other trap should import
        import jax

        jax.config.update("jax_disable_jit", True)
        return backends.load("jax:tuned", device)


class DynamoSwitchedOff:
    """Says that a step is one compiled program, and runs it without the compiler."""

    def __new__(cls, device: str = "cpu") -> Any:
        os.environ["TORCHDYNAMO_DISABLE"] = "1"  # read when a function is wrapped
        return backends.load("torch:compile", device)


class Wrong(NumpyTuned):
    """Trains with half the learning rate: never certified, so never raced."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        return super().epoch(state, data, rows, batch_size, learning_rates / 2)


class Absent(NumpyTuned):
    """Cannot even be made."""

    def __init__(self, device: str = "cpu") -> None:
        raise ImportError("no module named 'mlx'")


class UsesFloat64(NumpyBackend):
    """Keeps its parameters in float64 whatever the task says."""

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        wide = params and {name: value.astype(np.float64) for name, value in params.items()}
        return super().init(task.model_copy(update={"dtype": "float64"}), wide, buffers)


class UsesTF32(NumpyTuned):
    """Takes its rows with ten bits after the leading one, as tensor cores do unless they are told otherwise."""

    def batches(self, data: Batch, rows: RowOrder, batch_size: int) -> Any:
        for x, y in super().batches(data, rows, batch_size):
            yield (tf32(x) if x.dtype == np.float32 else x), y


def tf32(x: Host) -> Host:
    """Rounded to the nearest TF32 value: 13 of the 23 bits of a float32's fraction go."""
    bits = x.view(np.uint32)
    return np.asarray((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


class OtherRows(NumpyTuned):
    """Trains on the rows in the order of the data, not in the order that was given."""

    def batches(self, data: Batch, rows: RowOrder, batch_size: int) -> Any:
        return super().batches(data, np.arange(len(rows)), batch_size)


class NotANumber(NumpyBackend):
    """Its parameters are NaN from step 8 on."""

    def optimizer(self, options: SGD, params: Any, buffers: Any) -> SGDOptimizer:
        return SoundForSevenSteps(options, params, buffers)


class SoundForSevenSteps(SGDOptimizer):
    """Correct for seven steps."""

    steps = 0

    def step(self, params: Mapping[str, Any], gradients: Mapping[str, Any], learning_rate: float) -> None:
        self.steps += 1
        super().step(params, gradients, learning_rate if self.steps < 8 else math.nan)


class NotANumberWhenTimed(Trap):
    """Its parameters are NaN where it is only timed."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        state, losses = super().epoch(state, data, rows, batch_size, learning_rates)
        if self.calls > SOUND:
            state.model.params["0.bias"][...] = np.nan
        return state, losses


class InfiniteLosses(NumpyTuned):
    """Trains right and says that every loss is infinite."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        state, losses = super().epoch(state, data, rows, batch_size, learning_rates)
        return state, np.full_like(losses, np.inf)

    def step(self, state: Any, batch: Batch, learning_rate: float) -> Any:
        state, loss = super().step(state, batch, learning_rate)
        return state, np.full_like(loss, np.inf)


class NumbersItsVersions(NumpyTuned):
    """Describes itself in a way that no record can hold."""

    @classmethod
    def versions(cls) -> dict[str, Any]:
        return {"numpy": 2.0}


class RaisesHalfACharacter(Trap):
    """Raises a text that is no Unicode."""

    def go_wrong(self) -> None:
        raise RuntimeError("\ud800")
