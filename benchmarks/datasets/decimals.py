"""Which decimal mark a file has: told by any number that has one reading alone, asked where all have two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .numerals import BOTH, Mark, is_marked
from .reading.sql_table import Table
from .refusal import Fault

TWO_READINGS = r"[+-]?[1-9]\d{0,2}\.\d{3}"  # 1.234 is 1234 where points part thousands


class Decision(NamedTuple):
    """The decimal mark; the columns of plain numbers that have points; and the question, if it must be asked."""

    mark: Mark
    dotted: frozenset[str]
    fault: Fault | None = None


def decimal_of(
    table: Table,
    plain: Mapping[str, int],
    marked: Mapping[str, tuple[frozenset[Mark], Sequence[str]]],
    given: Mark | None,
    separator: str,
) -> Decision:
    """The decimal mark, from columns of plain numbers (their place in the table) and of others (their readings).

    Files with a comma between fields have a decimal point unless some field shows otherwise.
    """
    if not marked and given != "," and separator != ";":
        return Decision("." if given is None else given, frozenset())
    points = _points(table, plain)
    dotted = frozenset(points)
    if given is not None:
        return Decision(given, dotted)
    readings = [marks for marks, _ in marked.values()]
    if frozenset(",") in readings:
        return Decision(",", dotted)
    if frozenset(".") in readings or any(sure for sure, _ in points.values()):
        return Decision(".", dotted)
    examples = (
        [f"{name!r} ({example!r})" for name, (_, example) in points.items()] if separator == ";" else []
    )
    for name, (marks, words) in marked.items():
        example = next((word for word in words if is_marked(word)), "")
        examples += [f"{name!r} ({example!r})"] if marks == BOTH and example else []
    if not examples:
        return Decision(".", dotted)
    text = f"thousands or decimals in {examples[0]}?"
    commas = any(is_marked(word) and "," in word for _, words in marked.values() for word in words)
    ways = ("--decimal .", "--decimal ,")
    return Decision(".", dotted, Fault(f"{text} {_meaning(commas)}", ways))


def _meaning(commas: bool) -> str:
    mark = "comma" if commas else "point"
    return f"say whether the decimal mark is a point or a comma, for the {mark} may stand between thousands"


def _points(table: Table, plain: Mapping[str, int]) -> dict[str, tuple[bool, str]]:
    """Columns with points: whether some can only be decimal points, and one number that has a point."""
    shown = {}
    for name, number in plain.items():
        points, sure, example = table.points(number, TWO_READINGS)
        if points:
            shown[name] = bool(sure), str(example)
    return shown
