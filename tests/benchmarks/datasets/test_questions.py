"""What is asked of a file: words, gaps, sentinels, counters. What is proposed trains when it is pasted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.split import held_out_rows
from tests.helpers.own_files import load, original, pasted, refused
from tests.helpers.tables import write_table

ROWS = 30
A = [i * 7 % 11 + 0.5 for i in range(ROWS)]
Y = [i * i % 13 for i in range(ROWS)]
KIND = ["red", "green", "blue"]
HELD_OUT = held_out_rows(ROWS, 0, "")


def table(folder: Path, **columns: list) -> Path:
    return Path(write_table(folder / "x.csv", {"a": A, **columns, "y": Y}))


# --- words ----------------------------------------------------------------------------------------------------


def test_text_is_asked_about_with_both_ways(tmp_path: Path) -> None:
    path = table(tmp_path, kind=[KIND[i % 3] for i in range(ROWS)])
    assert refused(path).endswith("text in 'kind' ('red' and 2 more): `--categorical kind` or `--skip kind`")
    assert load(path, skip=("kind",)).features == ("a",)


def test_words_become_columns_of_0_and_1(tmp_path: Path) -> None:
    path = table(tmp_path, kind=[KIND[i % 3] for i in range(ROWS)])
    split = load(path, categorical=("kind",))
    assert split.features == ("a", "kind=blue", "kind=green", "kind=red")
    columns = original(split)
    for word in KIND:
        expected = [float(KIND[i % 3] == word) for i in range(ROWS)]
        np.testing.assert_allclose(columns[f"kind={word}"], expected, atol=1e-12)
    assert load(path, categorical=("auto",)).digest() == split.digest()
    assert any("kind: 0 or 1 for each of blue, green, red" in line for line in split.understood)


def test_numbers_become_columns_too_where_they_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, month=[i % 3 + 9 for i in range(ROWS)])
    assert load(path).features == ("a", "month")
    assert load(path, categorical=("month",)).features == ("a", "month=9", "month=10", "month=11")


def test_the_words_are_those_of_the_training_rows(tmp_path: Path) -> None:
    """A word that only held-out rows have is 0 in every column, which is said."""
    lonely = int(np.flatnonzero(HELD_OUT)[0])
    path = table(tmp_path, kind=["white" if i == lonely else KIND[i % 3] for i in range(ROWS)])
    split = load(path, categorical=("kind",))
    assert "kind=white" not in split.features
    columns = original(split)
    assert abs(sum(columns[f"kind={word}"][lonely] for word in KIND)) < 1e-12
    assert any("other words in 1 held-out row: 0 in all" in line for line in split.understood)


def test_columns_of_too_many_words_are_left_out_by_what_is_proposed(tmp_path: Path) -> None:
    path = table(tmp_path, name=[f"n{i}" for i in range(ROWS)], kind=[KIND[i % 3] for i in range(ROWS)])
    line = refused(path)
    assert line.endswith("`--categorical kind --skip name`")
    assert load(path, **pasted(line)).features == ("a", "kind=blue", "kind=green", "kind=red")


def test_the_target_is_a_number(tmp_path: Path) -> None:
    path = table(tmp_path, kind=[KIND[i % 3] for i in range(ROWS)])
    line = refused(path, "kind")
    assert "the target 'kind' ('red' and 2 more) is no column of numbers: `--target a`" in line
    with pytest.raises(InputError, match="'kind' is the target, so its words cannot be columns"):
        load(path, "kind", categorical=("kind",))


def test_a_name_is_quoted_for_the_shell(tmp_path: Path) -> None:
    path = table(tmp_path, **{"it's $HOME;": [KIND[i % 3] for i in range(ROWS)]})
    line = refused(path)
    assert load(path, skip=pasted(line.replace("--categorical", "--skip"))["skip"]).features == ("a",)
    assert "--skip 'it'\"'\"'s $HOME;'" in line


@pytest.mark.parametrize("name", ["skip", "categorical"])
def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path, name: str) -> None:
    wrong: dict[str, Any] = {name: ("A",)}
    assert refused(table(tmp_path), **wrong).endswith("no column 'A'; it has a, y; did you mean 'a'?")


# --- gaps -----------------------------------------------------------------------------------------------------


def with_gaps(*rows: int, word: str = "") -> list:
    return [word if i in rows else 2 * i % 17 for i in range(ROWS)]


@pytest.mark.parametrize("word", ["", "NA", "n/a", "NaN", "null", "-", ".", "?"])
def test_gaps_are_dropped_or_filled_with_the_mean_of_the_training_rows(tmp_path: Path, word: str) -> None:
    path = table(tmp_path, b=with_gaps(3, 5, 20, word=word))
    assert "gaps in 'b' (3); 27 of 30 rows have none: `--missing drop` or `--missing mean`" in refused(path)
    dropped = load(path, missing="drop")
    assert dropped.skipped_rows == 3
    kept = [i for i in range(ROWS) if i not in (3, 5, 20)]
    np.testing.assert_allclose(original(dropped)["y"], np.array(Y, dtype=float)[kept], atol=1e-12)
    filled = original(load(path, missing="mean"))["b"]
    values = np.array(with_gaps(3, 5, 20, word="nan"), dtype=float)
    mean = np.nanmean(values[~HELD_OUT])
    np.testing.assert_allclose(filled[[3, 5, 20]], mean, rtol=1e-12)
    np.testing.assert_allclose(filled[kept], values[kept], atol=1e-12)


def test_a_row_without_a_target_is_left_out_however_gaps_are_filled(tmp_path: Path) -> None:
    path = Path(
        write_table(tmp_path / "x.csv", {"a": A, "y": ["" if i in (2, 9) else Y[i] for i in range(ROWS)]})
    )
    assert load(path, missing="mean").skipped_rows == 2


def test_a_word_for_a_gap_may_be_named(tmp_path: Path) -> None:
    path = table(tmp_path, b=with_gaps(3, 5, word="unknown"))
    line = refused(path)
    assert "'b' has numbers but for 'unknown': `--null unknown` or `--skip b`" in line
    assert line.endswith("`--null unknown --missing drop`")
    assert load(path, **pasted(line)).skipped_rows == 2


def test_gaps_among_words_are_a_gap_in_each_of_their_columns(tmp_path: Path) -> None:
    kinds = ["" if i == 4 else KIND[i % 3] for i in range(ROWS)]
    path = table(tmp_path, kind=kinds)
    line = refused(path)
    assert line.endswith("`--categorical kind --missing drop`")
    assert load(path, **pasted(line)).skipped_rows == 1
    filled = original(load(path, categorical=("kind",), missing="mean"))
    shares = [sum(kinds[i] == word for i in np.flatnonzero(~HELD_OUT)) for word in KIND]
    count = sum(shares)
    for word, share in zip(KIND, shares, strict=True):
        np.testing.assert_allclose(filled[f"kind={word}"][4], share / count, rtol=1e-12)


def test_a_file_of_gaps_is_filled_rather_than_dropped(tmp_path: Path) -> None:
    path = table(tmp_path, b=with_gaps(*range(0, 25)))
    assert "`--missing mean` or `--missing drop`" in refused(path)
    assert refused(path, missing="drop").endswith(
        "only 5 of 30 rows have no gap: `--missing mean` or `--skip b`"
    )


# --- sentinels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["-999", "-999.0", "-99", "999", "9999", "-9"])
def test_a_sentinel_is_asked_about_and_never_dropped_in_silence(tmp_path: Path, word: str) -> None:
    values = [word if i in (3, 8, 13) else f"{i % 5 / 2}" for i in range(ROWS)]
    path = table(tmp_path, b=values)
    line = refused(path)
    assert f"far from all other values: {float(word):g} in 'b' (3)" in line
    given = f"={float(word):g}" if word.startswith("-") else f" {float(word):g}"
    assert f"`--null{given}` or `--null NA`" in line
    split = load(path, **pasted(line))
    assert split.skipped_rows == 3
    measured = original(load(path, null=("NA",)))["b"]
    np.testing.assert_allclose(measured, np.array(values, dtype=float), atol=1e-9)


def test_values_that_only_happen_to_be_of_nines_are_measurements(tmp_path: Path) -> None:
    assert load(table(tmp_path, b=[99 - 3 * i for i in range(ROWS)])).features == ("a", "b")
    assert load(table(tmp_path, b=[0, 99] * 15)).features == ("a", "b")


# --- all at once ----------------------------------------------------------------------------------------------


def test_all_that_must_be_asked_is_asked_at_once(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        t=list(range(ROWS)),
        kind=["" if i == 4 else KIND[i % 3] for i in range(ROWS)],
        name=[f"n{i}" for i in range(ROWS)],
        b=with_gaps(7),
        empty=[""] * ROWS,
        c=["-999" if i == 2 else f"{i % 4}" for i in range(ROWS)],
    )
    split = load(path, **pasted(refused(path)))
    assert split.features == ("a", "kind=blue", "kind=green", "kind=red", "b", "c")
    assert split.skipped_rows == 3


words = st.sampled_from(["x", "yy", "", "NA", "3", "-999", "4.5", "1e3", "it's", "-", "true", "50%", "1,5"])


@settings(max_examples=60, deadline=None)
@given(columns=st.lists(st.lists(words, min_size=ROWS, max_size=ROWS), min_size=1, max_size=4))
def test_what_is_proposed_trains_when_it_is_pasted_once(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("t")
    path = table(folder, **{f"c {i}": values for i, values in enumerate(columns)})
    try:
        split = load(path)
    except InputError as error:
        split = load(path, **pasted(str(error)))
    assert np.isfinite(split.x).all()
    assert np.isfinite(split.x_test).all()
