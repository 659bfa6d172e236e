"""The data of a task: synthetic, packaged with a Python package, or your own CSV or Parquet file.

`load` turns the description in a Task into a `Split`: arrays in float64, training rows and held-out rows.
Importing this package reads nothing and imports no data library.
"""

from __future__ import annotations

from samestep.backends.spec import Dataset, Packaged, Synthetic

from . import packaged, synthetic, table
from .split import Split, Transform

__all__ = ["Split", "Transform", "load"]


def load(spec: Dataset) -> Split:
    """The data that a description stands for; equal descriptions of equal files give equal bytes.

    Raises:
        InputError: a file that cannot be trained on, or a data package that is not installed; one line that
            says what, where and how to fix it.
    """
    match spec:
        case Synthetic():
            return synthetic.load(spec)
        case Packaged():
            return packaged.load(spec)
        case _:
            return table.load(spec)
