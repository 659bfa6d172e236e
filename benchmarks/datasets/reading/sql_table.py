"""A table in DuckDB: columns c0, c1 and so on, so that no name of the user's stands in any SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ..split import Float64

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NUMERIC = re.compile(r"(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|NULL)$")
MOST_VALUES = 1 << 22  # that DuckDB hands over at once: it holds them a second time
Expression: TypeAlias = Callable[[str], str]  # SQL made of a column's name


class Words(NamedTuple):
    """A word of a column of text, how many rows have it, and the first of them, counted from 0."""

    word: str
    rows: int
    first: int


class Points(NamedTuple):
    """How many fields of a column have a point, how many of them are not of a pattern, and one of them."""

    rows: int
    others: int
    example: str


def cast(column: str) -> str:
    """SQL: a column of numbers or booleans as float64."""
    return f"CAST({column} AS DOUBLE)"


class Table:
    """The columns of a file by their numbers; those of a text are all text.

    types: DuckDB's name of each column's type. rows: how many there are.
    """

    def __init__(self, database: DuckDBPyConnection, types: Sequence[str]) -> None:
        self.database, self.types = database, types
        self.rows = self._count()

    def close(self) -> None:
        """Free the memory and end the threads of the database."""
        self.database.close()

    def is_text(self, column: int) -> bool:
        """Whether a column is text, of which any field may be anything."""
        return self.types[column] == "VARCHAR"

    def is_number(self, column: int) -> bool:
        """Whether a column has numbers or booleans by its type."""
        return NUMERIC.match(self.types[column]) is not None

    def doubles(self, columns: Sequence[int], expression: Expression) -> list[Float64]:
        """An expression of each column as float64 (rows,), NaN where it is NULL."""
        if not columns:
            return []
        at_once, found = max(1, MOST_VALUES // max(self.rows, 1)), list[Float64]()
        for begin in range(0, len(columns), at_once):
            some = columns[begin : begin + at_once]
            listed = ", ".join(f"{expression(f'c{column}')} AS v{column}" for column in some)
            values = self.database.execute(f"SELECT {listed} FROM t").fetchnumpy()
            found += [_filled(values[f"v{column}"]) for column in some]
        return found

    def present(self, columns: Sequence[int]) -> list[int]:
        """How many fields of each of some columns are not NULL."""
        if not columns:
            return []
        listed = ", ".join(f"count(c{column})" for column in columns)
        return list(self.database.execute(f"SELECT {listed} FROM t").fetchone() or ())

    def words(self, column: int, at_most: int, not_a: Expression | None = None) -> list[Words]:
        """The different fields of a column in order, trimmed, that an expression gives NULL for."""
        other = f"({not_a(f'c{column}')}) IS NULL" if not_a else "true"
        query = (
            f"SELECT trim(CAST(c{column} AS VARCHAR)) AS w, count(*), min(rowid) AS r FROM {self._of(column)} "
            f"WHERE c{column} IS NOT NULL AND {other} GROUP BY w ORDER BY r LIMIT {at_most + 1}"
        )
        return [Words(*row) for row in self.database.execute(query).fetchall()]

    def names_rows(self, column: int, number: Expression) -> bool:
        """Whether a column of text has another word in every row, and not only numbers by an expression."""
        if not self.is_text(column):
            return False
        name = f"c{column}"
        query = f"SELECT count(DISTINCT {name}), count({number(name)}) FROM {self._of(column)}"
        different, numbers = self.database.execute(query).fetchone() or (0, 0)
        return bool(different == self.rows > numbers)

    def codes(self, column: int, words: Sequence[str]) -> Float64:
        """The position of each row's word, from 0; NaN where it is none of them."""
        word = f"trim(CAST(c{column} AS VARCHAR))"
        query = f"SELECT CAST(list_position($1, {word}) - 1 AS DOUBLE) AS v FROM {self._of(column)}"
        return _filled(self.database.execute(query, [list(words)]).fetchnumpy()["v"])

    def fields(self, column: int, rows: Sequence[int]) -> list[str]:
        """The fields of a column in some rows, as text."""
        query = (
            f"SELECT CAST(c{column} AS VARCHAR) FROM {self._of(column)} "
            "WHERE rowid IN (SELECT unnest($1)) ORDER BY rowid"
        )
        return [row[0] for row in self.database.execute(query, [list(rows)]).fetchall()]

    def points(self, column: int, pattern: str) -> Points:
        """The numbers of a column of text that have a point."""
        text = f"trim(c{column})"
        query = (
            f"SELECT count(*), count(*) FILTER (NOT regexp_full_match({text}, $1)), any_value({text}) "
            f"FROM {self._of(column)} WHERE contains(c{column}, '.') AND try_cast({text} AS DOUBLE) IS NOT NULL"
        )
        return Points(*(self.database.execute(query, [pattern]).fetchone() or (0, 0, "")))

    def _of(self, column: int) -> str:
        """SQL: where a column is found, with the number of each row."""
        return "t"

    def _count(self) -> int:
        row = self.database.execute("SELECT count(*) FROM t").fetchone()
        return int(row[0]) if row else 0


class LongTable(Table):
    """A text of very many columns as rows (r, c, v): SQL takes long for a column of a table, not for a row."""

    def __init__(self, database: DuckDBPyConnection, columns: int, rows: int) -> None:
        self.counted = rows
        super().__init__(database, ["VARCHAR"] * columns)

    def doubles(self, columns: Sequence[int], expression: Expression) -> list[Float64]:
        """An expression of each column as float64 (rows,), NaN where it is NULL."""
        query = f"SELECT {expression('v')} AS x FROM t ORDER BY c, r"
        values = _filled(self.database.execute(query).fetchnumpy()["x"])
        return list(values.reshape(-1, max(self.rows, 1))[list(columns)])

    def present(self, columns: Sequence[int]) -> list[int]:
        """How many fields of each of some columns are not NULL."""
        counts = self.database.execute("SELECT count(v) FROM t GROUP BY c ORDER BY c").fetchall()
        return [counts[column][0] for column in columns] if counts else [0] * len(columns)

    def _of(self, column: int) -> str:
        return f"(SELECT r AS rowid, v AS c{column} FROM t WHERE c = {column} ORDER BY r)"

    def _count(self) -> int:
        return self.counted


def _filled(values: Any) -> Float64:
    return np.asarray(np.ma.filled(values, np.nan), dtype=np.float64)
