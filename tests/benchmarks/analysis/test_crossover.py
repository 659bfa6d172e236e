"""The map of the fastest lanes, and the line of every lane, from records made by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep.backends.spec import Loss
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis import crossover as crossover_module
from samestep.benchmarks.analysis.crossover import Crossover, SizeCell, size_cell
from samestep.benchmarks.analysis.step_cost import StepCost, step_costs
from samestep.benchmarks.record import Record
from samestep.benchmarks.statistics.line import fit_line
from tests.helpers.grid_records import Size, grid, steady

SIZES: list[Size] = [(batch, features) for batch in (1, 8, 64) for features in (2, 64)]


def cell(record: Record, task: str) -> SizeCell:
    return size_cell(RecordAnalysis(record), task)


def crossover(record: Record) -> Crossover | None:
    return RecordAnalysis(record).crossover


def fits(record: Record) -> tuple[StepCost, ...]:
    return step_costs(RecordAnalysis(record))


# --- the map --------------------------------------------------------------------------------------


def test_the_map_names_the_clear_winner_of_every_cell() -> None:
    """One lane is quick where a step is small, the other where it is large."""
    slow = {size: 5 + 0.05 * size[0] * size[1] for size in SIZES}
    found = crossover(grid({size: {"a": steady(slow[size]), "b": steady(20.0)} for size in SIZES}))
    assert found is not None
    assert (found.batches, found.features) == ((1, 8, 64), (2, 64))
    assert [[one.fastest for one in row] for row in found.cells] == [["a", "a"], ["a", "b"], ["a", "b"]]
    for one in (one for row in found.cells for one in row):
        assert one.task == f"b{one.batch}-f{one.features}"
        assert one.tied == ()
        first, other = one.entries
        assert first.lane == one.fastest
        assert first.ratio is None
        assert other.ratio is not None
        assert other.ratio.value == pytest.approx(other.time.value / first.time.value)
        assert min(first.time.value, other.time.value) == pytest.approx(
            min(slow[one.batch, one.features], 20) * 1e-6
        )


def test_lanes_within_the_margin_or_the_noise_are_tied() -> None:
    rng = np.random.default_rng(1)
    noisy = (10.5 * np.exp(rng.normal(0, 0.3, 6))).tolist()
    times = {"a": steady(10.0), "near": steady(10.15), "noisy": [t + 2 for t in noisy], "far": steady(12.0)}
    found = cell(grid({(8, 2): times}), "b8-f2")
    assert found.fastest == "a"
    assert set(found.tied) == {"near", "noisy"}
    assert [entry.tied for entry in found.entries if entry.lane == "far"] == [False]


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


def test_an_unstable_lane_is_tied_unless_it_surely_takes_twice_as_long() -> None:
    """Twice, and by the twin's tenth more."""
    found = cell(grid({(8, 2): {"a": steady(10), "b": steady(21.5), "c": steady(22.5)}}, twin=1.1), "b8-f2")
    assert (found.fastest, found.tied) == ("a", ("b",))
    assert [entry.reason[:5] for entry in found.entries] == ["", "twin:", "twin:"]


def test_a_twin_far_apart_explains_more_than_a_factor_of_two() -> None:
    found = cell(grid({(8, 2): {"a": steady(10), "b": steady(150)}}, twin=20), "b8-f2")
    assert found.fastest is None
    assert cell(grid({(8, 2): {"a": steady(10), "b": steady(500)}}, twin=20), "b8-f2").fastest == "a"


def test_a_lane_without_proof_is_never_the_fastest() -> None:
    found = cell(grid({(8, 2): {"a": steady(10), "b": steady(20)}}, status={"a": "fail"}), "b8-f2")
    assert found.fastest == "b"
    assert [entry.lane for entry in found.entries] == ["b"]


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
    wrong = sum(len(size_cell(analysis, f"b{batch}-f2").tied) < len(lanes) - 1 for batch, _ in sizes)
    assert wrong / cells <= 0.05


# --- the line -------------------------------------------------------------------------------------

POSITIVE = st.floats(1e-9, 1e3)
WORK = np.geomspace(32, 1.6e7, 25)


@given(st.floats(1e-7, 1e-2), st.floats(1e6, 1e12))
def test_overhead_and_rate_are_recovered(overhead: float, rate: float) -> None:
    """Exactly where both can be seen: neither is more than a thousand times the other's at every size."""
    seconds = overhead + WORK / rate
    line = fit_line(WORK.tolist(), seconds.tolist())
    if WORK[-1] / rate > 1e-3 * overhead and WORK[0] / rate < 1e3 * overhead:
        assert line.a == pytest.approx(overhead, rel=1e-4)
        assert 1 / line.b == pytest.approx(rate, rel=1e-4)
    assert line.r_squared == pytest.approx(1, abs=1e-6) or np.ptp(np.log(seconds)) < 1e-3


def test_the_standard_errors_are_right() -> None:
    """Over 300 draws with 10% noise an interval of two standard errors holds the truth in about 95%."""
    rng, truth, inside = np.random.default_rng(3), np.array([1e-4, 1 / 8e9]), np.zeros(2)
    for _ in range(300):
        seconds = (truth[0] + truth[1] * WORK) * np.exp(rng.normal(0, 0.1, len(WORK)))
        line = fit_line(WORK.tolist(), seconds.tolist())
        assert line.typical == pytest.approx(0.1, abs=0.07)
        assert line.a_error is not None
        assert line.b_error is not None
        errors = np.array([line.a_error, line.b_error])
        inside += abs(np.array([line.a, line.b]) - truth) < 2.07 * errors  # t with 23 degrees of freedom
    assert ((inside / 300 > 0.91) & (inside / 300 < 0.98)).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**9), POSITIVE), min_size=3, max_size=30, unique_by=lambda p: p[0])
)
def test_the_line_is_the_best_there_is(points: list[tuple[int, float]]) -> None:
    """Whatever the times: neither number is negative, and no line nearby has smaller squares."""
    work, seconds = map(list, zip(*points, strict=True))
    line = fit_line(work, seconds)
    assert min(line.a, line.b) >= 0
    assert -1e-9 <= line.r_squared <= 1 + 1e-9

    def squares(a: float, b: float) -> float:
        return sum(math.log(t / (a + b * w)) ** 2 for w, t in points)

    best, unit = squares(line.a, line.b), 1e-3 * np.median(seconds)
    for a in (line.a * 0.99, line.a, line.a * 1.01 + unit):
        for b in (line.b * 0.99, line.b, line.b * 1.01 + unit / np.median(work)):
            assert squares(a, b) >= best - 1e-6 * (1 + best)


def test_the_edges_have_one_number_and_no_error_of_the_other() -> None:
    proportional = fit_line(WORK.tolist(), (WORK / 8e9).tolist())
    assert (proportional.a, proportional.a_error) == (0, None)
    assert 1 / proportional.b == pytest.approx(8e9)
    shrinking = fit_line(WORK.tolist(), (1e-4 - 1e-12 * WORK).tolist())
    assert (shrinking.b, shrinking.b_error) == (0, None)


def made(seconds: Mapping[str, np.ndarray], sizes: Sequence[Size] = SIZES) -> Record:
    times = {
        size: {lane: steady(us[i] * 1e6) for lane, us in seconds.items()} for i, size in enumerate(sizes)
    }
    return grid(times)


def work_of(sizes: Sequence[Size] = SIZES) -> np.ndarray:
    return np.array([4 * (b * (f + 1) + 2 * (f + 1)) for b, f in sizes])


def test_every_lane_has_its_line() -> None:
    record = made({"quick": 2e-6 + work_of() / 1e9, "flat": np.full(6, 1e-4)})
    quick, flat = fits(record)
    assert (quick.lane, quick.sizes, quick.word, quick.reason) == ("quick", 6, "good", "")
    assert quick.overhead == pytest.approx(2e-6, rel=1e-2)
    assert quick.rate == pytest.approx(1e9, rel=1e-2)
    assert flat.overhead == pytest.approx(1e-4)
    assert flat.word == "good"
    assert "no rate seen" in flat.reason
    by_flops = step_costs(RecordAnalysis(record), work="flops")[0]
    assert by_flops.rate is not None
    assert by_flops.rate < 1e9


def test_a_bad_fit_says_so_and_what_would_fit() -> None:
    """A lane that fetches rows one by one: 2 us each, whatever the features."""
    batches = np.array([batch for batch, _ in SIZES])
    found = fits(made({"rows": 5e-6 + 2e-6 * batches, "a": 2e-6 + work_of() / 1e9}))[0]
    assert found.word in ("rough", "poor")
    assert "by rows of a batch, at 2 us for each" in found.reason


@pytest.mark.parametrize("sizes", [SIZES[:1], SIZES[:2]])
def test_two_sizes_make_no_line(sizes: list[Size]) -> None:
    found = fits(made({"a": np.full(6, 1e-5), "b": np.full(6, 1e-5)}, sizes))[0]
    assert (found.word, found.overhead, found.rate) == ("none", None, None)
    assert "a line needs 3" in found.reason
