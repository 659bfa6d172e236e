"""What a step costs each lane: the line t = a + b w over its times at several sizes.

a is the overhead of a step, 1 / b the rate at which work is done. w are the bytes that a step has to move:
one Linear layer computes about one operation for each byte it reads, far fewer than a core could, so that
memory and not arithmetic sets the rate. Times of which nothing may be claimed are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from samestep.backends.spec import Number, Spec

from ..console.choices import first_names
from ..statistics.line import CostLine, fit_line

if TYPE_CHECKING:
    from .record_analysis import LaneAnalysis, RecordAnalysis

FEWEST_SIZES = 3
GOOD, ROUGH = 0.25, 1.0  # by how much a time typically misses the line: a quarter; a factor of two


class StepCost(Spec):
    """A lane's line over the sizes that it has times for; None for what the sizes do not tell.

    `overhead` is a in seconds, `rate` is 1 / b in bytes (or operations) per second, each with its standard
    error, which counts how far the sizes lie off the line. `r_squared` is the part of the variance of log t
    that the line explains, `typical` by how much a time usually misses it (0.1 is 10%). `word`: "good" up to
    25%, "rough" up to a factor of 2, "poor" beyond, where the two numbers do not describe the lane; `reason`
    says why.
    """

    lane: str
    sizes: int
    overhead: Number | None = None
    overhead_error: Number | None = None
    rate: Number | None = None
    rate_error: Number | None = None
    r_squared: Number | None = None
    typical: Number | None = None
    word: Literal["good", "rough", "poor", "none"] = "none"
    reason: str = ""

    @property
    def half_overhead(self) -> float | None:
        """The bytes a / b of a step of whose time half is overhead: with fewer, calls limit the lane."""
        return self.overhead * self.rate if self.overhead and self.rate else None


def step_costs(
    analysis: RecordAnalysis, *, work: Literal["bytes", "flops"] = "bytes"
) -> tuple[StepCost, ...]:
    """Every lane's line, in the plan's order; for any record that has times for at least three sizes."""
    costs = []
    for name in analysis.lanes:
        lanes = [lane for lane in analysis if lane.lane == name and lane.counted_time]
        claimed = [lane for lane in lanes if not lane.verdict.no_claim]
        sizes = [getattr(lane.work, f"{work}_per_step") for lane in claimed]
        rows = [min(lane.work.task.batch_size, lane.work.rows) for lane in claimed]
        seconds = [time.value for lane in claimed if (time := lane.counted_time)]
        cost = _step_cost(name, sizes, rows, seconds)
        reasons = filter(None, (cost.reason, _left_out([lane for lane in lanes if lane not in claimed])))
        costs.append(cost.model_copy(update={"reason": "; ".join(reasons)}))
    return tuple(costs)


def _left_out(lanes: Sequence[LaneAnalysis]) -> str:
    """How many sizes are not in a line, and which."""
    if not lanes:
        return ""
    sizes = "1 size is" if len(lanes) == 1 else f"{len(lanes)} sizes are"
    return f"{sizes} left out (UNSTABLE): {first_names([lane.task for lane in lanes])}"


def _step_cost(lane: str, work: Sequence[int], rows: Sequence[int], seconds: Sequence[float]) -> StepCost:
    sizes = len(set(work))
    if sizes < FEWEST_SIZES:
        return StepCost(
            lane=lane, sizes=sizes, reason=f"{sizes} sizes have times; a line needs {FEWEST_SIZES}"
        )
    line = fit_line(work, seconds)
    return StepCost(
        lane=lane,
        sizes=sizes,
        overhead=line.a,
        overhead_error=line.a_error,
        rate=1 / line.b if line.b else None,
        rate_error=line.b_error / line.b**2 if line.b and line.b_error is not None else None,
        r_squared=line.r_squared,
        typical=line.typical,
        word="good" if line.typical <= GOOD else "rough" if line.typical <= ROUGH else "poor",
        reason=_unseen_numbers(line) if line.typical <= GOOD else _misfit(line, rows, seconds),
    )


def _unseen_numbers(line: CostLine) -> str:
    """Which of a good line's numbers is within two standard errors of 0."""
    reasons = []
    if line.a < 2 * (line.a_error or 0.0) or not line.a:
        reasons.append("no overhead seen")
    if line.b < 2 * (line.b_error or 0.0) or not line.b:
        reasons.append("no rate seen: its time hardly grows with the work")
    return "; ".join(reasons)


def _misfit(line: CostLine, rows: Sequence[int], seconds: Sequence[float]) -> str:
    """How far the times lie off a line, and whether the rows of a batch explain them better than the work."""
    miss = f"a time is typically {line.typical:.0%} off the line"
    if len(set(rows)) < FEWEST_SIZES:
        return miss
    by_rows = fit_line(rows, seconds)
    if by_rows.typical > line.typical / 2:
        return miss
    return (
        f"{miss}; by rows of a batch, at {by_rows.b * 1e6:.3g} us for each, it would be {by_rows.typical:.0%}"
    )
