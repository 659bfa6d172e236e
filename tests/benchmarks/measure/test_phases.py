"""Phases add up to the run, a lane that cannot be taken apart says why, and the table shows both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep import backends
from samestep.backends.interface import Backend
from samestep.backends.numpy_modes import NumpyTuned
from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.measure import task_files as work
from samestep.benchmarks.measure.clock import TimedWork
from samestep.benchmarks.measure.phases import LOOPS, differences, indivisible, phase_breakdown
from samestep.benchmarks.parity.workload import initial_parameters
from samestep.benchmarks.record.measurements import PHASES
from tests.helpers.lanes import LANES

POSITIVE = st.floats(1e-9, 1.0)


def prepared(folder: Path) -> work.TaskFiles:
    task = Task(
        name="t",
        dataset=Synthetic(rows=95, held_out=20, features=2),
        layers=(Linear(in_features=2, out_features=1),),
    )
    work.write(folder, task, datasets.load(task.dataset), initial_parameters(task))
    return work.read(folder)


def calmest(run: TimedWork) -> dict[str, Any]:
    """The breakdown with the shortest run, of several: in the others something else may have had the CPU."""
    return min((phase_breakdown(run) for _ in range(9)), key=lambda found: found["run_s"])


@given(st.fixed_dictionaries(dict.fromkeys(LOOPS, POSITIVE)))
def test_phases_add_up_to_the_run(took: dict[str, float]) -> None:
    assert sum(differences(took)) == pytest.approx(took["run"], abs=1e-15)


def test_a_lane_that_takes_steps_is_taken_apart(tmp_path: Path) -> None:
    found = calmest(TimedWork(backends.load("numpy"), prepared(tmp_path)))
    assert tuple(found["phases"]) == PHASES
    assert sum(found["phases"].values()) == pytest.approx(found["run_s"])
    assert found["reason"] == ""
    # the loop itself is far less than what it does
    assert found["phases"]["Python"] < found["phases"]["forward and backward"]
    assert min(found["run_s"], found["transfer_s"]) > 0


class SlowUpdate(NumpyTuned):
    """An update that does a hundred times as much."""

    def update(self, state, gradients, learning_rate):
        for _ in range(100):
            gradients = {name: g.copy() for name, g in gradients.items()}
        return super().update(state, gradients, learning_rate)


def test_extra_work_shows_in_its_own_phase(tmp_path: Path) -> None:
    phases = calmest(TimedWork(SlowUpdate(), prepared(tmp_path)))["phases"]
    assert phases["update"] > 2 * max(time for name, time in phases.items() if name != "update")


@pytest.mark.parametrize("lane", LANES)
def test_whatever_is_no_loop_over_batches_says_why(lane: str) -> None:
    cls = backends.lane_class(lane)
    assert bool(indivisible(backends.load(lane))) == (
        cls.tier == "fused" or cls.steps is not Backend.steps or cls.epoch is not Backend.epoch
    )
