"""Tables as programs and people write them, each with the known answer."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.own_files import load, original, pasted, refused

A = [0.5, 12.25, -3.0, 7.75, 1.5, 100.0, 2.25, 9.5, 4.0, 6.5, 8.25, 11.0]
Y = [float(i * i % 11) for i in range(len(A))]
POINT = [f"{a:g},{y:g}" for a, y in zip(A, Y, strict=True)]
NAMES = "a,y"


def lines(rows: list[str], *head: str, end: str = "\n") -> str:
    return end.join([*head, *rows, ""])


def separated(mark: str, decimal: str = ".") -> list[str]:
    return [row.replace(",", "|").replace(".", decimal).replace("|", mark) for row in POINT]


COMMAS = separated(";", ",")
FILES: dict[str, str] = {
    "plain.csv": lines(POINT, NAMES),
    "semicolons and decimal commas.csv": lines(COMMAS, "a;y"),
    "tabs.tsv": lines(separated("\t"), "a\ty"),
    "tabs and decimal commas.txt": lines(separated("\t", ","), "a\ty"),
    "bars.txt": lines(separated("|"), "a|y"),
    "sep in the first line.csv": lines(COMMAS, "sep=;", "a;y"),
    "blanks.txt": lines([f"  {row.replace(',', '   ')}  " for row in POINT], " a   y"),
    "blanks and tabs.data": lines([row.replace(",", "  \t") for row in POINT], "a\t y"),
    "a title above.csv": lines(POINT, "Measurements of 2013", "", NAMES),
    "two titles with a comma.csv": lines(POINT, "Measurements, revised, of 2013", "by hand", NAMES),
    "comments above.csv": lines(POINT, "# made by a program", "# in 2013", NAMES),
    "names in a comment.txt": lines([row.replace(",", " ") for row in POINT], "# a y"),
    "a comment in the middle.csv": lines([*POINT[:6], "# half", *POINT[6:]], "# begin", NAMES),
    "comments below the names.csv": lines([*POINT[:6], "# half", *POINT[6:]], NAMES, "## begin ##"),
    "a separator that only the first line has.csv": lines(POINT, "a;y"),
    "spaces around.csv": lines([f" {row.replace(',', ' , ')} " for row in POINT], " a , y "),
    "quotes around.csv": lines(['"' + row.replace(",", '","') + '"' for row in POINT], '"a","y"'),
    "single quotes.csv": lines(["'" + row.replace(",", "','") + "'" for row in POINT], "'a','y'"),
    "a line end in a name.csv": lines(POINT, '"a\n",y'),
    "separators at the end.csv": lines([f"{row}," for row in POINT], f"{NAMES},"),
    "separators at the end of rows.csv": lines([f"{row}," for row in POINT], NAMES),
    "blank lines.csv": lines([*POINT[:5], "", *POINT[5:], "", ""], NAMES),
    "units below.csv": lines(POINT, NAMES, "m,m/s"),
    "units in brackets.csv": lines(POINT, NAMES, "[m],"),
    "carriage returns.csv": lines(POINT, NAMES, end="\r"),
    "windows.csv": lines(POINT, NAMES, end="\r\n"),
    "both line ends.csv": lines(POINT[:6], NAMES, end="\r\n") + lines(POINT[6:]),
    "an index.csv": lines([f"{i},{row}" for i, row in enumerate(POINT)], ",a,y"),
    "an index from 1.csv": lines([f'"{i}",{row}' for i, row in enumerate(POINT, 1)], '"",a,y'),
    "names of rows.csv": lines([f"car {i},{row}" for i, row in enumerate(POINT)], ",a,y"),
    "rownames.csv": lines([f"{i},{row}" for i, row in enumerate(POINT, 1)], "rownames,a,y"),
    "no name over the names of rows.txt": lines(
        [f'"{i}" {row.replace(",", " ")} 1' for i, row in enumerate(POINT, 1)], '"a" "y" "one"'
    ),
    "percent.csv": lines([row.replace(",", "%,") for row in POINT], NAMES),
    "yes and no beside.csv": lines(
        [f"{row},{'yes' if i % 2 else 'No'}" for i, row in enumerate(POINT)], "a,y,b"
    ),
}


def assert_known(path: Path, **reading: str) -> None:
    columns = original(load(path, **reading))
    assert set(columns) - {"b"} == {"a", "y"}
    np.testing.assert_allclose(columns["a"], A, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(columns["y"], Y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_a_dialect_is_told_from_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name].encode())
    assert_known(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_an_encoding_is_told_from_the_file(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(lines(COMMAS, "größe;y", end="\r\n").encode(encoding))
    split = load(path)
    assert split.features == ("größe",)
    np.testing.assert_allclose(original(split)["größe"], A, rtol=1e-12)


def test_an_encoding_may_be_named_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(lines(POINT, "цена,y").encode("koi8-r"))
    assert load(path, encoding="koi8-r").features == ("цена",)
    assert refused(path, encoding="utf-8").endswith("`--encoding cp1252`")
    with pytest.raises(ValueError, match="--encoding latin-7-bit: unknown"):
        load(path, encoding="latin-7-bit")


def test_a_separator_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines([row.replace(",", "~") for row in POINT], "a~y"))
    assert_known(path, separator="~")
    path.write_text(lines([row.replace(",", "\t") for row in POINT], "a\ty"))
    assert_known(path, separator="tab")


def test_a_first_line_of_numbers_is_asked_about_and_the_target_tells(tmp_path: Path) -> None:
    path = tmp_path / "x.data"
    path.write_text(lines(POINT))
    assert "`--no-header --target 'column 2'`" in refused(path)
    columns = original(load(path, "column 2", no_header=True))
    np.testing.assert_allclose(columns["column 1"], A, rtol=1e-12)
    assert load(path, "column 2").digest() == load(path, "column 2", no_header=True).digest()
    path.write_text(lines(POINT, "2001,2002"))
    assert load(path, "2002").features == ("2001",)


def test_a_line_of_counts_above_the_rows_has_no_names(tmp_path: Path) -> None:
    """scikit-learn's own files begin with the numbers of rows and features, and the names of the classes."""
    path = tmp_path / "x.csv"
    rows = [f"{a:g},{i % 5}.5,{i % 3}" for i, a in enumerate(A)]
    path.write_text(lines(rows, "12,2,setosa"))
    line = refused(path, "setosa")
    assert "'12,2,setosa' stands above the table and is left out; line 2 is of numbers" in line
    options = pasted(line)
    assert options == {"no_header": True, "target": "column 3"}
    np.testing.assert_allclose(original(load(path, **options))["column 1"], A, rtol=1e-12)
    assert "left out ('12,2,setosa')" in load(path, **options).understood[0]
    path.write_text(lines(rows, "150,2,setosa"))  # the file has been cut
    assert load(path, "column 3").digest() == load(path, **options).digest()
    path.write_text(lines(rows, "12,2,setosa", "a,b,y"))
    assert load(path).features == ("a", "b")


@pytest.mark.parametrize(("name", "rows", "columns"), [("iris", 150, 5), ("wine_data", 178, 14)])
def test_the_files_of_scikit_learn_are_read(name: str, rows: int, columns: int) -> None:
    import sklearn.datasets

    path = Path(sklearn.datasets.__file__).parent / "data" / f"{name}.csv"
    options = pasted(refused(path))
    assert options == {"no_header": True, "target": f"column {columns}"}
    split = load(path, **options)
    assert len(split.x) + len(split.x_test) == rows
    assert len(split.features) == columns - 1


@pytest.mark.parametrize("first", ["12,3,y", "11,2,y", "12.0,2,y", "12,2.0,y"])
def test_numbers_that_count_nothing_are_asked_about_and_none_of_them_is_left_out(
    tmp_path: Path, first: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines([f"{a:g},{i % 5}.5,{i % 3}" for i, a in enumerate(A)], first))
    assert "left out" not in refused(path, "z")
    assert load(path).features == tuple(first.split(",")[:2])  # the target tells


@pytest.mark.parametrize("first", ["12,two,y", "2010,b,y"])
def test_a_number_among_names_is_a_name(tmp_path: Path, first: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines([f"{a:g},{i % 5}.5,{i % 3}" for i, a in enumerate(A)], first))
    assert load(path).features == tuple(first.split(",")[:2])


def test_a_first_row_of_values_is_told_by_words_that_stand_again(tmp_path: Path) -> None:
    path = tmp_path / "adult.data"
    kinds = ["State-gov, Male, United-States", "Private, Male, Cuba", "Private, Female, United-States"]
    rows = [f"{i % 5 + 30}, {kinds[i % 3]}" for i in range(12)]
    path.write_text(lines(rows))
    line = refused(path)
    assert "line 1 has numbers, and 'State-gov' stands again below it ('30', 'State-gov'" in line
    assert "probably no names: `--no-header --target 'column 1'`" in line
    options = pasted(line) | {"categorical": ("auto",)}
    split = load(path, **options)
    assert len(split.x) + len(split.x_test) == 12
    path.write_text(lines(rows, "age, 2010, sex, country"))  # one number among names is a name
    assert load(path, "age", categorical=("auto",)).features[0].startswith("2010=")


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        (["1.234;1", "12.345;2"] * 6, True),
        (["1.234;1", "12.34;2"] * 6, False),
        (["0.234;1", "12.345;2"] * 6, False),
        (["1.234;1,5", "12.345;2"] * 6, False),
    ],
)
def test_thousands_or_decimals_are_asked_about_where_nothing_tells(
    tmp_path: Path, rows: list[str], asked: bool
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines(rows, "a;y"))
    if not asked:
        load(path)
        return
    assert refused(path).endswith("`--decimal .` or `--decimal ,`")
    for decimal, first in ((".", 1.234), (",", 1234.0)):
        np.testing.assert_allclose(original(load(path, decimal=decimal))["a"][0], first, rtol=1e-12)


def test_commas_between_thousands_are_none_between_fields(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines([f'"{1000 + i:,}",{i * i},"1,234.{i}"' for i in range(12)], "a,y,b"))
    columns = original(load(path))  # the point in b tells what the comma in a means
    np.testing.assert_allclose(columns["a"], np.arange(12) + 1000, rtol=1e-12)
    assert refused(path, skip=("b",)).endswith("`--decimal .` or `--decimal ,`")
    b = [float(f"1234.{i}") for i in range(12)]
    np.testing.assert_allclose(columns["b"], b, rtol=1e-12)


# --- round trips ----------------------------------------------------------------------------------------------

numbers = st.lists(
    st.tuples(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), st.integers(-9999, 9999)),
    min_size=12,
    max_size=30,
).filter(lambda rows: all(len({row[i] for row in rows[: len(rows) // 2]}) > 3 for i in (0, 1)))


@settings(max_examples=60, deadline=None)
@given(
    rows=numbers,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    above=st.sampled_from([[], ["A title"], ["# a comment", "# and one more"]]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, int]],
    separator: str,
    decimal: str,
    end: str,
    encoding: str,
    above: list[str],
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerows([[line] for line in above])
    writer.writerow(["aé", "y"])
    writer.writerows((f"{a:.4f}".replace(".", decimal), y) for a, y in rows)
    path = tmp_path_factory.mktemp("t") / "x.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    split = load(path, null=("NA",))
    columns = original(split)
    for place, name in enumerate(("aé", "y")):
        exact = np.array([row[place] for row in rows], dtype=float)
        # the value, its mean and its scale each take a few roundings of the largest value
        np.testing.assert_allclose(columns[name], exact, rtol=0, atol=1e-14 * len(rows) * np.abs(exact).max())


def test_words_that_begin_like_a_comment_are_words(tmp_path: Path) -> None:
    path = tmp_path / "colors.csv"
    path.write_text(lines([f"#ff00{number:02d},{row}" for number, row in enumerate(POINT)], f"color,{NAMES}"))
    assert "text in 'color' ('#ff0000' and 11 more)" in refused(path)
