"""Which columns can be the target, and which of them is proposed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .split import MIN_ROWS, held_out_rows
from .word_columns import DataColumn

FEW_NUMBERS = 10  # different ones, that may be a kind and no measurement


def targets_among(columns: Mapping[str, DataColumn], seed: int = 0) -> dict[str, int]:
    """The columns that can be the target, by name with how many different numbers each has.

    Rows without a target are left out, and it must not be the same in all training rows.
    """
    found = {}
    for name, column in columns.items():
        known = column.values[np.isfinite(column.values)]
        if column.words or len(known) < MIN_ROWS:
            continue
        train = known[~held_out_rows(len(known), seed, name)]
        if (train != train[0]).any():
            found[name] = len(np.unique(known))
    return found


def proposed(targets: Mapping[str, int]) -> list[str]:
    """The last of them that is a measurement, or the last one; none of none."""
    measured = [name for name, different in targets.items() if different > FEW_NUMBERS]
    return (measured or list(targets))[-1:]
