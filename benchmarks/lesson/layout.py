"""Plain text in columns: nothing here knows what the lesson is about."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LABEL = 19
ABREAST = 3  # more lanes than this are shown in a further table below
NARROWEST = 80


def heading(row: str, title: str, width: int) -> list[str]:
    """The number of a row of the lesson and what it is about."""
    *above, last = textwrap.wrap(f"{row:<4}  {title}", width - 1, subsequent_indent=" " * 6)
    return ["", *above, f"{last} ".ljust(width, "-"), ""]


def prose(text: str, width: int, indent: int = 2, hang: int = 0) -> list[str]:
    """A paragraph, wrapped; lines after the first are indented by `hang` more."""
    pad = " " * indent
    return textwrap.wrap(text, width, initial_indent=pad, subsequent_indent=pad + " " * hang)


@dataclass
class Table:
    """Rows of one cell for every column; a cell may hold several lines, each wrapped where it is too long."""

    columns: tuple[str, ...]
    width: int
    rows: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def add(self, label: str, cells: Sequence[str]) -> None:
        """A row; without cells its label has the whole width."""
        self.rows.append((label, cells))

    def lines(self) -> list[str]:
        """The table, three columns abreast."""
        out: list[str] = []
        for first in range(0, len(self.columns), ABREAST):
            part = slice(first, first + ABREAST)
            out += [""] if out else []
            out += self._row("", self.columns[part])
            for label, cells in self.rows:
                out += self._row(label, cells[part])
        return out

    def _row(self, label: str, cells: Sequence[str]) -> list[str]:
        if not cells:
            return ["  " + label]
        room = (self.width - LABEL) // min(ABREAST, len(self.columns)) - 2
        parts = [_wrapped(label, LABEL - 3), *(_wrapped(cell, room) for cell in cells)]
        height = max(len(part) for part in parts)
        filled = [part + [""] * (height - len(part)) for part in parts]
        return [_joined(lines, room) for lines in zip(*filled, strict=True)]


def grid(cells: Sequence[str], starts: Sequence[int], width: int) -> list[str]:
    """Cells side by side, each wrapped between its start and the next one's; the last one up to the width."""
    ends = [*(start - 1 for start in starts[1:]), width]
    parts = [_wrapped(cell, end - start) for cell, start, end in zip(cells, starts, ends, strict=True)]
    height = max(len(part) for part in parts)
    out = [""] * height
    for start, part in zip(starts, parts, strict=True):
        out = [f"{line:<{start}}{piece}" for line, piece in zip(out, part + [""] * height, strict=False)]
    return [line.rstrip() for line in out]


def _joined(lines: Sequence[str], room: int) -> str:
    label, *cells = lines
    return ("  " + f"{label:<{LABEL - 2}}" + "".join(f"{cell:<{room + 2}}" for cell in cells)).rstrip()


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room`: broken at spaces, or else after a bracket or a mark, as code is."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        wrapped = textwrap.wrap(paragraph, room, subsequent_indent="  ", break_long_words=False)
        for line in wrapped or [""]:
            while len(line) > room:
                marks = [match.end() for match in re.finditer(r"[(\[,.=]", line[:room])]
                cut = max(marks, default=room)
                lines.append(line[:cut])
                line = "  " + line[cut:]
            lines.append(line)
    return lines


# --- numbers --------------------------------------------------------------------------------------------------


def loss(value: float) -> str:
    """Six digits after the point, or four digits and an exponent where that would show too few or too many."""
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.6f}" if 1e-2 <= abs(value) < 1e4 else f"{value:.3e}"


def small(value: float) -> str:
    """Two digits and an exponent."""
    return f"{value:.1e}" if math.isfinite(value) else "diverged"


def vector(values: Sequence[float], form: str = "+.6f") -> str:
    """Numbers in brackets."""
    return "[" + ", ".join(f"{value:{form}}" for value in values) + "]"


def pair(first: str, last: str) -> str:
    """Two figures in the columns of a cell."""
    return f"{first:>11}{last:>12}"


def both(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The first and the last of several figures."""
    return pair(form(values[0]), form(values[-1]))


def rows(count: int) -> str:
    return counted(count, "row")


def counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
