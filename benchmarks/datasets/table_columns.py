"""What each column of a table is: numbers in some form, yes and no, or words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from samestep.backends.spec import Reading

from ..console.choices import first_names
from .decimals import decimal_of
from .numerals import (
    BOOLEANS,
    GAPS,
    Form,
    Mark,
    booleans,
    common_readings,
    is_percent,
    plain,
)
from .reading.sql_table import Table, Words, cast
from .refusal import Fault, as_option
from .split import Float64
from .target_choice import FEW_NUMBERS, proposed, targets_among
from .word_columns import WORDS_READ, DataColumn, WordColumns, example_of, is_float

STRAY_WORDS = 5  # among numbers


@dataclass(frozen=True)
class Columns:
    """The columns by name, and what must be asked before they can be trained on.

    A column of few words is there as words already, though it must be asked whether it is to be.
    """

    columns: dict[str, DataColumn]
    faults: list[Fault] = field(default_factory=list)


def read_columns(
    table: Table, wanted: Mapping[str, int], reading: Reading, separator: str, target: str
) -> Columns:
    """The wanted columns, by name and number in the table; the target must be numbers."""
    found = _Reader(table, wanted, reading, separator, target)
    columns = found.columns()
    return Columns({name: columns[name] for name in wanted if name in columns}, found.faults)


class _Reader:
    """Columns being read: what is a number as it stands is settled first, then the others one by one."""

    def __init__(
        self, table: Table, wanted: Mapping[str, int], reading: Reading, separator: str, target: str
    ) -> None:
        self.table, self.wanted, self.reading, self.target = table, wanted, reading, target
        self.null = frozenset(reading.null)
        self.faults: list[Fault] = []
        self.words = WordColumns(table, wanted, reading, self.faults)
        self.plain = self._plain()
        texts = {name: number for name, number in wanted.items() if table.is_text(number)}
        present = dict(zip(texts, table.present(list(texts.values())), strict=True))
        self.failing = {
            name: self._other_words(number)
            for name, number in texts.items()
            if np.isfinite(self.plain[name]).sum() < present[name]
        }
        self.failing = {name: words for name, words in self.failing.items() if words}
        self.marks = {name: self._marks(name, words) for name, words in self.failing.items()}
        self.decimal = self._decimal(separator)

    def columns(self) -> dict[str, DataColumn]:
        """Every column that can be one, by name."""
        made: dict[str, DataColumn] = {}
        for name in self.wanted:
            if name in self.reading.categorical:
                made[name] = self.words.column(name)
            elif name in self.plain and name not in self.failing:
                made[name] = self._dotted(name)
            elif name in self.plain and (column := self._formed(name)):
                made[name] = column
        self._refuse_types([name for name in self.wanted if name not in self.plain and name != self.target])
        made |= self._nearly_numbers([name for name in self.failing if name not in made])
        self._refuse_target(made)
        left = [name for name in self.failing if name not in made and name != self.target]
        made |= self.words.columns({name: self.failing[name] for name in left})
        return {name: self._without_null(column) for name, column in made.items()}

    def _refuse_target(self, made: Mapping[str, DataColumn]) -> None:
        """Ask for another target where it is no column of numbers."""
        if self.target not in self.wanted or self.target in made:
            return
        text = (
            example_of(self.target, self.failing[self.target])
            if self.target in self.failing
            else repr(self.target)
        )
        others = targets_among(made)
        ways = (as_option("target", proposed(others)),) if others else ()
        self.faults.append(Fault(f"the target {text} is no column of numbers", ways, "another target"))

    def _refuse_types(self, names: Sequence[str]) -> None:
        """Ask to leave out columns whose type has no numbers, such as dates."""
        if names:
            types = [f"{name!r} ({self.table.types[self.wanted[name]].lower()})" for name in names]
            self.faults.append(Fault(f"no numbers in {first_names(types)}", (as_option("skip", names),)))

    # --- numbers

    def _plain(self) -> dict[str, Float64]:
        """Columns as plain numbers, NaN where a field is none; without those whose type has no numbers."""
        table = self.table
        texts = {name: number for name, number in self.wanted.items() if table.is_text(number)}
        numbers = {name: number for name, number in self.wanted.items() if table.is_number(number)}
        return dict(zip(texts, table.doubles(list(texts.values()), plain), strict=True)) | dict(
            zip(numbers, table.doubles(list(numbers.values()), cast), strict=True)
        )

    def _other_words(self, number: int) -> list[Words]:
        """The fields that are neither a plain number nor a word for a gap."""
        words = self.table.words(number, WORDS_READ, not_a=plain)
        return [word for word in words if word.word not in GAPS and word.word not in self.null]

    def _marks(self, name: str, words: Sequence[Words]) -> frozenset[Mark]:
        """The decimal marks under which the fields that are no plain numbers are numbers."""
        fields = [word.word for word in words]
        percents = sum("%" in field for field in fields)
        if percents and (percents < len(fields) or np.isfinite(self.plain[name]).any()):
            return frozenset()
        return common_readings(fields)

    def _decimal(self, separator: str) -> Mark:
        """The decimal mark of the file; where it may be either, that is asked."""
        texts = [
            n for n, number in self.wanted.items() if self.table.is_text(number) and n not in self.failing
        ]
        marked = {name: marks for name, marks in self.marks.items() if marks}
        decision = decimal_of(
            self.table,
            {name: self.wanted[name] for name in texts},
            {name: (marks, [word.word for word in self.failing[name]]) for name, marks in marked.items()},
            self.reading.decimal,
            separator,
        )
        self.dotted = decision.dotted
        if decision.fault:
            self.faults.append(decision.fault)
        return decision.mark

    def _dotted(self, name: str) -> DataColumn:
        """A column of plain numbers, whose points part thousands where the decimal mark is a comma."""
        if name in self.dotted and self.decimal == ",":
            form = Form(",")
            (values,) = self.table.doubles([self.wanted[name]], form.sql)
            if np.isfinite(values).sum() == np.isfinite(self.plain[name]).sum():
                return DataColumn(name, values, shown="points between thousands")
        return DataColumn(name, self.plain[name])

    def _formed(self, name: str) -> DataColumn | None:
        """A column of numbers that are not plain, or of yes and no; None where it is neither."""
        number, words = self.wanted[name], self.failing[name]
        if {word.word.lower() for word in words} <= BOOLEANS.keys() and not np.isfinite(
            self.plain[name]
        ).any():
            (values,) = self.table.doubles([number], booleans)
            return DataColumn(name, values, shown="yes and no as 1 and 0")
        if not self.marks[name]:
            return None
        mark = self.decimal if self.decimal in self.marks[name] else next(iter(self.marks[name]))
        form = Form(mark, percent=is_percent(word.word for word in words))
        left = self.table.words(number, WORDS_READ, not_a=form.sql)
        if any(word.word not in GAPS and word.word not in self.null for word in left):
            return None
        (values,) = self.table.doubles([number], form.sql)
        shown = ["percent"] if form.percent else []
        shown += ["decimal comma"] if mark == "," else []
        shown += (
            ["commas between thousands"] if mark == "." and any("," in word.word for word in words) else []
        )
        return DataColumn(name, values, shown=", ".join(shown))

    def _nearly_numbers(self, names: Sequence[str]) -> dict[str, DataColumn]:
        """Columns of numbers but for a few words: asked whether those stand for a missing value."""
        nearly = {}
        for name in names:
            words, numbers = self.failing[name], self.plain[name][np.isfinite(self.plain[name])]
            others = sum(word.rows for word in words)
            if len(words) <= STRAY_WORDS and others < len(numbers) and len(np.unique(numbers)) > FEW_NUMBERS:
                spoken = [word.word for word in words]
                text = f"{name!r} has numbers but for {', '.join(repr(word[:40]) for word in spoken)}"
                ways = (
                    as_option("null", spoken),
                    *([as_option("skip", [name])] if name != self.target else []),
                )
                self.faults.append(Fault(text, ways))
                nearly[name] = DataColumn(name, self.plain[name])
        return nearly

    def _without_null(self, column: DataColumn) -> DataColumn:
        """The same column with gaps where a number stands that the user named as a word for a gap."""
        numbers = [float(word) for word in self.null if is_float(word)]
        if not numbers or column.words:
            return column
        return replace(column, values=np.where(np.isin(column.values, numbers), np.nan, column.values))
