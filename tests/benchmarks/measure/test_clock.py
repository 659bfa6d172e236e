"""One sealed slice: what it does, what the clock holds, what is charged."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep import backends
from samestep.backends.interface import Host
from samestep.backends.numpy_modes import NumpyTuned
from samestep.benchmarks.measure import clock, counters, task_files
from samestep.benchmarks.measure.clock import AGREE, MOST_WARMUPS, TimedWork
from samestep.benchmarks.measure.drawn_work import DrawnRuns, Ending, drawn_orders, drawn_start, trace_again
from samestep.benchmarks.record.layout import MOST_REPEATS
from tests.helpers.lanes import LANES
from tests.helpers.sessions import prepared, small_task
from validation import lazy_lanes
from validation.trap_lanes import WITHOUT_GAIN


@pytest.fixture
def work(tmp_path: Path) -> Iterator[TimedWork]:
    yield TimedWork(backends.load("numpy:tuned"), prepared(tmp_path, small_task()))
    gc.enable()
    gc.freeze()  # a slice with the collector on has thawed everything


def sliced(work: TimedWork, repeats: int = 3, collect: bool = False) -> tuple[dict[str, Any], Host]:
    piece = work.ready(7, collect=collect)
    work.go(piece, 8, repeats)
    return work.report(piece)


def least_charge(work: TimedWork) -> float:
    """Nanoseconds charged for fetching losses, the least of a few slices: others may have had the CPU."""
    return min(float(sliced(work)[0]["charged_ns"]) for _ in range(5))


def test_a_slice_is_a_chain_of_drawn_runs_that_can_be_done_again(work: TimedWork, tmp_path: Path) -> None:
    piece = work.ready(7, collect=False)
    run = work.go(piece, 8, 3)
    assert len(piece.orders) == 3  # freeing them is no part of what the coordinator times
    fields, losses = work.report(piece)
    assert fields["repeats"] == 3
    assert fields["compilations"] == 0
    timed = fields["elapsed_ns"] - fields["charged_ns"]  # losses are charged after the span
    assert 0 < fields["fetch_ns"] < timed < fields["span_ns"]
    assert losses.shape == (3 * len(work.files.learning_rates),)
    again = trace_again(work, DrawnRuns(7, 8, 3), 1, 0, tmp_path / "traced.npz")
    assert again == Ending.of(run.params, run.buffers, losses)
    assert again != trace_again(work, DrawnRuns(7, 9, 3), 1, 0, tmp_path / "traced.npz")
    assert again != trace_again(work, DrawnRuns(6, 8, 3), 1, 0, tmp_path / "traced.npz")
    assert least_charge(work) < 1e6


def test_starts_and_orders_follow_from_their_seeds(work: TimedWork) -> None:
    files = work.files
    orders = drawn_orders(files, 4, 3)
    assert all(sorted(order) == list(range(len(files.x))) for order in orders)
    assert len({order.tobytes() for order in orders}) == 4
    assert [o.tobytes() for o in drawn_orders(files, 4, 3)] == [o.tobytes() for o in orders]
    moved = drawn_start(files, 3)
    assert all(value.dtype == files.start[name].dtype for name, value in moved.items())
    assert all(0 < abs(moved[name] - files.start[name]).max() < 0.1 for name in moved)


def test_runs_take_pieces_of_one_permutation_before_the_next(tmp_path: Path) -> None:
    files = prepared(tmp_path, small_task(rows=3200))  # a run takes 100 batches of 10
    orders = drawn_orders(files, 5, 3)
    assert all(len(set(order.tolist())) == len(order) == 1000 for order in orders)
    assert len(set(np.concatenate(orders[:3]).tolist())) == 3000
    assert {order.dtype for order in orders} == {np.dtype(np.int64)}
    assert max(order.max() for order in orders) > 2900
    assert [o.tobytes() for o in drawn_orders(files, 5, 3)] == [o.tobytes() for o in orders]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux can forget a peak")
def test_memory_of_reading_the_data_is_given_back_and_forgotten(tmp_path: Path) -> None:
    """Two million rows of 2 features: 16 MB of x, which the lane has copied."""
    files = prepared(tmp_path, small_task(rows=2_000_000))
    total = files.x.sum()
    read = psutil.Process().memory_info().rss
    task_files.drop_pages(files.x)
    assert read - psutil.Process().memory_info().rss > 0.9 * files.x.nbytes
    counters.forget_peak_memory()
    assert counters.peak_memory() < read - 0.8 * files.x.nbytes
    assert files.x.sum() == total  # read again


@pytest.mark.parametrize("lane", [lane for lane in ("numpy", "torch", "jax") if lane in LANES])
def test_a_lane_holds_its_data_once_by_its_first_call(lane: str, tmp_path: Path) -> None:
    """Three million rows of 2 features and a target: 36 MB, and what they were copied from is freed."""
    backend = backends.load(lane)
    for folder in (tmp_path / "small", tmp_path / "large"):
        folder.mkdir()
    TimedWork(backend, prepared(tmp_path / "small", small_task()))
    files = prepared(tmp_path / "large", small_task(rows=3_000_000))
    before = psutil.Process().memory_info().rss
    work = TimedWork(backend, files)
    held = psutil.Process().memory_info().rss - before
    assert work.data
    assert held < 1.5 * (files.x.nbytes + files.y.nbytes)


def test_no_order_is_drawn_before_the_lane_has_been_left(work: TimedWork, monkeypatch: Any) -> None:
    """Between the drawing and the clock there is no call into the lane, and "begun" comes between the two."""
    calls: list[str] = []

    def noted(name: str, call: Any) -> Any:
        def noting(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return call(*args, **more)

        return noting

    for name in ("init", "epoch", "sync", "params", "buffers"):
        monkeypatch.setattr(work.backend, name, noted(name, getattr(work.backend, name)))
    piece = work.ready(7, collect=False)
    monkeypatch.setattr(clock, "drawn_orders", noted("draw", drawn_orders))
    calls.clear()
    work.go(piece, 8, 2, lambda: calls.append("begins"), lambda: calls.append("ended"))
    assert calls == ["draw", "begins", *["epoch", "sync"] * 2, "params", "buffers", "ended"]


def test_the_collector_is_off_in_a_slice_and_on_in_its_control(work: TimedWork) -> None:
    states = []
    for collect in (False, True):
        piece = work.ready(7, collect=collect)
        work.go(piece, 8, 1, lambda: states.append(gc.isenabled()))
        assert not gc.isenabled()
    assert states == [False, True]


class SlowLosses(NumpyTuned):
    """Takes 5 ms for everything that is fetched, so that it looks as if its losses were no slower than a copy."""

    framework = "another"  # without a documented lane, so that its own `get` must do

    def get(self, value: Any) -> Host:
        time.sleep(0.005)
        return super().get(value)


class CountsSteps(NumpyTuned):
    """Counts the steps that are computed, by whichever lane stands before it."""

    computed = 0

    def epoch(self, state: Any, data: Any, rows: Any, batch_size: int, learning_rates: Host) -> Any:
        self.computed += len(learning_rates)
        return super().epoch(state, data, rows, batch_size, learning_rates)


def counted(name: str, folder: Path) -> tuple[TimedWork, Any]:
    """A lane that saves its work for later, and what counts the steps that it computes."""
    backend = type(name, (getattr(lazy_lanes, name), CountsSteps), {})()
    return TimedWork(backend, prepared(folder, small_task())), backend


@pytest.mark.parametrize("name", WITHOUT_GAIN)
def test_a_lane_that_saves_its_work_for_later_computes_every_step_under_the_clock(
    name: str, tmp_path: Path
) -> None:
    work, backend = counted(name, tmp_path)
    at: list[int] = []
    for number in range(3):  # a lane may remember the slices before
        piece = work.ready(2 * number, collect=False)
        work.go(
            piece,
            2 * number + 1,
            3,
            begins=lambda: at.append(backend.computed),
            ended=lambda: at.append(backend.computed),
        )
        work.report(piece)
        begun, ended = at[-2:]
        assert ended - begun == 3 * len(work.files.learning_rates)


@pytest.mark.parametrize(
    ("name", "part"), [("Remembers", 1), ("RemembersLast", 1), ("RemembersAPart", 1 / 4)]
)
def test_work_that_it_has_seen_would_cost_it_less(name: str, part: float, tmp_path: Path) -> None:
    """The same start and order once more: what the drawn ones take from it."""
    work, backend = counted(name, tmp_path)
    before = []
    for _ in range(2):
        before.append(backend.computed)
        work.chain(work.reset(), [work.files.row_order])
    steps = len(work.files.learning_rates)
    assert before[1] - before[0] == steps
    assert backend.computed - before[1] == steps - max(1, int(part * steps))


def test_losses_that_come_late_are_charged_and_a_slow_copy_buys_nothing(tmp_path: Path) -> None:
    fields, losses = sliced(TimedWork(SlowLosses(), prepared(tmp_path, small_task())), repeats=2)
    assert 4e6 < fields["charged_ns"] < fields["elapsed_ns"]
    assert len(losses) == 20


class LossesByGet(NumpyTuned):
    """Gives zeros for losses, and would work them out when it is asked for them."""

    def epoch(self, *arguments: Any) -> Any:
        state, self.losses = super().epoch(*arguments)
        return state, np.zeros_like(self.losses)

    def get(self, value: Any) -> Host:
        time.sleep(0.01)
        return np.array(self.losses)


def test_losses_are_fetched_by_the_documented_lane(tmp_path: Path) -> None:
    work = TimedWork(LossesByGet(), prepared(tmp_path, small_task()))
    _, losses = sliced(work, repeats=2)
    assert not losses.any()
    assert least_charge(work) < 5e6


@pytest.mark.parametrize("value", [object(), [object()], (x for x in "ab"), "text", None, {}])
def test_losses_that_are_no_arrays_are_no_end_of_the_run(work: TimedWork, value: Any) -> None:
    losses, charged = work.losses([value])
    assert work.malformed(losses, 1) != ""
    assert charged >= 0


class LatePars(NumpyTuned):
    """Hands out the same arrays again and again."""

    def params(self, state: Any) -> dict[str, Host]:
        values = super().params(state)
        self.given = values
        return values


def test_what_a_lane_does_to_its_arrays_afterwards_changes_nothing(tmp_path: Path) -> None:
    lane = LatePars()
    work = TimedWork(lane, prepared(tmp_path, small_task()))
    run = work.go(work.ready(7, collect=False), 8, 1)
    before = {name: value.copy() for name, value in run.params.items()}
    for value in lane.given.values():
        value[...] = 0
    assert all(np.array_equal(run.params[name], before[name]) for name in before)


def test_losses_of_a_wrong_form_are_named(work: TimedWork) -> None:
    steps = len(work.files.learning_rates)
    assert work.malformed(np.zeros(2 * steps, np.float32), 2) == ""
    assert work.malformed(np.zeros(2 * steps - 1, np.float32), 2).startswith("it gave 19 losses of float32")
    assert "float64" in work.malformed(np.zeros(2 * steps), 2)


def test_rewarm_stops_when_two_runs_agree(work: TimedWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(*times: float) -> int:
        left = iter(times)
        reading = work.unseen_run()
        monkeypatch.setattr(work, "unseen_run", lambda: type(reading)(int(next(left)), 1, 1, {}, {}, []))
        try:
            return work.rewarm()
        finally:
            monkeypatch.undo()

    assert script(1000, 800, 800 * (1 + AGREE / 2)) == 3
    work.typical = None
    assert script(1000, 1001) == 2
    assert script(*(5000 * 2**i for i in range(9))) == MOST_WARMUPS
    assert script(10**9) == 1  # a long run is its own warm-up
    work.typical = 1000
    assert script(1050) == 1


def test_calibration_fills_a_slice(work: TimedWork) -> None:
    found = work.calibrate(2_000_000)
    assert 1 <= found["repeats"] <= 2_000_000 // found["run_ns"] + 1
    assert work.calibrate(1)["repeats"] == 1
    assert work.calibrate(10**12)["repeats"] == MOST_REPEATS


def test_a_first_call_is_a_slice_of_one_run(work: TimedWork, tmp_path: Path) -> None:
    seconds, run, losses = work.first_call(1, 2)
    assert 0 < seconds < 10
    assert Ending.of(run.params, run.buffers, losses) == trace_again(
        work, DrawnRuns(1, 2, 1), 0, 0, tmp_path / "traced.npz"
    )
