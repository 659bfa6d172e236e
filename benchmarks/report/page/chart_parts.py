"""Pieces that the charts share: scales, axes, labels, and what a chart is on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import altair as alt

from ...analysis import Row
from ...statistics.inference import MARGIN
from .. import formatting as fmt
from ..text_table import TextTable
from .lane_style import LaneStyle, LaneStyles

A = TypeVar("A", alt.X, alt.Y)
Values: TypeAlias = list[dict[str, Any]]
INK = "currentColor"  # SVG takes the text's color, so that a change of theme needs no new chart
VEGA_LITE = ".".join(
    alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]
)  # the version that draws these specifications
ROW = 26  # pixels for each lane
SECONDS = "replace(format(datum.value, '~s'), regexp('([^0-9.]*)$'), '\u00a0$1s')"  # 20 µs, 1 s
BYTES = "replace(format(datum.value, '~s'), regexp('([^0-9.]*)$'), '\u00a0$1B')"
PERCENT = "format(datum.value, '~%')"
CONFIG: dict[str, Any] = {
    "background": None,
    "padding": {"left": 5, "right": 18, "top": 5, "bottom": 5},  # room for half of the last tick's label
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "labelFontSize": 12,
        "labelOpacity": 0.85,
        "titleColor": INK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleOpacity": 0.85,
        "titlePadding": 8,
        "gridColor": INK,
        "gridOpacity": 0.1,
        "domainColor": INK,
        "domainOpacity": 0.4,
        "tickColor": INK,
        "tickOpacity": 0.4,
    },
}


@dataclass
class Figure:
    """A chart: title, what it says, its Vega-Lite specification, and its figures as a table.

    Without a specification it is the table alone. `name` is what it is of, in a word, and `anchor` its address on
    the page; `number` is its place among all specifications.
    """

    name: str
    title: str
    says: str
    spec: dict[str, Any] | None
    table: TextTable
    legend: list[LaneStyle] = field(default_factory=list)
    wide: bool = False
    anchor: str = ""
    number: int = 0


def data(values: Values) -> alt.Chart:
    """A chart on some values; their texts as the page sets them, but for names of lanes, which scales look up."""
    typeset = [
        {
            key: fmt.typeset(value) if isinstance(value, str) and key != "lane" else value
            for key, value in one.items()
        }
        for one in values
    ]
    return alt.Chart({"values": typeset})


def by_time(rows: Iterable[Row]) -> list[Row]:
    """The shortest time first; rows without one last, in their own order."""
    return sorted(rows, key=lambda row: row.time.value if row.time else math.inf)


def span(values: Iterable[float], *, pad: float = 1.2) -> tuple[float, float]:
    """The ends of a logarithmic axis that holds all positive finite values."""
    finite = [value for value in values if 0 < value < math.inf] or [1.0]
    return min(finite) / pad, max(finite) * pad


def log_x(field: str, ends: tuple[float, float], title: str, *, label: str | None = None) -> alt.X:
    """A logarithmic x axis between two ends."""
    scale = alt.Scale(type="log", domain=list(ends), nice=False)
    return alt.X(f"{field}:Q", scale=scale, axis=_axis(ends, title, label))


def log_y(field: str, ends: tuple[float, float], title: str, *, label: str | None = None) -> alt.Y:
    """A logarithmic y axis between two ends; what lies beyond is drawn at them."""
    scale = alt.Scale(type="log", domain=list(ends), nice=False, clamp=True)
    return alt.Y(f"{field}:Q", scale=scale, axis=_axis(ends, title, label))


def _axis(ends: tuple[float, float], title: str, label: str | None) -> alt.Axis:
    options: dict[str, Any] = {"title": title, "labelExpr": label or "format(datum.value, '~g')"}
    options |= {"labelOverlap": "greedy", "labelSeparation": 6}
    if marks := ticks(*ends):
        options["values"] = marks
    return alt.Axis(**options)


def of_field(axis: A, field: str) -> A:
    """The same axis for another field."""
    copy = axis.copy()
    copy["shorthand"] = f"{field}:Q"
    return copy


def ticks(low: float, high: float) -> list[float]:
    """Powers of ten, or 1, 2 and 5 times them, in a range; none where there would be fewer than three."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        marks = [float(f"{step}e{power}") for power in powers for step in steps]
        marks = [value for value in marks if low <= value <= high]
        if len(marks) >= 3:
            return marks
    return []


def lanes_y(lanes: Sequence[str]) -> alt.Y:
    """A row for each lane, in the given order."""
    axis = alt.Axis(title=None, ticks=False, domain=False, labelPadding=8, labelLimit=130)
    return alt.Y("lane:N", scale=alt.Scale(domain=list(lanes)), axis=axis)


def labels(values: Values, x: alt.X, y: alt.Y, ends: tuple[float, float]) -> list[alt.Chart]:
    """The field `label` beside each point: beyond its interval, on the side where there is room."""
    middle = math.sqrt(ends[0] * ends[1])
    left = [value | {"beside": value["high"]} for value in values if value["value"] <= middle]
    right = [value | {"beside": value["low"]} for value in values if value["value"] > middle]
    beside = of_field(x, "beside")
    texts = [
        data(left).mark_text(align="left", dx=9, fontSize=11, color=INK) if left else None,
        data(right).mark_text(align="right", dx=-9, fontSize=11, color=INK) if right else None,
    ]
    return [text.encode(x=beside, y=y, text="label:N") for text in texts if text]


def marker(values: Values, styles: LaneStyles, tips: Sequence[alt.Tooltip], *, size: int = 80) -> alt.Chart:
    """A mark for each value in its lane's style; places are left to the caller."""
    mark = data(values).mark_point(filled=True, size=size, opacity=1)
    styled: alt.Chart = mark.encode(color=styles.color(), shape=styles.shape(), tooltip=tips)
    return styled


def outlined(mark: alt.Chart, *, size: int = 80) -> alt.Chart:
    """The same marks hollow."""
    hollow: alt.Chart = mark.mark_point(
        filled=False, size=size, opacity=1, strokeWidth=1.6, fill="transparent"
    )
    return hollow


def lane_curves(
    values: Values, x: alt.X, y: alt.Y, styles: LaneStyles, tips: Sequence[alt.Tooltip]
) -> list[alt.Chart]:
    """A line for each lane with a small mark at each of its points."""
    line = data(values).mark_line(strokeWidth=1.6, opacity=0.9)
    line = line.encode(x=x, y=y, color=styles.color(), strokeDash=styles.dash())
    return [line, marker(values, styles, tips, size=18).encode(x=x, y=y)]


def at(value: float, x: alt.X, says: str) -> alt.Chart:
    """A dashed line at one value of the x axis."""
    rule = data([{"value": value, "says": says}]).mark_rule(color=INK, opacity=0.6, strokeDash=[4, 3])
    placed: alt.Chart = rule.encode(x=x, size=alt.value(1.5), tooltip=tooltips("says"))
    return placed


def margin_band(x: alt.X) -> alt.Chart:
    """The ratios within the margin of equivalence."""
    band = data([{"value": math.exp(-MARGIN), "high": math.exp(MARGIN)}]).mark_rect(color=INK, opacity=0.15)
    placed: alt.Chart = band.encode(x=of_field(x, "value"), x2="high:Q")
    return placed


def tooltips(*fields: str, **formats: str) -> list[alt.Tooltip]:
    """A tooltip of some texts and, each with its d3 format, some numbers."""
    texts = [alt.Tooltip(f"{field}:N", title=field) for field in fields]
    return texts + [alt.Tooltip(f"{name}:Q", title=name, format=form) for name, form in formats.items()]


def short(value: float) -> float:
    """A number for drawing: five significant digits."""
    return float(f"{value:.5g}")


def specification(layers: Sequence[alt.Chart], height: int, says: str) -> dict[str, Any]:
    """A layered chart as wide as its place on the page, as Vega-Lite's JSON; `says` is its text alternative."""
    says = fmt.typeset(says)
    chart = alt.layer(*layers).properties(width="container", height=height)
    # to check thousands of values takes seconds; the tests draw every chart instead
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)  # the page has one for all charts
    spec["description"] = says
    return spec
