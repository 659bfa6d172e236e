"""What a run says first, on stderr: how a file was read, and how long it takes."""

from __future__ import annotations

import pytest

from samestep.benchmarks.console.progress import progress


def test_what_was_understood_is_told_first_within_the_width_and_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress({"race": 60.0}, first=["a.csv: 30 rows", "  numbers   " + "size\x1b, " * 20]) as report:
        report("race", 1, 1, "done")
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert told.out == ""
    assert lines[0] == "a.csv: 30 rows"
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith(" " * 12 + "size\\x1b")  # a line goes on below its beginning
    assert ["takes about 60 s" in line for line in lines].index(True) < len(lines) - 1


def test_who_wants_no_word_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress({"race": 60.0}, first=["a.csv: 30 rows"], quiet=True) as report:
        report("race", 1, 1, "done")
    assert capsys.readouterr() == ("", "")
