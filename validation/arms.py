"""Lanes for races with a known result: identical copies of a lane, and copies that do more work.

A worker imports a lane by "module:Class". Here the name says what the class is, and it is made when it is asked
for: `NumpySame3` is an identical copy of NumPy's tuned lane, `NumpyPlus5` takes 5% of its steps twice, and so
does `NumpyPlus5Copy2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from samestep import backends
from samestep.backends.interface import Backend, Batch, Host, RowOrder
from samestep.backends.spec import Task

NAME = re.compile(r"(Numpy|Torch|Jax)(Same|Plus)(\d+)(Copy\d+)?")


def same(framework: str, count: int) -> list[str]:
    """Names of so many identical lanes."""
    return [f"{__name__}:{framework.capitalize()}Same{number}" for number in range(count)]


def plus(framework: str, percent: int, copy: int = 0) -> str:
    """The name of a lane that does so much more work, or of a copy of it."""
    return f"{__name__}:{framework.capitalize()}Plus{percent}" + (f"Copy{copy}" if copy else "")


def lane_class(name: str) -> type[Backend]:
    """The class with the meaning of its name.

    Raises:
        AttributeError: the name has no such meaning.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise AttributeError(name)
    framework, kind, number, _ = match.groups()
    tuned = backends.lane_class(f"{framework.lower()}:tuned")
    return type(name, (tuned if kind == "Same" else with_more_work(tuned, int(number) / 100),), {})


def __getattr__(name: str) -> type[Backend]:
    return lane_class(name)


def with_more_work(tuned: Any, fraction: float) -> type[Any]:
    """A lane that takes a fraction of its steps twice: first on a spare state, then as it should."""

    class MoreWork(tuned):  # type: ignore[misc]
        spare: Any

        def init(
            self,
            task: Task,
            params: Mapping[str, Host] | None = None,
            buffers: Mapping[str, Host] | None = None,
        ) -> Any:
            self.spare = super().init(task, params, buffers)
            self.sync(self.spare)
            return super().init(task, params, buffers)

        def epoch(
            self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host
        ) -> Any:
            count = round(fraction * len(learning_rates))
            if count:  # a short run of a certificate has none: torch would make one batch of no rows
                first = rows[: count * batch_size], batch_size, learning_rates[:count]
                self.spare, _ = super().epoch(self.spare, data, *first)
                self.sync(self.spare)
            return super().epoch(state, data, rows, batch_size, learning_rates)

    return MoreWork
