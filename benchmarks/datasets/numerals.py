"""How numbers are written: the decimal mark, marks between thousands, percent signs, words for yes and no.

A field has a *reading* for each decimal mark under which it is a number: 1.234 has two, 1.5 has one.
A column is read with the mark that all of its fields allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

Mark: TypeAlias = Literal[".", ","]
MARKS: tuple[Mark, ...] = (".", ",")
BOTH = frozenset(MARKS)
GAPS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", ".", "..")
GAPS_IN_TEXT = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"))
BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
SPACES = " \u00a0\u202f'"  # between thousands, in one country or another
PERCENT = r"\s*%$"


class Form(NamedTuple):
    """A way of writing numbers."""

    decimal: Mark = "."
    percent: bool = False

    @property
    def thousands(self) -> Mark:
        """What may stand between thousands."""
        return "," if self.decimal == "." else "."

    @property
    def pattern(self) -> str:
        """A regular expression, to Python and to DuckDB, for a number without percent sign and spaces."""
        decimal, thousands = re.escape(self.decimal), re.escape(self.thousands)
        fraction = rf"(?:{decimal}\d*)?"
        grouped = rf"[1-9]\d{{0,2}}(?:[{thousands}{SPACES}]\d{{3}})+{fraction}"
        return rf"[+-]?(?:{grouped}|\d+{fraction}(?:[eE][+-]?\d+)?|{decimal}\d+(?:[eE][+-]?\d+)?)"

    def sql(self, column: str) -> str:
        """SQL: a column of text as a number in this form; NULL where it is none."""
        text = f"trim({column})"
        if self.percent:
            text = f"regexp_replace({text}, '{PERCENT}', '')"
        marks = self.thousands + SPACES.replace("'", "''")
        bare = f"replace(translate({text}, '{marks}', ''), '{self.decimal}', '.')"
        pattern = self.pattern.replace("'", "''")
        return f"CASE WHEN regexp_full_match({text}, '{pattern}') THEN try_cast({bare} AS DOUBLE) END"


PATTERNS = {mark: re.compile(Form(mark).pattern) for mark in MARKS}


def readings(field: str) -> frozenset[Mark]:
    """The decimal marks under which a field is a number; none where it is no number."""
    text = re.sub(PERCENT, "", field.strip())
    return frozenset(mark for mark, pattern in PATTERNS.items() if pattern.fullmatch(text))


def common_readings(fields: Iterable[str]) -> frozenset[Mark]:
    """The decimal marks under which all fields are numbers."""
    left = BOTH
    for field in fields:
        left &= readings(field)
        if not left:
            break
    return left


def is_marked(field: str) -> bool:
    """Whether a field has a point or a comma, and so depends on what it means."""
    return "." in field or "," in field


def is_percent(fields: Iterable[str]) -> bool:
    """Whether every field has a percent sign."""
    return all(field.rstrip().endswith("%") for field in fields)


def plain(column: str) -> str:
    """SQL: a column of text as a number in the plain form, with a point; NULL where it is none.

    DuckDB alone would take 1_000 for a number.
    """
    return f"try_cast(replace({column}, '_', 'x') AS DOUBLE)"


def booleans(column: str) -> str:
    """SQL: a column of yes and no as 1 and 0; NULL where it is neither."""
    cases = " ".join(f"WHEN '{word}' THEN {value}" for word, value in BOOLEANS.items())
    return f"CAST(CASE lower(trim({column})) {cases} END AS DOUBLE)"
