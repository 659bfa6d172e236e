"""The chart of the raw slices, in which drift and noise can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import altair as alt

from ...analysis import RecordAnalysis
from ...analysis import curves as series
from ...analysis.summary import Row
from ...record import Record
from ..tables import Table
from .axes import INK, ROW, Values, data, lanes_y, short, specification, told
from .figure import Figure
from .lane_style import Looks

SHOWN = 0.97  # of the slices lie within the height of a row; the others are drawn at its edge
MOST_POINTS = 5_000  # of all tasks; of a larger record every second round is drawn, or fewer
LEAST, MOST = 2, 100  # percent: the limits of that height


def moments(record: Record, rows: Sequence[Row], looks: Looks) -> Figure | None:
    """Every raw slice in the order in which it was timed, against its lane's median."""
    found = series.slice_points(RecordAnalysis(record), rows[0].task)
    if not found:
        return None
    far = sorted(abs(m.percent) for m in found)[int(SHOWN * (len(found) - 1))]
    limit = max(LEAST, min(MOST, math.ceil(far)))
    every = math.ceil(sum(len(block.slices) for block in record.blocks) / MOST_POINTS)
    drawn = [m for m in found if m.round % every == 0]
    values: Values = [
        {
            "lane": m.lane,
            "when": short(m.when),
            "percent": short(m.percent),
            "block": m.block,
            "round": m.round,
        }
        for m in drawn
    ]
    lanes = [lane for lane in looks.lanes if any(m.lane == lane for m in found)]
    last = max(m.block for m in found)
    axis = alt.Axis(values=list(range(0, last + 1, 1 + last // 12)), title="block")
    x = alt.X("when:Q", scale=alt.Scale(domain=[0, last + 1], nice=False), axis=axis)
    y = lanes_y(lanes)
    off = alt.YOffset("percent:Q", scale=alt.Scale(domain=[limit, -limit], clamp=True))
    far_out = f"abs(datum.percent) > {limit}"
    middle = data([{"lane": lane} for lane in lanes]).mark_rule(color=INK, opacity=0.25).encode(y=y)
    dots = data(values).mark_point(filled=True, size=12, opacity=1)
    dots = dots.encode(x=x, y=y, yOffset=off, color=looks.color())
    dots = dots.encode(
        shape=alt.condition(far_out, alt.value("diamond"), alt.value("circle")),
        size=alt.condition(far_out, alt.value(30), alt.value(12)),
        tooltip=told("lane", block="d", round="d", percent="+.1f"),
    )
    beyond = sum(abs(m.percent) > limit for m in drawn)
    share = "All" if every == 1 else f"{len(drawn):,} of"
    says = (
        f"{share} {len(found):,} timed slices in the order of measuring, as distances from their lane's median: "
        f"up is slower, and a row is ±{limit}% high. Drift is a slope, a disturbance a column of stray points."
    )
    lie = "lies" if beyond == 1 else "lie"
    says += f" {beyond} {lie} further out, drawn as diamonds at the edge." if beyond else ""
    spec = specification([middle, dots], (ROW + 14) * len(lanes), says)
    return Figure("Raw slices over time", says, spec, _by_block(found, lanes), wide=True)


def _by_block(found: Sequence[series.SlicePoint], lanes: Sequence[str]) -> Table:
    """The medians of the blocks: what is left of the slices once their noise is taken out."""
    blocks = sorted({m.block for m in found})
    names = ("lane", *(f"block {block}" for block in blocks))
    table = Table("Median of each block, off the lane's median", names, [])
    own: dict[tuple[str, int], list[float]] = {}
    for m in found:
        if not m.twin:
            own.setdefault((m.lane, m.block), []).append(m.percent)
    for lane in lanes:
        pieces = [own.get((lane, block)) for block in blocks]
        table.rows.append((lane, *(f"{median(some):+.1f}%" if some else "none" for some in pieces)))
    return table
