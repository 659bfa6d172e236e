"""How a lane looks in every chart: its color says the framework, its shape and dashes the tier.

The colors are Okabe and Ito's (2008), which people with any color vision tell apart; each has a contrast of at
least 3 with both backgrounds. Lanes of one color and tier differ in their dashes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import altair as alt

from samestep.backends.interface import LaneName

from ...record import AnyRecord

COLORS = {"numpy": "#0072B2", "torch": "#D55E00", "jax": "#009E73", "numba": "#AA4499"}
OTHERS = ("#8A6D00", "#6F6F6F")
SHAPES = {"documented": "circle", "tuned": "square", "fused": "triangle-up"}
DASHES = {
    "documented": ((1, 0), (12, 2), (12, 2, 2, 2)),
    "tuned": ((6, 2), (6, 2, 1, 2)),
    "fused": ((2, 2), (1, 3)),
}
OUTLINES = {  # of the shapes, for the legend: within 12 x 12
    "circle": "M6 2a4 4 0 1 0 .01 0z",
    "square": "M2.5 2.5h7v7h-7z",
    "triangle-up": "M6 2l4.5 8h-9z",
    "cross": "M4.5 2h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5v-3h2.5z",
}


class LaneStyle(NamedTuple):
    """Color, shape and dashes of a lane."""

    lane: str
    color: str
    shape: str
    dash: tuple[int, ...]

    @property
    def outline(self) -> str:
        """The shape as an SVG path within 12 x 12."""
        return OUTLINES[self.shape]


class LaneStyles:
    """The styles of a record's lanes, in the plan's order."""

    def __init__(self, record: AnyRecord) -> None:
        arms = {arm.lane: arm for arm in record.arms}
        self.lanes = list(record.plan.lanes)
        self.of: dict[str, LaneStyle] = {}
        others: dict[str, str] = {}
        seen: dict[tuple[str, str], int] = {}
        for lane in self.lanes:
            arm = arms.get(lane)
            framework, tier = (arm.framework, arm.tier) if arm else (LaneName.parse(lane).framework, "")
            if framework not in COLORS:
                others.setdefault(framework, OTHERS[len(others) % len(OTHERS)])
            color = COLORS.get(framework) or others[framework]
            place = seen[color, tier] = seen.get((color, tier), -1) + 1
            dashes = DASHES.get(tier, ((4, 4),))
            self.of[lane] = LaneStyle(lane, color, SHAPES.get(tier, "cross"), dashes[place % len(dashes)])

    def some(self, lanes: Collection[str]) -> list[LaneStyle]:
        """The styles of some lanes, in the plan's order."""
        return [self.of[lane] for lane in self.lanes if lane in lanes]

    def color(self) -> alt.Color:
        """The encoding of the field `lane` as color."""
        return alt.Color(
            "lane:N", scale=self._scale([self.of[lane].color for lane in self.lanes]), legend=None
        )

    def shape(self) -> alt.Shape:
        """The encoding of the field `lane` as shape."""
        return alt.Shape(
            "lane:N", scale=self._scale([self.of[lane].shape for lane in self.lanes]), legend=None
        )

    def dash(self) -> alt.StrokeDash:
        """The encoding of the field `lane` as dashes."""
        dashes = [list(self.of[lane].dash) for lane in self.lanes]
        return alt.StrokeDash("lane:N", scale=alt.Scale(domain=self.lanes, range=dashes), legend=None)

    def _scale(self, values: list[str]) -> alt.Scale:
        return alt.Scale(domain=self.lanes, range=values)
