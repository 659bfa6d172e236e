"""Charts over a grid of sizes: who is fastest where, and what a step costs each lane before its work."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from ...analysis import RecordAnalysis
from ...analysis.crossover import Crossover, RankedLane, SizeCell
from ...analysis.step_cost import StepCost, step_costs
from ...console.choices import counted
from .. import formatting as fmt
from ..glossary import listed
from ..sweep_tables import lead, runner_up
from ..sweep_tables import lines as cost_table
from ..text_table import TextTable
from .chart_parts import (
    BYTES,
    INK,
    SECONDS,
    A,
    Figure,
    Values,
    data,
    log_x,
    log_y,
    marker,
    of_field,
    outlined,
    span,
    specification,
    tooltips,
)
from .headline import marked
from .lane_style import LaneStyles

SIDE = 66  # pixels: the height of a cell
DRAWN = 40  # points of a fitted line
BESIDE = "not separated from it"


def of_grid(analysis: RecordAnalysis, styles: LaneStyles) -> list[Figure]:
    """The charts of a record that holds a grid of tasks; none of any other."""
    grid = analysis.crossover
    return [fastest(grid, analysis, styles), lines(analysis, styles)] if grid else []


def fastest(grid: Crossover, analysis: RecordAnalysis, styles: LaneStyles) -> Figure:
    """The fastest lane of each cell, with all that are not separated from it."""
    places = {
        cell: {"row": row, "column": column, **_tips(cell)}
        for row, line in enumerate(grid.cells)
        for column, cell in enumerate(line)
    }
    cells = list(places)
    marks = [mark for cell, place in places.items() for mark in _marks(cell, place)]
    tips = tooltips("cell", "fastest", BESIDE, "the next")
    x = _sizes(alt.X, "column", "features", grid.features)
    y = _sizes(alt.Y, "row", "batch size", grid.batches)
    tiles = data([_tile(cell, place, styles) for cell, place in places.items()])
    side = f"width / {len(grid.features)}"
    room, size = {"expr": f"{side} - 2"}, {"expr": f"{side} < 80 ? 8.5 : 11"}
    texts = [
        tiles.mark_text(dy=dy, fontSize=size, color=INK, limit=room).encode(x=x, y=y, text=f"{field}:N")
        for field, dy in (("name", 6), ("lead", 21))
    ]
    tile = tiles.mark_rect(stroke=INK, strokeOpacity=0.3).encode(
        x=of_field(x, "left"), x2="right:Q", y=of_field(y, "top"), y2="bottom:Q",
        color=alt.Color("colour:N", scale=None), fillOpacity=alt.FillOpacity("tint:Q", scale=None), tooltip=tips,
    )  # fmt: skip
    point = marker(marks, styles, tips, size=70).encode(x=x, y=of_field(y, "middle"))
    clear = sum(bool(cell.fastest) and not cell.not_separated for cell in cells)
    unknown = sum(cell.fastest is None for cell in cells)
    nobody = f", and at {unknown} nobody can be named: the table says why" if unknown else ""
    missing = list(analysis.record.plan.missing)
    absent = f" Not in the race: {listed(missing)}." if missing else ""
    says = (
        "Each cell shows its fastest lane and every lane that is not separated from it: that no test decides to "
        f"take more than 2% longer, or of which nothing is claimed. {clear} of {len(cells)} cells have one lane "
        "alone (tinted) and how many times as long the next one takes; elsewhere no difference was decided "
        f"(+1 not separated: from one more){nobody}.{absent}"
    )
    spec = specification([tile, point, *texts], SIDE * len(grid.batches), says)
    shown = {mark["lane"] for mark in marks}
    return Figure("map", "Crossover map", says, spec, _cells(cells), styles.some(shown))


def _cells(cells: Sequence[SizeCell]) -> TextTable:
    names = ("batch", "features", "fastest", BESIDE, "the next")
    table = TextTable("Fastest lane by size", names, left=names[2:])
    for cell in cells:
        table.rows.append(
            (f"{cell.batch:,}", f"{cell.features:,}", *(_tips(cell)[name] for name in names[2:]))
        )
    return table


def _sizes(kind: type[A], field: str, title: str, sizes: Sequence[int]) -> A:
    """An axis on which each size is as wide as the others: place 0 is the first."""
    names = json.dumps([f"{size:,}" for size in sizes], allow_nan=False)
    values = list(range(len(sizes)))
    axis = alt.Axis(
        values=values, labelExpr=f"{names}[datum.value]", title=title, grid=False, domain=False, ticks=False
    )
    domain = [-0.5, len(sizes) - 0.5]
    scale = alt.Scale(domain=domain if kind is alt.X else domain[::-1], nice=False, zero=False)
    return kind(f"{field}:Q", axis=axis, scale=scale)


def _marks(cell: SizeCell, place: dict[str, Any]) -> Values:
    """A mark for the fastest lane and for each not separated from it, side by side around the cell's middle."""
    lanes = [lane for lane in (cell.fastest, *cell.not_separated) if lane]
    distance = min(0.16, 0.8 / max(1, len(lanes)))
    shift = [(rank - (len(lanes) - 1) / 2) * distance for rank in range(len(lanes))]
    return [
        place | {"lane": lane, "column": place["column"] + by, "middle": place["row"] - 0.25}
        for lane, by in zip(lanes, shift, strict=True)
    ]


def _tips(cell: SizeCell) -> dict[str, str]:
    following = runner_up(cell)
    return {
        "cell": f"batch {cell.batch:,}, {counted(cell.features, 'feature')}",
        "fastest": cell.fastest or f"not known: {cell.reason}",
        BESIDE: ", ".join(_beside(lane) for lane in cell.entries if lane.lane in cell.not_separated)
        or "none",
        "the next": f"{following.lane}, {fmt.between(following.ratio)} times as long"
        if following
        else "not judged",
    }


def _beside(lane: RankedLane) -> str:
    """A lane that is not separated from the fastest, and the word for why it was not compared, if it was not."""
    return f"{lane.lane} ({lane.reason.partition(':')[0]})" if lane.reason else lane.lane


def _tile(cell: SizeCell, place: dict[str, Any], styles: LaneStyles) -> dict[str, Any]:
    """The cell's area, in the color of the lane that is fastest alone."""
    alone = cell.fastest is not None and not cell.not_separated
    color = styles.of[cell.fastest].color if alone and cell.fastest else INK
    column, row = place["column"], place["row"]
    beside = f"+{len(cell.not_separated)} not separated" if cell.not_separated else lead(cell)
    edges = {"left": column - 0.5, "right": column + 0.5, "top": row - 0.5, "bottom": row + 0.5}
    return (
        place
        | edges
        | {"name": cell.fastest or "not known", "lead": beside}
        | {"colour": color, "tint": 0.22 if alone else 0.03}
    )


def lines(analysis: RecordAnalysis, styles: LaneStyles) -> Figure:
    """Time against work with each lane's fitted line; the table says overhead, rate and R squared."""
    costs = step_costs(analysis)
    bytes_of = {work.task.name: work.bytes_per_step for work in analysis.record.plan.works}
    timed = [row for row in analysis.rows if row.time]
    values: Values = [
        {
            "lane": row.lane,
            "work": bytes_of[row.task],
            "seconds": row.time.value if row.time else math.nan,
            "size": f"{row.task}: {fmt.quantity(bytes_of[row.task], 'B')}",
            "time per step": marked(row, fmt.timing(row.time)),
        }
        for row in timed
    ]
    hollow = [value for value, row in zip(values, timed, strict=True) if row.is_unstable]
    filled = [value for value, row in zip(values, timed, strict=True) if not row.is_unstable]
    sizes = span([value["work"] for value in values])
    drawn = [point for cost in costs for point in _drawn(cost, sizes)]
    ends = span([*(v["seconds"] for v in values), *(v["seconds"] for v in drawn)])
    x = log_x("work", sizes, "bytes that a step must move", label=BYTES)
    y = log_y("seconds", ends, "time per step", label=SECONDS)
    line = data(drawn).mark_line(strokeWidth=1.4)
    line = line.encode(x=x, y=y, color=styles.color(), strokeDash=styles.dash())
    tips = tooltips("lane", "size", "time per step")
    points = [marker(filled, styles, tips, size=36)] if filled else []
    points += [outlined(marker(hollow, styles, tips), size=36)] if hollow else []
    says = (
        "Each lane's time for a step as overhead plus work over rate, fitted over all sizes by relative errors. "
        "A flat part is overhead, a slope is the rate; the table says how well the line describes the lane."
    )
    are = "is" if len(hollow) == 1 else "are"
    says += f" {len(hollow)} of {len(values)} times {are} UNSTABLE: hollow, and in no line." if hollow else ""
    legend = styles.some({value["lane"] for value in values})
    spec = specification([line, *(point.encode(x=x, y=y) for point in points)], 340, says)
    return Figure("cost", "Overhead and rate", says, spec, cost_table(costs), legend, wide=True)


def _drawn(cost: StepCost, sizes: tuple[float, float]) -> Values:
    """t = a + w / rate at works spread evenly over the logarithmic axis."""
    if cost.overhead is None:
        return []
    seconds_per_byte = 1 / cost.rate if cost.rate else 0.0
    low, high = map(math.log, sizes)
    works = [math.exp(low + (high - low) * index / (DRAWN - 1)) for index in range(DRAWN)]
    return [
        {"lane": cost.lane, "work": work, "seconds": cost.overhead + seconds_per_byte * work}
        for work in works
    ]
