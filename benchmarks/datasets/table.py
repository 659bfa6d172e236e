"""Your own file as training rows: its columns chosen, checked, and made numbers; every question asked at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from samestep.backends.spec import File, Reading
from samestep.backends.strict_model import LONGEST_NAME

from ..console.choices import first_names, nearest
from ..console.errors import InputError
from .features import TrainingRows, rows_of
from .gaps import gap_faults, infinity_faults
from .integers import LARGEST_EXACT, rounded_by_float64
from .libraries import require
from .numerals import plain
from .reading.plain_file import opened, suffixes
from .reading.readers import parquet_values
from .reading.source import Source, source_of
from .reading.sql_table import Table
from .refusal import Fault, as_option, refuse
from .row_counters import counters, index_of, is_nameless, sentinel_faults, sentinels, with_gaps_at
from .split import CompleteRows, Split, check_count, held_out_rows, split
from .table_columns import Columns, read_columns
from .target_choice import proposed, targets_among
from .understood import lines_of
from .word_columns import AUTO, DataColumn


def load(spec: File) -> Split:
    """The chosen columns of a file as numbers, split 80/20.

    Yes and no count as 1 and 0. Rows of a text that hold nothing but separators are left out, and counted.

    Raises:
        InputError: the file cannot be read, or something must be asked before it can be trained on; or `split`
            finds nothing to train on.
    """
    spec = tidied(spec)
    with source_of(spec.path, spec.reading, spec.target) as source:
        left_out = dict.fromkeys(spec.reading.skip, "--skip") | _without_asking(spec, source)
        features = _features(spec, [name for name in source.names if name not in left_out], source.names)
        places = {name: place for place, name in enumerate(source.names)}
        numbers = {name: places[name] for name in (*features, spec.target)}
        check_count(source.table.rows, spec.path)
        found = read_columns(source.table, numbers, spec.reading, source.separator, spec.target)
        chosen = _without_indices(spec, found, numbers, left_out)
        faults = [*found.faults, *_rounding(source.table, numbers, chosen)]
    refuse(spec.path, [*faults, *_questions(spec, chosen)])
    rows = rows_of(chosen, spec)
    _refuse_constant(spec, chosen, rows)
    understood = lines_of(spec, source, chosen, rows, left_out)
    del found, chosen  # the rows hold their values once more
    skipped = rows.skipped + source.empty_rows
    made = CompleteRows(rows.x, rows.y, rows.features, spec.target, spec.path, skipped_rows=skipped)
    return replace(split(made, seed=spec.seed), understood=understood)


def possible_targets(path: str, reading: Reading) -> dict[str, int]:
    """The columns of a file that can be the target, by name with how many different numbers each has.

    Raises:
        InputError: the file cannot be read, or has too few rows or columns for any target.
    """
    with source_of(path, reading, None) as source:
        check_count(source.table.rows, path)
        if len(source.names) < 2:
            text = "one column has nothing to predict it from: add one, or name another --separator"
            raise InputError(f"{path}: {text}")
        wanted = {name: place for place, name in enumerate(source.names) if name not in reading.skip}
        found = read_columns(source.table, wanted, reading, source.separator, "")
        named = {
            name: column for name, column in found.columns.items() if not index_of(name, column, wanted[name])
        }
        return targets_among(named)


def declared_values(name: str, most_bytes: int) -> int:
    """Rows times columns that a Parquet file says it has, however small it is; 0 for any other file.

    Raises:
        InputError: it is compressed, and holds more than `most_bytes`.
    """
    duckdb = require("duckdb")
    suffix, packing = suffixes(name)
    if not packing and suffix != ".parquet":
        return 0
    with opened(name, most_bytes) as file:
        try:
            return parquet_values(file.path) if file.kind == "parquet" else 0
        except duckdb.Error:
            return 0  # reading it says what is wrong


def tidied(spec: File) -> File:
    """The same description with one space in a name where there is any white space, as names are read."""

    def tidy(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(" ".join(name.split()) for name in names)

    reading = spec.reading.model_copy(
        update={"skip": tidy(spec.reading.skip), "categorical": tidy(spec.reading.categorical)}
    )
    features = None if spec.features is None else tidy(spec.features)
    return spec.model_copy(
        update={"target": tidy((spec.target,))[0], "features": features, "reading": reading}
    )


# --- choosing -------------------------------------------------------------------------------------------------


def _without_asking(spec: File, source: Source) -> dict[str, str]:
    """Columns without a name of their own that have no values, or the names of the rows; with the reason."""
    left_out: dict[str, str] = {}
    if spec.features is not None:
        return left_out
    nameless = [place for place, name in enumerate(source.names) if is_nameless(name) and name != spec.target]
    for place, present in zip(nameless, source.table.present(nameless), strict=True):
        if not present:
            left_out[source.names[place]] = "no name and no values"
        elif place == 0 and source.table.names_rows(place, plain):
            left_out[source.names[place]] = "no name, and other words in every row: names of rows"
    return left_out


def _features(spec: File, columns: list[str], every: tuple[str, ...]) -> tuple[str, ...]:
    """The feature columns: those named, or every column but the target."""
    reading, features = spec.reading, spec.features
    if features is None:
        features = tuple(name for name in columns if name != spec.target)
    words = [name for name in reading.categorical if name != AUTO or AUTO in every]
    present = set(every)
    for name in (spec.target, *features, *reading.skip, *words):
        if name not in present:
            near = nearest(name, every)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(f"{spec.path}: no column {name!r}; it has {first_names(every)}{hint}")
    for name, rule in (
        (spec.target, "is the target"),
        *((name, "is a feature") for name in spec.features or ()),
    ):
        if name in reading.skip:
            raise InputError(
                f"{spec.path}: {name!r} {rule}, and is left out: take away `{as_option('skip', [name])}`"
            )
    if spec.target in features:
        raise InputError(
            f"{spec.path}: {spec.target!r} is the target and also a feature: leave it out of --features"
        )
    if spec.target in words:
        raise InputError(
            f"{spec.path}: {spec.target!r} is the target, so its words cannot be columns: choose another"
        )
    if doubled := [name for name, count in Counter(features).items() if count > 1]:
        raise InputError(f"{spec.path}: feature {doubled[0]!r} is named twice: name it once")
    if long := [name for name in features if len(name) > LONGEST_NAME]:
        fault = f"a column's name has {len(long[0]):,} characters; at most {LONGEST_NAME:,} are recorded"
        raise InputError(f"{spec.path}: {fault}: rename it")
    if not features:
        raise InputError(
            f"{spec.path}: no feature beside the target {spec.target!r}: "
            "add at least one column, or name another --separator"
        )
    return features


def _without_indices(
    spec: File, found: Columns, numbers: dict[str, int], left_out: dict[str, str]
) -> dict[str, DataColumn]:
    """The columns but for those that only number the rows, unless they were named."""
    chosen = dict(found.columns)
    for name in [name for name in chosen if name != spec.target and spec.features is None]:
        if reason := index_of(name, chosen[name], numbers[name]):
            left_out[name] = reason
            del chosen[name]
    if spec.target in chosen and len(chosen) == 1:
        reasons = [fault.text for fault in found.faults]
        reasons += [f"{name!r} is left out, {reason}" for name, reason in left_out.items()]
        text = f"no feature beside the target {spec.target!r} ({'; '.join(reasons)})"
        raise InputError(f"{spec.path}: {text}: add at least one column")
    return chosen


# --- asking ---------------------------------------------------------------------------------------------------


def _questions(spec: File, columns: dict[str, DataColumn]) -> list[Fault]:
    """What must be asked of the values before they can be trained on."""
    faults = infinity_faults(columns, spec.target)
    if spec.features is None:
        faults += counters({name: column for name, column in columns.items() if name != spec.target})
    suspects = {} if spec.reading.null else sentinels(columns)
    faults += sentinel_faults(suspects, columns)
    for value in suspects:  # what is asked next takes the first answer, which is for all columns
        columns = {name: with_gaps_at(value, column) for name, column in columns.items()}
    return faults + gap_faults(columns, spec.target, spec.reading.missing)


def _refuse_constant(spec: File, columns: dict[str, DataColumn], rows: TrainingRows) -> None:
    """Raise for a target that is the same in every training row, with another one where there is one."""
    train = ~held_out_rows(len(rows.y), spec.seed, spec.path)
    others = targets_among({name: columns[name] for name in columns if name != spec.target}, spec.seed)
    if (rows.y[train] == rows.y[train][0]).all() and others:
        text = f"target {spec.target!r} is constant ({rows.y[train][0]:g} in every training row)"
        refuse(spec.path, [Fault(text, (as_option("target", proposed(others)),), "another target")])


def _rounding(table: Table, numbers: dict[str, int], columns: dict[str, DataColumn]) -> list[Fault]:
    """Columns with integers that float64 cannot hold."""
    faults = []
    for name, column in columns.items():
        large = np.flatnonzero(np.abs(column.values) >= LARGEST_EXACT)
        if (
            column.words
            or column.shown
            or not large.size
            or table.types[numbers[name]] in ("FLOAT", "DOUBLE")
        ):
            continue
        integers = table.fields(numbers[name], large.tolist())
        if rounded := rounded_by_float64(integers):
            example = f"first {integers[rounded[0]]}, {len(rounded)} in all"
            text = f"column {name!r} has integers that float64 cannot hold ({example})"
            faults.append(Fault(text, (as_option("skip", [name]),)))
    return faults
