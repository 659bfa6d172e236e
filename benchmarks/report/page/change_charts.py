"""Charts of two records: both ratios to the baseline, and the one over the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from ...analysis.diff import LaneChange, LaneSide, RecordDiff
from ...statistics.inference import MARGIN, Interval
from .. import diff_tables
from .. import formatting as fmt
from ..text_table import TextTable
from .chart_parts import (
    INK,
    ROW,
    Figure,
    Values,
    at,
    data,
    labels,
    lanes_y,
    log_x,
    margin_band,
    marker,
    of_field,
    outlined,
    span,
    specification,
    tooltips,
)
from .lane_style import LaneStyles

HIGH = ROW + 8  # pixels for each lane, with a mark for each record
TIPS = ("lane", "record", "over baseline", "time per step", "verdict")


def ratios(diff: RecordDiff, changes: Sequence[LaneChange], styles: LaneStyles) -> Figure | None:
    """The ratio to the baseline in both records, A hollow and B filled."""
    both = [(change, name, side) for change in changes for name, side in (("A", change.a), ("B", change.b))]
    values = [_value(change, name, side) for change, name, side in both if side.ratio]
    if not values:
        return None
    ends = span(
        [math.exp(-MARGIN), math.exp(MARGIN), *(v[key] for v in values for key in ("value", "low", "high"))]
    )
    lanes = list(dict.fromkeys(value["lane"] for value in values))
    x, y = log_x("value", ends, "time over the baseline's"), lanes_y(lanes)
    off = alt.YOffset("off:Q", scale=alt.Scale(domain=[-1, 1]))
    bar = data(values).mark_rule(strokeWidth=2)
    bar = bar.encode(x=of_field(x, "low"), x2="high:Q", y=y, yOffset=off, color=styles.color())
    layers = [margin_band(x), at(1.0, x, "equal to the baseline"), bar]
    for name in ("A", "B"):
        some = [value for value in values if value["record"] == name]
        mark = marker(some, styles, tooltips(*TIPS), size=70).encode(x=x, y=y, yOffset=off)
        if name == "A":
            mark = outlined(mark, size=70)
        layers.append(mark)
    layers += _unstable_marks(values, x, y, off)
    says = (
        f"Time per step over that of {diff.baseline} in each record: A hollow, above; B filled, below. Left of "
        "the line a lane takes less time than the baseline."
    )
    table = TextTable("Ratio to the baseline", ("lane", "A", "B"))
    table.rows += [
        (c.lane, *(diff_tables.ratio_text(side) or side.verdict for side in (c.a, c.b))) for c in changes
    ]
    return Figure(
        "ratios",
        "Ratio to the baseline in A and in B",
        says,
        specification(layers, HIGH * len(lanes), says),
        table,
    )


def _unstable_marks(values: Values, x: alt.X, y: alt.Y, off: alt.YOffset) -> list[alt.Chart]:
    """The word beside each mark of which nothing is claimed."""
    unstable = [value for value in values if value["verdict"] == "UNSTABLE"]
    if not unstable:
        return []
    text = data(unstable).mark_text(align="left", dx=9, fontSize=10, color=INK)
    return [text.encode(x=of_field(x, "high"), y=y, yOffset=off, text="verdict:N")]


def _value(change: LaneChange, name: str, side: LaneSide) -> dict[str, Any]:
    assert side.ratio
    tips = {
        "over baseline": fmt.between(side.ratio),
        "time per step": fmt.timing(side.time),
        "verdict": side.verdict,
    }
    return {
        "lane": change.lane,
        "record": name,
        "off": -0.4 if name == "A" else 0.4,
        **_ends(side.ratio),
        **tips,
    }


def _ends(ratio: Interval) -> dict[str, float]:
    """A value with the ends of its interval, which are the value where they are unknown."""
    finite = math.isfinite(ratio.high)
    return {
        "value": ratio.value,
        "low": ratio.low if finite else ratio.value,
        "high": ratio.high if finite else ratio.value,
    }


def moves(diff: RecordDiff, changes: Sequence[LaneChange], styles: LaneStyles) -> Figure | None:
    """The ratio in B over that in A with its interval and the band within which nothing changed."""
    compared = [(change, change.change) for change in changes if change.change]
    if not compared:
        return None
    values: Values = [
        {"lane": change.lane, **_ends(ratio), "label": f"{ratio.value:.3f}, {change.word}"}
        | {"B/A": diff_tables.change_text(ratio), "change": change.word}
        for change, ratio in compared
    ]
    ends = span(
        [math.exp(-MARGIN), math.exp(MARGIN), *(v[key] for v in values for key in ("value", "low", "high"))],
        pad=1.1,
    )
    x, y = (
        log_x("value", ends, "ratio in B over the ratio in A"),
        lanes_y([value["lane"] for value in values]),
    )
    bar = (
        data(values)
        .mark_rule(strokeWidth=2)
        .encode(x=of_field(x, "low"), x2="high:Q", y=y, color=styles.color())
    )
    point = marker(values, styles, tooltips("lane", "B/A", "change")).encode(x=x, y=y)
    layers = [margin_band(x), at(1.0, x, "no change"), bar, point, *labels(values, x, y, ends)]
    says = (
        "Right of the line a lane takes more time beside the baseline than before, left of it less; within the "
        "band of ±2% a change does not count. Bars are Welch's 95% intervals."
    )
    table = TextTable("B over A", ("lane", "B/A", "change"), left=("lane", "change"))
    table.rows += [(change.lane, diff_tables.change_text(ratio), change.word) for change, ratio in compared]
    return Figure("change", "What changed", says, specification(layers, HIGH * len(values), says), table)
