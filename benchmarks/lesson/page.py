"""A page of plain text: headings, paragraphs, and tables with a column for each lane. Rich does the layout."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from ..console.escapes import visible
from ..console.terminal import text_console
from .models import LaneWalk, Walk

NARROWEST = 80
LABEL = 15  # columns of a row's label
LANES_ABREAST = 3  # the other lanes follow in a table below
NOT_HERE = "not here"

Cell = Callable[[LaneWalk], str]
LaneRow = tuple[str, Cell | Sequence[str]]
"""A row's label, and its cell: worked out from what a lane did, or one text for every lane."""


class Page:
    """The walk, and the text written so far; `width` is in characters.

    Raises:
        ValueError: fewer than 80 columns.
    """

    def __init__(self, walk: Walk, width: int) -> None:
        if width < NARROWEST:
            raise ValueError(f"the lesson needs {NARROWEST} columns or more, not {width}")
        self.walk, self.width, self.setting = walk, width, walk.setting
        self.lanes_run = [(lane.name, lane.walk) for lane in walk.lanes if lane.walk is not None]
        self._text = io.StringIO()
        self._console = text_console(self._text, width)

    @property
    def first(self) -> LaneWalk:
        """The lane whose numbers the sentences quote."""
        return self.lanes_run[0][1]

    @property
    def gap(self) -> int:
        """Blank columns between two columns of figures."""
        return 1 if self.width < 90 else 2

    def text(self) -> str:
        """Everything written, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._text.getvalue().splitlines()) + "\n"

    def heading(self, row: str, title: str) -> None:
        """The number of a row of the lesson, and what it is about."""
        self.show(Rule(f"{row}  {title}", align="left", characters="-"))

    def show(self, *renderables: RenderableType) -> None:
        """Paragraphs and tables of one's own, with a blank line after each."""
        for renderable in renderables:
            self._console.print(renderable)
            self._console.print()

    def numbered(self, paragraphs: Iterable[str]) -> None:
        """A numbered list."""
        grid = RichTable.grid(padding=(0, 1))
        for number, paragraph in enumerate(paragraphs, 1):
            grid.add_row(f"{number}.", paragraph)
        self.show(grid)

    def lanes(self, rows: Sequence[LaneRow]) -> None:
        """A table with a column for every lane, also for a lane that cannot run here."""
        names = [lane.name for lane in self.walk.lanes]
        room = (self.width - LABEL - 2) // min(LANES_ABREAST, len(names)) - 2
        for first in range(0, len(names), LANES_ABREAST):
            abreast = slice(first, first + LANES_ABREAST)
            table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
            table.add_column("", width=LABEL)
            for name in names[abreast]:
                table.add_column(Text(wrapped(name, room)), width=room)
            for label, cell in rows:
                cells = self._cells(cell)[abreast]
                table.add_row(wrapped(label, LABEL), *(Text(wrapped(text, room)) for text in cells))
            self.show(table)

    def _cells(self, cell: Cell | Sequence[str]) -> list[str]:
        if callable(cell):
            return [NOT_HERE if lane.walk is None else cell(lane.walk) for lane in self.walk.lanes]
        return list(cell)

    def quotations(self, row: str) -> list[LaneRow]:
        """Rows of what each framework calls the things of one row of the lesson."""
        topics = [
            quotation.what for lane in self.walk.lanes for quotation in lane.words if quotation.row == row
        ]
        return [
            (topic, [self._quotation(index, row, topic) for index in range(len(self.walk.lanes))])
            for topic in dict.fromkeys(topics)
        ]

    def _quotation(self, index: int, row: str, topic: str) -> str:
        lane = self.walk.lanes[index]
        if lane.missing is not None:
            return NOT_HERE
        for quotation in lane.words:
            if (quotation.row, quotation.what) == (row, topic):
                return "\n".join([*quotation.code, *([f"({quotation.remark})"] if quotation.remark else [])])
        return "(in the lane's own file)"


def wrapped(text: str, room: int) -> str:
    """Lines of at most `room`: broken at spaces, or else after a bracket or a mark, as code is."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        parts = textwrap.wrap(visible(paragraph), room, subsequent_indent="  ", break_long_words=False)
        for line in parts or [""]:
            while len(line) > room:
                cut = _break(line, room)
                lines.append(line[:cut])
                line = "  " + line[cut:]
            lines.append(line)
    return "\n".join(lines)


def _break(code: str, room: int) -> int:
    """Where to break a word that is too long: after a mark, else after an underscore, else anywhere."""
    for mark in (r"[(\[,=]|\.(?!\.)", "_"):
        ends = [match.end() for match in re.finditer(mark, code[:room])]
        if ends:
            return ends[-1]
    return room
