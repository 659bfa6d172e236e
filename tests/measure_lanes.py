"""Lanes that go wrong, each in its own way, once they have been certified: the relay must name the cause.

A cold process calls `epoch` fewer than `SOUND` times, a racing one more often.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.interface import Batch, Host, Order
from backends.numpy_modes import NumpyTuned
from backends.spec import Task

SOUND = 20


class Trap(NumpyTuned):
    """Correct for the first calls of `epoch`, then `trap` runs before each."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.calls = 0

    def epoch(self, state: Any, data: Batch, order: Order, batch_size: int, learning_rates: Host) -> Any:
        self.calls += 1
        if self.calls > SOUND:
            self.trap()
        return super().epoch(state, data, order, batch_size, learning_rates)

    def trap(self) -> None:
        """What goes wrong."""


class Crashes(Trap):
    def trap(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(Trap):
    def trap(self) -> None:
        sys.stderr.write("cannot go on in /some/private/folder/library.so\n")
        sys.stderr.flush()
        os._exit(3)


class Hangs(Trap):
    def trap(self) -> None:
        time.sleep(600)


class Raises(Trap):
    def trap(self) -> None:
        raise RuntimeError("no\nmore")


class Leaks(Trap):
    def trap(self) -> None:
        kept = []
        while True:
            kept.append(np.ones(2**22))  # 32 MiB
            time.sleep(0.01)


class Talks(Trap):
    """Correct, but prints where the protocol was, in Python and below it."""

    def trap(self) -> None:
        print('{"error": "not a reply"}')
        os.write(1, b"{}\n")


class DropsWork(Trap):
    """Certified with all steps, timed with one step fewer."""

    def epoch(self, state: Any, data: Batch, order: Order, batch_size: int, learning_rates: Host) -> Any:
        if self.calls >= SOUND:
            order, learning_rates = order[:-batch_size], learning_rates[:-1]
        return super().epoch(state, data, order, batch_size, learning_rates)


class StopsTheClockEarly(NumpyTuned):
    """Works in a thread of its own that `sync` does not wait for; reading the parameters does."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.work = threading.Thread()

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        self.wait()
        return super().init(task, params, buffers)

    def wait(self) -> None:
        """As a device would: what was asked for first is done first."""
        if self.work.ident:
            self.work.join()

    def epoch(self, state: Any, data: Batch, order: Order, batch_size: int, learning_rates: Host) -> Any:
        losses = np.zeros_like(learning_rates)

        def later() -> None:
            time.sleep(0.003)
            found = super(StopsTheClockEarly, self).epoch(state, data, order, batch_size, learning_rates)
            losses[:] = found[1]

        self.wait()
        self.work = threading.Thread(target=later)
        self.work.start()
        return state, losses

    def get(self, value: Any) -> Host:
        self.wait()
        return super().get(value)

    def params(self, state: Any) -> dict[str, Host]:
        self.wait()
        return super().params(state)


class Recompiles(Trap):
    """Compiles a new JAX program in every run."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        import jax

        self.jax = jax

    def trap(self) -> None:
        self.jax.jit(lambda x: x + self.calls)(np.float32(self.calls))


class Wrong(NumpyTuned):
    """Trains with half the learning rate: never certified, so never raced."""

    def epoch(self, state: Any, data: Batch, order: Order, batch_size: int, learning_rates: Host) -> Any:
        return super().epoch(state, data, order, batch_size, learning_rates / 2)


class Absent(NumpyTuned):
    """Cannot even be made."""

    def __init__(self, device: str = "cpu") -> None:
        raise ImportError("no module named 'mlx'")
