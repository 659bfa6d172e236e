"""What the first refusal says: what no option helps against is said at once, and a proposed target trains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from samestep.backends.spec import Reading
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.split import held_out_rows
from samestep.benchmarks.datasets.table import possible_targets
from samestep.benchmarks.measure.file_task import task_of_data
from samestep.benchmarks.measure.options import Options
from tests.helpers.own_files import load, pasted, refused

ROWS = 30
HELD_OUT = held_out_rows(ROWS, 0, "")
DATES = [f"2016-02-{1 + i % 28:02} {i:02}:00" for i in range(ROWS)]


def written(folder: Path, names: str, rows: list[str]) -> Path:
    path = folder / "x.csv"
    path.write_text("\n".join([names, *rows]) + "\n", encoding="utf-8")
    return path


def asked(path: Path) -> str:
    """The line for somebody who names no target."""
    with pytest.raises(InputError) as error:
        task_of_data(Options(), str(path), "float64")
    return str(error.value)


# --- the target -----------------------------------------------------------------------------------------------


def test_the_proposed_target_is_the_last_that_measures(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,flag", [f"{i},{i * i % 29}.5,{i % 2}" for i in range(ROWS)])
    assert asked(path).endswith("needs the column to predict, one of a, b, flag: `--target b`")
    path = written(tmp_path, "kind,flag", [f"{i % 5},{i % 2}" for i in range(ROWS)])
    assert asked(path).endswith("`--target flag`")
    path = written(tmp_path, "a,b", ["x,y", "z,w"] * ROWS)
    assert asked(path).endswith("needs the column to predict, and has none of different numbers")


def test_no_target_is_proposed_that_is_the_same_in_every_training_row(tmp_path: Path) -> None:
    rows = [f"{i % 5},{i * 7 % 11},{int(HELD_OUT[i])},5" for i in range(ROWS)]
    path = written(tmp_path, "b,a,seldom,still", rows)
    assert list(possible_targets(str(path), Reading())) == ["b", "a"]
    line = refused(path, "still")
    assert line.endswith("`--target a` or another target")
    assert load(path, **pasted(line)).target == "a"
    rows = [f"{row},word {i}" for i, row in enumerate(rows)]
    path = written(tmp_path, "b,a,seldom,still,name", rows)
    assert "is no column of numbers: `--target a`" in refused(path, "name")


# --- what no option helps against -----------------------------------------------------------------------------


def test_a_file_without_a_feature_is_told_so_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "date,y", [f"{date},{i * 7 % 11}" for i, date in enumerate(DATES)])
    line = refused(path)
    assert "no feature beside the target 'y' (text in 'date' ('2016-02-01 00:00' and 29 more)" in line
    assert line.endswith("add at least one column")
    assert "`" not in line
    path = written(tmp_path, "id,y", [f"{i},{i * 7 % 11}" for i in range(ROWS)])
    assert "no feature beside the target 'y' ('id' is left out, counts 0, 1, 2 ...)" in refused(path)


@pytest.mark.parametrize("rows", [1, 9])
def test_too_few_rows_are_told_before_anything_is_asked(tmp_path: Path, rows: int) -> None:
    path = written(tmp_path, "kind,a,y", [f"{'xy'[i % 2]},,{i}" for i in range(rows)])
    for line in (refused(path), asked(path)):
        assert line.endswith("at least 10 are needed, to train on 80% and hold out 20%")


def test_one_column_alone_has_nothing_to_predict_it_from(tmp_path: Path) -> None:
    for first in ("y", "315.58"):
        path = written(tmp_path, first, [f"{i * 7 % 11}.5" for i in range(ROWS)])
        assert asked(path).endswith(
            "one column has nothing to predict it from: add one, or name another --separator"
        )


# --- names that count, and quotes with a backslash ------------------------------------------------------------


def test_years_beside_words_are_names(tmp_path: Path) -> None:
    rows = [f"land {i},{i % 7}.5,{i % 5}.25,{i % 3}" for i in range(ROWS)]
    path = written(tmp_path, "Country,1960,1961,1962", rows)
    assert "--no-header" not in asked(path)
    assert load(path, "1962", skip=("Country",)).features == ("1960", "1961")


def test_numbers_that_count_up_are_probably_names_and_values_that_do_not_are_none(tmp_path: Path) -> None:
    rows = [f"{i % 7}.5,{i % 5}.25,{i % 3}" for i in range(ROWS)]
    line = asked(written(tmp_path, "0,1,2", rows))
    assert "count up, so they are probably names: `--target 2` or `--no-header --target 'column 3'`" in line
    options = pasted(line)
    assert load(tmp_path / "x.csv", **options).features == ("0", "1")
    line = asked(written(tmp_path, "0,2,1", rows))
    assert "probably no names: `--no-header --target 'column 3'` or" in line
    assert "`--no-header" in asked(written(tmp_path, "land,1.5,2.5,3.5", [f"land,{row}" for row in rows]))


def test_a_quote_with_a_backslash_ends_no_field(tmp_path: Path) -> None:
    rows = [rf'"Norwood \"Barney\" Ewell, {i % 2}", {i * 7 % 11}.5,  {i % 5}' for i in range(ROWS)]
    path = written(tmp_path, "name,a,y", rows)
    split = load(path, categorical=("name",))
    assert split.features == ('name=Norwood "Barney" Ewell, 0', 'name=Norwood "Barney" Ewell, 1', "a")
    path = written(tmp_path, "name,a,y", [rf'"C:\{i % 2}\",{i * 7 % 11},{i % 5}' for i in range(ROWS)])
    words = [name for name in load(path, categorical=("name",)).features if re.match("name=", name)]
    assert words == ["name=C:\\0\\", "name=C:\\1\\"]
