"""The chart of the raw slices: every time that was taken, in the order of measuring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import altair as alt

from ...analysis import RecordAnalysis, Row
from ...analysis.curves import SlicePoint, slice_points
from ..text_table import TextTable
from .chart_parts import INK, ROW, Figure, Values, by_time, data, lanes_y, short, specification, tooltips
from .headline import no_claims
from .lane_style import LaneStyles

SHOWN = 0.97  # of the slices lie within the height of a row; the others are drawn at its edge
MOST_SLICES = 5_000  # of all tasks; of a larger record every second round is drawn, or fewer
LEAST, MOST = 2, 100  # percent: the limits of that height


def slices(analysis: RecordAnalysis, task: str, styles: LaneStyles) -> Figure | None:
    """Every raw slice in the order in which it was timed, against its lane's median."""
    points = slice_points(analysis, task)
    if not points:
        return None
    limit = max(
        LEAST, min(MOST, math.ceil(sorted(abs(p.percent) for p in points)[int(SHOWN * (len(points) - 1))]))
    )
    every = math.ceil(sum(len(block.slices) for block in analysis.record.blocks) / MOST_SLICES)
    drawn = [point for point in points if point.round % every == 0]
    timed = {point.lane for point in points}
    lanes = [row.lane for row in by_time(analysis.rows_of(task)) if row.lane in timed]
    beyond = sum(abs(point.percent) > limit for point in drawn)
    part = "All" if every == 1 else f"{len(drawn):,} of"
    says = (
        f"{part} {len(points):,} timed slices in the order of measuring, as distances from their lane's median: "
        f"up is slower, and a row is ±{limit}% high. Drift is a slope, a disturbance a column of stray points."
    )
    lie = "lies" if beyond == 1 else "lie"
    says += f" {beyond} {lie} further out, drawn as diamonds at the edge." if beyond else ""
    unstable = [row for row in analysis.rows_of(task) if row.is_unstable and row.lane in timed]
    says = f"{says} {no_claims(unstable)}".rstrip()
    last = max(point.block for point in points)
    layers = [*_slice_layers(drawn, last, lanes, limit, styles), *_unstable_marks(unstable, lanes, last)]
    spec = specification(layers, (ROW + 14) * len(lanes), says)
    return Figure("slices", "Raw slices over time", says, spec, _block_medians(points, lanes), wide=True)


def _slice_layers(
    points: Sequence[SlicePoint], last: int, lanes: Sequence[str], limit: int, styles: LaneStyles
) -> list[alt.Chart]:
    values: Values = [
        {
            "lane": p.lane,
            "when": short(p.when),
            "percent": short(p.percent),
            "block": p.block,
            "round": p.round,
        }
        for p in points
    ]
    axis = alt.Axis(values=list(range(0, last + 1, 1 + last // 12)), title="block")
    x = alt.X("when:Q", scale=alt.Scale(domain=[0, last + 1], nice=False), axis=axis)
    y = lanes_y(lanes)
    off = alt.YOffset("percent:Q", scale=alt.Scale(domain=[limit, -limit], clamp=True))
    far_out = f"abs(datum.percent) > {limit}"
    middle = data([{"lane": lane} for lane in lanes]).mark_rule(color=INK, opacity=0.25).encode(y=y)
    dots = data(values).mark_point(filled=True, size=12, opacity=1)
    dots = dots.encode(x=x, y=y, yOffset=off, color=styles.color())
    dots = dots.encode(
        shape=alt.condition(far_out, alt.value("diamond"), alt.value("circle")),
        size=alt.condition(far_out, alt.value(30), alt.value(12)),
        tooltip=tooltips("lane", block="d", round="d", percent="+.1f"),
    )
    return [middle, dots]


def _unstable_marks(rows: Sequence[Row], lanes: Sequence[str], last: int) -> list[alt.Chart]:
    """The word above the end of each row that is UNSTABLE."""
    if not rows:
        return []
    marks = data([{"lane": row.lane, "when": last + 1, "word": row.verdict.word} for row in rows])
    x = alt.X("when:Q", scale=alt.Scale(domain=[0, last + 1], nice=False))
    text = marks.mark_text(align="right", dy=-12, fontSize=10, color=INK)
    return [text.encode(x=x, y=lanes_y(lanes), text="word:N")]


def _block_medians(points: Sequence[SlicePoint], lanes: Sequence[str]) -> TextTable:
    """The medians of the blocks: what is left of the slices once their noise is taken out."""
    blocks = sorted({point.block for point in points})
    names = ("lane", *(f"block {block}" for block in blocks))
    table = TextTable("Median of each block, off the lane's median", names)
    percents: dict[tuple[str, int], list[float]] = {}
    for point in points:
        if not point.twin:
            percents.setdefault((point.lane, point.block), []).append(point.percent)
    for lane in lanes:
        medians = [f"{median(percents[lane, b]):+.1f}%" if (lane, b) in percents else "none" for b in blocks]
        table.rows.append((lane, *medians))
    return table
