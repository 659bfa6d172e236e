"""The figures of the charts: losses, ends of training, slices."""

from __future__ import annotations

import math

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis import curves as series
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.record.files import load
from samestep.benchmarks.record.outcome import Accuracy, Point
from tests.helpers.page_records import EVEN
from tests.helpers.paths import REFERENCE
from tests.helpers.records import record


@pytest.fixture(scope="module")
def reference() -> AnyRecord:
    return load(REFERENCE)


def test_losses_lie_on_each_lane_s_own_clock(reference: AnyRecord) -> None:
    rows = [row for row in RecordAnalysis(reference).rows if row.task == "lesson"]
    found = [
        point
        for point in series.loss_curves(RecordAnalysis(reference), rows[0].task)
        if point.lane == "jax:fused"
    ]
    row = next(row for row in rows if row.lane == "jax:fused")
    assert row.time
    assert row.accuracy
    assert [point.step for point in found][:2] == [1, 6]
    assert all(point.seconds == point.step * row.time.value for point in found)
    assert found[0].loss > 10
    assert found[-1].loss == pytest.approx(row.accuracy.loss, rel=1e-12)


def test_the_end_of_training_is_within_one_percent_where_the_excess_is(reference: AnyRecord) -> None:
    rows = RecordAnalysis(reference).rows
    for task, close in (("lesson", True), ("diabetes", False), ("wide", False)):
        own = [row for row in rows if row.task == task]
        for ended, row in zip(series.training_ends(RecordAnalysis(reference), own[0].task), own, strict=True):
            assert row.time
            assert row.accuracy
            assert row.accuracy.best_loss
            assert row.accuracy.excess
            assert ended.above == row.accuracy.excess / row.accuracy.best_loss
            assert ended.steady_s == ended.steps * row.time.value
            assert (ended.close is not None) is close is (ended.above <= series.CLOSE)
            assert ended.close is None or 0 < ended.close.first < ended.close.stays < ended.steps


@pytest.mark.parametrize(
    ("excesses", "close"),
    [
        ([2.0, 0.5, 0.011, 0.009, 0.001], (4, 4)),
        ([0.5, 0.005, 0.5, 0.001], (2, 4)),  # within 1% by chance at first, then not
        ([0.01, 0.0], (1, 1)),
        ([0.001, 0.5], None),
        ([0.5, 0.2], None),
        ([0.5, math.nan], None),
        ([], None),
    ],
)
def test_close_is_close_for_good(excesses: list[float], close: tuple[int, int] | None) -> None:
    """The exact solution has the loss 1, and a step takes 100 us: a run of 10 ms has 100."""
    made = record({"jax": EVEN})
    points = tuple(Point(step=n, loss=1 + e, excess=e) for n, e in enumerate(excesses, 1))
    reached = Accuracy(loss=2.0, best_loss=1.0, excess=1.0)
    update = {"accuracy": reached, "curve": points}
    made = made.model_copy(update={"certified": tuple(c.model_copy(update=update) for c in made.certified)})
    ended, _ = series.training_ends(RecordAnalysis(made), "lesson")
    assert (ended.reason != "") is (not points)
    assert ended.close == close


def test_moments_are_all_slices_of_the_race_around_their_median(reference: AnyRecord) -> None:
    found = series.slice_points(RecordAnalysis(reference), "wide")
    slices = [p for b in reference.blocks for p in b.slices if (p.task, p.kind) == ("wide", "race")]
    assert len(found) == len(slices)
    own = sorted(m.percent for m in found if m.lane == "torch" and not m.twin)
    assert own[0] < 0 < own[-1]
    middle = (own[(len(own) - 1) // 2] + own[len(own) // 2]) / 2
    assert middle == pytest.approx(0, abs=0.1)
