"""Charts of speed: time per step, ratio to the baseline, break-even."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from ...analysis import RecordAnalysis
from ...analysis.curves import whole_steps
from ...analysis.summary import Row
from ...record import Record
from ...statistics.inference import MARGIN, Interval
from .. import formatting as fmt
from ..tables import Table
from .axes import (
    INK,
    ROW,
    SECONDS,
    Values,
    at,
    data,
    labels,
    lanes_y,
    log_x,
    marker,
    of_field,
    span,
    specification,
    told,
)
from .figure import Figure
from .lane_style import Looks


def times(rows: Sequence[Row], looks: Looks) -> Figure | None:
    """Time per step with its interval, and the floor."""
    timed = [(row, row.time) for row in rows if row.time]
    if not timed:
        return None
    values = [_point(row, time) | {"label": fmt.timing(time).partition(" ±")[0]} for row, time in timed]
    floor = next((row.floor for row, _ in timed if row.floor), None)
    ends = span([*_ends(values), floor or math.nan])
    x, y = log_x("value", ends, "time per step", label=SECONDS), lanes_y([row.lane for row, _ in timed])
    layers = [at(floor, x, f"floor {fmt.duration(floor)}")] if floor else []
    layers += [*_ranges(values, x, y, looks), *labels(values, x, y, ends)]
    low, high = (pick(timed, key=lambda pair: pair[1].value)[0] for pick in (min, max))
    says = (
        f"From {fmt.timing(low.time)} ({low.lane}) to {fmt.timing(high.time)} ({high.lane}). Bars are 95% "
        "intervals over blocks, often narrower than their mark."
    )
    says += f" The dashed line is this machine's floor, {fmt.duration(floor)}." if floor else ""
    table = Table("Time per step", ("lane", "time/step", "low", "high"), [])
    for row, time in timed:
        known = math.isfinite(time.high)
        two = (fmt.duration(time.low), fmt.duration(time.high)) if known else ("one block", "one block")
        table.rows.append((row.lane, fmt.timing(time), *two))
    return Figure("Time per step", says, specification(layers, ROW * len(timed), says), table)


def ratios(rows: Sequence[Row], looks: Looks) -> Figure | None:
    """Ratio to the baseline with its interval and the band of equivalence."""
    known = [(row, row.verdict.ratio) for row in rows if row.verdict.ratio]
    if not known:
        return None
    values = [_point(row, ratio) | {"label": fmt.between(ratio).partition(" ")[0]} for row, ratio in known]
    ends = span([math.exp(-MARGIN), math.exp(MARGIN), *_ends(values)])
    x, y = log_x("value", ends, "time over the baseline's"), lanes_y([row.lane for row, _ in known])
    band = data([{"value": math.exp(-MARGIN), "high": math.exp(MARGIN)}]).mark_rect(color=INK, opacity=0.15)
    layers = [band.encode(x=x, x2="high:Q"), at(1.0, x, "equal to the baseline")]
    layers += [*_ranges(values, x, y, looks), *labels(values, x, y, ends)]
    baseline = next((row.lane for row in rows if row.verdict.word == "BASELINE"), "the baseline")
    says = (
        f"Left of the line a lane takes less time than {baseline}, right of it more; within the band of ±2% a "
        "difference does not count. Paired within each round; bars are 95% intervals."
    )
    table = Table("Ratio to the baseline", ("lane", "ratio", "verdict"), [])
    table.rows += [(row.lane, fmt.between(ratio), row.verdict.word) for row, ratio in known]
    return Figure("Ratio to the baseline", says, specification(layers, ROW * len(known), says), table)


def break_even(record: Record, rows: Sequence[Row], looks: Looks) -> Figure | None:
    """After how many steps a lane's first call has paid for itself."""
    known = [(row.lane, row.break_even) for row in rows if row.break_even]
    if not known:
        return None
    own = whole_steps(RecordAnalysis(record)[rows[0].task, rows[0].lane])
    spans = [even.steps for _, even in known if even.steps]
    ends = span([own, 10 * own, *(v for s in spans for v in (s.value, s.low, s.high))], pad=1.5)
    values: Values = []
    words: Values = []
    for lane, even in known:
        if even.steps is None:
            words.append({"lane": lane, "value": own, "label": even.reason.partition(":")[0]})
            continue
        reach = {"low": max(even.steps.low, ends[0]), "high": min(even.steps.high, ends[1])}
        text = {"label": fmt.count(even.steps.value, zeros=True), "break-even": fmt.steps(even.steps)}
        values.append({"lane": lane, "value": even.steps.value, **reach, **text})
    x = log_x("value", ends, "steps", label="format(datum.value, '~s')")
    y = lanes_y([lane for lane, _ in known])
    layers = [at(own, x, f"the whole training has {own:,} steps")]
    layers += [_bar(values, x, y, looks), marker(values, looks, told("lane", "break-even")).encode(x=x, y=y)]
    layers += labels(values, x, y, ends)
    said = data(words).mark_text(align="left", dx=8, fontSize=11, fontStyle="italic", color=INK)
    layers += [said.encode(x=x, y=y, text="label:N")] if words else []
    says = (
        "Steps after which a lane has paid for its first call against the baseline. The dashed line is the whole "
        f"training, {own:,} steps. Bars take the ratio's interval and the extremes of the cold calls."
    )
    table = Table("Break-even", ("lane", "steps"), [])
    table.rows += [(lane, fmt.steps(even.steps) or even.reason) for lane, even in known]
    return Figure("Break-even", says, specification(layers, ROW * len(known), says), table)


def _point(row: Row, span: Interval) -> dict[str, Any]:
    """A point with its interval as a row of a chart's data; without an interval both ends are the point."""
    known = math.isfinite(span.high)
    ends = {"low": span.low if known else span.value, "high": span.high if known else span.value}
    ratio = fmt.between(row.verdict.ratio) or row.verdict.word.lower()
    tips = {"time per step": fmt.timing(row.time), "over baseline": ratio, "verdict": row.verdict.word}
    return {"lane": row.lane, "value": span.value, **ends, **tips}


def _ends(values: Values) -> list[float]:
    return [value[key] for value in values for key in ("value", "low", "high")]


def _ranges(values: Values, x: alt.X, y: alt.Y, looks: Looks) -> list[alt.Chart]:
    tips = told("lane", "time per step", "over baseline", "verdict")
    return [_bar(values, x, y, looks), marker(values, looks, tips).encode(x=x, y=y)]


def _bar(values: Values, x: alt.X, y: alt.Y, looks: Looks) -> alt.Chart:
    """From the low to the high end of the interval, on the axis of the value."""
    bar = data(values).mark_rule(strokeWidth=2)
    drawn: alt.Chart = bar.encode(x=of_field(x, "low"), x2="high:Q", y=y, color=looks.color())
    return drawn
