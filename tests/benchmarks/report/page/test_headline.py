"""The sentence on a task: which lanes it names, what it says of them, and of which it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from samestep.benchmarks import tasks
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Failure, Record
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report.page.headline import headline, some
from tests.helpers.page_records import EVEN, awkward
from tests.helpers.paths import REFERENCE
from tests.helpers.records import record

WILD = [1.2, 0.9, 1.1, 0.8, 1.0, 1.3]
BASE = "PyTorch as documented"


def times(factor: float) -> list[float]:
    """A lane's ratio to the baseline, with a little noise."""
    return [factor * value for value in EVEN]


def tiered(made: Record) -> Record:
    """The lanes in the tiers that their names say."""
    tiers = {
        lane: "fused" if ":fused" in lane else "tuned" if ":" in lane else "documented"
        for lane in made.plan.lanes
    }
    return made.model_copy(
        update={"arms": tuple(arm.model_copy(update={"tier": tiers[arm.lane]}) for arm in made.arms)}
    )


def said(ratios: Mapping[str, Sequence[float]], baseline: str | None = None, **options: object) -> str:
    """The sentence on the lesson."""
    return headline(RecordAnalysis(tiered(record(ratios, **options)), baseline), "lesson")  # type: ignore[arg-type]


def test_it_names_the_lane_with_the_least_time_and_the_documented_ones() -> None:
    assert said(
        {"numpy": times(0.1), "jax": times(2.0), "jax:fused": times(0.01), "torch:tuned": times(0.5)}
    ) == (
        f"On the lesson jax:fused takes 1000 ns a step, 100.0 times as fast as {BASE}; among documented lanes "
        "NumPy is 10.00 times as fast as PyTorch, JAX takes 2.000 times as long."
    )


def test_lanes_not_shown_to_be_slower_are_named_beside_it() -> None:
    text = said({"numpy": [0.1] * 6, "jax:fused": [0.1001] * 6, "jax:tuned": [0.1002] * 6})
    assert text.startswith(
        "On the lesson NumPy as documented takes 10.00 us a step "
        "(jax:fused and jax:tuned were not shown to be slower), "
    )
    one = said({"numpy": [0.1] * 6, "jax:fused": [0.1001] * 6})
    assert "(jax:fused was not shown to be slower), " in one


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (times(0.995), f"as long as {BASE} within 2%"),
        ([0.9 * value for value in WILD], f"with no difference shown from {BASE}"),
        (times(0.5), f"2.000 times as fast as {BASE}"),
    ],
)
def test_the_lane_with_the_least_time_is_described_by_its_verdict(ratios: list[float], words: str) -> None:
    assert said({"jax:tuned": ratios}).endswith(f", {words}.")


def test_a_baseline_may_be_the_lane_with_the_least_time_or_the_only_one() -> None:
    assert said({"jax": times(1.2)}) == (
        f"On the lesson {BASE}, the baseline, takes the least time: 100.0 us a step; among documented lanes JAX "
        "takes 1.200 times as long as PyTorch."
    )
    assert said({"torch": [1.0] * 6}) == f"On the lesson {BASE}, the baseline, takes 100.0 us a step."


def test_documented_lanes_are_described_by_their_verdicts() -> None:
    text = said({"numpy": times(1.001), "jax": WILD, "jax:fused": times(0.1)})
    assert text.endswith(
        "; among documented lanes NumPy takes as long as PyTorch within 2%, JAX was not shown to differ."
    )
    text = said({"jax": WILD, "jax:fused": times(0.1)})
    assert text.endswith("; among documented lanes JAX was not shown to differ from PyTorch.")


def test_many_documented_lanes_are_counted() -> None:
    lanes = {f"lane{index}": times(1.1 + index / 10) for index in range(6)}
    text = said({"jax:fused": times(0.1), **lanes})
    assert "lane3 takes" in text
    assert text.endswith(", and 2 more in the table.")
    assert "lane4" not in text


def test_without_a_time_of_the_baseline_nothing_is_set_beside_it() -> None:
    failures = [Failure(task="lesson", lane="torch", phase="slice", reason="it hung")]
    assert said({"numpy": times(0.5), "jax:fused": times(0.1)}, failures=failures) == (
        f"On the lesson jax:fused takes 10.00 us a step, and {BASE}, the baseline, has no time to set beside it. "
        f"No time counts for {BASE} (FAILED)."
    )


def test_no_claim_is_made_about_an_unstable_lane_and_none_about_one_without_a_time() -> None:
    text = headline(RecordAnalysis(tiered(awkward())), "lesson")
    claim, rest = text.split(". ", 1)
    assert not [lane for lane in ("jax:tuned", "torch:compile", "torch:fused") if lane in claim]
    assert rest == (
        "No claim is made about jax:tuned (UNSTABLE). "
        "No time counts for torch:compile (INVALID) and torch:fused (FAILED)."
    )


def test_an_unstable_lane_with_less_time_may_take_less() -> None:
    def stolen(lane: str, block: int, round: int) -> Mapping[str, int]:
        return {"steal_ns": 10_000_000} if lane == "jax:tuned" else {}

    for ratio, ends in ((0.1, "jax:tuned (UNSTABLE), which may take less."), (0.6, "jax:tuned (UNSTABLE).")):
        text = said({"numpy": times(0.5), "jax:tuned": times(ratio)}, change=stolen)
        assert text.startswith("On the lesson NumPy as documented takes")
        assert text.endswith(f"No claim is made about {ends}")


def test_where_every_lane_is_unstable_nothing_is_said() -> None:
    def stolen(lane: str, block: int, round: int) -> Mapping[str, int]:
        return {"steal_ns": 10_000_000}

    assert said({"jax:tuned": times(0.5)}, change=stolen) == (
        f"On the lesson nothing can be said of any lane. No claim is made about {BASE} and jax:tuned (UNSTABLE)."
    )


def test_where_no_lane_was_proven_nothing_is_said() -> None:
    assert said({"jax": times(0.5)}, status={"jax": "fail", "torch": "fail"}) == (
        "On the lesson nothing can be said of any lane. "
        f"No time counts for {BASE} (INVALID) and JAX as documented (INVALID)."
    )


def test_fewer_than_four_blocks_say_nothing() -> None:
    for blocks in (1, 3):
        why = f"{blocks} of {blocks} blocks were measured; a test needs 4"
        assert said({"jax": [0.5] * blocks}) == f"On the lesson nothing can be said of any lane: {why}."


def test_another_baseline_is_named() -> None:
    assert said({"numpy": times(2.0), "jax:tuned": times(0.5)}, "jax:tuned") == (
        "On the lesson jax:tuned, the baseline, takes the least time: 50.00 us a step; among documented lanes "
        "PyTorch takes 2.000 times as long as jax:tuned, NumPy takes 4.000 times as long."
    )


def test_lanes_that_did_not_race_are_named() -> None:
    made = tiered(record({"jax": times(0.5)}))
    plan = made.plan.model_copy(update={"missing": {"numba": "no numba", "wide": "no data"}})
    text = headline(RecordAnalysis(made.model_copy(update={"plan": plan})), "lesson")
    assert text.endswith(". Not in the race: numba.")


def test_every_task_of_a_record_has_a_sentence_of_its_own() -> None:
    analysis = RecordAnalysis(load(REFERENCE))
    for task in analysis.tasks:
        text = headline(analysis, task)
        rows = [row for row in analysis.rows_of(task) if row.time and not row.verdict.no_claim]
        leader = min(rows, key=lambda row: row.time.value if row.time else 0)
        assert text.startswith(f"On {'the lesson' if task == 'lesson' else task} {leader.lane} takes ")
        assert text.count(f" as {BASE}") == 1


@pytest.mark.parametrize("name", tasks.names())
def test_every_named_task_has_a_meaning_and_no_other_has_its(name: str) -> None:
    task = tasks.get(name, "float64")
    meaning = tasks.meaning(task)
    assert meaning.endswith(".")
    assert "\n" not in meaning
    assert tasks.meaning(task.model_copy(update={"epochs": 99})) == ""
    assert tasks.meaning(task.model_copy(update={"name": "mine"})) == ""


def test_one_more_is_one() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    assert some(names[:5], "more task", "more tasks") == "a, b, c, d and 1 more task"
    assert some(names, "more task", "more tasks") == "a, b, c, d and 2 more tasks"
    assert some(names) == "a, b, c, d and 2 more"
