"""Markdown tables, and text between two markers of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def fill(page: str, parts: Mapping[str, str]) -> str:
    """A page with each part between its markers, `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises:
        ValueError: a marker is missing, or is there twice.
    """
    for name, part in parts.items():
        begin, end = (f"<!-- {name}: {place} -->" for place in ("begin", "end"))
        if (page.count(begin), page.count(end)) != (1, 1):
            raise ValueError(f"the page must have the markers of {name!r} once")
        before, after = page.partition(begin)[0], page.partition(end)[2]
        page = f"{before}{begin}\n{part}\n{end}{after}"
    return page


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table as GitHub shows it."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def count_of(part: int, whole: int, digits: int = 0) -> str:
    """A count with its percentage of the whole."""
    return f"{part:,} ({part / whole:.{digits}%})" if whole else "0"


def quoted(lines: Iterable[str]) -> str:
    """Lines as a quotation."""
    return "\n".join(f"> {line}" for line in lines)


def bullets(lines: Iterable[str]) -> list[str]:
    """Lines as items of a list."""
    return [f"- {line}" for line in lines]
