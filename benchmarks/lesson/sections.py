"""A page of the lesson: what every section of the text uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from .layout import Table, heading, pair, prose, vector
from .models import Equality, Lane, LaneWalk, Tensor, Walk

NOT_HERE = "not here"
T = TypeVar("T")


class Page:
    """A walk and the width of the page; tables have a column for every lane."""

    def __init__(self, walk: Walk, width: int) -> None:
        self.walk, self.width = walk, width
        self.setting = walk.setting
        self.walked = [lane.walk for lane in walk.lanes if lane.walk is not None]

    @property
    def first(self) -> LaneWalk:
        """The lane whose numbers the sentences quote."""
        return self.walked[0]

    def table(self) -> Table:
        return Table(tuple(lane.name for lane in self.walk.lanes), self.width)

    def each(self, cell: Callable[[LaneWalk], str]) -> list[str]:
        """One cell for every lane."""
        return [NOT_HERE if lane.walk is None else cell(lane.walk) for lane in self.walk.lanes]

    def first_and_last(self) -> list[str]:
        """The heads of two figures in every cell."""
        return self.each(lambda _: pair("epoch 1", f"epoch {self.setting.epochs}"))

    def item(
        self, items: Callable[[LaneWalk], Sequence[T]], index: int, form: Callable[[T], str]
    ) -> list[str]:
        """One cell for every lane, from the item at `index` of what it has."""
        return self.each(lambda lane: form(items(lane)[index]))

    def said(self, table: Table, row: str) -> None:
        """Add what each framework calls the things of one row of the lesson."""
        whats = [word.what for lane in self.walk.lanes for word in lane.words if word.row == row]
        for what in dict.fromkeys(whats):
            table.add(what, [_said(lane, row, what) for lane in self.walk.lanes])

    def prose(self, text: str) -> list[str]:
        return prose(text, self.width)

    def heading(self, row: str, title: str) -> list[str]:
        return heading(row, title, self.width)


def _said(lane: Lane, row: str, what: str) -> str:
    if lane.missing is not None:
        return NOT_HERE
    for word in lane.words:
        if (word.row, word.what) == (row, what):
            remark = [f"({word.remark})"] if word.remark else []
            return "\n".join([*word.code, *remark])
    return "(in the lane's own file)"


def tensors(found: Sequence[Tensor], form: str = "+.6f") -> str:
    """Each tensor's own name, shape and values, a line each."""
    return "\n".join(f"{each.name} {shape(each)}\n  {vector(each.values, form)}" for each in found)


def shape(tensor: Tensor) -> str:
    return str(tensor.shape).replace(" ", "")


def apart(found: Equality) -> str:
    """How near two sets of parameters are, in words."""
    if found.bit_for_bit:
        return "equal bit for bit"
    return f"{found.ulps:.0f} ULP apart" if math.isfinite(found.ulps) else "not comparable: diverged"
