"""The machine's limits: rates without the cost of calls, and each framework's cheapest call."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from samestep.backends.interface import Host
from samestep.benchmarks.analysis.lane_samples import roofline_floor
from samestep.benchmarks.measure import limits, task_files
from samestep.benchmarks.record import RooflineLimits
from tests.helpers.lanes import LANES
from tests.helpers.sessions import prepared, small_task


def test_a_rate_is_free_of_the_cost_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that takes as long again for each call as for its bytes, on a clock that it moves itself."""
    rate, call_s, now = 1e8, 1e-3, [0.0]
    monkeypatch.setattr("samestep.benchmarks.measure.limits.time.perf_counter", lambda: now[0])

    def operation(first: Host, second: Host) -> None:
        now[0] += call_s + (first.nbytes + second.nbytes) / rate

    pairs = [(np.ones(12_500, np.float32), np.ones(12_500, np.float32))] * 2  # 1 ms for each
    one = 2 * 4 / rate  # the calls whose cost is taken off have a number on either side
    assert limits.rate_without_calls(operation, pairs) == pytest.approx(rate / (1 - one / 1e-3), rel=1e-6)


def busy_at_first(monkeypatch: pytest.MonkeyPatch, answers: list[list[float]]) -> None:
    """The machine as it looks in these answers, (whole, calls) in turn."""
    monkeypatch.setattr(limits, "best_times", lambda *_: answers.pop(0) if len(answers) > 1 else answers[0])


def test_a_call_that_seems_to_take_longer_than_its_bytes_is_measured_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy_at_first(monkeypatch, [[2.0, 3.0], [2.5, 2.0], [4.0, 1.0]])
    pairs = [(np.ones(1000, np.float32), np.ones(1000, np.float32))]
    assert limits.rate_without_calls(np.copyto, pairs) == 8000.0  # the least of each: 2 s and 1 s


def test_a_machine_that_stays_too_busy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.01)
    busy_at_first(monkeypatch, [[2.0, 2.0]])
    with pytest.raises(RuntimeError, match="too busy to tell a call from the bytes"):
        limits.rate_without_calls(np.copyto, [(np.ones(8), np.ones(8))])


@pytest.mark.parametrize("size", [5_000, 12_345, 1_000_000])
def test_reading_is_no_slower_than_one_product_with_its_call(size: int) -> None:
    a = np.ones(size, np.float32)
    rates, with_calls, end = [0.0], [0.0], time.monotonic() + limits.SECONDS
    # in turn, and on while others slow the machine
    while len(rates) <= 5 or (max(rates) <= 0.9 * max(with_calls) and time.monotonic() < end):
        rates.append(limits.read_rate(a))
        with_calls.append(a.nbytes / limits.best_time(lambda: np.dot(a, a)))
    assert max(rates) > 0.9 * max(with_calls)


@pytest.mark.parametrize("size", [8, 9])
def test_halves_are_read_once(size: int) -> None:
    first, second = limits.halves(np.arange(size))
    assert [*first, *second] == list(range(8))


def test_the_arithmetic_is_that_of_large_products(tmp_path: Path) -> None:
    files = prepared(tmp_path, small_task())
    found = limits.roofline_limits(files)
    assert found["working_set"] == 95 * 3 * 4
    assert min(found["read_rate"], found["copy_rate"]) > 1e8
    assert found["peak_rate"] > 10 * found["blas_rate"]  # 10 x 2 is too small to be fast
    floor = roofline_floor(task_files.describe(files), RooflineLimits(task="small", **found))
    assert floor is not None
    assert floor < limits.best_time(
        lambda: None
    )  # 120 bytes and 80 operations are less than a call of Python


def test_the_cheapest_calls_are_cheap() -> None:
    for framework in {"numpy", "torch", "jax", "numba"} & set(LANES):
        assert 0 < limits.dispatch(framework)["seconds"] < 1e-3
    assert limits.dispatch("a framework from outside") == {}
