"""The bytes of a file: compressed or not, whatever its name, and nothing but that file."""

from __future__ import annotations

import gzip
import importlib
import zipfile
from pathlib import Path

import pytest

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.reading.duck import connection
from samestep.benchmarks.datasets.reading.plain_file import opened, suffixes
from samestep.benchmarks.datasets.table import declared_values
from tests.helpers.own_files import load
from tests.helpers.tables import write_table

ROWS = {"a": [i * 7 % 20 + 0.5 for i in range(20)], "y": [i * i for i in range(20)]}


def zstandard():
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    pytest.fail("the extra `data` brings Zstandard")


def packed(path: Path, packing: str) -> Path:
    to = path.with_name(path.name + packing)
    if packing == ".zip":
        with zipfile.ZipFile(to, "w") as archive:
            archive.write(path, f"folder/{path.name}")
    else:
        module = gzip if packing == ".gz" else zstandard()
        with module.open(to, "wb") as file:
            file.write(path.read_bytes())
    return to


@pytest.mark.parametrize("packing", [".gz", ".zst", ".zip"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".data", ".parquet"])
def test_a_compressed_file_is_read_as_the_file_in_it(tmp_path: Path, suffix: str, packing: str) -> None:
    path = Path(write_table(tmp_path / f"x{suffix}", ROWS))
    assert load(packed(path, packing)).digest() == load(path).digest()


def test_arrow_files_are_read_and_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = importlib.import_module("pyarrow")
    feather = importlib.import_module("pyarrow.feather")
    csv = Path(write_table(tmp_path / "x.csv", ROWS))
    for name in ("x.feather", "x.arrow"):
        feather.write_feather(pa.table(ROWS), tmp_path / name)
        assert load(tmp_path / name).digest() == load(csv).digest()
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"Arrow files need pyarrow .*: pip install 'samestep\[arrow\]'$"):
        load(tmp_path / "x.feather")


@pytest.mark.parametrize(
    "name", ["it's; DROP TABLE t--.csv", "*.csv", "a[b].csv", "http:x.csv", 'q".csv', " .csv"]
)
def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    path = Path(write_table(tmp_path / name, ROWS))
    assert load(path).features == ("a",)


def test_a_database_reads_the_file_that_is_named_and_no_other(tmp_path: Path) -> None:
    duckdb = importlib.import_module("duckdb")
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    for path in (one, other):
        path.write_text("a\n1\n")
    database = connection(one)
    assert database.execute("SELECT a FROM read_csv($1)", [str(one)]).fetchall() == [(1,)]
    for name in (str(other), str(tmp_path / "*.csv"), "http://127.0.0.1:1/x.csv"):
        with pytest.raises(duckdb.PermissionException):
            database.execute("SELECT * FROM read_csv($1)", [name])
    for statement in ("INSTALL httpfs", "SET enable_external_access = true", f"COPY (SELECT 1) TO '{other}'"):
        with pytest.raises(duckdb.Error):
            database.execute(statement)
    local = {"a": 1}
    with pytest.raises(duckdb.CatalogException):
        database.execute("SELECT * FROM local")
    assert local


def test_no_more_is_unpacked_than_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,y\n" + "0,0\n" * 100_000)
    small = packed(path, ".gz")
    assert small.stat().st_size < 2_000
    with pytest.raises(InputError, match="holds more than 10,000 bytes"):
        declared_values(str(small), 10_000)
    assert declared_values(str(small), 1_000_000) == 0
    parquet = packed(Path(write_table(tmp_path / "x.parquet", ROWS)), ".zst")
    assert declared_values(str(parquet), 1_000_000) == 40


def test_the_folder_goes_again(tmp_path: Path) -> None:
    path = Path(write_table(tmp_path / "x.csv", ROWS))
    with opened(str(path)) as file:
        assert file.path.read_bytes() == path.read_bytes()
    assert not file.folder.exists()
    assert path.exists()


def test_an_archive_of_two_tables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a,y\n")
        archive.writestr("b.csv", "a,y\n")
    with pytest.raises(InputError, match="holds 2 tables, not one"):
        load(path)


def test_suffixes() -> None:
    assert suffixes("x.CSV.GZ") == (".csv", ".gz")
    assert suffixes("x.zip") == ("", ".zip")
    assert suffixes("a.b/x.parquet") == (".parquet", "")
