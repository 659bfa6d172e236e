"""The table in README.md, made from the committed reference result: `python -m benchmarks.report.readme`.

The tests check that README.md is what this would write.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure.summary import summarise
from benchmarks.record import load
from benchmarks.report import tables

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "results" / "reference"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def section() -> str:
    """Speed on each task of the reference result, accuracy on the first, and what it holds for."""
    record = load(REFERENCE)
    rows = summarise(record)
    parts = []
    for index, work in enumerate(record.plan.works):
        own = [row for row in rows if row.task == work.task.name]
        parts.append(f"**{tables.heading(record, work)}**\n")
        for table in [tables.speed(own)] if index else [tables.speed(own), tables.accuracy(own)]:
            parts.append(tables.markdown_rows(table))
            parts += [f"- {note}" for note in table.notes] + ([""] if table.notes else [])
    return "\n".join([*parts, " ".join(tables.scope(record, None))])


def updated(text: str) -> str:
    """README's text with the table of the reference result between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{section()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
