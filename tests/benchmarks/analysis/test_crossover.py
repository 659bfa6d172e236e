"""The map of the fastest lanes, from records made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.spec import Loss
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis import crossover as crossover_module
from samestep.benchmarks.analysis.crossover import Crossover, SizeCell, size_cell
from samestep.benchmarks.record import Failure, Record
from tests.helpers.grid_records import Size, grid, steady
from tests.helpers.unstable_records import with_stolen

SIZES: list[Size] = [(batch, features) for batch in (1, 8, 64) for features in (2, 64)]


def cell(record: Record, task: str) -> SizeCell:
    return size_cell(RecordAnalysis(record), task)


def crossover(record: Record) -> Crossover | None:
    return RecordAnalysis(record).crossover


def test_the_map_names_the_clear_winner_of_every_cell() -> None:
    """One lane is quick where a step is small, the other where it is large."""
    slow = {size: 5 + 0.05 * size[0] * size[1] for size in SIZES}
    found = crossover(grid({size: {"a": steady(slow[size]), "b": steady(20.0)} for size in SIZES}))
    assert found is not None
    assert (found.batches, found.features) == ((1, 8, 64), (2, 64))
    assert [[one.fastest for one in row] for row in found.cells] == [["a", "a"], ["a", "b"], ["a", "b"]]
    for one in (one for row in found.cells for one in row):
        assert one.task == f"b{one.batch}-f{one.features}"
        assert one.not_separated == ()
        first, other = one.entries
        assert first.lane == one.fastest
        assert first.ratio is None
        assert other.ratio is not None
        assert other.ratio.value == pytest.approx(other.time.value / first.time.value)
        assert min(first.time.value, other.time.value) == pytest.approx(
            min(slow[one.batch, one.features], 20) * 1e-6
        )


def test_lanes_within_the_margin_or_the_noise_are_not_separated() -> None:
    rng = np.random.default_rng(1)
    noisy = (10.5 * np.exp(rng.normal(0, 0.3, 6))).tolist()
    times = {"a": steady(10.0), "near": steady(10.15), "noisy": [t + 2 for t in noisy], "far": steady(12.0)}
    found = cell(grid({(8, 2): times}), "b8-f2")
    assert found.fastest == "a"
    assert set(found.not_separated) == {"near", "noisy"}
    assert [entry.separated for entry in found.entries if entry.lane == "far"] == [True]


def test_what_is_not_known_has_a_reason() -> None:
    for record, words in (
        (grid({(8, 2): {"a": [10.0], "b": [20.0]}}), "1 of 2 blocks"),
        (grid({(8, 2): {"a": steady(10), "b": steady(20)}}, twin=1.1), "twin: an identical arm took 1.100"),
        (
            grid({(8, 2): {"a": steady(10), "b": steady(20)}}, status={"a": "fail", "b": "fail"}),
            "no lane has times",
        ),
    ):
        found = cell(record, "b8-f2")
        assert found.fastest is None
        assert words in found.reason


@pytest.mark.parametrize("us", [5.0, 21.0, 1000.0])
def test_an_unstable_lane_is_never_separated_nor_the_fastest_however_long_it_takes(us: float) -> None:
    made = grid({(8, 2): {"a": steady(10), "b": steady(us), "c": steady(30)}})
    found = cell(with_stolen(made, "b"), "b8-f2")
    assert (found.fastest, found.not_separated) == ("a", ("b",))
    assert found.entries[0].lane == "a"
    (unstable,) = (entry for entry in found.entries if entry.lane == "b")
    assert (unstable.ratio, unstable.p, unstable.reason[:16]) == (None, None, "UNSTABLE: steal:")
    assert [entry.separated for entry in found.entries if entry.lane == "c"] == [True]


def test_nobody_is_the_fastest_where_no_two_lanes_can_be_compared() -> None:
    made = grid({(8, 2): {"a": steady(10), "b": steady(20)}})
    for lanes in (("a",), ("a", "b"), ("b",)):  # the baseline is a: without it nothing is claimed of b
        found = cell(with_stolen(made, *lanes), "b8-f2")
        assert (found.fastest, found.not_separated) == (None, ())
        assert "UNSTABLE: " in found.reason
    alone = grid({(8, 2): {"a": steady(10)}})
    assert cell(alone, "b8-f2").fastest == "a"
    assert cell(with_stolen(alone, "a"), "b8-f2").fastest is None


def test_two_lanes_whose_own_ratio_drifts_are_not_separated() -> None:
    """Each of them is stable beside the baseline: by less than the margin, but in opposite directions."""
    times = {
        "base": steady(100),
        "a": [10.0, 10.001, 9.999, 10.15, 10.151, 10.149],
        "b": [20.3, 20.301, 20.299, 20.0, 20.001, 19.999],
    }
    found = cell(grid({(8, 2): times}), "b8-f2")
    assert (found.fastest, found.not_separated) == ("a", ("b",))
    assert [entry.reason[:16] for entry in found.entries if entry.lane == "b"] == ["UNSTABLE: drift:"]
    assert [entry.separated for entry in found.entries if entry.lane == "base"] == [True]


THREE = {(8, 2): {"a": steady(10), "b": steady(20), "c": steady(30)}}


@pytest.mark.parametrize("lane", ["a", "c"])
def test_nobody_is_the_fastest_where_a_lane_that_raced_has_no_time(lane: str) -> None:
    """Whoever it is: nobody knows how fast it would have been."""
    made = grid(THREE, status={lane: "fail"})
    found = cell(made, "b8-f2")
    assert (found.fastest, found.not_separated, found.untested) == (None, (), (lane,))
    assert found.reason == f"{lane}: INVALID: parity: it says fail"
    assert [entry.lane for entry in found.entries] == [name for name in "abc" if name != lane]
    failure = Failure(task="b8-f2", lane=lane, phase="slice", reason="hung")
    found = cell(grid(THREE).model_copy(update={"failures": (failure,)}), "b8-f2")
    assert (found.fastest, found.reason) == (None, f"{lane}: FAILED: slice: hung")


def test_one_block_of_one_lane_is_no_race() -> None:
    """Of raw medians of one block each, either may come out first."""
    made = grid(THREE)
    blocks = [
        block
        if block.index == 0
        else block.model_copy(update={"slices": tuple(s for s in block.slices if s.lane != "a")})
        for block in made.blocks
    ]
    found = cell(made.model_copy(update={"blocks": tuple(blocks)}), "b8-f2")
    assert found.fastest is None
    assert found.reason == "a: 1 of 6 blocks were measured; a test needs 4"


def test_only_a_whole_grid_of_one_kind_of_work_has_a_map() -> None:
    times = {"a": steady(10), "b": steady(20)}
    assert crossover(grid(dict.fromkeys(SIZES, times))) is not None
    assert crossover(grid(dict.fromkeys(SIZES[1:], times))) is None
    assert crossover(grid({size: times for size in SIZES if size[1] == 2})) is None
    record = grid(dict.fromkeys(SIZES, times))
    first, *others = record.plan.works
    odd = first.model_copy(update={"task": first.task.model_copy(update={"loss": Loss(name="huber")})})
    plan = record.plan.model_copy(update={"works": (odd, *others)})
    assert crossover(record.model_copy(update={"plan": plan})) is None


@pytest.mark.slow
def test_a_fastest_lane_that_was_picked_by_chance_is_not_called_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight identical lanes and no margin: in at most 5% of the cells is any of them called slower.

    Corrected for the seven pairs that are looked at alone, it would be in about 12%.
    """
    monkeypatch.setattr(crossover_module, "MARGIN", 0.0)
    rng, lanes, cells = np.random.default_rng(8), "abcdefgh", 300
    sizes = {
        (batch, 2): {lane: (10 * np.exp(rng.normal(0, 0.02, 6))).tolist() for lane in lanes}
        for batch in range(1, cells + 1)
    }
    analysis = RecordAnalysis(grid(sizes))
    wrong = sum(len(size_cell(analysis, f"b{batch}-f2").not_separated) < len(lanes) - 1 for batch, _ in sizes)
    assert wrong / cells <= 0.05
