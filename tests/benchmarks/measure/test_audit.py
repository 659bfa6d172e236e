"""Audits: the same bits, or the probabilistic bound; and what a reference in another process finds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.interface import Backend, Batch, Host, RowOrder
from samestep.backends.numpy_modes import NumpyTuned
from samestep.backends.spec import SGD
from samestep.benchmarks.measure.audit import Auditor
from samestep.benchmarks.measure.clock import TimedWork
from samestep.benchmarks.measure.drawn_work import DrawnRuns, Ending, run_again, trace_again
from samestep.benchmarks.record import Audit
from tests.helpers.lanes import LANES
from tests.helpers.sessions import prepared, small_task


class OtherSums(NumpyTuned):
    """Sums in another order when it is traced: right, and other bits."""

    tracing = False

    def trace(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.tracing = True
        try:
            return super().trace(state, data, rows, batch_size, learning_rates)
        finally:
            self.tracing = False

    def batches(self, data: Batch, rows: RowOrder, batch_size: int) -> Any:
        for x, y in super().batches(data, rows, batch_size):
            yield (np.roll(x, 3, axis=0), np.roll(y, 3, axis=0)) if self.tracing else (x, y)


class ALittleOff(OtherSums):
    """The same, and its timed program takes steps that are a ten-thousandth too short."""

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        shorter = learning_rates * learning_rates.dtype.type(0.9999)
        return super().epoch(state, data, rows, batch_size, shorter)


class WrongEverywhere(NumpyTuned):
    """Takes the rows in the data's order, and traces that."""

    def batches(self, data: Batch, rows: RowOrder, batch_size: int) -> Any:
        return super().batches(data, np.sort(rows), batch_size)


class Forgets(OtherSums):
    """Comes to another end every time."""

    calls = 0

    def epoch(self, state: Any, data: Batch, rows: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.calls += 1
        state, losses = super().epoch(state, data, rows, batch_size, learning_rates)
        for value in state.model.params.values():
            value += np.float32(1e-6 * self.calls)
        return state, losses


def audited(backend: Backend, folder: Path, repeats: int = 6, **task: Any) -> Audit:
    work = TimedWork(backend, prepared(folder / "work", small_task(**task)))
    piece = work.ready(3, collect=False)
    run = work.go(piece, 4, repeats)
    _, losses = work.report(piece)
    path = folder / "losses.npy"
    np.save(path, losses)

    def ask(verb: str, *, runs: list[int], **more: Any) -> dict[str, Any]:
        drawn, to = DrawnRuns(*runs), Path(more["path"])
        if verb == "trace_again":
            return trace_again(work, drawn, more["epoch"], more["first"], to)._asdict()
        return {"final": run_again(work, drawn, more["epoch"], to)}

    ended = Ending.of(run.params, run.buffers, losses)
    audit = Auditor(folder / "work", folder / "scratch").audit(
        ask, DrawnRuns(3, 4, repeats), ended, path, "full"
    )
    assert audit is not None
    return audit


MOMENTUM: dict[str, Any] = {"optimizer": SGD(learning_rate=0.03, momentum=0.9, dampening=0.1)}


@pytest.mark.parametrize("task", [{}, {"batch": 7}, MOMENTUM, {"dtype": "float64"}])
@pytest.mark.parametrize(
    "lane", [lane for lane in ("numpy", "numpy:tuned", "torch:tuned", "jax:fused") if lane in LANES]
)
def test_an_honest_lane_does_its_slice_again_bit_for_bit(
    lane: str, task: dict[str, Any], tmp_path: Path
) -> None:
    audit = audited(backends.load(lane), tmp_path, **task)
    assert (audit.reason, audit.equal) == ("", True)
    assert audit.steps > 5
    assert 0 < audit.ratio <= 1


@pytest.mark.parametrize(("repeats", "task"), [(1, {}), (6, MOMENTUM)])
def test_where_bits_differ_the_timed_program_stays_near_the_reference(
    repeats: int, task: dict[str, Any], tmp_path: Path
) -> None:
    audit = audited(OtherSums(), tmp_path, repeats, **task)
    assert (audit.reason, audit.equal) == ("", False)
    assert 0 < audit.distance <= audit.allowance < 1e-4


def test_where_bits_differ_a_small_error_is_found(tmp_path: Path) -> None:
    audit = audited(ALittleOff(), tmp_path, repeats=1)
    assert "ended" in audit.reason or "the loss at step" in audit.reason


def test_a_program_that_does_not_repeat_itself_proves_nothing(tmp_path: Path) -> None:
    assert audited(Forgets(), tmp_path).reason != ""


def test_a_lane_that_records_its_own_mistake_is_found_by_the_reference(tmp_path: Path) -> None:
    assert audited(WrongEverywhere(), tmp_path).reason.startswith("step ")


@pytest.mark.parametrize("spoil", ["missing", "garbage", "fifo", "empty"])
def test_what_a_worker_hands_over_is_not_trusted(spoil: str, tmp_path: Path) -> None:
    """A lane could write anything there; that is no end of the run, and no proof."""

    def ask(verb: str, **arguments: Any) -> dict[str, Any]:
        path = Path(arguments["path"])
        if spoil == "garbage":
            path.write_bytes(b"PK" + bytes(100))
        elif spoil == "fifo":
            os.mkfifo(path)
        elif spoil == "empty":
            np.savez(path)
        return {"final": "", "losses": ""}

    prepared(tmp_path / "work", small_task())
    auditor = Auditor(tmp_path / "work", tmp_path / "scratch")
    audit = auditor.audit(ask, DrawnRuns(3, 4, 2), Ending("", ""), tmp_path / "no.npy", "full")
    assert audit is not None
    assert audit.reason.startswith("what it handed over cannot be read (")


def test_a_trace_that_is_too_large_is_judged_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samestep.benchmarks.measure.drawn_work.MOST_BYTES", 100)
    audit = audited(backends.load("numpy"), tmp_path, **MOMENTUM)
    assert audit.reason == ""
    assert 1 <= audit.steps < 10
