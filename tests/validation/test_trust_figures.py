"""The figures of `aa`, `power` and `traps`, and those that are kept, worked out again from the kept samples."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.measure.efforts import EFFORTS
from tests.helpers.paths import ROOT
from tests.helpers.records import record
from validation import aa, arms, campaign, goals, packed, power, store


def test_identical_arms_are_counted_by_their_verdicts() -> None:
    rng = np.random.default_rng(1)

    def noisy(center: float, spread: float) -> list[float]:
        return list(np.exp(rng.normal(math.log(center), spread, 12)))

    ratios = {"same": noisy(1, 0.003), "slow": noisy(1.1, 0.003), "loud": noisy(1, 0.2)}
    row = aa.counts([record(ratios, noise=0.01)])
    assert row["words"] == {"EQUIVALENT": 1, "SLOWER": 1, "UNDECIDED": 1}
    assert row["intervals"] == 3
    assert row["covered"] == 2
    assert row["naive"]["welch"] >= 1  # at least the one that really is slower


def test_usual_readings_call_noise_a_difference() -> None:
    """Two identical arms, but each block has a tempo: paired nothing is seen, one after another much."""
    row = aa.counts([record({"same": [1.0] * 10}, noise=0.2)])
    assert row["words"] == {"EQUIVALENT": 1}
    assert row["naive"] == {"medians": 1}


def test_a_block_is_of_the_condition_in_which_it_was_raced() -> None:
    first = campaign.FRAMEWORKS[0]
    of_first = [
        group for group in islice(aa.groups(), 9 * len(campaign.FRAMEWORKS)) if group.framework == first
    ]
    loaded = [group.loaded for group in of_first for _ in range(group.blocks)]
    blocks = aa.conditions(record({"same": [1.0] * len(loaded)}))
    assert len(loaded) == 3 * len(aa.LOADED) * aa.GROUP
    assert [block.index for block in blocks["loaded"]] == [
        at for at, is_loaded in enumerate(loaded) if is_loaded
    ]
    assert len(blocks["idle"]) == 3 * len(blocks["loaded"])


def test_the_copies_race_as_both_efforts_do() -> None:
    """But for the number of blocks they are the same, so that those of quick's sessions make standard's."""
    for name, blocks in aa.SIZES.items():
        changed = EFFORTS[name].model_copy(update={"name": "aa", "controls": aa.GROUP, "cold": 1})
        assert changed.model_copy(update={"blocks": aa.EFFORT.blocks}) == aa.EFFORT
        assert EFFORTS[name].blocks == blocks


def test_more_work_is_counted_and_its_mean_ratio_taken() -> None:
    lane = arms.plus("numpy", 5)
    copies = power.lanes_with("numpy", 0)
    ratios = {lane: [1.05, 1.06] * 6} | {copy: [1.0] * 12 for copy in copies}
    analyses = [RecordAnalysis(record(ratios))]
    row = power.row("numpy", 5, analyses)
    assert row["words"] == {"SLOWER": 1}
    assert row["mean_ratio"] == pytest.approx(math.sqrt(1.05 * 1.06), rel=1e-6)
    row = power.row("numpy", 0, analyses)
    assert (row["sessions"], row["comparisons"], row["words"]) == (1, 2, {"EQUIVALENT": 2})


def test_goals_fail_when_they_should() -> None:
    def row(effort: str = "standard", **words: int) -> dict[str, Any]:
        place = {"effort": effort, "condition": "idle", "tasks": "small"}
        return place | {"words": words, "words_of_18": words, "covered": 95, "intervals": 100, "sessions": 9}

    assert all(goal.met for goal in goals.aa([row(EQUIVALENT=95, UNDECIDED=5)]))
    assert all(goal.met for goal in goals.aa([row("quick", EQUIVALENT=1000, UNDECIDED=250)]))
    large = row(UNDECIDED=10) | {"tasks": "large"}  # how often these are decided is stated, not a goal
    assert all(goal.met for goal in goals.aa([row(EQUIVALENT=95), large]))
    for bad in (
        row(EQUIVALENT=95, FASTER=5),
        row(EQUIVALENT=175, FASTER=1),
        row(EQUIVALENT=94, UNDECIDED=6),
        row(EQUIVALENT=100) | {"words_of_18": {"EQUIVALENT": 94, "UNDECIDED": 6}},
        row("quick", EQUIVALENT=999),
        row("quick", EQUIVALENT=1000, UNDECIDED=251),
        row(EQUIVALENT=100, UNSTABLE=6),
        row(EQUIVALENT=95, INVALID=1),
        row(EQUIVALENT=95) | {"covered": 90},
        row(EQUIVALENT=95) | {"covered": 99},
    ):
        assert not all(goal.met for goal in goals.aa([bad])), bad
    (first, *_) = goals.aa([row(EQUIVALENT=1000)])  # 1 - 0.05^(1/1000)
    assert first.reached == "0 in 1,000 (if verdicts were independent: below 2.99 in 1,000)"

    def took(percent: int, **words: int) -> dict[str, Any]:
        return {"framework": "f", "percent": percent, "mean_ratio": 1 + percent / 100, "words": words}

    enough = [took(p, SLOWER=99, UNDECIDED=1) for p in power.EXTRA if p] + [
        took(0, EQUIVALENT=95, UNDECIDED=5)
    ]
    assert all(goal.met for goal in goals.power(enough))
    for bad in (took(1, FASTER=1), took(0, SLOWER=1), took(0, UNDECIDED=1)):
        assert not all(goal.met for goal in goals.power([*enough, bad])), bad
    slow = [took(5, SLOWER=98, UNDECIDED=2) if row["percent"] == 5 else row for row in enough]
    assert not all(goal.met for goal in goals.power(slow))
    dear = [
        row | {"mean_ratio": row["mean_ratio"] + 0.02} for row in enough
    ]  # 3% more steps take 5% more time
    assert [row["percent"] for row in goals.costing(dear, 5)] == [3]
    assert goals.costing([took(10, SLOWER=1)], 5) == []
    trap = {"trap": "t", "right": 1, "sessions": 1}
    fine: dict[str, Any] = {"traps": [trap], "correct": {"lanes": 3, "flagged": []}}
    assert all(goal.met for goal in goals.traps(fine))
    assert not all(goal.met for goal in goals.traps(fine | {"traps": [trap | {"right": 0}]}))


# --- what was kept -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [aa, power], ids=["aa", "power"])
def test_the_kept_figures_follow_from_the_kept_samples(experiment: Any) -> None:
    name = experiment.__name__.rpartition(".")[2]
    result = packed.result(ROOT / store.TRUST / name, experiment.summary)
    committed = store.read(name, ROOT)
    assert (result["rows"], result["machine"]) == (committed["rows"], committed["machine"])
    assert experiment.faults(committed) == goals.unmet(getattr(goals, name)(committed["rows"]))


def test_the_kept_experiments_are_large_enough() -> None:
    rows = store.read("aa", ROOT)["rows"]
    assert {(row["framework"], row["effort"]) for row in rows} == {
        (framework, effort) for framework in campaign.FRAMEWORKS for effort in aa.SIZES
    }
    for percent in power.EXTRA:
        rows = [row for row in store.read("power", ROOT)["rows"] if row["percent"] == percent]
        assert sum(row["comparisons"] for row in rows) >= 24
    assert all(trap["sessions"] >= 10 for trap in store.read("traps", ROOT)["traps"])
