"""Tables of text, and how a page of them is written for a terminal, for GitHub and as HTML."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from ..console.escapes import visible
from ..console.terminal import terminal_columns, text_console, within_limits
from . import html
from .column_fit import ColumnSizes, fit_columns, total_width


@dataclass
class TextTable:
    """A title, the columns' headings, rows of text, and notes below.

    `left` are the headings of the columns that are flush left. `groups` names the group of each row, for outputs
    that show groups. `drops` are the headings of the columns that are left out where there is no room for them,
    in that order; the cells of those in `prose` may be wrapped.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: Collection[str] = ("lane",)
    groups: list[str] = field(default_factory=list)
    drops: Sequence[str] = ()
    prose: Collection[str] = ()

    def grouped(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """The rows by group, in the groups' first order."""
        groups: dict[str, list[tuple[str, ...]]] = {}
        for name, row in zip(self.groups, self.rows, strict=True):
            groups.setdefault(name, []).append(row)
        return list(groups.items())


@dataclass
class Section:
    """A heading, a few sentences, and tables."""

    heading: str
    facts: list[str]
    tables: list[TextTable]


@dataclass
class TextDocument:
    """Sections, and the lines at the end; a terminal gets `brief` in their place, where there is one."""

    sections: list[Section]
    closing: list[str]
    brief: list[str] | None = None


# --- terminal -------------------------------------------------------------------------------------


def plain(document: TextDocument, *, width: int = 100) -> str:
    """A document for a terminal, at most `width` columns."""
    parts = []
    for section in document.sections:
        head = [section.heading] if section.heading else []
        text = [paragraph(line, width) for line in (*head, *section.facts)]
        parts.append(
            "\n\n".join(filter(None, ["\n".join(text), *(boxed(table, width) for table in section.tables)]))
        )
    closing = document.closing if document.brief is None else document.brief
    return "\n\n\n".join([*parts, "\n".join(paragraph(line, width) for line in closing)])


def boxed(table: TextTable, width: int) -> str:
    """One table as text, its title above, its notes and the columns that there is no room for below."""
    rows = [tuple(map(visible, row)) for row in table.rows]
    sizes = [
        ColumnSizes.of(name, [row[column] for row in rows], prose=name in table.prose)
        for column, name in enumerate(table.columns)
    ]
    drops = [table.columns.index(name) for name in table.drops if name in table.columns]
    fitted = fit_columns(sizes, drops, width)
    grids = [
        _printed(_grid(table, rows, widths), width)
        if total_width(widths) <= width
        else _stacked(table, rows, widths, width)
        for widths in fitted.parts
    ]
    names = ", ".join(table.columns[column] for column in fitted.left_out)
    left_out = [f"not shown in {width} columns: {names}"] if names else []
    notes = [paragraph(note, width, indent=2) for note in (*table.notes, *left_out)]
    return "\n".join([paragraph(table.title, width), *grids, *notes])


def _grid(table: TextTable, rows: Sequence[tuple[str, ...]], widths: Mapping[int, int]) -> RichTable:
    """Some columns of a table, each with its width."""
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    for column, width in widths.items():
        name = table.columns[column]
        grid.add_column(visible(name), justify="left" if name in table.left else "right", width=width)
    for row in rows:
        grid.add_row(*(row[column] for column in widths))
    return grid


def _stacked(table: TextTable, rows: Sequence[tuple[str, ...]], columns: Collection[int], width: int) -> str:
    """Columns that are too wide to stand side by side: each cell of a row below the one before it."""
    first, *others = columns
    lines = ["", *(paragraph(table.columns[column], width, indent=1) for column in columns)]
    lines.append(" " + "─" * (width - 2))
    for row in rows:
        lines.append(paragraph(row[first], width, indent=1))
        lines += [paragraph(row[column], width, indent=3) for column in others if row[column]]
    return "\n".join([*lines, ""])


def paragraph(text: str, width: int, *, indent: int = 0) -> str:
    """A sentence or more, wrapped."""
    return _printed(Padding(Text(visible(text)), (0, 0, 0, indent)), width)


def prose(text: str) -> str:
    """Lines of sentences, wrapped where they go to a terminal; a program reads whole lines."""
    columns = terminal_columns()
    if not columns:
        return text
    return "\n".join(paragraph(line, within_limits(columns)) for line in text.split("\n"))


def _printed(renderable: RichTable | Padding, width: int) -> str:
    text = io.StringIO()
    text_console(text, width).print(renderable)
    return "\n".join(line.rstrip() for line in text.getvalue().removesuffix("\n").split("\n"))


# --- Markdown -------------------------------------------------------------------------------------


def markdown(document: TextDocument) -> str:
    """A document for GitHub. Everything is escaped: names are data."""
    parts: list[str] = []
    for section in document.sections:
        parts += [f"### {escape(section.heading)}\n"] if section.heading else []
        parts += [f"{escaped_line(line)}\n" for line in section.facts]
        for table in section.tables:
            parts += [f"**{escape(table.title)}**\n", markdown_rows(table)]
            parts += [*(f"- {escaped_line(note)}" for note in table.notes), ""] if table.notes else []
    return "\n".join([*parts, *map(escaped_line, document.closing)]) + "\n"


def markdown_rows(table: TextTable) -> str:
    """The heading and the rows of a table."""
    ruler = tuple("---" if name in table.left else "---:" for name in table.columns)
    head, *rows = [tuple(map(escape, row)) for row in (table.columns, *table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows)) + "\n"


MARKER = re.compile(r"^(\s*\d*)(#|[.)](?=\s|$)|[-+=](?=[\s=-]|$))")  # of a heading, a list or a rule
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ESCAPES = str.maketrans({sign: ENTITIES.get(sign, f"\\{sign}") for sign in "\\|*_`[]~$&<>"})


def escape(text: str) -> str:
    """A text inside a line as Markdown shows it."""
    return visible(text).translate(ESCAPES)


def escaped_line(text: str) -> str:
    """A line of its own, which begins no heading, list or rule."""
    return MARKER.sub(r"\1\\\2", escape(text))


# --- HTML -----------------------------------------------------------------------------------------


def document_html(document: TextDocument) -> str:
    """A document as a page of tables alone, rows by group. The template escapes everything."""
    sections: Sequence[Section] = document.sections
    base = html.static("base.css")
    return html.fill("document.html.jinja", base=base, sections=sections, closing=document.closing).rstrip(
        "\n"
    )
