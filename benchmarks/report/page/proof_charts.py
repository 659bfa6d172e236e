"""Charts of what was proven: the losses on each lane's own clock, and the rounding that steps used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import altair as alt

from ...analysis import RecordAnalysis, curves
from .. import formatting as fmt
from ..text_table import TextTable
from .chart_parts import (
    INK,
    PERCENT,
    SECONDS,
    Figure,
    data,
    lane_curves,
    log_x,
    log_y,
    short,
    span,
    specification,
    tooltips,
)
from .lane_style import LaneStyles

RATIOS = 1e-4, 1e18  # what the axis can show; smaller and larger ratios are drawn at its ends
TALL = 260  # pixels
FEWEST = 3  # steps of a curve


def training(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """The learning curve of each lane over its own wall time."""
    points = [point for point in curves.loss_curves(analysis, task) if point.loss > 0]
    steps = {point.step for point in points}
    if len(steps) < FEWEST:
        return None
    values = [
        {"lane": p.lane, "step": p.step, "seconds": short(p.seconds), "loss": short(p.loss)}
        | {"after": fmt.duration(p.seconds)}
        for p in points
    ]
    best = next((row.accuracy.best_loss for row in analysis.rows_of(task) if row.accuracy and row.time), None)
    exact = [(1 + curves.CLOSE) * best] if best and math.isfinite(best) and best > 0 else []
    x = log_x("seconds", span([p.seconds for p in points]), "time since the first step", label=SECONDS)
    y = log_y("loss", span([*(p.loss for p in points), *exact]), "loss on all training rows")
    layers = lane_curves(values, x, y, styles, tooltips("lane", "after", step="d", loss=".4"))
    limit = data([{"loss": short(loss), "says": "1% above the exact solution's loss"} for loss in exact])
    layers = [_limit(limit).encode(y=y, tooltip=tooltips("says")), *layers] if exact else layers
    says = (
        "The same losses in every lane, within rounding, each on its own clock: a curve further left is the same "
        f"training sooner. {len(steps)} of {curves.whole_steps(analysis.of_task(task)[0]):,} steps are drawn and "
        "joined by lines; first calls are left out. A fused lane hands out its parameters only after a call."
    )
    says += " Below the dashed line the loss is within 1% of the exact solution's." if exact else ""
    spec, legend = specification(layers, TALL, says), styles.some({p.lane for p in points})
    return Figure("Accuracy against time", says, spec, _losses(points), legend)


def _limit(chart: alt.Chart) -> alt.Chart:
    """A dashed line across the chart."""
    rule: alt.Chart = chart.mark_rule(color=INK, opacity=0.6, strokeDash=[4, 3], size=1.5)
    return rule


def _losses(points: Sequence[curves.LossPoint]) -> TextTable:
    """The loss after each kept step, and when each lane had it."""
    lanes = list(dict.fromkeys(p.lane for p in points))
    seconds = {(p.step, p.lane): p.seconds for p in points}
    table = TextTable("Losses after the kept steps, and when each lane has them", ("step", "loss", *lanes))
    for step in sorted({p.step for p in points}):
        losses = [p.loss for p in points if p.step == step]
        loss = " to ".join(dict.fromkeys(map(fmt.small, (min(losses), max(losses)))))
        times = (fmt.duration(seconds.get((step, lane))) or "not kept" for lane in lanes)
        table.rows.append((f"{step:,}", loss, *times))
    return table


def training_ends(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """When training ends, and when the exact solution is near: a table alone."""
    ends = curves.training_ends(analysis, task)
    if not ends:
        return None
    names = ("lane", "steady", "with first call", "excess", "within 1%", "stays so")
    table = TextTable(f"The whole training, {ends[0].steps:,} steps", names)
    for end in ends:
        cold = fmt.duration(end.cold_s) or "not measured"
        above = fmt.percent(end.above) or "not known"
        table.rows.append((end.lane, fmt.duration(end.steady_s), cold, above, *_close_times(end)))
    says = (
        "How long the whole training takes, steady and with the first call (tracing, compiling), how far above "
        "the exact solution's loss it ends, and, in steady time, the first kept step within 1% of that loss and "
        f"the one from which all kept steps are.{_close_steps(analysis, task, ends)}"
    )
    return Figure("Time to the exact solution", says, None, table)


def _close_times(end: curves.TrainingEnd) -> tuple[str, str]:
    """When first and when for good, or why not."""
    if end.close is None:
        return end.reason or "not in this run", ""
    first, stays = (fmt.duration(step * end.step_s) for step in end.close)
    return first, stays


def _close_steps(analysis: RecordAnalysis, task: str, ends: Sequence[curves.TrainingEnd]) -> str:
    """At which steps that was, and how many steps lie between kept ones."""
    close = {end.lane: end.close for end in ends if end.close}
    if not close:
        return ""
    first, stays = (sorted(set(steps)) for steps in zip(*close.values(), strict=True))
    steps = [point.step for point in curves.recorded_curve(analysis[task, next(iter(close))])]
    gap = max(later - step for step, later in pairwise([0, *steps]))
    close_steps = (
        f"{some[0]:,}" if len(some) == 1 else f"{some[0]:,} to {some[-1]:,}" for some in (first, stays)
    )
    return f" These are steps {' and '.join(close_steps)}; the gap between two kept steps is at most {gap}."


def parity(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """How much of the rounding bound steps used."""
    points = curves.bound_ratios(analysis, task)
    if not points:
        return None
    low = max(RATIOS[0], min(1.0, *(p.bound_ratio for p in points)) / 1.5)
    high = max(2.0, min(RATIOS[1], max(p.bound_ratio for p in points) * 1.5))
    values = [
        {"lane": p.lane, "step": p.step, "used": short(min(max(p.bound_ratio, low), high)), "by": p.quantity}
        for p in points
    ]
    axis = alt.Axis(format="~s", tickMinStep=1, grid=False, labelOverlap="greedy", labelSeparation=8)
    x = alt.X("step:Q", title="step", axis=axis, scale=alt.Scale(nice=False, zero=False))
    y = log_y("used", (low, high), "of the bound", label=PERCENT)
    limit = data([{"used": 1.0, "says": "the bound: above it there is no proof"}])
    tips = tooltips("lane", "by", step="d", used=".2%")
    layers = [_limit(limit).encode(y=y, tooltip=tooltips("says")), *lane_curves(values, x, y, styles, tips)]
    rows = analysis.rows_of(task)
    ratio, lane = max(
        ((row.parity_share, row.lane) for row in rows if row.parity_share is not None), default=(0.0, "none")
    )
    says = (
        "The largest ratio of a rounding error to its bound, of any quantity of a step, over a fixed sample of "
        f"steps. The most of all steps is {fmt.percent(ratio)} ({lane}); above the dashed line, 100%, there is "
        "no proof. Lanes that round alike lie on one another."
    )
    spec, legend = specification(layers, TALL, says), styles.some({p.lane for p in points})
    return Figure("Bound used", says, spec, _worst_steps(analysis, task), legend)


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
