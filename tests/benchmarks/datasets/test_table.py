"""Your own CSV or Parquet file: what is read from it, and one clear line for every file that cannot be."""

import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from samestep.backends.spec import File
from samestep.benchmarks import datasets
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.split import Transform
from tests.helpers.tables import write_table

ROWS = 20
TABLE: dict[str, list[Any]] = {
    "a": [float(i * i % 7) for i in range(ROWS)],
    "flag": [i % 3 == 0 for i in range(ROWS)],
    "still": [5] * ROWS,
    "price": [1000.0 + 3 * i for i in range(ROWS)],
}


def write(folder: Path, columns: dict, name: str = "houses.csv", separator: str = ",") -> str:
    return write_table(folder / name, columns, separator)


def test_csv_and_parquet_give_the_same_split(tmp_path):
    csv = datasets.load(File(path=write(tmp_path, TABLE), target="price"))
    parquet = datasets.load(File(path=write(tmp_path, TABLE, "houses.parquet"), target="price"))
    semicolons = datasets.load(File(path=write(tmp_path, TABLE, "h.CSV", separator=";"), target="price"))
    assert csv.digest() == parquet.digest() == semicolons.digest()
    assert (csv.features, csv.dropped, csv.target, csv.rank) == (("a", "flag"), ("still",), "price", 2)
    assert (csv.x.shape, csv.x_test.shape, csv.y.shape) == ((16, 2), (4, 2), (16, 1))
    t = csv.transform
    x = csv.x * np.array(t.feature_scale) + np.array(t.feature_mean)
    y = csv.y * t.target_scale + t.target_mean
    rows = set(zip(TABLE["a"], map(float, TABLE["flag"]), TABLE["price"], strict=True))
    assert {tuple(row) for row in np.column_stack([x, y]).round(9)} <= rows


def test_the_seed_moves_the_split_and_features_choose_and_order_the_columns(tmp_path):
    path = write(tmp_path, TABLE)
    first, second = (datasets.load(File(path=path, target="price", seed=seed)) for seed in (0, 1))
    assert first.digest() != second.digest()
    chosen = datasets.load(File(path=path, target="price", features=("flag", "a")))
    assert chosen.features == ("flag", "a")
    assert np.array_equal(chosen.x, first.x[:, ::-1])
    assert Transform.model_validate_json(first.transform.model_dump_json()) == first.transform


def test_spreadsheet_habits_are_read(tmp_path):
    """A byte order mark, spaces around fields, a blank line and upper-case booleans."""
    lines = (
        ["\ufeff a , b,y "]
        + [f" {i * 7 % 12}, {'TRUE' if i % 2 else 'False'} ,{i * i}" for i in range(12)]
        + ["", ""]
    )
    path = tmp_path / "sheet.csv"
    path.write_text("\r\n".join(lines), encoding="utf-8")
    data = datasets.load(File(path=str(path), target="y"))
    assert (data.features, len(data.x) + len(data.x_test)) == (("a", "b"), 12)


def changed(**columns):
    return {**TABLE, **columns}


GOOD = [float(i) for i in range(ROWS)]
BAD_FILES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "missing column": (
        TABLE,
        {"target": "prise"},
        r"no column 'prise'; it has a, flag, still, price; did.*'price'\?",
    ),
    "other case": (TABLE, {"target": "PRICE"}, r"did you mean 'price'\?"),
    "missing feature": (TABLE, {"features": ("a", "zzz")}, r"no column 'zzz'; it has a, flag, still, price$"),
    "target is a feature": (TABLE, {"features": ("a", "price")}, "'price' is the target and also a feature"),
    "feature twice": (TABLE, {"features": ("a", "flag", "a")}, "feature 'a' is named twice"),
    "no feature": ({"price": GOOD}, {}, "no feature beside the target 'price'"),
    "empty features": (TABLE, {"features": ()}, "no feature beside the target 'price'"),
    "words": (
        changed(a=["1"] * 18 + ["two", "three"]),
        {},
        r"text in 'a' \('two' and 1 more\): `--categorical a` or `--skip a`$",
    ),
    "dates": (
        changed(a=["2013-01-01"] * ROWS),
        {},
        "text in 'a' .'2013-01-01'.: `--categorical a` or `--skip a`$",
    ),
    "words in target": (
        changed(price=["1.5 EUR"] * ROWS),
        {},
        "target 'price' .'1.5 EUR'. is no column of numbers: `--target flag`",
    ),
    "gaps": (
        changed(a=[None, None, *GOOD[2:]], price=[*GOOD[1:], float("nan")]),
        {},
        r"gaps in 'a' \(2\), 'price' \(1\); 17 of 20 rows have none: `--missing drop` or `--missing mean`$",
    ),
    "infinities": (
        changed(a=[*GOOD[1:], float("inf")]),
        {},
        r"infinite values in 'a' \(1\): `--null inf --null=-inf` or `--skip a`; gaps",
    ),
    "constant target": (
        changed(price=[7.0] * ROWS),
        {},
        "target 'price' is constant .7 in every training row",
    ),
    "constant features": (TABLE, {"features": ("still",)}, r"every feature is constant \(still\)"),
    "no rows": ({name: values[:0] for name, values in TABLE.items()}, {}, "no rows; at least 10 are needed"),
    "one row": ({name: values[:1] for name, values in TABLE.items()}, {}, "one row; at least 10 are needed"),
    "few rows": ({name: values[:9] for name, values in TABLE.items()}, {}, "9 rows; at least 10 are needed"),
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_tables_get_one_clear_line(tmp_path, case, suffix):
    columns, options, message = BAD_FILES[case]
    path = write(tmp_path, columns, f"houses.{suffix}")
    with pytest.raises(InputError, match=message) as error:
        datasets.load(File(path=path, **{"target": "price", **options}))
    assert str(error.value).startswith(path)
    assert "\n" not in str(error.value)


def test_parquet_columns_that_are_no_numbers(tmp_path):
    for expression, kind in (("DATE '2013-01-01' + i::INTEGER", "date"), ("[i]", r"bigint\[\]")):
        path = tmp_path / "houses.parquet"
        duckdb.sql(
            f"COPY (SELECT {expression} AS a, i AS b, i * i AS price FROM range({ROWS}) r(i)) TO '{path}'"
        )
        with pytest.raises(InputError, match=rf"no numbers in 'a' \({kind}\): `--skip a`"):
            datasets.load(File(path=str(path), target="price"))


def test_a_parquet_column_without_any_value_has_gaps(tmp_path):
    path = write(tmp_path, {"a": [None] * ROWS, "price": GOOD}, "houses.parquet")
    with pytest.raises(InputError, match=r"no value at all in 'a': `--skip a`$"):
        datasets.load(File(path=path, target="price"))


BAD_BYTES = {
    "empty.csv": (b"", "holds only blank lines"),
    "blank.csv": (b"\n\n", "holds only blank lines"),
    "ragged.csv": (b"a,y\n1,2\n1,2,3\n", "line 3 has 3 fields, and the first one has 2: write a text"),
    "quote.csv": (b'"a,y\n1,2\n', "cannot be read .a quote is never closed"),
    "quote_at_the_end.csv": (b"a,y\n" + b"1,2\n" * 20 + b'3,"4\n', "cannot be read .a quote is never closed"),
    "doubled.csv": (b"a,a,y\n1,2,3\n", r"same name \(a\): `--skip a` or rename one"),
    "short.csv": (b"a,y\n" + b"1,2\n" * 10 + b"3\n", r"gaps in 'y' \(1\)"),
    "huge.csv": (b"a,y\n" + b"1,2\n2,3\n" * 10 + b"1e999,2\n", r"infinite values in 'a' \(1\): `--null inf"),
    "underscores.csv": (b"a,y\n" + b"1_000,2\n2_000,3\n" * 10, "text in 'a' .'1_000' and 1 more."),
    "empty.parquet": (b"", "cannot be read .*; the file is damaged"),
    "corrupt.parquet": (b"PAR1" + b"x" * 40, "cannot be read .*; the file is damaged"),
    "broken.csv.gz": (b"a,y\n", "cannot be decompressed"),
    "data.xlsx": (b"PK", r"cannot tell its format from '.xlsx'; give a file whose name ends in .csv"),
    "data": (b"a,y\n1,2\n", "cannot tell its format from 'data'"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bad_bytes_get_one_clear_line(tmp_path, name):
    content, message = BAD_BYTES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        datasets.load(File(path=str(path), target="y"))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_directory(tmp_path):
    for name in ("nothing.csv", "n" * 5000 + ".csv"):
        with pytest.raises(InputError, match="no such file"):
            datasets.load(File(path=str(tmp_path / name), target="y"))
    with pytest.raises(InputError, match="is a directory"):
        datasets.load(File(path=str(tmp_path), target="y"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_pattern_is_a_name_like_any_other(tmp_path, suffix):
    path = write(tmp_path, TABLE, f"house[s].{suffix}")
    write(tmp_path, changed(price=GOOD), f"houses.{suffix}")
    data = datasets.load(File(path=path, target="price"))
    assert data.transform.target_mean > 900
    with pytest.raises(InputError, match="no such file"):
        datasets.load(File(path=str(tmp_path / f"*.{suffix}"), target="y"))


def test_a_file_without_duckdb_says_what_to_install(monkeypatch, tmp_path):
    path = write(tmp_path, TABLE)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"duckdb is needed here .* pip install 'samestep\[data\]'"):
        datasets.load(File(path=path, target="price"))
