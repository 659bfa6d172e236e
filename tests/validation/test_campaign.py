"""Races with a known result, run in small: the lanes, the long run and its sessions, and how a record is kept."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep import backends
from samestep.backends.numpy_modes import NumpyTuned
from samestep.benchmarks.console.progress import silent
from samestep.benchmarks.measure.worker import load
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.record.plan import Effort
from tests.helpers.paths import ROOT
from validation import arms, campaign, packed, store
from validation.campaign import Group

pytestmark = pytest.mark.slow

FRAMEWORKS = [name for name in campaign.FRAMEWORKS if backends.missing(name) is None]
TINY = Effort(name="tiny", blocks=2, rounds=(2, 2), slice_ms=1.0, controls=2)


# --- arms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_copies_do_what_the_lane_does_and_more_work_changes_nothing_but_time(framework: str) -> None:
    task = campaign.task("small", 3, 4)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)).astype("float32"), rng.normal(size=(400, 1)).astype("float32")
    start = {"0.weight": np.zeros((3, 1), "float32"), "0.bias": np.zeros(1, "float32")}
    ends = []
    for name in (f"{framework}:tuned", *arms.same(framework, 1), arms.plus(framework, 10)):
        backend = load(name, "cpu")
        with backend.precision(task.dtype):
            data = backend.put(x), backend.put(y)
            state = backend.init(task, params=start)
            learning_rates = np.full(100, 0.03, "float32")
            state, _ = backend.epoch(state, data, np.arange(400), 4, learning_rates)
            ends.append(backend.params(state))
    for params in ends[1:]:
        for name, value in ends[0].items():
            assert np.array_equal(value, params[name])


def test_more_work_is_so_many_more_steps() -> None:
    taken: list[int] = []

    class Counting(NumpyTuned):
        def epoch(self, state: Any, data: Any, rows: Any, batch_size: int, learning_rates: Any) -> Any:
            taken.append(len(learning_rates))
            return super().epoch(state, data, rows, batch_size, learning_rates)

    lane = arms.with_more_work(Counting, 0.05)()
    x = np.ones((400, 2), "float32")
    state = lane.init(campaign.task("small", 2, 4), params={"0.weight": x[:2, :1], "0.bias": x[0, :1]})
    lane.epoch(state, (x, x[:, :1]), np.arange(400), 4, np.full(100, 0.01, "float32"))
    assert taken == [5, 100]


def test_there_are_no_other_arms() -> None:
    with pytest.raises(AttributeError, match="NumpyLess5"):
        load("validation.arms:NumpyLess5", "cpu")


# --- sessions out of a long run -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[AnyRecord, Path]:
    """Two groups of two blocks, the second beside other load; then nothing more, since the time is over."""
    root = tmp_path_factory.mktemp("campaign")
    tasks = [campaign.task("two", 2, 4), campaign.task("five", 5, 4)]
    groups = (Group("numpy", 2, loaded) for loaded in (False, True))
    copies = arms.same("numpy", 2)

    def run(groups: Iterable[Group], minutes: float) -> dict[str, AnyRecord]:
        return campaign.run("x", lambda _: copies, TINY, groups, minutes, silent, tasks, root)

    records = run(groups, 5)
    assert list(records) == ["numpy"]
    # what was there is read, and nothing is added
    assert run((Group("numpy", 2, False) for _ in range(9)), 0) == records
    return records["numpy"], root


def test_a_long_run_goes_group_by_group_and_leaves_no_load(raced: tuple[AnyRecord, Path]) -> None:
    assert [block.index for block in raced[0].blocks] == [0, 1, 2, 3]
    assert not [child for child in psutil.Process().children() if campaign.BURSTS in child.cmdline()]


def test_sessions_are_the_blocks_cut_by_task(raced: tuple[AnyRecord, Path]) -> None:
    sessions = list(campaign.sessions(raced[0], raced[0].blocks, 2))
    assert [(session.tasks, [block.index for block in session.blocks]) for session in sessions] == [
        (("two",), [0, 1]),
        (("five",), [0, 1]),
        (("two",), [2, 3]),
        (("five",), [2, 3]),
    ]
    for session in sessions:
        type(session).model_validate_json(session.model_dump_json())  # each could have been measured alone
    slices = [len(block.slices) for session in sessions for block in session.blocks]
    assert sum(slices) == sum(len(block.slices) for block in raced[0].blocks)
    assert list(campaign.sessions(raced[0], raced[0].blocks, 5)) == []


def test_a_session_may_have_several_tasks_and_fewer_lanes(raced: tuple[AnyRecord, Path]) -> None:
    record = raced[0]
    session = campaign.of_tasks(record, ("two", "five"), record.blocks[2:], looks=(1,))
    assert (session.tasks, session.plan.effort.blocks, session.plan.effort.looks) == (
        ("two", "five"),
        2,
        (1,),
    )
    assert session.plan.family == record.plan.family
    alone = campaign.of_tasks(record, ("two", "five"), record.blocks, lanes=record.plan.lanes[:1])
    assert (alone.plan.lanes, alone.plan.family) == (record.plan.lanes[:1], ())


def test_a_record_is_packed_without_losing_a_sample(raced: tuple[AnyRecord, Path], tmp_path: Path) -> None:
    packed.write(raced[0], tmp_path)
    record = packed.read(tmp_path)
    assert record.blocks == raced[0].blocks
    assert record.plan == raced[0].plan
    for certified, whole in zip(record.certified, raced[0].certified, strict=True):
        assert certified.ending(100) == whole.ending(100)


@pytest.mark.parametrize("folder", sorted((ROOT / store.TRUST).glob("*/*")), ids=lambda path: path.name)
def test_a_kept_record_names_lanes_that_are_still_there(folder: Path) -> None:
    record = packed.read(folder)
    slices = [piece for block in record.blocks for piece in block.slices]
    before = {piece.predecessor.removeprefix("twin of ") for piece in slices if piece.predecessor}
    for lane in {*record.plan.lanes, *(piece.lane for piece in slices), *before}:
        module, _, name = lane.partition(":")
        assert module == arms.__name__
        assert arms.NAME.fullmatch(name)
    assert packed.FORMER_MODULE not in record.model_dump_json()


def test_load_keeps_a_core_busy_and_goes() -> None:
    before = set(psutil.Process().children())
    with campaign.load():
        (child,) = set(psutil.Process().children()) - before
        begin = sum(child.cpu_times()[:2])
        for _ in range(1200):
            if sum(child.cpu_times()[:2]) - begin > 0.2:
                break
            psutil.cpu_percent(0.05)
        else:
            raise AssertionError("it did nothing")
    assert not child.is_running()


LEAVES_ITS_LOAD = """
import os, psutil
from validation.campaign import load
kept = load()  # else it would be collected, and end the load
kept.__enter__()
print(psutil.Process().children()[0].pid, flush=True)
os._exit(9)
"""


def test_load_does_not_outlive_who_asked_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_ITS_LOAD], check=False, capture_output=True, text=True
    )
    assert done.returncode == 9, done.stderr
    end = time.monotonic() + 60
    while psutil.pid_exists(pid := int(done.stdout)) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it runs on"
        time.sleep(0.1)
