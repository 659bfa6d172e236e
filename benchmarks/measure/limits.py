"""What this machine can do at a task's size: memory, arithmetic, and the cheapest call of each framework.

The floor of a step is max(bytes of its rows / read rate, operations / peak rate). No step can be faster, so the
rates are the best of the machine: they hold neither calls nor the shape of a step.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from samestep.backends.interface import Host
from samestep.backends.spec import Linear

from .task_files import TaskFiles, describe

Pairs: TypeAlias = Sequence[tuple[Host, Host]]
SMALLEST = 16 * 1024  # bytes: less lies in the same cache, and takes too short a time for the clock
PIECES = 16
SQUARES = (512, 1024)  # rows of the matrices whose product is the machine's fastest arithmetic
SPELL_S = 0.001  # a busy CPU changes hands every few milliseconds: some of so short a time are nobody else's
SPELLS, SPELLS_S = 20, 0.1  # of each call: so many, and more until so many seconds have passed
SECONDS = 30.0  # for a cost and what it holds, until they can be told apart


def roofline_limits(files: TaskFiles) -> dict[str, Any]:
    """Rates at the working set of a run (the rows that it reads), in bytes and operations per second.

    Copying counts the bytes read and those written. `blas_rate` is that of the products of one step, calls
    included; `peak_rate` is the machine's best in that dtype.
    """
    planned, size = describe(files), working_set(files)
    a = np.ones(max(size, SMALLEST) // files.x.itemsize, files.x.dtype)
    return {
        "working_set": size,
        "read_rate": read_rate(a),
        "copy_rate": rate_without_calls(np.copyto, [(np.empty_like(a), a)]),
        "blas_rate": planned.flops_per_step / best_time(products(files)),
        "peak_rate": max(2 * n**3 / best_time(square_product(n, files.x.dtype)) for n in SQUARES),
    }


def read_rate(a: Host) -> float:
    """Bytes of an array read per second, by the faster of two ways: at once, or in pieces to and fro.

    On the way back the pieces come first that a smaller cache still holds. No order of rows can have more of them
    there, so that the rate is also a bound for data which lie in a cache in part.
    """
    pieces = np.array_split(a, max(1, min(PIECES, a.nbytes // SMALLEST)))
    ways = [a], [*pieces, *reversed(pieces)]
    return max(rate_without_calls(np.dot, [halves(piece) for piece in way]) for way in ways)


def halves(a: Host) -> tuple[Host, Host]:
    """Two parts of the same length: their dot product loads every number once, that of `a` with itself twice."""
    half = len(a) // 2
    return a[:half], a[half : 2 * half]


def rate_without_calls(operation: Callable[[Host, Host], Any], pairs: Pairs) -> float:
    """Bytes of all pairs per second of an operation on them.

    The slope of time over size: the same calls on one number each give the cost of calls, which is taken off.
    On a busy machine the least time of calls may be too long; it is measured on until it is the shorter one.

    Raises:
        RuntimeError: it never was.
    """
    ones = [(first[:1], second[:1]) for first, second in pairs]
    both = _on_each(operation, pairs), _on_each(operation, ones)
    whole, calls, end = *best_times(*both), time.perf_counter() + SECONDS
    while whole <= calls:
        if time.perf_counter() > end:
            raise RuntimeError("the machine is too busy to tell a call from the bytes that it moves")
        whole, calls = np.minimum((whole, calls), best_times(*both))
    return sum(first.nbytes + second.nbytes for first, second in pairs) / (whole - calls)


def _on_each(operation: Callable[[Host, Host], Any], pairs: Pairs) -> Callable[[], None]:
    def run() -> None:
        for first, second in pairs:
            operation(first, second)

    return run


def square_product(n: int, dtype: np.dtype[Any]) -> Callable[[], Any]:
    """A product of n x n matrices: 2 n^3 operations, so many with each number that memory does not matter."""
    a = np.ones((n, n), dtype)
    out = np.empty_like(a)
    return lambda: np.dot(a, a, out)


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


def _compiled_loop(numba: Any) -> Callable[[], Any]:
    a = np.ones(1, np.float32)
    double = numba.njit(lambda a: a[0] + a[0])
    double(a)  # compiles
    return lambda: double(a)


CALLS: dict[str, tuple[str, Callable[[Any], Callable[[], Any]]]] = {
    "numpy": ("numpy.add(a, a, out=b)", _in_place),
    "torch": ("torch.add(a, a, out=b)", _in_place),
    "jax": ("jax.jit(lambda x: x + x)(a)", _jitted),
    "numba": ("numba.njit(lambda a: a[0] + a[0])(a)", _compiled_loop),
}


def best_time(call: Callable[[], Any]) -> float:
    """Seconds per call: the best of a few spells, each long enough for the clock."""
    return best_times(call)[0]


def best_times(*calls: Callable[[], Any]) -> list[float]:
    """Seconds per call of each; their spells take turns, so that what slows the machine meets all of them."""
    counts = [_calls_of_a_spell(call) for call in calls]
    spells = list[list[float]]()
    end = time.perf_counter() + SPELLS_S * len(calls)
    while len(spells) < SPELLS or time.perf_counter() < end:
        spells.append([_spell(call, count) for call, count in zip(calls, counts, strict=True)])
    return [min(times) for times in zip(*spells, strict=True)]


def _calls_of_a_spell(call: Callable[[], Any]) -> int:
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < SPELL_S:
        call()
        count += 1
    return count


def _spell(call: Callable[[], Any], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count
