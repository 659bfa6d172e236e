"""Rows with gaps: refused, left out, or filled with what the training rows have on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import Missing

from ..console.choices import first_names
from .refusal import Fault, as_option
from .split import MIN_ROWS, Float64
from .word_columns import DataColumn


def gap_faults(columns: Mapping[str, DataColumn], target: str, missing: Missing) -> list[Fault]:
    """What must be asked of the gaps in columns: which of them to do without, and what to do with rows."""
    empty = [
        name
        for name, column in columns.items()
        if not np.isfinite(column.values).any() and column.values.size
    ]
    faults = []
    if empty and empty != [target]:
        chosen = [name for name in empty if name != target]
        faults.append(
            Fault(
                f"no value at all in {first_names([repr(n) for n in chosen])}", (as_option("skip", chosen),)
            )
        )
    rest = {name: column for name, column in columns.items() if name not in empty}
    counts = {name: int((~np.isfinite(column.values)).sum()) for name, column in rest.items()}
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return faults
    whole = int((~any_gap(rest)).sum())
    rows = len(next(iter(columns.values())).values)
    if missing == "refuse":
        ways = ["--missing drop", "--missing mean"]
        where = first_names([f"{name!r} ({count:,})" for name, count in counts.items()])
        text = f"gaps in {where}; {whole:,} of {rows:,} rows {'has' if whole == 1 else 'have'} none"
        faults.append(Fault(text, tuple(ways if 2 * whole >= rows and whole >= MIN_ROWS else ways[::-1])))
    elif missing == "drop" and whole < MIN_ROWS <= rows:
        worst = max(counts, key=lambda name: (name != target, counts[name]))
        text = f"only {whole} of {rows:,} rows {'has' if whole == 1 else 'have'} no gap"
        faults.append(Fault(text, ("--missing mean", as_option("skip", [worst]))))
    return faults


def any_gap(columns: Mapping[str, DataColumn]) -> NDArray[np.bool_]:
    """Which rows have a gap in any column, (rows,)."""
    gaps = np.zeros(len(next(iter(columns.values())).values), dtype=bool)
    for column in columns.values():
        gaps |= ~np.isfinite(column.values)
    return gaps


def infinity_faults(columns: Mapping[str, DataColumn], target: str) -> list[Fault]:
    """What must be asked of infinite values: they cannot be trained on, but may count as gaps."""
    counts = {name: int(np.isinf(column.values).sum()) for name, column in columns.items()}
    where = [f"{name!r} ({count:,})" for name, count in counts.items() if count]
    if not where:
        return []
    names = [name for name, count in counts.items() if count and name != target]
    ways = as_option("null", ["inf", "-inf"]), *([as_option("skip", names)] if names else [])
    return [Fault(f"infinite values in {first_names(where)}", ways)]


def filled(values: Float64, train: NDArray[np.bool_]) -> tuple[Float64, float]:
    """A column (rows,) with the mean of its training rows at its gaps, and that mean.

    The mean is taken of the values over the largest one's power of two, so that their sum is finite.
    """
    known = values[train & np.isfinite(values)]
    exponent = np.frexp(np.abs(known).max())[1] if known.size else 0
    mean = float(np.ldexp(np.ldexp(known, -exponent).mean(), exponent)) if known.size else 0.0
    return np.where(np.isnan(values), mean, values), mean
