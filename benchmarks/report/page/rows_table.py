"""The page's table of every lane on every task: its columns, rows and numbered notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...analysis import LaneAnalysis, RecordAnalysis, Row
from .. import formatting as fmt
from ..columns import ACCURACY, COLUMNS, COST, SPEED, Column, ColumnCell
from ..glossary import listed
from ..html import Anchors


class WordsColumn(Column):
    """The ratio in words, as far as the verdict goes; it sorts by how many times as fast."""

    def cell(self, lane: LaneAnalysis) -> ColumnCell:
        """The cell of a lane."""
        text, ratio = in_words(lane.row), lane.row.ratio
        if text and ratio:
            return ColumnCell(text, 1 / ratio.value, "")
        return ColumnCell("", None, COLUMNS["ratio"].cell(lane).why or "no claim")


def in_words(row: Row) -> str:
    """What a verdict says: 16 times as fast, or 1.66 times as long; nothing where it claims nothing."""
    ratio, word = row.ratio, row.verdict.word
    if ratio and word in ("FASTER", "SLOWER"):
        return fmt.speedup(ratio)
    if ratio and word == "UNDECIDED":
        return "not shown to differ"
    return "as long within 2%" if ratio and word == "EQUIVALENT" else ""


GROUPS = {  # of the columns beside the lane; a reader can choose to see one group alone
    "": ("task", "tier"),
    "speed": (*(name for name in SPEED if name != "tier"), "floor_s"),
    "cost": COST,
    "accuracy": ACCURACY,
}


class PageColumn(NamedTuple):
    """A column, and the group that it belongs to."""

    column: Column
    group: str


class PageRow(NamedTuple):
    """A row of the page's table: its address, its lane, the numbers of its notes, its cells."""

    anchor: str
    lane: LaneAnalysis
    numbers: list[int]
    cells: list[ColumnCell]

    @property
    def row(self) -> Row:
        """The figures of the row."""
        return self.lane.row


class RowsTable:
    """The columns, the rows by task and tier, the notes by number, and which columns are absent and why."""

    def __init__(self, analysis: RecordAnalysis, anchors: Anchors) -> None:
        self.columns = [PageColumn(COLUMNS[name], group) for group, names in GROUPS.items() for name in names]
        place = [entry.column.name for entry in self.columns].index("ratio")
        self.columns.insert(place, PageColumn(WordsColumn("in_words", "", "in words", left=True), "speed"))
        self._anchors, subjects = anchors, dict[str, list[str]]()
        self.rows = [self._row(lane, subjects) for lane in lanes_by_tier(analysis)]
        self.absent = self._without_figures()
        self.notes = [
            f"{names[0] if len(names) == 1 else f'{len(names)} rows'}: {remark}"
            for remark, names in subjects.items()
        ]

    def _without_figures(self) -> list[str]:
        """Leave out the columns without a figure in any row, for one and the same reason; say which and why."""
        left_out: dict[str, list[str]] = {}
        for place in reversed(range(len(self.columns))):
            reasons = {row.cells[place].why for row in self.rows}
            if len(reasons) == 1 and (why := reasons.pop()):
                left_out.setdefault(why, []).insert(0, self.columns.pop(place).column.heading)
                for row in self.rows:
                    del row.cells[place]
        return [f"{listed(names)}: {why}" for why, names in left_out.items()]

    def _row(self, lane: LaneAnalysis, subjects: dict[str, list[str]]) -> PageRow:
        """A lane's row; its remarks are entered among those of all, with the lane as their subject."""
        remarks = list(dict.fromkeys(_remarks(lane.row)))
        for remark in remarks:
            subjects.setdefault(remark, []).append(f"{lane.lane} on {lane.task}")
        numbers = sorted(list(subjects).index(remark) + 1 for remark in remarks)
        return PageRow(
            self._anchors.of(lane.task, lane.lane),
            lane,
            numbers,
            [entry.column.cell(lane) for entry in self.columns],
        )


def _remarks(row: Row) -> Sequence[str]:
    """What a reader must know of a row: the reason of its verdict, and its notes."""
    why = row.blank or row.verdict.reason
    remarks = [f"{row.verdict.word}: {why}"] if why else []
    if row.accuracy and row.accuracy.no_excess:
        remarks.append(f"no exact solution: {row.accuracy.no_excess}")
    return [*remarks, *row.notes]


def lanes_by_tier(analysis: RecordAnalysis) -> list[LaneAnalysis]:
    """The lanes by task and tier, each in its first order."""
    tiers = list(dict.fromkeys(row.tier for row in analysis.rows))
    return sorted(analysis, key=lambda lane: (analysis.tasks.index(lane.task), tiers.index(lane.row.tier)))
