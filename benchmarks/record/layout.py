"""Which slices a block has, and in which order: a pure function of the plan and of what failed.

The race runs through it, and `verify` works it out again. Nothing in it is drawn from a generator whose numbers
another version of a library could change: orders follow from hashes of the plan's seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ..statistics.williams import orders, permutation
from .measurements import Block, Calibration, Failure, Kind
from .plan import Effort, Plan
from .record import Certified

CONTROLS: tuple[Kind, ...] = ("gc", "alone")  # the second has no other lane before it
MOST_DEATHS = 1  # a process that dies is tried again once
LOST = "process lost"  # the phase of what a process had still to do when it died on another task
WARM_RUNS = 4  # about as many runs as a slice is warmed up with
MOST_REPEATS = 2_000  # chained runs of a slice: a lane that does nothing would ask for any number

LaneTasks = dict[str, list[str]]  # the tasks of each lane


class PlannedSlice(NamedTuple):
    """A slice's place in its block, before it is run."""

    task: str
    lane: str
    twin: bool
    kind: Kind
    round: int
    position: int
    predecessor: str | None


def arm_name(lane: str, twin: bool) -> str:
    """The name of a worker: its lane's, or that of the A/A control."""
    return f"twin of {lane}" if twin else lane


def is_out(failures: Iterable[Failure]) -> bool:
    """Whether a lane races no more on a task, by its failures there: an error, or more deaths than are forgiven.

    Deaths before the race are counted by themselves. What was lost beside another task is no failure of this one.
    """
    own = [failure for failure in failures if failure.phase != LOST]
    blocks = {failure.block for failure in own if failure.block is not None}
    before = [failure for failure in own if failure.block is None]
    return any(not f.died for f in own) or max(len(blocks), len(before)) > MOST_DEATHS


def runnable(
    plan: Plan, certified: Iterable[Certified], failures: Sequence[Failure], before: int | None = None
) -> LaneTasks:
    """The tasks that each lane may run in a block: those that it is proven for and is not out of.

    `before`: the block; only failures of earlier ones count, by default all.
    """
    earlier = [f for f in failures if before is None or f.block is None or f.block < before]
    proven = {(c.task, c.lane) for c in certified if c.certificate.status == "pass"}
    tasks = [work.task.name for work in plan.works]

    def can_run(task: str, lane: str) -> bool:
        of_pair = [failure for failure in earlier if (failure.task, failure.lane) == (task, lane)]
        return (task, lane) in proven and not is_out(of_pair)

    by_lane = {lane: [task for task in tasks if can_run(task, lane)] for lane in plan.lanes}
    return {lane: names for lane, names in by_lane.items() if names}


def extra_blocks(plan: Plan, failures: Sequence[Failure]) -> int:
    """How many blocks follow those of the plan: one for each in which a lane died that was tried again."""
    pairs = {(failure.task, failure.lane) for failure in failures}
    again = {
        pair
        for pair in pairs
        if not is_out([failure for failure in failures if (failure.task, failure.lane) == pair])
    }
    blocks = {failure.block for failure in failures if (failure.task, failure.lane) in again}
    return len([block for block in blocks if block is not None and block < plan.effort.blocks])


def until(plan: Plan, blocks: Sequence[Block]) -> int:
    """How many blocks a run has in the end: the plan's, and behind them those that make up for deaths."""
    planned = plan.effort.blocks
    failures = [failure for block in blocks for failure in block.failures]
    return planned + (extra_blocks(plan, failures) if len(blocks) >= planned else 0)


def slice_ns(effort: Effort) -> int:
    """The least nanoseconds of timed work in a slice."""
    return round(effort.slice_ms * 1e6)


def repeats_of(run_ns: int, target_ns: int) -> int:
    """How many chained runs of so many nanoseconds make a slice."""
    return min(max(1, -(-target_ns // run_ns)), MOST_REPEATS)


def block_cpu(cpus: Sequence[int], index: int) -> int:
    """The CPU of a block whose lanes are held to one: each has its turn, from the last on."""
    return cpus[-1 - index % len(cpus)]


def control_lane(plan: Plan, index: int, lane_tasks: LaneTasks) -> str:
    """The lane that runs twice in a block; each has its turn."""
    return sorted(lane_tasks)[(index + plan.seed) % len(lane_tasks)]


def start_order(plan: Plan, index: int, lane_tasks: LaneTasks) -> list[tuple[str, bool]]:
    """The arms of a block in the order in which their workers are started."""
    arms = [*((lane, False) for lane in lane_tasks), (control_lane(plan, index, lane_tasks), True)]
    return [arms[place] for place in permutation(len(arms), f"{plan.layout_seed}/{index}/start")]


def start_cpus(plan: Plan, index: int, cpus: Sequence[int]) -> tuple[int, ...]:
    """The CPUs on which the workers of a block start, in another order for each, so that no lane has its own."""
    return tuple(cpus[place] for place in permutation(len(cpus), f"{plan.layout_seed}/{index}/cpus"))


def rounds(effort: Effort, calibrations: Iterable[Calibration]) -> int:
    """Rounds of a block: as many as fit the effort's seconds, counting the runs that warm a slice up."""
    ns = sum((c.repeats + WARM_RUNS) * c.run_ns for c in calibrations)
    fewest, most = effort.rounds
    return max(fewest, int(min(most, effort.block_seconds * 1e9 // max(ns, 1))))


def layout(
    plan: Plan,
    index: int,
    lane_tasks: LaneTasks,
    failures: Sequence[Failure],
    calibrations: Mapping[tuple[str, str], Calibration],
) -> Iterator[PlannedSlice]:
    """The slices of a block as they are planned, whatever fails while they are run.

    `lane_tasks`: what is runnable when the block begins. `failures`: those of this block; what failed before the
    first slice is left out.
    """
    lost = {(failure.task, failure.lane) for failure in failures if failure.place is None}
    twin, tasks = control_lane(plan, index, lane_tasks), [work.task.name for work in plan.works]
    for place in permutation(len(tasks), f"{plan.layout_seed}/{index}/tasks"):
        task = tasks[place]
        lanes = [lane for lane in lane_tasks if task in lane_tasks[lane] and (task, lane) not in lost]
        if not lanes:
            continue
        arms = [(lane, False) for lane in sorted(lanes)] + [(twin, True)] * (twin in lanes)
        count = rounds(plan.effort, (calibrations[task, lane] for lane in lanes))
        first = index * count  # squares go on from block to block
        squares = orders(len(arms), f"{plan.layout_seed}/{task}/{len(arms)}")
        for number, order in enumerate(islice(squares, first, first + count)):
            yield from _in_order(task, [(*arms[at], "race", number) for at in order])
        if index % plan.effort.controls == 0:
            shuffled = permutation(len(lanes), f"{plan.layout_seed}/{index}/{task}/controls")
            yield from _in_order(
                task,
                [
                    (sorted(lanes)[at], False, kind, turn)
                    for at in shuffled
                    for turn, kind in enumerate(CONTROLS)
                ],
            )


def _in_order(task: str, arms: Sequence[tuple[str, bool, Kind, int]]) -> Iterator[PlannedSlice]:
    before: str | None = None
    for position, (lane, twin, kind, number) in enumerate(arms):
        yield PlannedSlice(task, lane, twin, kind, number, position, before)
        before = arm_name(lane, twin)


def of_block(planned: Iterable[PlannedSlice], failures: Sequence[Failure]) -> Iterator[PlannedSlice]:
    """What is left of a planned block after its failures: a lane stops at its first, with its A/A control."""
    stopped: dict[tuple[str, str], int] = {}
    for failure in failures:
        if failure.place is not None:
            pair = failure.task, failure.lane
            stopped[pair] = min(failure.place, stopped.get(pair, failure.place))
    for place, piece in enumerate(planned):
        if place < stopped.get((piece.task, piece.lane), place + 1):
            yield piece
