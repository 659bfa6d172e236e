"""What this machine can do at a task's size: memory, BLAS, and the cheapest call of each framework.

The floor of a step is max(bytes / read rate, operations / BLAS rate). Fusion and caches can legally go below it.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from samestep.backends.spec import Linear

from .task_files import TaskFiles, describe

if TYPE_CHECKING:  # the record imports what measures
    pass

SMALLEST = 128 * 1024  # bytes; in smaller arrays the call itself would be measured
SPELL_S = 0.005
SPELLS = 20


def roofline_limits(files: TaskFiles) -> dict[str, Any]:
    """Rates at the working set of a run (the rows that it reads): read and copy in bytes per second, BLAS.

    Reading is a dot product of an array with itself; copying counts the bytes read and those written.
    """
    planned, size = describe(files), working_set(files)
    a = np.ones(max(size, SMALLEST) // files.x.itemsize, files.x.dtype)
    b = np.empty_like(a)
    return {
        "working_set": size,
        "read_rate": a.nbytes / best_time(lambda: np.dot(a, a)),
        "copy_rate": 2 * a.nbytes / best_time(lambda: np.copyto(b, a)),
        "blas_rate": planned.flops_per_step / best_time(products(files)),
    }


def working_set(files: TaskFiles) -> int:
    """Bytes of the rows that a run reads."""
    return len(files.row_order) * (files.x[:1].nbytes + files.y[:1].nbytes)


def products(files: TaskFiles) -> Callable[[], Any]:
    """The matrix products of one step: forward, weight gradient and, above the first layer, input gradient."""
    rows, dtype = min(files.task.batch_size, len(files.x)), files.x.dtype
    pairs: list[tuple[Any, Any, Any]] = []
    for layer in (layer for layer in files.task.layers if isinstance(layer, Linear)):
        d, m = layer.in_features, layer.out_features
        x, w, z = (np.ones(shape, dtype) for shape in ((rows, d), (d, m), (rows, m)))
        below = [(z, w.T, np.empty_like(x))] if pairs else []
        pairs += [(x, w, np.empty_like(z)), (x.T, z, np.empty_like(w)), *below]

    def run() -> None:
        for left, right, out in pairs:
            np.dot(left, right, out)

    return run


def dispatch(framework: str) -> dict[str, Any]:
    """The cheapest call of a framework on one number, {} for a framework that has none declared here."""
    if framework not in CALLS:
        return {}
    call, make = CALLS[framework]
    return {"call": call, "seconds": best_time(make(importlib.import_module(framework)))}


def _in_place(framework: Any) -> Callable[[], Any]:
    a = framework.ones(1)
    b = framework.empty_like(a)
    return lambda: framework.add(a, a, out=b)


def _jitted(jax: Any) -> Callable[[], Any]:
    a, add = jax.numpy.ones(1), jax.jit(lambda x: x + x)
    return lambda: add(a).block_until_ready()


CALLS: dict[str, tuple[str, Callable[[Any], Callable[[], Any]]]] = {
    "numpy": ("numpy.add(a, a, out=b)", _in_place),
    "torch": ("torch.add(a, a, out=b)", _in_place),
    "jax": ("jax.jit(lambda x: x + x)(a)", _jitted),
}


def best_time(call: Callable[[], Any]) -> float:
    """Seconds per call: the best of a few spells, each long enough for the clock."""
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < SPELL_S:
        call()
        count += 1
    return min(_spell(call, count) for _ in range(SPELLS))


def _spell(call: Callable[[], Any], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count
