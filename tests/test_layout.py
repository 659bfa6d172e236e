"""The layout that CONTRIBUTING describes, read from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

FOLDERS = ("samestep", "backends", "benchmarks", "validation", "docs", "examples", "tests")


def modules() -> Iterator[Path]:
    """Every Python file of the checkout; the linked folders under their own names alone."""
    return (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))


def imported(path: Path) -> Iterator[str]:
    """What a file imports by an absolute name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", [*modules()], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_by_the_names_of_the_linked_folders(path: Path) -> None:
    """`backends` and `benchmarks` would be a second copy of samestep.backends and samestep.benchmarks."""
    bare = [name for name in imported(path) if name.partition(".")[0] in ("backends", "benchmarks")]
    assert not bare


def test_no_test_imports_another_test() -> None:
    tests = [path for path in modules() if path.is_relative_to(ROOT / "tests")]
    wrong = [(path.name, name) for path in tests for name in imported(path) if ".test_" in f".{name}"]
    assert not wrong
