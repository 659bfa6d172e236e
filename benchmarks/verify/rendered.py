"""The table and the page beside a record, held against freshly made ones by their figures.

What must agree are numbers with their units, names of lanes and words of verdicts; in a table's cell also tiers,
rank signs and negations. All else may be worded otherwise, so that a record stays verified when a later version
explains its tables better.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from samestep.backends.interface import Tier

from ..analysis import RecordAnalysis, Row
from ..analysis.verdicts import VerdictWord
from ..console.errors import InputError
from .closeness import alike, near

NUMBER = r"[-+±]?\d(?:[\d.,]*\d)?(?:e[-+]?\d+)?(?:%| ?(?:ns|us|ms|s|x|[kMG]i?B?(?:/s)?)\b)?"
CONSTANTS = {
    "1%",
    "2%",
    "±2%",
    "5%",
    "95%",
    "99%",
    "100%",
    "25%",
    "2",
}  # levels, margins and limits in sentences
# "proven" may become "certified", but not "NOT PROVEN": what denies counts, and so do signs
STATUS = (
    r"(?i:\b(?:not run|not|no|never|fail|diverged|wrong|refuted|inf|nan)\b|\b(?:un|dis)(?=proven|certified))"
    r"|±\?|[◆◇<>]"
)
SCRIPT = re.compile(r"(<script\b[^>]*>).*?(</script\b[^>]*>)", re.DOTALL | re.IGNORECASE)
HIDDEN = re.compile(r"<(style|head)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
VALUE = re.compile(r'(?<= data-value=")[^"]*')


def figures(text: str, lanes: Sequence[str]) -> Counter[str]:
    """The numbers with their units, names of lanes and verdicts in a text, with how often each occurs."""
    names = sorted([*lanes, *get_args(VerdictWord)], key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w:]){re.escape(name)}(?![\w:])" for name in names)
    return Counter(re.findall(f"{pattern}|{NUMBER}", text))


def same_figures(text: str, fresh: str, lanes: Sequence[str]) -> bool:
    """Whether two texts hold the same figures, but for the constants that sentences explain."""
    shown, expected = figures(text, lanes), figures(fresh, lanes)
    return set((shown - expected) | (expected - shown)) <= CONSTANTS


# --- table.md ---------------------------------------------------------------------------------------------------


def same_table(text: str, fresh: str, lanes: Sequence[str]) -> bool:
    """Whether a Markdown page of tables has the figures of another, cell by cell, and those of its sentences."""
    (rows, sentences), (fresh_rows, fresh_sentences) = map(_markdown_parts, (text, fresh))
    cells, fresh_cells = ([_cells(row, lanes) for row in each] for each in (rows, fresh_rows))
    return cells == fresh_cells and same_figures(sentences, fresh_sentences, lanes)


def _cells(row: str, lanes: Sequence[str]) -> list[list[str] | None]:
    """The figures of each cell of a row, in order; None for a blank cell, which is not one of words alone."""
    cells = [re.sub(r"\\(.)", r"\1", unescape(cell)).strip() for cell in re.split(r"(?<!\\)\|", row)]
    names = "|".join(map(re.escape, sorted(lanes, key=len, reverse=True)))
    words = "|".join([*get_args(VerdictWord), *get_args(Tier)])
    pattern = rf"(?<![\w:])(?:{names}|(?i:{words}))(?![\w:])|{STATUS}|{NUMBER}"
    return [
        [_folded(figure, lanes) for figure in re.findall(pattern, cell)] if cell else None for cell in cells
    ]


def _folded(figure: str, lanes: Sequence[str]) -> str:
    """A word in lower case; a lane's name, or a number with its unit, as it is."""
    return figure if figure in lanes or re.match(NUMBER, figure) else figure.lower()


def _markdown_parts(text: str) -> tuple[list[str], str]:
    """The rows of all tables without their headings, and everything else as one text."""
    rows, sentences, above = list[str](), list[str](), ""
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[| :-]+", line):
            rows += [above] if above else []
            above = line
        elif line.startswith("|"):
            above = ""  # what stands above the ruler is a heading
        else:
            rows += [above] if above else []
            above = ""
            sentences.append(line)
    return rows + ([above] if above else []), "\n".join(sentences)


# --- report.html ------------------------------------------------------------------------------------------------


def same_page(text: str, fresh: str, analysis: RecordAnalysis) -> bool:
    """Whether a page shows what follows from the record: in its data, its charts, and what can be seen of it."""
    try:
        rows, charts = rows_of(text), [_chart_figures(page, analysis.lanes) for page in (text, fresh)]
    except InputError:
        return False
    if not alike([row.model_dump() for row in rows], [row.model_dump() for row in analysis.rows]):
        return False
    (scripts, values, visible), (fresh_scripts, fresh_values, fresh_visible) = map(_page_parts, (text, fresh))
    return (
        alike(*charts)
        and scripts == fresh_scripts
        and len(values) == len(fresh_values)
        and all(map(near, values, fresh_values))
        and same_figures(visible, fresh_visible, analysis.lanes)
    )


def rows_of(text: str) -> tuple[Row, ...]:
    """The figures that a page holds as data.

    Raises:
        InputError: the text is not a page of this kind.
    """
    block = re.sub(r'("(?:low|high|detectable)":)"(Infinity)"', r"\1\2", _data_block(text, "figures"))
    try:
        return tuple(TypeAdapter(list[Row]).validate_json(block))
    except ValidationError as error:
        raise InputError("not a page that `samestep report` made: it has no block of figures") from error


def _chart_figures(text: str, lanes: Sequence[str]) -> Any:
    """The data of a page's charts, texts among them by the figures that they hold."""

    def by_figures(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: by_figures(part) for key, part in value.items()}
        if isinstance(value, list):
            return [by_figures(part) for part in value]
        return figures(value, lanes) if isinstance(value, str) else value

    return by_figures(chart_values(text))


def chart_values(text: str) -> list[Any]:
    """The data that the charts of a page draw: every list `values` of their specifications, in order.

    Raises:
        InputError: the text is not a page of this kind.
    """
    try:
        return list(_values(json.loads(_data_block(text, "specs"))["specs"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("not a page that `samestep report` made: its charts cannot be read") from error


def _data_block(text: str, name: str) -> str:
    return text.partition(f'<script type="application/json" id="{name}">')[2].partition("</script>")[0]


def _values(spec: Any) -> Iterator[Any]:
    for key, value in spec.items() if isinstance(spec, dict) else enumerate(spec):
        if key == "values":
            yield value
        elif key == "datasets":  # by digests of their values, which differ with a last digit
            yield from value.values()
        elif isinstance(value, dict | list):
            yield from _values(value)


def _page_parts(page: str) -> tuple[int, list[float], str]:
    """The number of scripts, the numbers that the table is sorted by in ascending order, and the visible text."""
    text = SCRIPT.sub(r"\1\2", page)
    numbers = [float(value) for value in VALUE.findall(text) if re.fullmatch(r"-?\d[\d.e+-]*", value)]
    visible = unescape(HIDDEN.sub(" ", text))
    return len(re.findall(r"<script\b", text, re.IGNORECASE)), sorted(numbers), visible
