"""What `--resume` calls the same code: every file that decides results, wherever the folders are linked to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from samestep.benchmarks.measure import environment
from samestep.benchmarks.measure.environment import NOT_DECISIVE, source_digest
from tests.helpers.paths import ROOT


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, Path]:
    """Two small packages, one of them a link, with a linked folder inside."""
    files = ("code/backends/a.py", "code/benchmarks/analysis/b.py", "elsewhere/c.py")
    for name in (*files, *(f"code/benchmarks/{part}" for part in ("cli.py", "report/d.py", "console/e.py"))):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    (tmp_path / "code" / "backends" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "backends").symlink_to(tmp_path / "code" / "backends")
    return {"backends": tmp_path / "backends", "benchmarks": tmp_path / "code" / "benchmarks"}


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("code/backends/a.py", True),
        ("code/benchmarks/analysis/b.py", True),
        ("elsewhere/c.py", True),
        ("code/benchmarks/new.py", True),
        ("code/benchmarks/cli.py", False),
        ("code/benchmarks/report/d.py", False),
        ("code/benchmarks/console/e.py", False),
        ("code/benchmarks/analysis/notes.md", False),
    ],
)
def test_a_change_of_what_decides_is_seen(
    name: str, decides: bool, packages: dict[str, Path], tmp_path: Path
) -> None:
    before = source_digest(packages)
    (tmp_path / name).write_text("x = 2\n")
    assert (source_digest(packages) != before) == decides


def test_it_does_not_depend_on_where_the_code_lies(packages: dict[str, Path], tmp_path: Path) -> None:
    before = source_digest(packages)
    (tmp_path / "code").rename(tmp_path / "moved")
    assert source_digest({name: tmp_path / "moved" / name for name in packages}) == before


def test_the_digest_is_of_this_code_and_names_what_there_is() -> None:
    folders = {name: ROOT / name for name in ("backends", "benchmarks")}
    assert environment.source() == source_digest(folders)
    assert all((ROOT / "benchmarks" / part).exists() for part in NOT_DECISIVE)


def test_the_installed_version_is_the_one_that_import_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two copies on sys.path Python imports the first."""
    for folder, version in (("first", "1.0"), ("second", "2.0")):
        information = tmp_path / folder / f"Twice-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Twice\nVersion: {version}\n")
    monkeypatch.setattr("sys.path", [str(tmp_path / "first"), *sys.path, str(tmp_path / "second")])
    environment.installed.cache_clear()
    try:
        assert environment.installed()["twice"] == "1.0"
    finally:
        environment.installed.cache_clear()
