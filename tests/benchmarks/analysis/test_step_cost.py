"""What a step costs each lane, from records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.step_cost import StepCost, step_costs
from samestep.benchmarks.record import Record
from tests.helpers.grid_records import Size, grid, steady

SIZES: list[Size] = [(batch, features) for batch in (1, 8, 64) for features in (2, 64)]


def fits(record: Record) -> tuple[StepCost, ...]:
    return step_costs(RecordAnalysis(record))


def made(seconds: Mapping[str, np.ndarray], sizes: Sequence[Size] = SIZES) -> Record:
    times = {
        size: {lane: steady(us[i] * 1e6) for lane, us in seconds.items()} for i, size in enumerate(sizes)
    }
    return grid(times)


def work_of(sizes: Sequence[Size] = SIZES) -> np.ndarray:
    return np.array([4 * (b * (f + 1) + 2 * (f + 1)) for b, f in sizes])


def test_every_lane_has_its_line() -> None:
    record = made({"quick": 2e-6 + work_of() / 1e9, "flat": np.full(6, 1e-4)})
    quick, flat = fits(record)
    assert (quick.lane, quick.sizes, quick.word, quick.reason) == ("quick", 6, "good", "")
    assert quick.overhead == pytest.approx(2e-6, rel=1e-2)
    assert quick.rate == pytest.approx(1e9, rel=1e-2)
    assert quick.half_overhead == pytest.approx(2e3, rel=2e-2)  # 2 us at a byte a nanosecond
    assert flat.overhead == pytest.approx(1e-4)
    assert flat.word == "good"
    assert "no rate seen" in flat.reason
    by_flops = step_costs(RecordAnalysis(record), work="flops")[0]
    assert by_flops.rate is not None
    assert by_flops.rate < 1e9


def test_a_bad_fit_says_so_and_what_would_fit() -> None:
    """A lane that fetches rows one by one: 2 us each, whatever the features."""
    batches = np.array([batch for batch, _ in SIZES])
    found = fits(made({"rows": 5e-6 + 2e-6 * batches, "a": 2e-6 + work_of() / 1e9}))[0]
    assert found.word in ("rough", "poor")
    assert "by rows of a batch, at 2 us for each" in found.reason


@pytest.mark.parametrize("sizes", [SIZES[:1], SIZES[:2]])
def test_two_sizes_make_no_line(sizes: list[Size]) -> None:
    found = fits(made({"a": np.full(6, 1e-5), "b": np.full(6, 1e-5)}, sizes))[0]
    assert (found.word, found.overhead, found.rate, found.half_overhead) == ("none", None, None, None)
    assert "a line needs 3" in found.reason
