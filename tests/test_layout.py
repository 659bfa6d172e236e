"""The layout that CONTRIBUTING describes, read from the syntax trees."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PRODUCT = ("samestep", "backends", "benchmarks", "validation")
FOLDERS = (*PRODUCT, "docs", "examples", "tests")
LONGEST_FUNCTION, LONGEST_FILE = 50, 350
# Files whose functions are named by something outside: commands by the command line, those of three frameworks by
# what each of them does, charts by what they show (the tables beside them show the same), parts of the printed
# lesson by the part.
NAMED_FROM_OUTSIDE = (
    "validation/",
    "benchmarks/commands/",
    "benchmarks/cli.py",
    "benchmarks/report/page/",
    "benchmarks/lesson/text",
)
FRAMEWORK_FILES = ("_backend", "_losses", "_modes", "_programs")
# Functions that share their name rightly.
SHARED_NAMES = {
    "describe",  # tasks.describe: a task for readers; task_files.describe: a task for the record
    "draw",  # parameters from a distribution, batches in the loop that is timed
    "get",  # losses.get, tasks.get: always with the module's name
    "load",  # a lane, a record, the data of each source, a worker's lane: always with the module's name
    "loss",  # the lesson shows a loss with other digits than the report does
    "main",  # of a script that is started: the guard's and the worker's
    "names",  # backends.names, losses.names, tasks.names: always with the module's name
    "plain",  # a document, and the difference of two records, as text for a terminal
    "read",  # accelerator.read, environment.read, task_files.read: always with the module's name
    "scope",  # what the tables hold for: of a run, of a grid of sizes
    "small",  # as for loss
    "write",  # files.write, task_files.write: always with the module's name
}


def modules(*folders: str) -> list[Path]:
    """Every Python file of some folders; the linked folders under their own names alone."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """What a file imports by an absolute name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("path", modules(*FOLDERS), ids=identify)
def test_nothing_is_imported_by_the_names_of_the_linked_folders(path: Path) -> None:
    """`backends` and `benchmarks` would be a second copy of samestep.backends and samestep.benchmarks."""
    bare = [name for name in imported(path) if name.partition(".")[0] in ("backends", "benchmarks")]
    assert not bare


def test_no_test_imports_another_test() -> None:
    imports = [(path.name, name) for path in modules("tests") for name in imported(path)]
    assert not [pair for pair in imports if ".test_" in f".{pair[1]}"]


def test_the_name_of_a_file_says_which_it_is() -> None:
    """A command's file is named after the command; every other name stands in one room alone."""
    places = defaultdict(list)
    for path in modules(*PRODUCT):
        if not path.stem.startswith("__") and path.parent.name != "commands":
            places[path.stem].append(identify(path))
    assert not {name: files for name, files in places.items() if len(files) > 1}


def test_the_name_of_a_public_class_says_which_it_is() -> None:
    places = defaultdict(set)
    for path in modules(*PRODUCT):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(identify(path))
    assert not {name: files for name, files in places.items() if len(files) > 1}


def test_the_name_of_a_public_function_says_which_it_is() -> None:
    """An entry of SHARED_NAMES that is no longer needed fails too."""
    places = defaultdict(set)
    for path in modules(*PRODUCT):
        name = identify(path)
        of_a_framework = name.startswith("backends/") and path.stem.endswith(FRAMEWORK_FILES)
        if name.startswith(NAMED_FROM_OUTSIDE) or of_a_framework:
            continue
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                places[node.name].add(name)
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert not {name: files for name, files in shared.items() if name not in SHARED_NAMES}
    assert not SHARED_NAMES - set(shared)


@pytest.mark.parametrize("path", modules(*PRODUCT, "docs"), ids=identify)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    functions = (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
