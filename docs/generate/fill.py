"""Pieces of the generated pages: tables, and the text between two markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def filled(text: str, tables: Mapping[str, str]) -> str:
    """The text with each table between its own markers."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def rows(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> str:
    """A table as GitHub shows it."""
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def versions(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The command of each experiment with the versions that it ran on."""
    lines = []
    for name, result in results.items():
        said = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
        lines.append(f"- `python -m validation {name}`: {said}")
    return "\n".join(lines)
