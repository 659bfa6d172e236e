"""Data frames and arrays: written as Parquet, read as any file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import samestep
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets import frames
from tests.helpers.own_files import load, original, refused

ROWS = 20
X = np.random.default_rng(0).normal(size=(ROWS, 3))
Y = X @ [1.0, -2.0, 0.5]


def written(folder: Path, data: Any, target: str | None = None) -> Path:
    path = folder / "data.parquet"
    frames.write(data, path, target)
    return path


@pytest.mark.parametrize("y", [Y, Y[:, None], list(Y)], ids=["(n,)", "(n, 1)", "list"])
def test_arrays(tmp_path: Path, y: Any) -> None:
    columns = original(load(written(tmp_path, (X, y))))
    for place in range(3):
        np.testing.assert_allclose(columns[f"x{place}"], X[:, place], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(columns["y"], Y, rtol=1e-12, atol=1e-14)


COLUMNS = {
    "a": list(X[:, 0]),
    "n": [None if i == 3 else i * 7 % 20 for i in range(ROWS)],
    "kind": [None if i == 5 else "uvw"[i % 3] for i in range(ROWS)],
    "flag": [i % 4 == 0 for i in range(ROWS)],
    "y": list(Y),
}


@pytest.mark.parametrize("maker", ["dict", "pandas.DataFrame", "pyarrow.table"])
def test_frames_give_the_same_rows(tmp_path: Path, maker: str) -> None:
    module, _, name = maker.rpartition(".")
    data: Any = COLUMNS
    if module:
        data = getattr(importlib.import_module(module), name)(COLUMNS)
    path = written(tmp_path, data, "y")
    line = refused(path)
    assert line.endswith("`--categorical kind --missing drop`")
    split = load(path, categorical=("kind",), missing="drop")
    assert split.features == ("a", "n", "kind=u", "kind=v", "kind=w", "flag")
    assert split.skipped_rows == 2
    kept = [i for i in range(ROWS) if i not in (3, 5)]
    np.testing.assert_allclose(original(split)["a"], X[kept, 0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(original(split)["flag"], [float(i % 4 == 0) for i in kept], atol=1e-14)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "int is neither a file's name, a data frame, nor arrays"),
        ((X, Y[:3]), "arrays of shapes"),
        (({}, Y), "arrays of shapes"),
        ({"a": [1, 2], "y": [1]}, "are no table"),
        ({}, "no columns"),
    ],
)
def test_what_is_no_table(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        written(tmp_path, data, "y")


def test_a_frame_needs_a_target(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data needs target, the column to predict; it has a, n"):
        written(tmp_path, COLUMNS)


def test_data_that_cannot_be_used_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a part of the run's folder was there already, that part stays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for out in (None, "mine/run/a"):
        with pytest.raises(InputError, match="text in 'kind'"):
            samestep.compare(data=COLUMNS, target="y", lanes="numpy", baseline="numpy", out=out)
        assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
