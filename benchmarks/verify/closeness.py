"""The same but for last digits, which depend on the order of sums: of numbers, of trees, and of whole pages."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from ..analysis import Row
from ..console.errors import InputError
from ..record import Record
from ..report.page import page as made_page
from ..report.page import rows_of, values_of

SCRIPT = re.compile(r"(<script\b[^>]*>).*?(</script\b[^>]*>)", re.DOTALL | re.IGNORECASE)
POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy") content="[^"]*"')
VALUE = re.compile(r'(?<= data-value=")[^"]*')


def near(one: float | None, other: float | None) -> bool:
    """The same but for the last digits, which depend on the order of sums."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))


def alike(one: Any, other: Any) -> bool:
    """Equal all the way down, floats but for their last digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return near(one, other)
    return bool(one == other)


def same_page(page: str, record: Record, rows: Sequence[Row]) -> bool:
    """Whether a page shows what follows from the record, in its text, its figures and its charts' data.

    Numbers may differ in their last digits. Scripts are not compared.
    """
    try:
        shown, fresh = rows_of(page), made_page(record)
        charts = values_of(page), values_of(fresh)
    except InputError:
        return False
    figures = [row.model_dump() for row in shown], [row.model_dump() for row in rows]
    return alike(*figures) and alike(*charts) and same_text(page, fresh)


def same_text(one: str, other: str) -> bool:
    """Whether two pages are alike without their scripts, the policy that names these, and sort values' digits."""
    (text, values), (wanted, known) = (without_scripts(page) for page in (one, other))
    return text == wanted and all(map(same_value, values, known))


def without_scripts(page: str) -> tuple[str, list[str]]:
    """A page's text without scripts and values to sort by, and these values."""
    text = POLICY.sub(r"\1", SCRIPT.sub(r"\1\2", page))
    return VALUE.sub("", text), VALUE.findall(text)


def same_value(one: str, other: str) -> bool:
    """The same word, or the same number but for its last digits."""
    try:
        return one == other or near(float(one), float(other))
    except ValueError:
        return False
