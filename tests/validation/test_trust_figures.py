"""The figures of `aa`, `power` and `traps`, and those that are kept, worked out again from the kept samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
    (lane,) = power.lanes_with("numpy", 5)
    copies = power.lanes_with("numpy", 0)
    ratios = {lane: [1.05, 1.06] * 6} | {copy: [1.0] * 12 for copy in copies}
    analyses = [RecordAnalysis(record(ratios))]
    row = power.row([lane], 5, analyses, [])
    assert (row["words"], row["words_until"], row["blocks_until"]) == ({"SLOWER": 1}, {}, 0.0)
    assert row["mean_ratio"] == pytest.approx(math.sqrt(1.05 * 1.06), rel=1e-6)
    row = power.row(copies, 0, analyses, analyses)
    assert (row["words"], row["words_until"], row["blocks_until"]) == (
        {"EQUIVALENT": 2},
        {"EQUIVALENT": 2},
        12,
    )


def test_the_baseline_and_its_copies_take_as_many_steps_twice() -> None:
    assert len(set(power.lanes("jax"))) == len(power.EXTRA) + power.COPIES
    for name in (power.lanes("jax")[0], *power.lanes_with("jax", 0)):
        lane = arms.lane_class(name.partition(":")[2])
        assert lane.__mro__[1].__qualname__.endswith("MoreWork")
        assert arms.NAME.fullmatch(lane.__name__).group(3) == "1"  # type: ignore[union-attr]


def test_a_session_until_decided_ends_at_the_look_that_decides_it() -> None:
    clear = record({"slow": [1.2, 1.21] * 12})
    late = record({"slow": [1.01, 1.06] * 12})
    assert len(power.ended(clear).blocks) == power.DECIDED.looks[0]
    assert len(power.ended(late).blocks) > power.DECIDED.looks[0]
    assert RecordAnalysis(power.ended(clear)).verdicts[-1].word == "SLOWER"


def row(effort: str = "standard", scale: int = 100, **words: int) -> dict[str, Any]:
    """A row of `aa` with so many times these words."""
    place = {"effort": effort, "condition": "idle", "tasks": "small"}
    words = {word: scale * count for word, count in words.items()}
    counts = {"covered": 95 * scale, "intervals": 100 * scale, "sessions": 9}
    return place | counts | {"words": words, "words_of_18": words}


def all_met(found: Iterable[goals.Goal]) -> bool:
    return {goal.word for goal in found} == {"met"}


def test_goals_of_copies_fail_when_they_should() -> None:
    assert all_met(goals.aa([row(EQUIVALENT=96, UNDECIDED=4)]))
    assert all_met(goals.aa([row("quick", EQUIVALENT=82, UNDECIDED=18)]))
    large = row(UNDECIDED=10) | {"tasks": "large"}  # how often these are decided is stated, not a goal
    assert all_met(goals.aa([row(EQUIVALENT=95), large]))
    for bad in (
        row(EQUIVALENT=95, FASTER=5),
        row(EQUIVALENT=175, FASTER=1),
        row(EQUIVALENT=94, UNDECIDED=6),
        row(EQUIVALENT=100) | {"words_of_18": {"EQUIVALENT": 94, "UNDECIDED": 6}},
        row("quick", 1, EQUIVALENT=999),
        row("quick", EQUIVALENT=79, UNDECIDED=21),
        row(EQUIVALENT=100, UNSTABLE=6),
        row(EQUIVALENT=95, INVALID=1),
        row(EQUIVALENT=95) | {"covered": 9000},
        row(EQUIVALENT=95) | {"covered": 9900},
    ):
        assert "not met" in {goal.word for goal in goals.aa([bad])}, bad
    (first, *_) = goals.aa([row(scale=1, EQUIVALENT=1000)])  # 1 - 0.05^(1/1000)
    assert first.reached == "0 in 1,000 (if verdicts were independent: below 2.99 in 1,000)"


def test_a_goal_is_open_where_its_count_is_small() -> None:
    """Of 96 in 100 the share may be 91%; of 0 in 96 the rate may be 31 in 1,000; of 95 in 100, 89% to 98%."""
    few = [goal.word for goal in goals.aa([row(scale=1, EQUIVALENT=96, UNDECIDED=4)])]
    assert few == ["open", "open", "open", "met", "open", "met"]
    assert next(goals.aa([row(scale=1, UNDECIDED=4)])).word == "not met"  # nothing was decided
    assert goals.at_least("", 299, 299, 0.99).word == "met"  # 0.99^299 < 0.05 < 0.99^298
    assert goals.at_least("", 298, 298, 0.99).word == "open"
    assert goals.at_most("", 0, 59, 0.05).word == "met"
    assert goals.at_most("", 0, 58, 0.05).word == "open"
    assert goals.at_most("", 4, 58, 0.05).word == "not met"
    assert [line[:5] for line in goals.unmet([goals.at_most("", 0, 1, 0.05)])] == ["open:"]


def took(percent: int, framework: str = "f", **words: int) -> dict[str, Any]:
    """A row of `power` with a hundred times these words."""
    words = {word: 100 * count for word, count in words.items()}
    place = {"framework": framework, "tasks": "small", "percent": percent, "mean_ratio": 1 + percent / 100}
    return place | {"words": words, "words_until": words}


def test_goals_of_more_work_fail_when_they_should() -> None:
    enough = [took(p, SLOWER=199, UNDECIDED=1) for p in (3, 5, 10)]
    enough += [took(p, UNDECIDED=100) for p in (1, 2)] + [took(0, EQUIVALENT=96, UNDECIDED=4)]
    assert all_met(goals.power(enough))
    for bad in (took(1, FASTER=1), took(0, SLOWER=1), took(0, UNDECIDED=2)):
        assert not all_met(goals.power([*enough, bad])), bad
    for bad in (took(1, SLOWER=1), took(5, EQUIVALENT=1)):
        assert any("clearly" in line for line in goals.unmet(goals.power([*enough, bad]))), bad
    slow = [took(5, SLOWER=98, UNDECIDED=2) if row["percent"] == 5 else row for row in enough]
    assert not all_met(goals.power(slow))
    dear = [row | {"mean_ratio": row["mean_ratio"] + 0.02} for row in enough]  # 3% more steps: 5% more time
    assert [row["percent"] for row in goals.costing(dear, 5)] == [3]
    assert goals.costing([took(10, SLOWER=1)], 5) == []


def test_a_framework_without_a_lane_near_an_amount_does_not_meet_its_goal() -> None:
    enough = [took(p, SLOWER=1) for p in (3, 5)] + [took(3, "g", SLOWER=1), took(15, "g", SLOWER=1)]
    unmet = [line for line in goals.unmet(goals.power(enough)) if "about" in line]
    assert len(unmet) == 2  # at standard effort and until decided
    assert all("about 5%" in line and "none of g is within 0.5% of it" in line for line in unmet)


def test_goals_of_traps_fail_when_they_should() -> None:
    trap = {"trap": "t", "right": 1, "sessions": 1}
    fine: dict[str, Any] = {"traps": [trap], "correct": {"lanes": 3, "flagged": []}}
    assert all_met(goals.traps(fine))
    assert not all_met(goals.traps(fine | {"traps": [trap | {"right": 0}]}))


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
        assert sum(sum(row["words"].values()) for row in rows) >= 24
    assert all(trap["sessions"] >= 10 for trap in store.read("traps", ROOT)["traps"])
