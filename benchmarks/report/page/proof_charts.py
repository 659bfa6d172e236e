"""Charts of what was proven: the losses on each lane's own clock, and the rounding that steps used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import altair as alt

from ...analysis import RecordAnalysis
from ...analysis import curves as series
from ...analysis.summary import Row
from ...record import Record
from .. import formatting as fmt
from ..tables import Table
from .axes import INK, PERCENT, SECONDS, curves, data, log_x, log_y, short, span, specification, told
from .figure import Figure
from .lane_style import Looks

SHARES = 1e-4, 1e18  # what the axis can show; smaller and larger shares are drawn at its ends
TALL = 260  # pixels
FEWEST = 3  # steps of a curve


def training(record: Record, rows: Sequence[Row], looks: Looks) -> Figure | None:
    """The learning curve of each lane over its own wall time."""
    points = [point for point in series.loss_curves(RecordAnalysis(record), rows[0].task) if point.loss > 0]
    if len({point.step for point in points}) < FEWEST:
        return None
    values = [
        {"lane": p.lane, "step": p.step, "seconds": short(p.seconds), "loss": short(p.loss)}
        | {"after": fmt.duration(p.seconds)}
        for p in points
    ]
    best = next((row.accuracy.best_loss for row in rows if row.accuracy and row.time), None)
    exact = [(1 + series.CLOSE) * best] if best and math.isfinite(best) and best > 0 else []
    x = log_x("seconds", span([p.seconds for p in points]), "time since the first step", label=SECONDS)
    y = log_y("loss", span([*(p.loss for p in points), *exact]), "loss on all training rows")
    layers = curves(values, x, y, looks, told("lane", "after", step="d", loss=".4"))
    limit = data([{"loss": short(loss), "says": "1% above the exact solution's loss"} for loss in exact])
    rule = limit.mark_rule(color=INK, opacity=0.6, strokeDash=[4, 3], size=1.5)
    layers = [rule.encode(y=y, tooltip=told("says")), *layers] if exact else layers
    kept, steps = (
        len({p.step for p in points}),
        series.whole_steps(RecordAnalysis(record)[rows[0].task, rows[0].lane]),
    )
    says = (
        "The same losses in every lane, within rounding, each on its own clock: a curve further left is the same "
        f"training sooner. {kept} of {steps:,} steps are drawn and joined by lines; first calls are left out. A "
        "fused lane hands its parameters out at the end of a call only."
    )
    says += " Below the dashed line the loss is within 1% of the exact solution's." if exact else ""
    spec, legend = specification(layers, TALL, says), looks.some({p.lane for p in points})
    return Figure("Accuracy against time", says, spec, _kept(points), legend)


def _kept(points: Sequence[series.LossPoint]) -> Table:
    """The loss after each kept step, and when each lane had it."""
    lanes = list(dict.fromkeys(p.lane for p in points))
    own = {(p.step, p.lane): p for p in points}
    table = Table("Losses after the kept steps, and when each lane has them", ("step", "loss", *lanes), [])
    for step in sorted({p.step for p in points}):
        low, *_, high = sorted([p.loss for p in points if p.step == step] * 2)
        loss = (
            fmt.small(low) if fmt.small(low) == fmt.small(high) else f"{fmt.small(low)} to {fmt.small(high)}"
        )
        times = (
            fmt.duration(own[step, lane].seconds) if (step, lane) in own else "not kept" for lane in lanes
        )
        table.rows.append((f"{step:,}", loss, *times))
    return table


def endings(record: Record, rows: Sequence[Row]) -> Figure | None:
    """When training ends, and when the exact solution is near."""
    found = series.training_ends(RecordAnalysis(record), rows[0].task)
    if not found:
        return None
    names = ("lane", "steady", "with first call", "excess", "within 1%", "stays so")
    table = Table(f"The whole training, {found[0].steps:,} steps", names, [])
    for ended in found:
        cold = fmt.duration(ended.cold_s) or "not measured"
        above = fmt.percent(ended.above) or "not known"
        table.rows.append((ended.lane, fmt.duration(ended.steady_s), cold, above, *_near(ended)))
    says = (
        "How long the whole training takes, steady and with the first call (tracing, compiling), how far above "
        "the exact solution's loss it ends, and, in steady time, the first kept step within 1% of that loss and "
        f"the one from which all kept steps are.{_kept_by(record, found, rows[0].task)}"
    )
    return Figure("Time to the exact solution", says, None, table)


def _near(ended: series.TrainingEnd) -> tuple[str, str]:
    """When first and when for good, or why not."""
    if ended.close is None:
        return ended.reason or "not in this run", ""
    first, stays = (fmt.duration(step * ended.step_s) for step in ended.close)
    return first, stays


def _kept_by(record: Record, found: Sequence[series.TrainingEnd], task: str) -> str:
    """At which steps that was, and how many steps lie between kept ones."""
    near = {ended.lane: ended.close for ended in found if ended.close}
    if not near:
        return ""
    first, stays = (sorted(set(steps)) for steps in zip(*near.values(), strict=True))
    kept = [point.step for point in series.learning_curve(RecordAnalysis(record)[task, next(iter(near))])]
    gap = max(later - step for step, later in pairwise([0, *kept]))
    steps = (f"{ends[0]:,}" if len(ends) == 1 else f"{ends[0]:,} to {ends[-1]:,}" for ends in (first, stays))
    return f" These are steps {' and '.join(steps)}; kept steps are up to {gap} apart."


def parity(record: Record, rows: Sequence[Row], looks: Looks) -> Figure | None:
    """The share of the rounding bound that steps used."""
    points = series.bound_ratios(RecordAnalysis(record), rows[0].task)
    if not points:
        return None
    low = max(SHARES[0], min(1.0, *(p.bound_ratio for p in points)) / 1.5)
    high = max(2.0, min(SHARES[1], max(p.bound_ratio for p in points) * 1.5))
    values = [
        {"lane": p.lane, "step": p.step, "used": short(min(max(p.bound_ratio, low), high)), "by": p.quantity}
        for p in points
    ]
    axis = alt.Axis(format="~s", tickMinStep=1, grid=False, labelOverlap="greedy", labelSeparation=8)
    x = alt.X("step:Q", title="step", axis=axis, scale=alt.Scale(nice=False, zero=False))
    y = log_y("used", (low, high), "of the bound", label=PERCENT)
    limit = data([{"used": 1.0, "says": "the bound: above it there is no proof"}])
    rule = limit.mark_rule(color=INK, opacity=0.6, strokeDash=[4, 3], size=1.5)
    layers = [
        rule.encode(y=y, tooltip=told("says")),
        *curves(values, x, y, looks, told("lane", "by", step="d", used=".2%")),
    ]
    known = [(row.parity_share, row.lane) for row in rows if row.parity_share is not None]
    share, lane = max(known, default=(0.0, "none"))
    says = (
        "The largest share of its rounding bound that any quantity of a step used, over a fixed sample of steps. "
        f"The most of all steps is {fmt.percent(share)} ({lane}); above the dashed line, 100%, there is no "
        "proof. Lanes that round alike lie on one another."
    )
    spec, legend = specification(layers, TALL, says), looks.some({p.lane for p in points})
    return Figure("Share of the parity bound", says, spec, _worst(record, rows), legend)


def _worst(record: Record, rows: Sequence[Row]) -> Table:
    """The worst step of each quantity over all steps, not only the sampled ones."""
    judged = {row.lane: RecordAnalysis(record)[row.task, row.lane].judgement for row in rows}
    names = list(dict.fromkeys(name for one in judged.values() if one for name in one.quantities))
    table = Table("The worst of all steps, by quantity", ("lane", *names), [])
    for lane, one in judged.items():
        worst = one.quantities if one else {}
        cells = [
            f"{fmt.percent(worst[name].share)}, step {worst[name].step}" if name in worst else "not judged"
            for name in names
        ]
        table.rows.append((lane, *cells))
    return table
