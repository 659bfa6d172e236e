"""What was understood of a file, in a few lines, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from samestep.backends.spec import File

from ..console.choices import counted, first_names
from .features import TrainingRows
from .reading.source import Source
from .word_columns import DataColumn

WORDS_SHOWN = 8


def lines_of(
    spec: File,
    source: Source,
    columns: Mapping[str, DataColumn],
    rows: TrainingRows,
    left_out: Mapping[str, str],
) -> tuple[str, ...]:
    """The lines of one screen: the file, the target, the features, what was left out and why, gaps."""
    head = f"{source.table.rows:,} rows, {len(source.names):,} columns"
    lines = [f"{spec.path}: {'; '.join([head, *source.said])}"]
    lines += [f"  {label:9} {text}" for label, text in _parts(spec, source, columns, rows, left_out) if text]
    return tuple(lines)


def _parts(
    spec: File,
    source: Source,
    columns: Mapping[str, DataColumn],
    rows: TrainingRows,
    left_out: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    numbers = [name for name, column in columns.items() if not column.words and name != spec.target]
    yield "target", _number(columns[spec.target])
    yield "numbers", first_names([_number(columns[name]) for name in numbers])
    for name, words in rows.words.items():
        unseen = (
            f"; other words in {counted(rows.unseen[name], 'held-out row')}: 0 in all"
            if rows.unseen[name]
            else ""
        )
        yield "words", f"{name}: 0 or 1 for each of {first_names(words, WORDS_SHOWN)}{unseen}"
    reasons = [f"{name} ({reason})" for name, reason in left_out.items()]
    yield "left out", first_names(reasons)
    yield "rows", _rows(source, rows)
    means = [f"{name} {mean:.4g}" for name, mean in rows.means.items()]
    yield "filled", f"with the mean of the training rows: {first_names(means)}" if means else ""


def _number(column: DataColumn) -> str:
    """A column of numbers: its name, how it is written, and its range."""
    finite = column.values[np.isfinite(column.values)]
    span = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "no values"
    return f"{column.name} ({', '.join(filter(None, [column.shown, span]))})"


def _rows(source: Source, rows: TrainingRows) -> str:
    """How many rows were left out, and why."""
    parts = [f"{source.empty_rows:,} with nothing in them left out"] if source.empty_rows else []
    parts += [f"{rows.skipped:,} with gaps left out"] if rows.skipped else []
    return ", ".join([f"{len(rows.y):,} to train on and hold out", *parts])
