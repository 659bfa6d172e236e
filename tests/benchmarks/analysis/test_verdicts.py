"""Verdicts from records made by hand: each word, each gate, in the order in which they count."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest

from samestep.benchmarks.analysis import RecordAnalysis, Verdict
from samestep.benchmarks.analysis.verdicts import family_size
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record import AnyRecord, Failure, Record, Record1
from samestep.benchmarks.record.version_1 import Unseen
from samestep.benchmarks.statistics.inference import ALPHA, Sample, claims, detectable
from tests.helpers.records import AUDIT, former, record


def around(ratio: float, sd: float = 0.003, blocks: int = 6) -> list[float]:
    return [ratio * math.exp(x) for x in np.random.default_rng(11).normal(0, sd, blocks)]


def judge(found: AnyRecord, baseline: str | None = None) -> tuple[Verdict, ...]:
    return RecordAnalysis(found, baseline).verdicts


def verdict(found: AnyRecord, lane: str = "jax", baseline: str | None = None) -> Verdict:
    return next(one for one in judge(found, baseline=baseline) if one.lane == lane)


@pytest.mark.parametrize(
    ("ratio", "sd", "word"),
    [
        (0.5, 0.003, "FASTER"),
        (0.95, 0.003, "FASTER"),
        (1.05, 0.003, "SLOWER"),
        (20.0, 0.01, "SLOWER"),
        (1.0, 0.003, "EQUIVALENT"),
        (1.01, 0.002, "EQUIVALENT"),
        (1.02, 0.003, "UNDECIDED"),
        (1.0, 0.05, "UNDECIDED"),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_words_follow_the_ratio_whatever_the_machine_does_to_all_arms(
    ratio: float, sd: float, word: str, noise: float
) -> None:
    rng = np.random.default_rng(2)
    deviations = rng.normal(0, 1, 6)
    deviations = (deviations - deviations.mean()) / deviations.std(ddof=1)
    found = verdict(record({"jax": (ratio * np.exp(sd * deviations)).tolist()}, noise=noise))
    assert found.word == word
    assert found.ratio is not None
    assert found.ratio.low < found.ratio.value < found.ratio.high
    assert found.ratio.value == pytest.approx(ratio, rel=1e-4)
    assert (found.detectable is not None) == (word == "UNDECIDED")


def test_the_baseline_is_a_row_without_a_ratio() -> None:
    found = judge(record({"jax": around(1.0)}))
    assert [one.lane for one in found] == ["torch", "jax"]
    assert (found[0].word, found[0].ratio) == ("BASELINE", None)


def test_more_comparisons_ask_for_more_evidence() -> None:
    logs = [0.02, 0.05, 0.035, 0.06, 0.03, 0.045]
    ratios = np.exp(logs).tolist()
    alone = verdict(record({"jax": ratios}))
    undecided = {f"lane{i}": [1.0, 1.04, 1.0, 1.04, 1.0, 1.04] for i in range(20)}
    crowded = verdict(record({"jax": ratios} | undecided))
    assert alone.word == "SLOWER"
    assert crowded.word == "UNDECIDED"
    assert alone.p is not None
    assert crowded.p is not None
    assert crowded.p == pytest.approx(21 * alone.p)


WRONG = AUDIT.model_copy(update={"reason": "the loss at step 3 was 2 when it was timed, 1 when traced"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"audit": WRONG}, "audit: the loss at step 3"),
        ({"audit": None}, "audit: no slice of block 1"),
        ({"compilations": 1}, "recompilation"),
        ({"outside_ns": 80_000_000}, "clock: slices took 59926 us longer"),
        ({"cpu_ns": 1_000_000}, "clock: slices used"),
        ({"cpu_ns": 80_000_000}, "threads: "),
        ({"outside_cpu_ns": 80_000_000, "children": 1}, "threads: 3.98"),
        (
            {"elapsed_ns": 40_000, "outside_ns": 45_000, "outside_cpu_ns": 40_000, "cpu_ns": 40_000},
            "resolution",
        ),
    ],
)
def test_a_failed_gate_is_invalid_and_names_itself(change: dict[str, object], reason: str) -> None:
    found = judge(record({"jax": around(0.5)}, change=lambda lane, b, r: change if lane == "jax" else {}))
    assert [one.word for one in found] == ["BASELINE", "INVALID"]
    assert found[1].reason.startswith(reason)
    assert found[1].ratio is None


@pytest.mark.parametrize("waits", [{}, {"outside_ns": 60_000_000}])
def test_a_core_more_in_fewer_than_half_of_the_slices_counts(waits: dict[str, object]) -> None:
    """Also where the lane waits in others."""

    def change(lane: str, block: int, round: int) -> dict[str, object]:
        if lane != "jax":
            return {}
        return {"outside_cpu_ns": 30_000_000, "children": 1} if round == 1 else waits

    found = verdict(record({"jax": around(0.5)}, change=change))
    assert found.word == "INVALID"
    assert found.reason.startswith("threads: 1.16")


def test_a_child_that_works_is_found_where_all_cores_are_busy() -> None:
    """It and its lane have half of a core each, so that both together have one; two slices in three will do."""

    def change(lane: str, block: int, round: int) -> dict[str, object]:
        if lane != "jax" or round == 0:
            return {}
        return {"cpu_ns": 10_000_000, "outside_cpu_ns": 20_000_000, "children": 1}

    found = verdict(record({"jax": around(0.5)}, change=change))
    assert found.word == "INVALID"
    assert found.reason.startswith("threads: child processes used 6")
    idle: dict[str, object] = {
        "cpu_ns": 19_900_000,
        "outside_cpu_ns": 20_400_000,
        "children": 1,
    }  # what lies between the clocks
    assert verdict(record({"jax": around(0.5)}, change=lambda lane, b, r: idle)).word == "FASTER"


def test_one_slice_that_was_not_done_is_enough() -> None:
    def change(lane: str, block: int, round: int) -> dict[str, object]:
        return {"audit": WRONG} if (lane, block, round) == ("jax", 2, 1) else {}

    found = verdict(record({"jax": around(0.5)}, change=change))
    assert found.word == "INVALID"
    assert found.reason.endswith("(block 3, round 2)")


def test_one_audit_a_block_is_enough_and_the_control_needs_its_own() -> None:
    def first(lane: str, block: int, round: int) -> dict[str, object]:
        return {} if round == 0 else {"audit": None}

    assert verdict(record({"jax": around(0.5)}, change=first)).word == "FASTER"
    made = record({"jax": around(0.5)})
    blocks = tuple(
        block.model_copy(
            update={
                "slices": tuple(s.model_copy(update={"audit": None}) if s.twin else s for s in block.slices)
            }
        )
        for block in made.blocks
    )
    found = verdict(made.model_copy(update={"blocks": blocks}))
    assert (found.word, found.reason) == ("INVALID", "audit: no slice of block 2 was done once more")


def test_a_busy_host_is_no_lie_about_the_clock() -> None:
    """Words and replies that come late in less than half of the slices, on either side."""
    late = {0: {"outside_ns": 90_000_000}, 1: {"outside_ns": 1_000}}
    found = record({"jax": around(0.5)}, change=lambda lane, b, r: late.get(r, {}))
    assert verdict(found).word == "FASTER"
    most = record({"jax": around(0.5)}, change=lambda lane, b, r: late[0] if r < 2 else {})
    assert verdict(most).word == "FASTER"
    few = record({"jax": around(0.5, blocks=4)}, rounds=1, change=lambda *_: late[0])
    assert verdict(few).word == "FASTER"  # of few slices all may have been late
    always = record({"jax": around(0.5)}, change=lambda *_: late[0])
    assert verdict(always).word == "INVALID"


def test_a_clock_that_goes_too_slowly_shows_in_cpu_time_on_any_host() -> None:
    slow = {"outside_cpu_ns": 10_900_000, "outside_ns": 90_000_000, "elapsed_ns": 10**7, "cpu_ns": 10**7}
    for blocks in (2, 6):
        found = verdict(record({"jax": around(0.5, blocks=blocks)}, change=lambda *_: slow))
        assert found.reason.startswith("clock: slices used 900 us more CPU time outside")
    wall_alone = slow | {"cpu_ns": 10_900_000}
    assert verdict(record({"jax": around(0.5)}, change=lambda *_: wall_alone)).reason.startswith("clock: ")


def test_a_first_call_that_was_not_done_is_invalid() -> None:
    made = record({"jax": around(0.5)}, cold={"jax": 1.0, "torch": 1.0})
    for audit, reason in ((None, "first call: it was not done once more"), (WRONG, "first call: the loss")):
        colds = tuple(
            cold.model_copy(update={"audit": audit}) if cold.lane == "jax" else cold for cold in made.colds
        )
        found = verdict(made.model_copy(update={"colds": colds}))
        assert found.word == "INVALID"
        assert found.reason.startswith(reason)


# --- deaths -----------------------------------------------------------------------------------------------


def death(lane: str, block: int | None, **change: object) -> Failure:
    fields = {"phase": "slice", "reason": "died of SIGKILL", "died": True, "place": 3, "block": block}
    return Failure(task="lesson", lane=lane, **fields | change)  # type: ignore[arg-type]


def with_failures(made: Record, *failures: Failure) -> Record:
    blocks = tuple(
        block.model_copy(update={"failures": tuple(f for f in failures if f.block == block.index)})
        for block in made.blocks
    )
    return made.model_copy(update={"blocks": blocks, "failures": failures})


def test_a_lane_whose_process_died_once_keeps_its_other_blocks_and_a_note() -> None:
    analysis = RecordAnalysis(with_failures(record({"jax": around(0.5)}), death("jax", 1)))
    row = analysis.row_of["lesson", "jax"]
    assert row.verdict.word == "FASTER"
    assert analysis["lesson", "jax"].blocks_measured == 5  # what it did before it died was not audited
    assert any("died once in block 2" in note and "SIGKILL" in note for note in row.notes)


def test_the_baseline_may_die_once_too() -> None:
    made = with_failures(record({"jax": around(0.5)}), death("torch", 0))
    assert [one.word for one in judge(made)] == ["BASELINE", "FASTER"]


@pytest.mark.parametrize(
    "failures",
    [
        (death("jax", 0), death("jax", 4)),
        (death("jax", 0, died=False, reason="ValueError"),),
        (death("jax", 0), death("jax", None), death("jax", None)),
    ],
)
def test_two_deaths_or_an_error_are_a_failure(failures: tuple[Failure, ...]) -> None:
    found = verdict(with_failures(record({"jax": around(0.5)}), *failures))
    assert (found.word, found.ratio) == ("FAILED", None)


# --- records of version 1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"final": "f" * 16}, "final parameters"),
        ({"final": ""}, "final parameters"),
        ({"finals": 2}, "final parameters"),
        ({"compilations": 1}, "recompilation"),
        ({"resync_ns": 900_000}, "sync"),
        ({"cpu_ns": 80_000_000}, "threads"),
    ],
)
def test_a_record_of_version_1_is_judged_by_its_own_gates(change: dict[str, object], reason: str) -> None:
    made = former(record({"jax": around(0.5)}), lambda lane, b, r: change if lane == "jax" else {})
    found = judge(made)
    assert [one.word for one in found] == ["BASELINE", "INVALID"]
    assert found[1].reason.startswith(reason)
    assert found[1].ratio is None


def test_one_slice_of_version_1_that_ended_elsewhere_is_enough() -> None:
    made = former(
        record({"jax": around(0.5)}),
        lambda lane, b, r: {"finals": 2} if (lane, b, r) == ("jax", 2, 1) else {},
    )
    found = verdict(made)
    assert (found.word, found.reason[:21]) == ("INVALID", "final parameters: 1 o")


def test_beyond_one_thread_a_distance_within_the_allowance_counts_as_the_same_end() -> None:
    for apart, word in ((1e-7, "FASTER"), (1e-5, "INVALID"), (math.nan, "INVALID")):
        change = {"final": "f" * 16, "finals": 3, "apart": apart, "cpu_ns": 10**10}
        made = former(record({"jax": around(0.5)}, threads="all"), lambda *_, c=change: c)
        assert verdict(made).word == word


def seen(*took: int, known: int = 1000, same: int = 0, busy: bool = False) -> Record1:
    """A record whose first blocks hold jax against unseen work, nanoseconds; a run of the race takes 10 ms.

    `busy`: other programs had the CPU for all that is longer than the known run.
    """
    found = former(record({"jax": around(1.0)}))
    blocks = []
    for block, unseen in zip(found.blocks, took, strict=False):
        cpu = {"known_cpu_ns": known, "unseen_cpu_ns": known if busy else unseen}
        one = Unseen(task="lesson", lane="jax", known_ns=known, unseen_ns=unseen, same=same, **cpu)
        blocks.append(block.model_copy(update={"unseen": (one,)}))
    return found.model_copy(update={"blocks": (*blocks, *found.blocks[len(blocks) :])})


def test_a_lane_that_remembers_is_invalid_and_one_that_is_held_up_is_not() -> None:
    for fine in (seen(1100, 900), seen(90_000, 1100), seen(90_000, 90_000, busy=True)):
        assert verdict(fine).word == "EQUIVALENT"
    found = verdict(seen(90_000, 2500))
    words = "memory: work that it had not seen before takes 2.5 times as long"
    assert (found.word, found.reason) == ("INVALID", words)
    found = verdict(seen(1000, 1000, same=1))
    assert found.word == "INVALID"
    assert found.reason.startswith("memory: a run from another start ended in the certified")


def test_a_lane_that_remembers_its_last_result_is_as_quick_only_in_the_race() -> None:
    found = verdict(seen(10**8, 10**8, known=10**8))
    assert found.word == "INVALID"
    assert found.reason.startswith("memory: work that it had not seen before takes 10.0 times")


def test_noise_in_some_slices_is_no_lie_about_the_sync() -> None:
    found = former(record({"jax": around(0.5)}), lambda lane, b, r: {"resync_ns": 10**7} if r == 1 else {})
    assert verdict(found).word == "FASTER"


@pytest.mark.parametrize("status", ["fail", "diverged", "not run"])
def test_without_a_certificate_that_passes_there_is_no_time(status: str) -> None:
    found = verdict(record({"jax": around(0.5)}, status={"jax": status}))
    assert (found.word, found.ratio) == ("INVALID", None)
    assert f"it says {status}" in found.reason


def test_a_failure_is_failed_whatever_was_measured_before() -> None:
    failure = Failure(task="lesson", lane="jax", phase="slice", reason="died of SIGSEGV")
    found = verdict(record({"jax": around(0.5)}, failures=[failure]))
    assert (found.word, found.reason) == ("FAILED", "slice: died of SIGSEGV")


def test_without_a_baseline_nothing_is_decided() -> None:
    failure = Failure(task="lesson", lane="torch", phase="slice", reason="hung")
    found = verdict(record({"jax": around(0.5)}, failures=[failure]))
    assert (found.word, found.ratio) == ("UNDECIDED", None)
    assert "torch has no times" in found.reason


def test_a_twin_that_differs_makes_everything_unstable() -> None:
    for ratio, word in ((1.005, "FASTER"), (1.03, "UNSTABLE"), (0.97, "UNSTABLE")):
        twins = around(ratio, 0.002)
        assert verdict(record({"jax": around(0.5)}, twin=twins.__getitem__)).word == word


def test_stolen_time_and_drift_are_unstable() -> None:
    stolen = record({"jax": around(0.5)}, change=lambda lane, b, r: {"steal_ns": 10**7})
    assert verdict(stolen).reason.startswith("steal")
    moving = verdict(record({"jax": around(0.5, 0.001, 4) + around(0.6, 0.001, 4)}))
    assert (moving.word, moving.reason[:5]) == ("UNSTABLE", "drift")
    assert moving.ratio is not None


def test_another_baseline_is_marked_exploratory_and_an_unknown_one_is_refused() -> None:
    made = record({"jax": around(0.5), "numpy": around(0.25)})
    found = judge(made, baseline="jax")
    assert [one.word for one in found] == ["SLOWER", "BASELINE", "FASTER"]
    assert all(one.exploratory for one in found)
    assert not any(one.exploratory for one in judge(made))
    with pytest.raises(InputError, match="no lane 'mlx'"):
        judge(made, baseline="mlx")


def test_whoever_tries_every_baseline_has_one_level_for_all_pairs() -> None:
    """Four lanes are three comparisons with the baseline that was planned, and six pairs."""
    others = {"numpy": around(1.0, 0.2), "numba": around(1.0, 0.3)}
    planned = RecordAnalysis(record({"jax": around(0.9, 0.055)} | others))
    turned = RecordAnalysis(planned.record, "jax")
    least = min(claims(Sample.of(planned["lesson", "jax"].block_ratios)))
    assert (family_size(planned), family_size(turned)) == (3, 6)
    first, again = planned["lesson", "jax"].verdict, turned["lesson", "torch"].verdict
    assert (first.p, again.p) == (pytest.approx(3 * least), pytest.approx(6 * least))
    assert (first.word, again.word) == ("FASTER", "UNDECIDED")


def test_what_would_not_be_seen_is_said_for_the_level_that_is_left() -> None:
    """Where nine of ten comparisons are decided the last one is tested at all of the level."""
    ratios = {f"lane{i}": around(2.0) for i in range(9)} | {"jax": around(1.0, 0.05)}
    found = RecordAnalysis(record(ratios))
    last = next(one for one in found.verdicts if one.word == "UNDECIDED")
    assert last.lane == "jax"
    assert last.detectable == detectable(Sample.of(found["lesson", "jax"].block_ratios), level=ALPHA)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_fewer_than_four_blocks_are_not_enough(blocks: int) -> None:
    """Of so few there is no interval either."""
    found = verdict(record({"jax": around(0.5, blocks=blocks)}, blocks=6))
    reason = f"{blocks} of 6 blocks were measured; a test needs 4"
    assert (found.word, found.reason) == ("UNDECIDED", reason)
    assert found.ratio is not None
    assert found.ratio.high == math.inf


def test_an_undecided_word_says_why_its_interval_alone_would_say_more() -> None:
    """The interval is of one comparison; the word is corrected for all, and counts a margin."""
    beyond = np.exp([0.02, 0.05, 0.035, 0.06, 0.03, 0.045]).tolist()
    undecided = {f"lane{i}": [1.0, 1.04, 1.0, 1.04, 1.0, 1.04] for i in range(20)}
    found = verdict(record({"jax": beyond} | undecided))
    assert found.word == "UNDECIDED"
    assert found.ratio is not None
    assert found.ratio.low > 1.02
    assert found.reason.endswith(
        "the interval is of this comparison alone, and the word is corrected for all of the record"
    )
    near = verdict(record({"jax": around(1.015, 0.006)}))
    assert near.word == "UNDECIDED"
    assert near.ratio is not None
    assert 1 < near.ratio.low < 1.02 < near.ratio.high
    assert near.reason.endswith("the interval does not hold 1, but reaches into the margin")
    assert verdict(record({"jax": around(1.0, 0.05)})).reason.endswith(
        "had less than an 80% chance to be called different"
    )


@pytest.mark.parametrize("blocks", [2, 3])
def test_fewer_than_four_blocks_have_a_median_and_no_interval(blocks: int) -> None:
    ratios = [0.5, 0.9, 0.55][:blocks]
    found = verdict(record({"jax": ratios}))
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(math.exp(median(map(math.log, ratios))))
    assert (found.ratio.low, found.ratio.high) == (0.0, math.inf)
    assert (found.word, found.reason) == (
        "UNDECIDED",
        f"{blocks} of {blocks} blocks were measured; a test needs 4",
    )


def test_a_comparison_keeps_to_the_rounds_that_both_arms_have() -> None:
    made = record({"jax": around(0.5)}, rounds=3)
    blocks = tuple(
        block.model_copy(
            update={
                "slices": tuple(
                    s for s in block.slices if not (s.lane == "jax" and s.round == block.index % 3)
                )
            }
        )
        for block in made.blocks
    )
    assert verdict(made.model_copy(update={"blocks": blocks})).word == "FASTER"
