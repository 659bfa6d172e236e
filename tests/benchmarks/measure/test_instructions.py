"""Counted instructions: by a counter that Linux has on any machine, through the same call."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.measure import instructions
from samestep.benchmarks.measure.instructions import InstructionCounter, counter_of
from samestep.benchmarks.report import tables
from tests.helpers import records
from tests.helpers.sessions import TASKS, run

CPU_NS = (
    1,
    1,
)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: nanoseconds on a CPU, which Linux counts anywhere

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every counter counts what can be counted here; skips where not even that may be."""
    try:
        InstructionCounter(os.getpid(), CPU_NS).close()
    except OSError as error:
        pytest.skip(f"perf_event_open is not allowed here: {error.strerror}")
    monkeypatch.setattr(InstructionCounter.__init__, "__defaults__", (CPU_NS,))


def spin(seconds: float) -> None:
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        pass


@pytest.mark.usefixtures("counting")
def test_what_all_threads_do_is_counted_and_what_they_start() -> None:
    others = [threading.Thread(target=spin, args=(0.05,)) for _ in range(2)]
    counter = counter_of(os.getpid())
    assert counter
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    spin(0.05)
    in_threads = counter.read()
    assert in_threads
    assert in_threads > 0.14e9
    code = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    after = counter.read()
    assert after
    assert after - in_threads > 0.19e9
    counter.close()
    assert counter.descriptors == []


def test_a_counter_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InstructionCounter.__init__, "__defaults__", ((0, 9_999),))  # no event of that number
    assert counter_of(os.getpid()) is None
    assert counter_of(2**22 + 1) is None  # nor a process
    monkeypatch.setattr(instructions, "SYSTEM_CALL", {})
    assert counter_of(os.getpid()) is None


@pytest.mark.usefixtures("counting")
def test_a_counter_that_others_had_meanwhile_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = counter_of(os.getpid())
    assert counter
    monkeypatch.setattr(os, "read", lambda *_: instructions.READING.pack(10, 5, 4))
    assert counter.read() is None


@pytest.mark.slow
@pytest.mark.usefixtures("counting", "without_limits")
def test_a_run_counts_in_every_slice_and_shows_a_column(tmp_path: Path) -> None:
    made = run(tmp_path, "numpy", tasks=tuple(TASKS[:1]))
    for block in made.blocks:
        for piece in block.slices:
            assert piece.instructions is not None
            # counted is CPU time here, between the same two readings of the coordinator's clocks
            assert 0.5 * piece.cpu_ns < piece.instructions < 2 * piece.outside_cpu_ns + 1e6
    shown = tables.cost(RecordAnalysis(made).of_task(made.tasks[0]))
    assert "instr./step" in shown.columns


def test_a_record_without_counts_has_no_such_column() -> None:
    analysis = RecordAnalysis(records.record({"jax": [0.5] * 6}, cold={"jax": 1.0, "torch": 1.0}))
    lane = analysis["lesson", "jax"]
    assert lane.instructions_per_step is None
    assert "instr./step" not in tables.cost([lane]).columns


def test_instructions_of_a_step_are_the_median_of_the_slices() -> None:
    def counted(lane: str, block: int, round: int) -> dict[str, int]:
        return {"instructions": 10**6 if (block, round) == (0, 0) else 5000}

    lane = RecordAnalysis(records.record({"jax": [0.5] * 6}, change=counted))["lesson", "jax"]
    (first, *_) = lane.slices()
    assert lane.instructions_per_step == 5000 / first.repeats / lane.work.steps
    assert "instr./step" in tables.cost([lane]).columns
