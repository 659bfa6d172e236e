"""Charts of speed: time per step, ratio to the baseline, break-even."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from ...analysis import RecordAnalysis, Row
from ...analysis.curves import whole_steps
from ...console.choices import counted
from ...statistics.inference import MARGIN, TOO_FEW_BLOCKS, Interval
from .. import formatting as fmt
from ..text_table import TextTable
from .chart_parts import (
    INK,
    ROW,
    SECONDS,
    Figure,
    Values,
    at,
    by_time,
    data,
    labels,
    lanes_y,
    log_x,
    margin_band,
    marker,
    of_field,
    span,
    specification,
    tooltips,
)
from .headline import full_name, lane_name, marked, no_claims, task_name
from .lane_style import LaneStyles
from .rows_table import in_words


def times(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """Time per step with its interval, and the floor."""
    timed = [(row, row.time) for row in by_time(analysis.rows_of(task)) if row.time]
    if not timed:
        return None
    values = [_point(row, time) | {"label": marked(row, fmt.time_parts(time).value)} for row, time in timed]
    floor = next((row.floor for row, _ in timed if row.floor), None)
    ends = span([*_ends(values), floor or math.nan])
    x, y = log_x("value", ends, "time per step", label=SECONDS), lanes_y([row.lane for row, _ in timed])
    layers = [at(floor, x, f"floor {fmt.duration(floor)}")] if floor else []
    layers += [*_ranges(values, x, y, styles), *labels(values, x, y, ends)]
    bars = _bars(
        analysis, [time for _, time in timed], "intervals over blocks, often narrower than their mark"
    )
    says = f"{_from_to([row for row, _ in timed if not row.is_unstable])}{bars}"
    says += f" The dashed line is this machine's floor, {fmt.duration(floor)}." if floor else ""
    says = f"{says} {no_claims(analysis.rows_of(task))}".rstrip()
    table = TextTable("Time per step", ("lane", "time/step", "low", "high"))
    for row, time in timed:
        finite = math.isfinite(time.high)
        interval = (fmt.duration(time.low), fmt.duration(time.high)) if finite else (TOO_FEW_BLOCKS,) * 2
        table.rows.append((row.lane, marked(row, fmt.timing(time)), *interval))
    return Figure("time", "Time per step", says, specification(layers, ROW * len(timed), says), table)


def _from_to(rows: Sequence[Row]) -> str:
    """The least and the most time of some rows by time, in a sentence; nothing of no rows."""
    if not rows:
        return ""
    low, high = rows[0], rows[-1]
    return f"From {fmt.timing(low.time)} ({low.lane}) to {fmt.timing(high.time)} ({high.lane}). "


def ratios(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """Ratio to the baseline with its interval and the band of equivalence."""
    compared = [(row, row.verdict.ratio) for row in by_time(analysis.rows_of(task)) if row.verdict.ratio]
    if not compared:
        return None
    values = [_point(row, ratio) | {"label": _ratio_label(row, ratio)} for row, ratio in compared]
    ends = span([math.exp(-MARGIN), math.exp(MARGIN), *_ends(values)])
    x, y = log_x("value", ends, "time over the baseline's"), lanes_y([row.lane for row, _ in compared])
    layers = [margin_band(x), at(1.0, x, "equal to the baseline")]
    layers += [*_ranges(values, x, y, styles), *labels(values, x, y, ends)]
    base = analysis.row_of[task, analysis.baseline]
    says = (
        f"Time per step on {task_name(task)} over that of {full_name(base)}: left of the line a lane takes less, "
        "right of it more; within the band of ±2% a difference does not count. "
        f"{_bars(analysis, [ratio for _, ratio in compared], 'intervals')}"
    )
    says = f"{says} {no_claims(analysis.rows_of(task))}".rstrip()
    names = ("lane", "ratio", "in words", "verdict")
    table = TextTable("Ratio to the baseline", names, left=("lane", "in words", "verdict"))
    table.rows += [
        (row.lane, fmt.between(ratio), in_words(row) or "no claim", row.verdict.word)
        for row, ratio in compared
    ]
    title, spec = f"Ratio to {lane_name(base)}", specification(layers, ROW * len(compared), says)
    return Figure("ratio", title, says, spec, table)


def _ratio_label(row: Row, ratio: Interval) -> str:
    """A ratio, and how many times as fast that is; of an unstable lane that it is."""
    value = fmt.ratio_parts(ratio).value
    if row.verdict.word == "FASTER":
        return f"{value}, {fmt.ratio_parts(fmt.inverse(ratio)).value}x as fast"
    return marked(row, value)


def break_even(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """After how many steps a lane's first call has paid for itself."""
    evens = [(row.lane, row.break_even) for row in by_time(analysis.rows_of(task)) if row.break_even]
    if not evens:
        return None
    training = whole_steps(analysis.of_task(task)[0])
    spans = [even.steps for _, even in evens if even.steps]
    ends = span([training, 10 * training, *(v for s in spans for v in (s.value, s.low, s.high))], pad=1.5)
    values: Values = []
    kinds: Values = []
    for lane, even in evens:
        if even.steps is None:
            kinds.append({"lane": lane, "value": training, "label": even.kind})
            continue
        reach = {"low": max(even.steps.low, ends[0]), "high": min(even.steps.high, ends[1])}
        shown = fmt.steps(even.steps)
        text = {"label": fmt.count(even.steps.value, zeros=True), "break-even": shown}
        values.append({"lane": lane, "value": even.steps.value, **reach, **text})
    x = log_x("value", ends, "steps", label="format(datum.value, '~s')")
    y = lanes_y([lane for lane, _ in evens])
    layers = [at(training, x, f"the whole training has {counted(training, 'step')}")]
    tips = tooltips("lane", "break-even")
    layers += [_bar(values, x, y, styles), marker(values, styles, tips).encode(x=x, y=y)]
    layers += labels(values, x, y, ends)
    text_mark = data(kinds).mark_text(align="left", dx=8, fontSize=11, fontStyle="italic", color=INK)
    layers += [text_mark.encode(x=x, y=y, text="label:N")] if kinds else []
    says = (
        "Steps after which a lane has paid for its first call against the baseline. The dashed line is the whole "
        f"training, {counted(training, 'step')}. Bars take the ratio's interval and the extremes of the cold "
        "calls."
    )
    says = f"{says} {no_claims(analysis.rows_of(task))}".rstrip()
    table = TextTable("Break-even", ("lane", "steps"))
    table.rows += [(lane, fmt.steps(even.steps) or even.reason) for lane, even in evens]
    spec = (
        specification(layers, ROW * len(evens), says) if spans else None
    )  # without a number there is no place
    return Figure("break-even", "Break-even", says, spec, table)


def _bars(analysis: RecordAnalysis, spans: Sequence[Interval], what: str) -> str:
    """What the bars of a chart are, if it has any."""
    some = any(math.isfinite(span.high) for span in spans)
    return (
        f"Bars are {fmt.level(analysis.level)} {what}." if some else "There are too few blocks for intervals."
    )


def _point(row: Row, span: Interval) -> dict[str, Any]:
    """A point with its interval as a row of a chart's data; without an interval both ends are the point."""
    finite = math.isfinite(span.high)
    ends = {"low": span.low if finite else span.value, "high": span.high if finite else span.value}
    ratio = fmt.between(row.verdict.ratio) or row.verdict.word.lower()
    tips = {"time per step": fmt.timing(row.time), "over baseline": ratio, "verdict": row.verdict.word}
    return {"lane": row.lane, "value": span.value, **ends, **tips}


def _ends(values: Values) -> list[float]:
    return [value[key] for value in values for key in ("value", "low", "high")]


def _ranges(values: Values, x: alt.X, y: alt.Y, styles: LaneStyles) -> list[alt.Chart]:
    tips = tooltips("lane", "time per step", "over baseline", "verdict")
    return [_bar(values, x, y, styles), marker(values, styles, tips).encode(x=x, y=y)]


def _bar(values: Values, x: alt.X, y: alt.Y, styles: LaneStyles) -> alt.Chart:
    """From the low to the high end of the interval, on the axis of the value."""
    bar = data(values).mark_rule(strokeWidth=2)
    drawn: alt.Chart = bar.encode(x=of_field(x, "low"), x2="high:Q", y=y, color=styles.color())
    return drawn
