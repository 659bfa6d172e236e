"""Output that goes nowhere, or only in part: no command ends in a traceback, and none says that all is well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from samestep.benchmarks.console.streams import tolerant
from tests.helpers.outside_lanes import hide_frameworks, python_path
from tests.helpers.paths import DATA, RESULTS, ROOT
from tests.helpers.processes import ONE_LANE, side_by_side, without_progress

pytestmark = pytest.mark.slow

REFERENCE = str(RESULTS / "reference")
SMALL = DATA / "record-2.json"  # worked out again in a moment
FULL = "standard output: No space left on device; what was printed is not complete"
LONG = (
    ">/dev/full",
    ">/dev/full 2>/dev/full",
    "| head -1",
)  # they fail at what no buffer or pipe holds any more
CLOSED = "standard output: it is closed; what was printed is not complete"
SAMESTEP = f"{sys.executable} -m samestep"


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A line of bash; the exit code is that of the first program of a pipe."""
    script = f"{line}; exit ${{PIPESTATUS[0]}}"
    env = os.environ | variables
    command = ["bash", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, encoding="utf-8", errors="replace", timeout=300
    )


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 2, CLOSED),
        (">/dev/full", 2, FULL),
        (">/dev/full 2>/dev/full", 2, ""),
        (">&- 2>&- <&-", 2, ""),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("<&-", 0, ""),
        ("| head -1", 0, ""),
    ],
)
def test_every_stream_may_fail(redirection: str, code: int, said: str, tmp_path: Path) -> None:
    """With a buffer of its own and without."""
    record = REFERENCE if redirection in LONG else SMALL
    line = f"{SAMESTEP} table {record} {redirection}"
    ends = side_by_side(lambda value: shell(line, tmp_path, PYTHONUNBUFFERED=value), [("",), ("1",)])
    for done in ends:
        assert done.returncode == code, done.stderr
        assert done.stderr == (f"samestep: {said}\n" if said else "")


COMMANDS = (
    "list",
    "lesson --lane numpy",
    "parity --task lesson --lane numpy",
    "ceilings --task lesson --json",
    f"report {SMALL} --out page.html",
    f"diff {SMALL} {SMALL}",
    f"verify {SMALL}",
    "--help",
    "--version",
    "table nowhere",
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """How each command ended whose output had no room; the list need not import what no other command uses."""
    hidden = tmp_path_factory.mktemp("hidden")
    hide_frameworks(hidden)

    def run(words: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("full")
        return shell(f"{SAMESTEP} {words} >/dev/full", folder, PYTHONPATH=python_path(hidden))

    return dict(zip(COMMANDS, side_by_side(run, [(words,) for words in COMMANDS]), strict=True))


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_ends_well_with_a_full_output(
    words: str, full: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    done = full[words]
    assert done.returncode == 2, done.stderr
    errors = without_progress(done.stderr)
    assert len(errors) == 1
    assert errors[0].startswith("samestep: ")


def test_a_run_is_kept_though_nothing_can_be_shown(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tests.helpers.no_limits compare {' '.join(ONE_LANE)} --out run"
    done = shell(f"{command} >/dev/full 2>/dev/full <&-", tmp_path, PYTHONPATH=python_path(ROOT))
    assert (done.returncode, done.stderr) == (2, "")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["benchmark.json", "table.md"]
    assert shell(f"{SAMESTEP} verify run", tmp_path).returncode == 0


def test_a_check_that_failed_says_so_whoever_reads_it(tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_bytes(SMALL.read_bytes())
    (tmp_path / "table.md").write_text("| another | table |\n")
    lines = [(f"{SAMESTEP} verify . {where}", tmp_path) for where in (">&-", ">/dev/full", "| head -1")]
    assert [done.returncode for done in side_by_side(shell, lines)] == [1, 1, 1]


def test_every_encoding_has_the_tables(tmp_path: Path) -> None:
    def shown(encoding: str) -> subprocess.CompletedProcess[str]:
        return shell(f"{SAMESTEP} table {REFERENCE}", tmp_path, PYTHONIOENCODING=encoding)

    encodings = ("ascii", "latin-1", "utf-8")
    for encoding, done in zip(encodings, side_by_side(shown, [(one,) for one in encodings]), strict=True):
        assert (done.returncode, done.stderr) == (0, ""), encoding
        assert "\\u" not in done.stdout
        assert (" us +-" in done.stdout) == (encoding == "ascii")


def test_a_name_that_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    def refused(name: str) -> subprocess.CompletedProcess[str]:
        return shell(f"{SAMESTEP} table '{name}'", tmp_path, PYTHONIOENCODING="ascii")

    for done in side_by_side(refused, [("größe-表",), (os.fsdecode(b"\xff"),)]):
        assert done.returncode == 2
        assert done.stderr.startswith("samestep: ")
        assert done.stderr.count("\n") == 1


def test_no_stream_of_a_test_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert tolerant(sys.stdout) is sys.stdout
