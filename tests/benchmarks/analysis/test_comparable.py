"""Of an UNSTABLE lane nothing is claimed, and nothing is compared with an UNSTABLE baseline."""

from __future__ import annotations

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.comparable import no_claim, no_comparison
from samestep.benchmarks.analysis.step_cost import step_costs
from samestep.benchmarks.record import Failure, Record
from tests.helpers import grid_records
from tests.helpers.records import record
from tests.helpers.unstable_records import RATIOS, analyzed, with_stolen


def test_a_baseline_that_is_unstable_is_compared_with_nothing_and_each_row_says_so() -> None:
    analysis = analyzed("torch", "numpy")
    reasons = {verdict.lane: verdict.reason for verdict in analysis.verdicts}
    assert {verdict.word for verdict in analysis.verdicts} == {"UNSTABLE"}
    assert reasons["torch"].startswith("steal: ")
    assert reasons["jax"].startswith("the baseline torch is UNSTABLE: steal: ")
    assert reasons["numpy"].startswith("steal: ")
    assert reasons["numpy"].endswith("; the baseline torch is UNSTABLE too")
    assert [verdict.ratio for verdict in analysis.verdicts] == [None] * 3
    assert [row.ratio for row in analysis.rows] == [None] * 3


def test_a_control_that_differs_makes_the_baseline_unstable_too() -> None:
    analysis = analyzed(twin=lambda block: 1.05)
    assert all(verdict.reason.startswith("twin: ") for verdict in analysis.verdicts)
    assert [verdict.ratio for verdict in analysis.verdicts] == [None] * 3
    assert "the baseline torch is UNSTABLE" in analysis.verdict_of["lesson", "jax"].reason


def test_an_unstable_lane_keeps_what_was_measured_and_claims_nothing() -> None:
    analysis = analyzed("jax")
    row = analysis.row_of["lesson", "jax"]
    assert row.verdict.ratio is not None
    assert (row.ratio, row.verdict.claim, row.over_fastest) == (None, None, None)
    assert row.time is not None
    other = analysis.row_of["lesson", "numpy"]
    assert (other.verdict.word, other.ratio) == ("FASTER", other.verdict.ratio)
    assert other.over_fastest is None  # jax has the least time, and of it nothing is claimed
    assert analyzed("numpy").row_of["lesson", "jax"].over_fastest == 1.0  # numpy takes longer
    assert no_claim(analysis["lesson", "jax"]).startswith("UNSTABLE: steal: ")
    assert no_claim(analysis["lesson", "numpy"]) == ""


def test_two_lanes_are_compared_only_where_something_may_be_claimed_of_both() -> None:
    analysis = analyzed("jax")
    jax, numpy, torch = (analysis["lesson", lane] for lane in ("jax", "numpy", "torch"))
    assert no_comparison(numpy, torch) == ""
    assert no_comparison(jax, numpy).startswith("UNSTABLE: steal: ")
    assert no_comparison(numpy, jax).startswith("jax: UNSTABLE: steal: ")


def test_a_ratio_to_a_baseline_without_times_is_shown_of_no_lane() -> None:
    failure = Failure(task="lesson", lane="torch", phase="slice", reason="it hung")
    analysis = analyzed("jax", failures=[failure])
    words = {verdict.lane: verdict.word for verdict in analysis.verdicts}
    assert words == {"torch": "FAILED", "jax": "UNSTABLE", "numpy": "UNDECIDED"}
    assert [verdict.ratio for verdict in analysis.verdicts] == [None] * 3
    assert analysis.row_of["lesson", "numpy"].break_even is None


def test_no_break_even_is_claimed_of_an_unstable_lane_or_beside_an_unstable_baseline() -> None:
    for unstable, lanes in ((("jax",), ("jax",)), (("torch",), ("jax", "numpy"))):
        analysis = analyzed(*unstable)
        for lane in lanes:
            even = analysis.row_of["lesson", lane].break_even
            assert even is not None
            assert (even.steps, even.kind, even.reason) == (None, "no claim", "no claim: UNSTABLE")
        assert analysis.row_of["lesson", "torch"].break_even is None
    even = analyzed().row_of["lesson", "jax"].break_even
    assert even is not None
    assert even.steps is not None


@pytest.mark.parametrize("unstable", ["jax", "torch"])
def test_no_lane_of_a_tier_leads_it_where_one_is_unstable(unstable: str) -> None:
    assert analyzed().tier_ranks == {("lesson", "jax"): "fastest"}
    assert analyzed(unstable).tier_ranks == {}


def test_times_of_which_nothing_is_claimed_are_in_no_fitted_line() -> None:
    sizes = {(batch, 2): {"a": [9.0 + batch] * 6, "b": [3.0 + batch] * 6} for batch in (1, 8, 64, 512)}
    made = grid_records.grid(sizes)

    def lines(made: Record) -> dict[str, tuple[int, str]]:
        return {cost.lane: (cost.sizes, cost.reason) for cost in step_costs(RecordAnalysis(made))}

    assert {lane: sizes for lane, (sizes, _) in lines(made).items()} == {"a": 4, "b": 4}
    changed = lines(with_stolen(made, "b", task="b8-f2"))
    assert changed["a"] == lines(made)["a"]
    assert changed["b"][0] == 3
    assert changed["b"][1].endswith("1 size is left out (UNSTABLE): b8-f2")


def test_a_quota_that_stopped_more_than_a_tenth_of_the_slices_makes_a_lane_unstable() -> None:
    def stopped(fewest: int) -> RecordAnalysis:
        """The quota stops jax in the first rounds of the first blocks: 18 slices have their turn."""
        return RecordAnalysis(
            record(
                RATIOS,
                change=lambda lane, block, round: (
                    {"throttled": 2} if lane == "jax" and 3 * block + round < fewest else {}
                ),
            )
        )

    assert stopped(1).verdict_of["lesson", "jax"].word == "FASTER"
    verdict = stopped(2).verdict_of["lesson", "jax"]
    assert (verdict.word, verdict.claim) == ("UNSTABLE", None)
    assert verdict.reason == "quota: the cgroup's limit stopped it in 2 of 18 slices"
