"""The entry of `pytest --benchmark-only`: one benchmark for each task and lane.

All of them are measured first, in workers of their own; each test then checks its lane's gates and hands the
samples, in seconds per training step, to pytest-benchmark.
"""

from __future__ import annotations

from typing import Any

import pytest

from samestep.benchmarks.pytest_plugin.adapter import label
from samestep.benchmarks.pytest_plugin.replay import Replay
from samestep.benchmarks.pytest_plugin.replay_clock import CLOCK


@pytest.mark.benchmark(timer=CLOCK, disable_gc=False, warmup=False)
def test_training(task: str, lane: str, replay: Replay, benchmark: Any) -> None:
    """Proven first: a lane whose certificate or gates fail shows its reason and no time."""
    label(benchmark, task)
    if benchmark.disabled:
        benchmark(replay.run_once, task, lane)
        return
    if reason := replay.barred(task, lane):
        pytest.fail(reason, pytrace=False)
    samples = replay.seconds_per_step(task, lane)
    replayed = iter(samples)
    benchmark.extra_info.update(replay.extra_info(task, lane))
    benchmark.pedantic(
        lambda: CLOCK.advance(next(replayed)), setup=CLOCK.rewind, rounds=len(samples), iterations=1
    )
