"""Lanes for the experiments on the relay itself: identical copies of a lane, and copies that do more work.

A lane of a session can be any "module:Class"; here the class is made when it is asked for by name: `NumpySame3`
is an identical copy of NumPy's tuned lane, `NumpyPlus5` does its run and 5% of the steps once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from samestep.backends.interface import Backend, Batch, Host, RowOrder
from samestep.backends.spec import Task

TUNED = {"numpy": "NumpyTuned", "torch": "TorchTuned", "jax": "JaxTuned"}
NAME = re.compile(r"(Numpy|Torch|Jax)(Same|Plus)(\d+)")


def same(framework: str, count: int) -> list[str]:
    """Names of so many identical lanes."""
    return [f"{__name__}:{framework.capitalize()}Same{number}" for number in range(count)]


def plus(framework: str, percent: int) -> str:
    """The name of a lane that does so much more work."""
    return f"{__name__}:{framework.capitalize()}Plus{percent}"


def __getattr__(name: str) -> type[Backend]:
    """The class of that name, made now."""
    match = NAME.fullmatch(name)
    if not match:
        raise AttributeError(name)
    framework, kind, number = match[1].lower(), match[2], int(match[3])
    tuned: Any = getattr(import_module(f"samestep.backends.{framework}_modes"), TUNED[framework])
    return type(name, (tuned,), {}) if kind == "Same" else more(name, tuned, number / 100)


def more(name: str, tuned: Any, share: float) -> type[Backend]:
    """A copy that takes a share of the steps twice: first on a state that nobody looks at, then as it should."""

    class More(tuned):  # type: ignore[misc]
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
            self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
        ) -> Any:
            count = round(share * len(learning_rates))
            some = order[: count * batch_size], batch_size, learning_rates[:count]
            self.spare, _ = super().epoch(self.spare, data, *some)
            self.sync(self.spare)
            return super().epoch(state, data, order, batch_size, learning_rates)

    return type(name, (More,), {})
