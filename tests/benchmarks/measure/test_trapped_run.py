"""One session with everything that goes wrong in it, beside lanes that do not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from samestep.benchmarks.analysis import RecordAnalysis, Verdict
from samestep.benchmarks.measure import measure
from samestep.benchmarks.measure.environment import allowed_cpus
from samestep.benchmarks.record import Record
from tests.helpers.sessions import LIMITS, TASKS, TINY, requested
from validation.trap_lanes import EXPECTED, WITHOUT_GAIN

pytestmark = [pytest.mark.slow, pytest.mark.alone]

SOON = LIMITS.model_copy(update={"slice": 8.0})  # one of the lanes hangs, and is waited for
# those of a compiler need more memory than these workers have, and are tried with the settings
TRAPS = {name: expected for name, expected in EXPECTED.items() if not name.endswith("SwitchedOff")}


def lane(name: str) -> str:
    return f"validation.trap_lanes:{name}"


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """One session of everything that goes wrong, beside lanes that do not."""
    lanes = ["numpy", "numpy:tuned", *map(lane, ("Talks", *TRAPS, *WITHOUT_GAIN))]
    folder = tmp_path_factory.mktemp("trapped")
    # slices so long that clocks of half the speed stand out beside what other programs do to single messages
    effort = TINY.model_copy(update={"slice_ms": 5.0})
    return measure(requested(folder, *lanes, tasks=tuple(TASKS[:1]), effort=effort), limits=SOON)


@pytest.fixture(scope="module")
def verdicts(trapped: Record) -> dict[str, Verdict]:
    return {one.lane: one for one in RecordAnalysis(trapped).verdicts}


@pytest.mark.parametrize(("name", "expected"), TRAPS.items())
def test_a_lane_that_goes_wrong_has_no_time_and_its_reason(
    name: str, expected: tuple[str, str], verdicts: Any
) -> None:
    if name == "WorksInAChild" and len(allowed_cpus()) < 2:
        pytest.skip("there is one CPU: a child that works beside its parent has none to itself")
    word, reason = expected
    found = verdicts[lane(name)]
    assert found.word == word
    assert found.reason.startswith(reason)


def test_the_other_lanes_lose_nothing(trapped: Record, verdicts: Any) -> None:
    for name in ("numpy", "numpy:tuned", lane("Talks")):
        assert verdicts[name].word not in ("FAILED", "INVALID")
        pieces = [s for block in trapped.blocks for s in block.slices if s.lane == name and not s.twin]
        assert Counter(s.kind for s in pieces) == {"race": 4, "gc": 1, "alone": 1}


def test_a_lane_that_is_not_certified_is_not_timed(trapped: Record) -> None:
    assert not [
        s for block in trapped.blocks for s in block.slices if s.lane in (lane("Wrong"), lane("Absent"))
    ]


@pytest.mark.parametrize("name", WITHOUT_GAIN)
def test_a_lane_that_saves_its_work_for_later_is_no_faster(name: str, verdicts: dict[str, Verdict]) -> None:
    """That it does all of its work under the clock is counted in the tests of a slice."""
    assert verdicts[lane(name)].word not in ("FAILED", "INVALID", "FASTER")


def test_a_slice_carries_what_it_is_judged_by(trapped: Record) -> None:
    for block in trapped.blocks:
        pieces = [s for s in block.slices if s.lane == "numpy" and not s.twin]
        audits = [s.audit for s in pieces if s.audit]
        assert [(audit.reason, audit.equal, audit.steps) for audit in audits] == [("", True, 10)]
        assert len({s.start_seed for s in pieces} | {s.order_seed for s in pieces}) == 2 * len(pieces)
        for piece in pieces:
            assert piece.compilations == 0
            assert 0 < piece.fetch_ns < piece.elapsed_ns < piece.span_ns
            assert piece.cpu_ns > 0
            assert 1 <= piece.warmups <= 5
            assert piece.outside_ns > 0


def test_every_block_has_a_twin_of_one_lane(trapped: Record) -> None:
    for block in trapped.blocks:
        assert {s.lane for s in block.slices if s.twin} <= {block.twin}
        assert sorted(block.started).count(f"twin of {block.twin}") == 1


def test_cold_calls_accuracy_and_ceilings_are_there(trapped: Record) -> None:
    cold = next(c for c in trapped.colds if c.lane == "numpy")
    assert 0 < cold.import_s < 60
    assert 0 < cold.first_call_s < 60
    assert cold.peak_memory > 10 << 20
    certified = next(c for c in trapped.certified if c.lane == "numpy")
    assert certified.accuracy is not None
    assert certified.accuracy.excess is not None
    assert certified.accuracy.excess >= 0
    assert trapped.ceilings[0].read_rate > 1e8
    assert {d.framework for d in trapped.dispatches} == {"numpy"}
    arm = next(arm for arm in trapped.arms if arm.lane == "numpy")
    assert all(pool.threads == 1 for pool in arm.pools)
