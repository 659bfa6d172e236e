"""What was proven: the rounding that steps used as a chart, and the training that all lanes share as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...analysis import RecordAnalysis, curves
from ...console.choices import counted
from .. import formatting as fmt
from ..text_table import TextTable
from .chart_parts import (
    PERCENT,
    ROW,
    Figure,
    Values,
    at,
    by_time,
    data,
    lanes_y,
    log_x,
    marker,
    of_field,
    short,
    specification,
    tooltips,
)
from .headline import marked, no_claims
from .lane_style import LaneStyles

RATIOS = 1e-4, 1e18  # what the axis can show; smaller and larger ratios are drawn at its ends


# --- training: a table, since every lane has the same losses ----------------------------------------


def training(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """How long the whole training takes in each lane, and when it is near the exact solution if it ever is."""
    of = {row.lane: row.time for row in analysis.rows_of(task) if row.time}
    ends = sorted(curves.training_ends(analysis, task), key=lambda end: of[end.lane].value)
    if not ends:
        return None
    close = any(end.close for end in ends)
    names = ("lane", "steady", "with first call", *(("within 1%", "stays so") if close else ()))
    table = TextTable(counted(ends[0].steps, "step"), names)
    for end in ends:
        steady = marked(analysis.row_of[task, end.lane], fmt.duration(end.steady_s))
        times = steady, fmt.duration(end.cold_s) or "not measured"
        table.rows.append((end.lane, *times, *(_close_times(end) if close else ())))
    says = f"{_losses(analysis, task)}{_ending(ends)} Steady time is without the first call (tracing, compiling)."
    says += _close_steps(analysis, task, ends)
    says = f"{says} {no_claims(analysis.rows_of(task))}".rstrip()
    return Figure("training", "The whole training", says, None, table)


def _losses(analysis: RecordAnalysis, task: str) -> str:
    """That the lanes have the same losses, and which; nothing where no step was kept."""
    points = curves.loss_curves(analysis, task)
    if not points:
        return ""
    losses: dict[int, list[float]] = {}
    for point in points:
        losses.setdefault(point.step, []).append(point.loss)
    first, last = (losses[pick(losses)][0] for pick in (min, max))
    distance = max((max(some) - min(some)) / max(map(abs, some)) for some in losses.values() if any(some))
    lanes = len({point.lane for point in points})
    alike = f"The {lanes} lanes have the same losses" if lanes > 1 else "The loss on all training rows falls"
    apart = f"; they differ by at most {distance:.0e} of it" if lanes > 1 and distance else ""
    ends = f"{fmt.small(first)} after step {min(losses):,}, {fmt.small(last)} after {max(losses):,}"
    return f"{alike}: {ends}{apart}. "


def _ending(ends: Sequence[curves.TrainingEnd]) -> str:
    """How far above the exact solution training ends, or why that is not known."""
    above = [end.above for end in ends if end.above is not None]
    if above:
        texts = dict.fromkeys(map(fmt.percent, (min(above), max(above))))
        return f"Training ends {' to '.join(texts)} above the exact solution's loss."
    return f"How near that is to an exact solution is not known: {ends[0].reason}."


def _close_times(end: curves.TrainingEnd) -> tuple[str, str]:
    """When first and when for good, or why not."""
    if end.close is None:
        return end.reason or "not in this run", ""
    first, stays = (fmt.duration(step * end.step_s) for step in end.close)
    return first, stays


def _close_steps(analysis: RecordAnalysis, task: str, ends: Sequence[curves.TrainingEnd]) -> str:
    """At which steps it is within 1%, and how many steps lie between kept ones."""
    close = {end.lane: end.close for end in ends if end.close}
    if not close:
        return ""
    first, stays = (sorted(set(steps)) for steps in zip(*close.values(), strict=True))
    steps = [point.step for point in curves.recorded_curve(analysis[task, next(iter(close))])]
    gap = max(later - step for step, later in pairwise([0, *steps]))
    close_from, stays_from = (
        f"{some[0]:,}" if len(some) == 1 else f"{some[0]:,} to {some[-1]:,}" for some in (first, stays)
    )
    return (
        f" Step {close_from} is the first kept one within 1% of that loss; from step {stays_from} on all of them "
        f"are. Kept steps are at most {gap} apart."
    )


# --- rounding ---------------------------------------------------------------------------------------


def parity(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """How much of the rounding bound steps used, a row for each lane."""
    points = curves.bound_ratios(analysis, task)
    if not points:
        return None
    low = max(RATIOS[0], min(1.0, *(p.bound_ratio for p in points)) / 1.5)
    high = max(2.0, min(RATIOS[1], max(p.bound_ratio for p in points) * 1.5))
    rows = by_time(analysis.rows_of(task))
    lanes = [row.lane for row in rows if any(p.lane == row.lane for p in points)]
    values: Values = [
        {"lane": p.lane, "step": p.step, "used": short(min(max(p.bound_ratio, low), high)), "by": p.quantity}
        for p in points
    ]
    x, y = log_x("used", (low, high), "of the bound", label=PERCENT), lanes_y(lanes)
    steps = data(values).mark_tick(thickness=1.5, height=ROW * 0.5, opacity=0.45)
    tips = tooltips("lane", "by", step="d", used=".2%")
    order = sorted(values, key=lambda value: value["used"])
    worst = list({value["lane"]: value for value in order}.values())
    layers = [
        at(1.0, of_field(x, "value"), "the bound: above it there is no proof"),
        steps.encode(x=x, y=y, color=styles.color(), tooltip=tips),
        marker(worst, styles, tips).encode(x=x, y=y),
    ]
    ratio, lane = max(
        ((row.parity_share, row.lane) for row in rows if row.parity_share is not None), default=(0.0, "none")
    )
    says = (
        "The largest ratio of a rounding error to its bound in each of a fixed sample of steps, the largest of "
        f"them as a mark. The most in any step is {fmt.percent(ratio)} ({lane}); right of the dashed line, 100%, "
        "there is no proof. Lanes that round alike have the same figures."
    )
    spec = specification(layers, ROW * len(lanes), says)
    return Figure("proof", "Bound used", says, spec, _worst_steps(analysis, task))


def _worst_steps(analysis: RecordAnalysis, task: str) -> TextTable:
    """The worst step of each quantity over all steps, not only the sampled ones."""
    judgements = {lane.lane: lane.judgement for lane in analysis.of_task(task)}
    names = list(dict.fromkeys(name for j in judgements.values() if j for name in j.quantities))
    table = TextTable("The worst of all steps, by quantity", ("lane", *names))
    for lane, judgement in judgements.items():
        worst = judgement.quantities if judgement else {}
        cells = [
            f"{fmt.percent(worst[name].share)}, step {worst[name].step}" if name in worst else "not judged"
            for name in names
        ]
        table.rows.append((lane, *cells))
    return table
