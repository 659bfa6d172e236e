"""The table beside a record, held against a freshly made one by its figures.

What must agree are numbers with their units, names of lanes and words of verdicts; in a table's cell also tiers,
rank signs and negations. All else may be worded otherwise, so that a record stays verified when a later version
explains its tables better.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from typing import get_args

from samestep.backends.interface import Tier

from ..analysis.verdicts import VerdictWord

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


def figures(text: str, lanes: Sequence[str]) -> Counter[str]:
    """The numbers with their units, names of lanes and verdicts in a text, with how often each occurs."""
    names = sorted([*lanes, *get_args(VerdictWord)], key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w:]){re.escape(name)}(?![\w:])" for name in names)
    return Counter(re.findall(f"{pattern}|{NUMBER}", text))


def same_figures(text: str, fresh: str, lanes: Sequence[str]) -> bool:
    """Whether two texts hold the same figures, but for the constants that sentences explain."""
    shown, expected = figures(text, lanes), figures(fresh, lanes)
    return set((shown - expected) | (expected - shown)) <= CONSTANTS


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
