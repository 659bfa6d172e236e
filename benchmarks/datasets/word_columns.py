"""Columns of words: which words they have, and whether there are few enough for a column of 0 and 1 each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from samestep.backends.spec import Reading

from ..console.choices import first_names
from .numerals import GAPS_IN_TEXT
from .reading.sql_table import Table, Words
from .refusal import Fault, as_option
from .split import Float64

AUTO = "auto"
FEW_WORDS = 50  # different ones, of a column that becomes one of 0 and 1 for each by itself
MOST_WORDS = 1_000  # where it was asked for
WORDS_READ = 2_000  # different ones that decide what a column is
LONGEST_WORD = 200


@dataclass(frozen=True, eq=False)
class DataColumn:
    """A column of the file: `values` float64 (rows,), NaN at gaps.

    words: of a column of words, whose values are positions in them. shown: how its numbers are written, in a few
    words, where that is not plain.
    """

    name: str
    values: Float64
    words: tuple[str, ...] = ()
    shown: str = ""


class WordColumns:
    """Columns read as words; what must be asked of them goes to `faults`."""

    def __init__(
        self, table: Table, wanted: Mapping[str, int], reading: Reading, faults: list[Fault]
    ) -> None:
        self.table, self.wanted, self.reading, self.faults = table, wanted, reading, faults
        self.null = frozenset(reading.null)

    def column(self, name: str) -> DataColumn:
        """A column as words, whatever it is."""
        number = self.wanted[name]
        words = [word.word for word in self.table.words(number, MOST_WORDS + 1)]
        words = [word for word in words if word not in GAPS_IN_TEXT and word not in self.null]
        if len(words) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in words):
            what = f"{name!r} has over {MOST_WORDS:,} different words, or very long ones"
            self.faults.append(Fault(what, (as_option("skip", [name]),)))
            words = words[:MOST_WORDS]
        words = sorted(words, key=lambda word: (float(word) if is_float(word) else np.inf, word))
        return DataColumn(name, self.table.codes(number, words), tuple(words))

    def columns(self, failing: Mapping[str, Sequence[Words]]) -> dict[str, DataColumn]:
        """Columns of text as words where they have few; all are asked about, unless it is settled."""
        counts = {name: self._count(name) for name in failing}
        few = [name for name in failing if counts[name] <= min(FEW_WORDS, max(2, self.table.rows // 2))]
        many = [name for name in failing if name not in few]
        if few and AUTO not in self.reading.categorical:
            ways = as_option("categorical", few if len(few) == 1 else [AUTO]), as_option("skip", few)
            self.faults.append(Fault(f"text in {_listed(few, failing)}", ways))
        if many:
            what = f"text in {_listed(many, failing)}, too many different words for a column each"
            self.faults.append(Fault(what, (as_option("skip", many),)))
        return {name: self.column(name) for name in few}

    def _count(self, name: str) -> int:
        """How many different words a column has, if not more than are read."""
        return len(self.table.words(self.wanted[name], WORDS_READ))


def example_of(name: str, words: Sequence[Words]) -> str:
    """A column with the first of its words that are no numbers, and how many more there are."""
    more = len(words) - 1
    count = f" and over {WORDS_READ:,} more" if more > WORDS_READ else f" and {more:,} more" if more else ""
    return f"{name!r} ({words[0].word[:40]!r}{count})"


def is_float(word: str) -> bool:
    """Whether Python takes a word for a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str], failing: Mapping[str, Sequence[Words]]) -> str:
    return first_names([example_of(name, failing[name]) for name in names])
