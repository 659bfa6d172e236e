"""Where every slice stands: a pure function of plan, calibrations and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pytest

from samestep.benchmarks import tasks
from samestep.benchmarks.record import Calibration, Failure, Plan
from samestep.benchmarks.record.layout import (
    LOST,
    PlannedSlice,
    control_lane,
    extra_blocks,
    layout,
    of_block,
    rounds,
    runnable,
    start_order,
)
from samestep.benchmarks.record.plan import Effort
from tests.helpers.records import certified
from tests.helpers.records import plan as made_plan

LANES = ("torch", "numpy", "jax")
CALIBRATIONS = {
    ("lesson", lane): Calibration(task="lesson", lane=lane, repeats=10, run_ns=10**6) for lane in LANES
}
PROVEN = [certified(lane, "pass") for lane in LANES]


def plan(**effort: object) -> Plan:
    made = made_plan(LANES, "torch", 6, "one")
    fields = made.effort.model_dump() | {"rounds": (3, 3)} | effort
    return made.model_copy(update={"effort": Effort(**fields)})


def block(index: int, failures: Sequence[Failure] = (), seed: int = 0) -> list[PlannedSlice]:
    of_plan = plan().model_copy(update={"seed": seed})
    lane_tasks = runnable(of_plan, PROVEN, failures, before=index)
    of_index = [failure for failure in failures if failure.block == index]
    return list(of_block(layout(of_plan, index, lane_tasks, of_index, CALIBRATIONS), of_index))


def failure(lane: str, place: int | None, index: int = 0, **change: object) -> Failure:
    fields = {"phase": "slice", "reason": "no", "died": True, "block": index, "place": place} | change
    return Failure(task="lesson", lane=lane, **fields)  # type: ignore[arg-type]


def test_every_round_has_every_arm_once_and_controls_come_in_every_second_block() -> None:
    for index in range(4):
        race = [piece for piece in block(index) if piece.kind == "race"]
        for number, pieces in groupby(race, key=lambda piece: piece.round):
            of_round = list(pieces)
            twin = control_lane(plan(), index, {lane: ["lesson"] for lane in LANES})
            assert sorted((p.lane, p.twin) for p in of_round) == sorted(
                [*((lane, False) for lane in LANES), (twin, True)]
            )
            assert [piece.position for piece in of_round] == [0, 1, 2, 3]
            assert of_round[0].predecessor is None
            assert number < 3
        controls = Counter(piece.kind for piece in block(index) if piece.kind != "race")
        assert controls == ({"gc": 3, "alone": 3} if index % 2 == 0 else {})


def test_places_and_predecessors_are_balanced_over_the_blocks() -> None:
    """Four arms make a square of four rounds: four blocks of three are three squares."""
    race = [piece for index in range(4) for piece in block(index) if piece.kind == "race"]
    names = [("twin" if piece.twin else piece.lane, piece.position) for piece in race]
    assert set(Counter(names).values()) == {3}
    assert len(set(names)) == 16


def test_it_follows_from_the_seed_and_the_index() -> None:
    assert block(1) == block(1)
    assert block(1) != block(1, seed=1)
    assert block(1) != block(3)
    # written down: another version of anything must not lay out an old record anew
    assert [piece.lane for piece in block(0)[:4]] == EXPECTED


EXPECTED = ["numpy", "jax", "torch", "jax"]


def test_a_lane_stops_where_it_failed_with_its_control() -> None:
    whole = block(0)
    for lane in LANES:
        left = block(0, [failure(lane, 5)])
        assert left == [p for at, p in enumerate(whole) if at < 5 or p.lane != lane]


def test_what_failed_before_the_first_slice_is_left_out() -> None:
    twin = control_lane(plan(), 0, {lane: ["lesson"] for lane in LANES})
    for lane in LANES:
        left = block(0, [failure(lane, None)])
        assert {piece.lane for piece in left} == set(LANES) - {lane}
        arms = 2 if lane == twin else 3
        assert {piece.position for piece in left if piece.kind == "race"} == set(range(arms))


def test_a_death_is_forgiven_once_and_an_error_never() -> None:
    def lanes(*failures: Failure) -> set[str]:
        return set(runnable(plan(), PROVEN, failures))

    assert lanes(failure("jax", 1)) == set(LANES)
    assert lanes(failure("jax", 1), failure("jax", 1, 2)) == {"torch", "numpy"}
    assert lanes(failure("jax", 1), failure("jax", 1, twin=True)) == set(LANES)  # of one block
    assert lanes(failure("jax", 1, died=False)) == {"torch", "numpy"}
    assert lanes(failure("jax", 1), failure("jax", None, 2, phase=LOST)) == set(LANES)
    assert set(runnable(plan(), PROVEN, [failure("jax", 1, 3, died=False)], before=3)) == set(LANES)
    assert set(runnable(plan(), PROVEN[:2], [])) == {"torch", "numpy"}


def test_a_death_that_is_forgiven_is_made_up_for_by_one_block() -> None:
    assert extra_blocks(plan(), []) == 0
    assert extra_blocks(plan(), [failure("jax", 1), failure("numpy", 1)]) == 1
    assert extra_blocks(plan(), [failure("jax", 1), failure("numpy", 1, 2)]) == 2
    assert extra_blocks(plan(), [failure("jax", 1), failure("jax", 1, 2)]) == 0
    assert extra_blocks(plan(), [failure("jax", 1, died=False)]) == 0
    assert extra_blocks(plan(), [failure("jax", 1, 6)]) == 0  # in the block that makes up for another


def test_every_arm_is_started_and_each_lane_has_its_turn_as_control() -> None:
    lane_tasks = {lane: ["lesson"] for lane in LANES}
    assert {control_lane(plan(), index, lane_tasks) for index in range(3)} == set(LANES)
    for index in range(3):
        assert len(set(start_order(plan(), index, lane_tasks))) == 4


@pytest.mark.parametrize(("run_ns", "count"), [(100, 10), (10**9, 5), (10**7 // 7 - 100, 5), (10**6, 7)])
def test_rounds_fit_the_seconds_of_a_block(run_ns: int, count: int) -> None:
    effort = Effort(name="e", blocks=2, rounds=(5, 10), block_seconds=1.0)
    calibration = Calibration(task=tasks.get("lesson").name, lane="a", repeats=10, run_ns=run_ns)
    assert rounds(effort, [calibration] * 10) == count
