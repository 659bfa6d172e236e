"""The tables in README.md and README.zh.md, from the reference result: `python -m docs.generate`.

The tests check that both are what this would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samestep.benchmarks.analysis.summary import Row, summarize
from samestep.benchmarks.analysis.tier_rank import Marks, standings
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import formatting as fmt
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.tables import Table

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "README.zh.md")
REFERENCE = ROOT / "results" / "reference"
SHOWN = ("lesson",)
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def section() -> str:
    """Speed and accuracy on a task of the reference result, and what they hold for."""
    record = load(REFERENCE)
    rows = summarize(record)
    marks, parts = standings(record, rows), []
    for work in (record.work(name) for name in SHOWN):
        table = brief([row for row in rows if row.task == work.task.name], marks)
        parts += [f"**{tables.heading(record, work)}**\n", tables.markdown_rows(table)]
        parts += [*(f"- {note}" for note in table.notes), ""] if table.notes else []
    return "\n".join([*parts, " ".join(tables.scope(record, None, rows, marks))])


def brief(rows: Sequence[Row], marks: Marks) -> Table:
    """The speed of each lane, and beside it how much of its bound it used and how good its training is."""
    speed = tables.speed(rows, marks)
    accuracy = [
        (fmt.percent(row.parity_share), fmt.small(row.accuracy.excess if row.accuracy else None))
        for row in rows
    ]
    table = Table("", (*speed.columns, "bound used", "above exact"), [], speed.notes)
    table.rows = [(*one, *other) for one, other in zip(speed.rows, accuracy, strict=True)]
    return table


def updated(text: str) -> str:
    """A README's text with the tables of the reference result between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{section()}\n{END}{after}"
