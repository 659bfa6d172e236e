"""What a reader may take without a word: an index, integers beyond 2^53, rows of nothing, lines that are long."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from samestep.backends.spec import File
from samestep.benchmarks import datasets, tasks
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets import frames
from samestep.benchmarks.datasets.integers import rounded_by_float64
from samestep.benchmarks.datasets.reading.csv_lines import ends_within_quotes, too_long_line
from samestep.benchmarks.verify.remake import remake
from tests.helpers.tables import write_table

ROWS = 20
BIG = 2**53


def read(path: Path, features: tuple[str, ...] | None = None) -> datasets.Split:
    return datasets.load(File(path=str(path), target="y", features=features))


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- an index -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", '""', "Unnamed: 0"])
@pytest.mark.parametrize("numbers", [range(ROWS), range(1, ROWS + 1), [i * 7 % 1009 for i in range(ROWS)]])
def test_a_column_without_a_name_that_numbers_the_rows_is_no_feature(tmp_path, name, numbers):
    """Written by pandas with its index, by R with its row names, or after the rows were shuffled."""
    path = tmp_path / "x.csv"
    path.write_text(f"{name},a,y\n" + "".join(f"{n},{i % 7},{i * i}\n" for i, n in enumerate(numbers)))
    column = name.strip('"') or "column 1"
    data = read(path)
    assert data.features == ("a",)
    assert any("left out" in line and column in line for line in data.understood)
    assert read(path, (column, "a")).features == (column, "a")


def test_the_index_that_pandas_writes_to_parquet_is_no_feature(tmp_path):
    columns = {"a": np.arange(ROWS) % 7, "y": np.arange(ROWS) ** 2, "__index_level_0__": np.arange(ROWS) * 3}
    frames.write(columns, tmp_path / "x.parquet", "y")
    assert read(tmp_path / "x.parquet").features == ("a",)


@pytest.mark.parametrize("name", ["id", "rownames", "X", "Obs."])
def test_a_counter_with_the_name_of_an_index_is_left_out_and_any_other_is_asked_about(tmp_path, name):
    path = tmp_path / "x.csv"
    rows = "".join(f"{i + 1},{i % 7},{i * i}\n" for i in range(ROWS))
    path.write_text(f"{name},a,y\n{rows}")
    assert read(path).features == ("a",)
    path.write_text(f"day,a,y\n{rows}")
    assert "'day' counts the rows (1, 2, 3 ...)" in refused(path)
    assert refused(path).endswith(": `--skip day`")
    assert read(path, ("day", "a")).features == ("day", "a")


def test_measurements_without_a_name_and_a_counter_that_does_not_begin_a_count_are_features(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("year,,y\n" + "".join(f"{i + 1990},{i % 7 / 4},{i * i}\n" for i in range(ROWS)))
    assert read(path).features == ("year", "column 2")


# --- integers beyond 2^53 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BIGINT", "UBIGINT", "DECIMAL(38, 0)", "VARCHAR"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_integers_that_float64_cannot_hold_are_refused(tmp_path, kind, suffix):
    """They would collapse into one number, and be called constant."""
    first = 2**62
    columns = {
        "id": [first + i for i in range(ROWS)],
        "a": list(range(0, 3 * ROWS, 3)),
        "y": list(range(ROWS)),
    }
    if kind == "VARCHAR":
        columns["id"] = [str(value) for value in columns["id"]]
    path = tmp_path / f"x.{suffix}"
    write_table(path, columns, id=kind)
    line = refused(path)
    assert f"column 'id' has integers that float64 cannot hold (first {first + 1}, 19 in all)" in line
    assert line.endswith("`--skip id`")


def test_integers_that_float64_holds_are_numbers_like_any_other(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,y\n" + "".join(f"{2**60 + i * 1024 * 64},{i * i}\n" for i in range(ROWS)))
    data = read(path)
    assert len(np.unique(np.concatenate([data.x, data.x_test]))) == ROWS


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (BIG, True),
        (BIG + 1, False),
        (-BIG - 1, False),
        (str(BIG + 1), False),
        (f"+{BIG + 1}.000", False),
        (Decimal(BIG + 1), False),
        (2**64 - 1, False),
        (2**127, True),
        ("123456789012345680000", True),  # the shortest text of a float64, without an exponent
        ("123456789012345678901", False),
        ("1.2345678901234567890e30", True),  # a measurement, not an integer
        (Decimal("9007199254740993.5"), True),
        ("1" * 400, True),  # infinite, which has a line of its own
    ],
)
def test_an_integer_is_held_or_not(value, held):
    assert rounded_by_float64([1, value, 3]) == ([] if held else [1])


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_of_nothing_but_separators_are_left_out_and_counted(tmp_path, separator, ending):
    lines = [separator.join(("a", "b", "y"))]
    lines += [separator.join((f"{i % 7}", f"{i % 3}", f"{i * i}")) for i in range(ROWS)]
    lines[5:5] = [separator * 2, "", separator * 2]
    path = tmp_path / "x.csv"
    path.write_bytes(ending.join([*lines, separator * 2, "", ""]).encode())
    data = read(path)
    assert (len(data.x) + len(data.x_test), data.skipped_rows) == (ROWS, 3)


def test_a_row_with_one_value_has_gaps(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,y\n" + "1,2,3\n" * ROWS + ",,3\n")
    assert "gaps in 'a' (1), 'b' (1)" in refused(path)


def test_a_line_with_too_many_fields_is_named_with_the_fix(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a,y\n"1,5",2\n"two\nlines",3\n\n1,234,5\n')
    line = refused(path)
    assert "line 6 has 3 fields, and the first one has 2: write a text with ',' in it as" in line
    assert "Schema" not in line
    assert too_long_line(path, ";", '"', 9) == ""


@pytest.mark.parametrize(
    ("text", "inside"),
    [('a,b\n1,"2\n', True), ('a,b\n1,"2"\n', False), ('a,b\n1,5" pipe\n', False), ('"x ""y"" z', True)],
)
def test_a_quote_that_is_never_closed_is_seen(tmp_path, text, inside):
    """DuckDB leaves such a row out without a word; a sign for inches within a field opens nothing."""
    path = tmp_path / "x.csv"
    path.write_text(text)
    assert ends_within_quotes(path, ",", '"') == inside


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_pipe_is_no_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "is a pipe or a device; write it to a .csv or .parquet file first" in refused(tmp_path / name)


# --- many columns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["%g", " %g"])
def test_twenty_thousand_columns_are_read_in_seconds(tmp_path, form):
    """Nothing is worked out for each pair of columns: names, constants, checks."""
    columns = 20_000
    table = np.random.default_rng(0).normal(size=(40, columns)).round(3)
    table[:, 7] = 1
    names = [f"g{index}" for index in range(columns - 1)]
    path = tmp_path / "genes.csv"
    np.savetxt(path, table, fmt=form, delimiter=",", header=",".join([*names, "y"]), comments="")
    data = read(path)
    assert (data.x.shape, data.dropped, data.rank) == ((32, columns - 2), ("g7",), 31)


def test_a_task_of_wide_data_is_small_enough_to_verify(tmp_path):
    """The exact solution of few rows takes rows squared times columns."""
    path, columns = tmp_path / "x.csv", 40_000
    table = np.random.default_rng(0).normal(size=(20, columns))
    names = ["y", *(f"g{index}" for index in range(1, columns))]
    np.savetxt(path, table, delimiter=",", header=",".join(names), comments="")
    task = tasks.from_file(str(path), "y")
    assert remake(task, str(path)).digest() == datasets.load(task.dataset).digest()
