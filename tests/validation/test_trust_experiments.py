"""The experiments on the relay: run in small, and the kept figures worked out again from the kept samples."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep import backends
from samestep.benchmarks.measure.worker import load
from samestep.benchmarks.record import Record
from samestep.benchmarks.record.plan import Effort
from tests.helpers.paths import ROOT
from tests.helpers.processes import samestep
from tests.helpers.records import record
from validation import aa, arms, campaign, goals, packed, power, store
from validation.campaign import Group

TRUST = ROOT / store.TRUST
FRAMEWORKS = [each for each in campaign.FRAMEWORKS if backends.missing(each) is None]
TINY = Effort(name="tiny", blocks=2, rounds=(2, 2), slice_ms=1.0, controls=2)


# --- arms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_copies_do_what_the_lane_does_and_more_work_changes_nothing_but_time(framework: str) -> None:
    task = campaign.task("small", 3, 4)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)).astype("float32"), rng.normal(size=(400, 1)).astype("float32")
    start = {"0.weight": np.zeros((3, 1), "float32"), "0.bias": np.zeros(1, "float32")}
    found = []
    for name in (f"{framework}:tuned", *arms.same(framework, 1), arms.plus(framework, 10)):
        backend = load(name, "cpu")
        with backend.precision(task.dtype):
            data = backend.put(x), backend.put(y)
            state = backend.init(task, params=start)
            rates = np.full(100, 0.03, "float32")
            state, _ = backend.epoch(state, data, np.arange(400), 4, rates)
            found.append(backend.params(state))
    for other in found[1:]:
        for name, value in found[0].items():
            assert np.array_equal(value, other[name])


def test_more_work_is_so_many_more_steps() -> None:
    lane: Any = load(arms.plus("numpy", 5), "cpu")
    taken = []
    whole = type(lane).__mro__[2].epoch
    type(lane).__mro__[2].epoch = lambda self, state, data, order, size, rates: (
        taken.append(len(rates)) or whole(self, state, data, order, size, rates)
    )
    try:
        task = campaign.task("small", 2, 4)
        x = np.ones((400, 2), "float32")
        state = lane.init(task, params={"0.weight": x[:2, :1], "0.bias": x[0, :1]})
        lane.epoch(state, (x, x[:, :1]), np.arange(400), 4, np.full(100, 0.01, "float32"))
    finally:
        type(lane).__mro__[2].epoch = whole
    assert taken == [5, 100]


def test_there_are_no_other_arms() -> None:
    with pytest.raises(AttributeError, match="NumpyLess5"):
        load("validation.arms:NumpyLess5", "cpu")


# --- sessions out of a long run -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """Two groups of two blocks, the second beside other load; then nothing more, since the time is over."""
    root = tmp_path_factory.mktemp("campaign")
    tasks = [campaign.task("two", 2, 4), campaign.task("five", 5, 4)]
    groups = (Group("numpy", 2, loaded) for loaded in (False, True))
    copies = arms.same("numpy", 3)
    found = campaign.run("x", lambda _: copies, TINY, groups, 5, lambda *_: None, tasks, root)
    assert list(found) == ["numpy"]
    again = campaign.run(
        "x",
        lambda _: copies,
        TINY,
        (Group("numpy", 2, False) for _ in range(9)),
        0,
        lambda *_: None,
        tasks,
        root,
    )
    assert again == found  # what was there is read, and nothing is added
    return found["numpy"], root


def test_a_long_run_goes_group_by_group_and_leaves_no_load(raced: tuple[Record, Path]) -> None:
    assert [block.index for block in raced[0].blocks] == [0, 1, 2, 3]
    assert not [child for child in psutil.Process().children() if campaign.BURSTS in child.cmdline()]


def test_sessions_are_the_blocks_cut_by_task(raced: tuple[Record, Path]) -> None:
    found = list(campaign.sessions(raced[0], raced[0].blocks, 2))
    assert [(one.tasks, [block.index for block in one.blocks]) for one in found] == [
        (("two",), [0, 1]),
        (("five",), [0, 1]),
        (("two",), [2, 3]),
        (("five",), [2, 3]),
    ]
    for one in found:
        Record.model_validate_json(one.model_dump_json())  # each could have been measured alone
    pieces = [len(block.slices) for one in found for block in one.blocks]
    assert sum(pieces) == sum(len(block.slices) for block in raced[0].blocks)
    assert list(campaign.sessions(raced[0], raced[0].blocks, 5)) == []


def test_a_record_is_packed_without_losing_a_sample(raced: tuple[Record, Path], tmp_path: Path) -> None:
    packed.write(raced[0], tmp_path)
    found = packed.read(tmp_path)
    assert found.blocks == raced[0].blocks
    assert found.plan == raced[0].plan
    for one, other in zip(found.certified, raced[0].certified, strict=True):
        assert one.ending(100) == other.ending(100)


def test_load_keeps_a_core_busy_and_goes() -> None:
    before = set(psutil.Process().children())
    with campaign.load():
        (child,) = set(psutil.Process().children()) - before
        begin = sum(child.cpu_times()[:2])
        for _ in range(100):
            if sum(child.cpu_times()[:2]) - begin > 0.2:
                break
            psutil.cpu_percent(0.05)
        else:
            raise AssertionError("it did nothing")
    assert not child.is_running()


def test_load_does_not_outlive_who_asked_for_it() -> None:
    code = "import os; from validation.campaign import load; load().__enter__(); os._exit(9)"
    before = {process.pid for process in psutil.process_iter()}
    subprocess.run([sys.executable, "-c", code], check=False)
    for _ in range(100):
        left = [p for p in psutil.process_iter(["cmdline"]) if campaign.BURSTS in (p.info["cmdline"] or [])]
        if not [process for process in left if process.pid not in before]:
            return
        time.sleep(0.1)
    raise AssertionError("it runs on")


# --- figures --------------------------------------------------------------------------------------------------


def sessions_of(ratios: dict[str, list[float]], **more: Any) -> list[Record]:
    return [record(ratios, **more)]


def test_identical_arms_are_counted_by_their_verdicts() -> None:
    rng = np.random.default_rng(1)

    def noisy(center: float, spread: float) -> list[float]:
        return list(np.exp(rng.normal(math.log(center), spread, 12)))

    ratios = {"same": noisy(1, 0.003), "slow": noisy(1.1, 0.003), "loud": noisy(1, 0.2)}
    row = aa.row("numpy", "idle", 12, sessions_of(ratios, noise=0.01))
    assert row["words"] == {"EQUIVALENT": 1, "SLOWER": 1, "UNDECIDED": 1}
    assert row["intervals"] == 3
    assert row["covered"] == 2
    assert row["naive"]["welch"] >= 1  # at least the one that really is slower


def test_usual_readings_call_noise_a_difference() -> None:
    """Two identical arms, but each block has a tempo: paired nothing is seen, one after another much."""
    row = aa.row("numpy", "idle", 12, sessions_of({"same": [1.0] * 10}, noise=0.2))
    assert row["words"] == {"EQUIVALENT": 1}
    assert row["naive"] == {"medians": 1}


def test_idle_and_loaded_groups_alternate(raced: tuple[Record, Path]) -> None:
    assert list(islice(aa.groups(), 4)) == [
        *(Group(each, aa.GROUP, False) for each in campaign.FRAMEWORKS),
        Group(campaign.FRAMEWORKS[0], aa.GROUP, True),
    ]
    found = aa.conditions(record({"same": [1.0] * 3 * aa.GROUP}))
    assert [block.index // aa.GROUP for block in found["loaded"]] == [1] * aa.GROUP
    assert {block.index // aa.GROUP for block in found["idle"]} == {0, 2}


def test_more_work_is_counted_and_its_mean_ratio_taken() -> None:
    lane = arms.plus("numpy", 5)
    copies = power.doing("numpy", 0)
    ratios = {lane: [1.05, 1.06] * 6} | {copy: [1.0] * 12 for copy in copies}
    row = power.row("numpy", 5, sessions_of(ratios))
    assert row["words"] == {"SLOWER": 1}
    assert row["mean_ratio"] == pytest.approx(math.sqrt(1.05 * 1.06), rel=1e-6)
    row = power.row("numpy", 0, sessions_of(ratios))
    assert (row["sessions"], row["comparisons"], row["words"]) == (1, 2, {"EQUIVALENT": 2})


def test_goals_fail_when_they_should() -> None:
    def row(**words: int) -> dict[str, Any]:
        return {"blocks": 6, "condition": "idle", "words": words, "covered": 95, "intervals": 100}

    assert all(goal.met for goal in goals.of("aa", [row(EQUIVALENT=95, UNDECIDED=5)]))
    for bad in (
        row(EQUIVALENT=95, FASTER=5),
        row(EQUIVALENT=175, FASTER=1),
        row(EQUIVALENT=70, UNDECIDED=30),
        row(EQUIVALENT=90, UNSTABLE=10),
        row(EQUIVALENT=95, INVALID=1),
        row(EQUIVALENT=95) | {"covered": 90},
        row(EQUIVALENT=95) | {"covered": 99},
    ):
        assert not all(goal.met for goal in goals.of("aa", [bad])), bad

    def took(percent: int, **words: int) -> dict[str, Any]:
        return {"framework": "f", "percent": percent, "mean_ratio": 1 + percent / 100, "words": words}

    enough = [took(p, SLOWER=9, UNDECIDED=1) for p in power.EXTRA if p] + [took(0, EQUIVALENT=8, UNDECIDED=2)]
    assert all(goal.met for goal in goals.of("power", enough))
    for bad in (took(1, FASTER=1), took(0, SLOWER=1), took(0, UNDECIDED=1)):
        assert not all(goal.met for goal in goals.of("power", [*enough, bad])), bad
    slow = [took(5, SLOWER=8, UNDECIDED=2) if row["percent"] == 5 else row for row in enough]
    assert not all(goal.met for goal in goals.of("power", slow))
    dear = [
        row | {"mean_ratio": row["mean_ratio"] + 0.02} for row in enough
    ]  # 3% more steps take 5% more time
    assert [row["percent"] for row in goals.costing(dear, 5)] == [3]
    assert goals.costing([took(10, SLOWER=1)], 5) == []
    trap = {"trap": "t", "right": 1, "sessions": 1}
    fine: dict[str, Any] = {"traps": [trap], "correct": {"lanes": 3, "flagged": []}}
    assert all(goal.met for goal in goals.of("traps", fine))
    assert not all(goal.met for goal in goals.of("traps", fine | {"traps": [trap | {"right": 0}]}))


# --- what was kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", [aa, power], ids=["aa", "power"])
def test_the_kept_figures_follow_from_the_kept_samples(experiment: Any) -> None:
    name = experiment.__name__.rpartition(".")[2]
    kept = store.read(name, TRUST)
    assert experiment.result(TRUST)["rows"] == kept["rows"]


def test_the_kept_experiments_are_large_enough() -> None:
    rows = store.read("aa", TRUST)["rows"]
    assert {(row["framework"], row["condition"]) for row in rows} == {
        (framework, condition) for framework in campaign.FRAMEWORKS for condition in ("idle", "loaded")
    }
    for percent in power.EXTRA:
        rows = [row for row in store.read("power", TRUST)["rows"] if row["percent"] == percent]
        assert sum(row["comparisons"] for row in rows) >= 24
    assert all(trap["sessions"] >= 10 for trap in store.read("traps", TRUST)["traps"])


@pytest.mark.parametrize(
    "words", [("aa", "--cases", "3"), ("traps", "--minutes", "3"), ("power", "--minutes", "-1")]
)
def test_bad_usage_is_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    done = samestep("experiment", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
