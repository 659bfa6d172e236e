"""Runs with looks: where they end, and what is said of them there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.looks import HOPE, as_at, conditional_power, reason_to_end
from samestep.benchmarks.measure.efforts import UNTIL
from samestep.benchmarks.record import Failure, Record, Resumption
from samestep.benchmarks.report.looks_line import looks_line
from samestep.benchmarks.report.tables import record_document
from samestep.benchmarks.report.text_table import plain
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, Sample, claims
from samestep.benchmarks.statistics.sequential import Look
from samestep.benchmarks.verify.findings import Findings
from samestep.benchmarks.verify.slices import check_looks
from tests.helpers import records

EFFORT = UNTIL["decided"]


def drawn(truths: dict[str, float], *, blocks: int, noise: float = 0.004, seed: int = 3) -> Record:
    """A run with looks, of lanes with these true ratios, up to so many blocks."""
    rng = np.random.default_rng(seed)
    return with_looks(
        {lane: np.exp(rng.normal(math.log(truth), noise, blocks)).tolist() for lane, truth in truths.items()}
    )


def with_looks(ratios: Mapping[str, Sequence[float]]) -> Record:
    """A run with looks, of lanes with these ratios in its blocks."""
    made = records.record(ratios)
    return made.model_copy(update={"plan": made.plan.model_copy(update={"effort": EFFORT})})


def ended(record: Record) -> str:
    return reason_to_end(RecordAnalysis(record))


def test_a_run_ends_where_every_lane_is_decided() -> None:
    record = drawn({"numpy": 0.5, "jax": 1.3, "numpy:tuned": 1.0}, blocks=12)
    assert [row.verdict.word for row in RecordAnalysis(record).rows[1:]] == ["FASTER", "SLOWER", "EQUIVALENT"]
    assert ended(record) == "every comparison is decided, or nothing may be claimed of it"


def test_a_run_goes_on_while_a_lane_may_still_be_decided() -> None:
    record = drawn({"numpy": 0.5, "jax": 1.026}, blocks=12, noise=0.01)
    words = {row.lane: row.verdict.word for row in RecordAnalysis(record).rows}
    assert (words["numpy"], words["jax"]) == ("FASTER", "UNDECIDED")
    assert not ended(record)


def test_a_lane_at_the_margin_keeps_nobody_waiting() -> None:
    off = [1.01**sign for sign in (-1, 1) * 6]
    record = with_looks({"numpy": [0.5] * 12, "jax": [1.02 * each for each in off]})
    assert {row.lane: row.verdict.word for row in RecordAnalysis(record).rows}["jax"] == "UNDECIDED"
    assert "would be decided by the blocks that are left" in ended(record)


def test_where_the_baseline_has_failed_nothing_is_waited_for() -> None:
    record = drawn({"numpy": 0.5}, blocks=12)
    failed = Failure(
        task="lesson", lane="torch", phase="slice", reason="raised", died=False, block=11, place=0
    )
    record = record.model_copy(update={"failures": (failed,)})
    assert {verdict.word for verdict in RecordAnalysis(record).verdicts} == {"FAILED", "UNDECIDED"}
    assert ended(record)


def test_a_record_that_went_past_its_end_is_found() -> None:
    for blocks, wrong in ((12, 0), (15, 1), (24, 2)):
        findings = Findings()
        check_looks(findings, drawn({"numpy": 0.5}, blocks=blocks))
        assert len(findings.wrong) == wrong
    assert findings.wrong[0].startswith("it went on after 12 blocks, at which every comparison is decided")


@pytest.mark.parametrize("others", [0, 8, 40])
def test_a_record_can_be_judged_and_shown_after_any_block(others: int) -> None:
    """As after Ctrl-C: at an early look hardly any level has been spent."""
    ratios = {"numpy": 1.02, **{f"lane {number}": 1.0 for number in range(others)}}
    whole = drawn(ratios, blocks=26, noise=0.3)
    for blocks in range(1, 27):
        analysis = RecordAnalysis(as_at(whole, blocks))
        assert analysis.verdict_of["lesson", "numpy"].word == "UNDECIDED"
        assert plain(record_document(analysis), width=100)
        if blocks >= 12:
            assert "too few blocks" not in analysis.verdict_of["lesson", "numpy"].reason


def test_blocks_beyond_the_plan_belong_to_its_last_look() -> None:
    """They make up for deaths; a run that was broken off before them has not looked twice."""
    record = drawn({"numpy": 0.9}, blocks=25)
    broken = Resumption(when="2026-01-01T00:00:00+00:00", cold_results=0, blocks=24)
    again = record.model_copy(update={"resumptions": (broken,)})
    assert RecordAnalysis(again).look == RecordAnalysis(record).look == Look(1.0, 18 / 24)


def test_an_interval_beside_a_verdict_never_contradicts_it() -> None:
    """At every look a lane that is faster or slower has an interval that lies beyond the margin."""
    for seed in range(60):
        whole = drawn({"numpy": 0.972, "jax": 1.03}, blocks=24, noise=0.012, seed=seed)
        for blocks in (12, 18, 24):
            for verdict in RecordAnalysis(as_at(whole, blocks)).verdicts:
                if verdict.word == "FASTER":
                    assert verdict.ratio
                    assert verdict.ratio.high < math.exp(-MARGIN)
                if verdict.word == "SLOWER":
                    assert verdict.ratio
                    assert verdict.ratio.low > math.exp(MARGIN)


def test_an_early_look_asks_for_more_than_the_same_blocks_alone() -> None:
    early = drawn({"numpy": 0.9}, blocks=12)
    alone = early.model_copy(update={"plan": records.record({"numpy": [1.0] * 12}).plan})
    at_look, by_itself = (RecordAnalysis(each)["lesson", "numpy"] for each in (early, alone))
    assert (at_look.verdict.p or 0.0) > (by_itself.verdict.p or 1.0)
    assert at_look.ratio.low < by_itself.ratio.low
    assert at_look.counted_time
    assert by_itself.counted_time
    assert at_look.counted_time.high > by_itself.counted_time.high


def test_a_record_that_was_broken_off_and_gone_on_with_has_looked_there() -> None:
    record = drawn({"numpy": 0.9}, blocks=18)
    broken = Resumption(when="2026-01-01T00:00:00+00:00", cold_results=0, blocks=15)
    again = record.model_copy(update={"resumptions": (broken,)})
    assert RecordAnalysis(again).level > RecordAnalysis(record).level


@pytest.mark.parametrize("truth", [1.0, 1.015, 1.024, 1.03, 1.05])
def test_conditional_power_is_how_often_the_last_look_decides(truth: float) -> None:
    """Against simulation: the first half as it was, the rest drawn anew with its mean and deviation.

    The error of the mean is held as the formula has it; three standard errors of a thousand draws are 0.047.
    """
    rng, planned, deviation = np.random.default_rng(1), 24, 0.012
    first = rng.normal(0, 1, 12)
    first = math.log(truth) + deviation * (first - first.mean()) / first.std(ddof=1)
    level = Look.at(planned, EFFORT.looks, planned).level(ALPHA / 3)
    hits = []
    for _ in range(1000):
        mean = np.mean([*first, *rng.normal(math.log(truth), deviation, 12)])
        end = Sample(float(mean), deviation / math.sqrt(planned), planned - 1)
        hits.append(min(claims(end)) <= level)
    assert conditional_power(Sample.of(first.tolist()), planned, level) == pytest.approx(
        np.mean(hits), abs=0.048
    )


def test_a_certain_and_a_hopeless_case() -> None:
    level = 0.01
    certain = Sample(math.log(1.2), 0.001, 11)
    hopeless = Sample(MARGIN, 0.001, 11)
    assert conditional_power(certain, 24, level) == pytest.approx(1.0)
    assert conditional_power(hopeless, 24, level) < HOPE
    assert conditional_power(certain, 12, level) == 0.0  # nothing is left


def test_the_tables_say_at_which_look_a_record_stands() -> None:
    line = looks_line(RecordAnalysis(drawn({"numpy": 0.5}, blocks=12)))
    assert "Looks after 12, 18 and 24 blocks; this is after 12: every comparison is decided" in line
    assert "one of 99.44%" in line
    assert not looks_line(RecordAnalysis(records.record({"numpy": [1.0] * 6})))


def test_a_run_of_a_fixed_effort_that_is_broken_off_is_a_look_too() -> None:
    """Its tables have little of the level; gone on with, the whole run has nearly all of it."""
    ratios = {"numpy": np.exp(np.random.default_rng(5).normal(0, 0.005, 12)).tolist()}
    whole = records.record(ratios)
    half = as_at(whole, 6)
    assert RecordAnalysis(half).look == Look(0.5)
    line = looks_line(RecordAnalysis(half))
    assert line.startswith(
        "Broken off after 6 of 12 blocks, and can be gone on with. Verdicts and intervals hold"
    )
    assert "one of 99.44%" in line
    gone_on = Resumption(when=whole.plan.created, cold_results=0, blocks=6)
    resumed = whole.model_copy(update={"resumptions": (gone_on,)})
    assert RecordAnalysis(resumed).look == Look(1.0, 0.5)
    assert "one of 95.56%" in looks_line(RecordAnalysis(resumed))
    levels = [RecordAnalysis(each)["lesson", "numpy"].ratio for each in (half, whole, resumed)]
    assert levels[1].low > levels[2].low
    assert levels[2].high < levels[0].high


def test_a_record_as_it_was_has_the_failures_of_that_time() -> None:
    died = Failure(task="lesson", lane="numpy", phase="slice", reason="died", died=True, block=15, place=0)
    record = drawn({"numpy": 0.5}, blocks=18)
    late = record.blocks[15].model_copy(update={"failures": (died,)})
    blocks = (*record.blocks[:15], late, *record.blocks[16:])
    record = record.model_copy(update={"blocks": blocks, "failures": (died,)})
    assert as_at(record, 16).failures == (died,)
    assert as_at(record, 12).failures == ()
    assert len(as_at(record, 12).blocks) == 12
    assert as_at(record, 12).plan == record.plan
