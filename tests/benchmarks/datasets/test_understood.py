"""What is said before anything is trained: the examples of docs/data.md are what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.own_files import load, refused
from tests.helpers.paths import ROOT


@pytest.fixture
def houses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = ["Houses of 2013", ";size;kind;price"]
    for i in range(1, 31):
        size = "" if i in (4, 19) else f"{40.5 + i * 7 % 33}".replace(".", ",")
        lines.append(f"{i};{size};{'house' if i % 2 else 'flat'};{100.5 + i * 6}".replace(".", ","))
    Path("houses.csv").write_text("\n".join(lines) + "\n")
    return Path("houses.csv")


def test_the_page_shows_what_is_printed(houses: Path) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    split = load(houses, "price", categorical=("kind",), missing="mean")
    assert "\n".join(split.understood) in page
    assert refused(houses, "price") in page
