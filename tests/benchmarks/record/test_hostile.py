"""Files that mean harm or are broken: one line and exit 2, or tables that show them as the data they are.

The corpus in tests/data/hostile is described in its README. Nothing may end in a traceback, hang, eat memory, be
executed or unpickled, or reach the terminal as a control character.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samestep.benchmarks import cli
from samestep.benchmarks.console.escapes import visible
from samestep.benchmarks.record.files import load
from tests.helpers.paths import DATA

HOSTILE = sorted(path.stem for path in (DATA / "hostile").glob("*.json"))
COMMANDS = (
    *(("table", "--format", format) for format in ("rich", "markdown", "csv", "json", "html")),
    ("verify",),
    ("diff",),
    ("report",),
)
SECONDS = 5  # for any command on any file of the corpus, on a slow and busy machine

# What the one line says of a file that is refused, by the file's name.
REFUSED = {
    "benchmarks-of-nothing": None,  # by verify alone, which reads pytest-benchmark's part too
    "benchmarks-of-three": None,
    "beyond-64-bits": "does not fit into 64 bits",
    "block-repeated": "block 0 is there twice",
    "byte-order-mark": "BOM",
    "certificate-repeated": "the certificate of numpy on lesson is there twice",
    "cores-below-zero": "cores: Input should be greater than 0",
    "created-yesterday": "created: Value error, Invalid isoformat string: 'yesterday'",
    "deep": "recursion depth",
    "deep-beside": "recursion depth",
    "duplicate-key": "the key 'elapsed_ns' comes twice",
    "duplicate-record": "the key 'samestep' comes twice",
    "empty": "the file is empty",
    "half-a-repeat": "repeats: Input should be a valid integer",
    "half-a-surrogate": "hex escape",
    "huge-integer": "does not fit into 64 bits",
    "infinite-first-call": "first_call_s: Input should be a finite number",
    "lane-repeated": "the lane numpy is there twice",
    "lanes-by-the-thousand": "1,002 lanes are more than tables are made of",
    "latin-1": "can't decode byte",
    "list": "has no 'samestep' record",
    "nan-beside": "NaN is not JSON",
    "nan-time": "NaN is not JSON",
    "negative-repeats": "repeats: Input should be greater than 0",
    "no-memory": "memory: Input should be greater than 0",
    "no-record": "has no 'samestep' record",
    "no-tasks": "it has no task",
    "not-json": "Expecting value",
    "null": "has no 'samestep' record",
    "number": "has no 'samestep' record",
    "pickle": "can't decode byte",
    "record-of-three": "has no 'samestep' record",
    "round-repeated": "round 0 of numpy on lesson, race, is there twice",
    "stray-baseline": "the baseline mlx is not a lane of the plan",
    "stray-lane": "Slice of mlx on lesson is not of the plan",
    "task-repeated": "the task lesson is there twice",
    "time-is-text": "elapsed_ns: Input should be a valid integer",
    "time-of-an-age": "elapsed_ns: Input should be less than or equal to",
    "time-of-zero": "elapsed_ns: Input should be greater than 0",
    "truncated": "Unterminated string",
    "unknown-field": r"\x1b[31msurprise: Extra inputs are not permitted",
    "unknown-loss": "no loss 'none'",
    "utf-16": "can't decode byte",
    "version-0": "its schema_version is '0'",
    "version-1.0": "its schema_version is '1.0'",
    "version-3": "a newer samestep is needed",
    "version-99": "a newer samestep is needed",
    "version-missing": "its schema_version is missing",
    "version-text": "its schema_version is '1'",
    "version-true": "its schema_version is 'True'",
    "zero-repeats": "repeats: Input should be greater than 0",
}

# What `verify` did not make anew, or found, by the file's name.
VERIFIED = {
    "epochs-of-a-planet": "rows in its epochs; no more than",
    "features-of-a-planet": "values; no more than",
    "held-out-of-a-planet": "values; no more than",
    "layers-of-a-planet": "activations; no more than",
    "rows-of-a-planet": "values; no more than",
    "file-above": "not below this folder",
    "file-device": "not below this folder",
    "file-outside": "not below this folder",
    "file-no-name": "not below this folder",
    "file-home": "no such file",
    "file-glob": "no such file",
    "file-long-name": "no such file",
    "no-certificates": "not the certified parameters",
    "other-shape": "another task was certified",
}


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def clean(self) -> bool:
        """One line on stderr and nothing else, or no line there at all; and nothing that a terminal obeys."""
        printed = all(c.isprintable() or c in "\n\xa0" for c in self.out + self.err)
        if self.code == 2:
            return printed and self.out == "" and self.err.count("\n") == 1
        return printed and self.code in (0, 1) and self.err == "" and self.out != ""


def run(words: tuple[str, ...], path: Path) -> Done:
    """A command on a file, in this process; any traceback is the test's own."""
    out, err = io.StringIO(), io.StringIO()
    command, *options = words
    paths = [str(path)] * (2 if command == "diff" else 1)
    with contextlib.ExitStack() as stack:
        if command == "report":
            options += ["--out", f"{stack.enter_context(tempfile.TemporaryDirectory())}/page.html"]
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        left = stack.enter_context(pytest.raises(SystemExit))
        cli.main([command, *paths, *options])
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line_or_is_shown_as_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, begun = DATA / "hostile" / f"{name}.json", time.perf_counter()
    done = {words: run(words, path) for words in COMMANDS}
    assert time.perf_counter() - begun < SECONDS * len(COMMANDS)
    assert all(each.clean for each in done.values()), done
    assert list(tmp_path.iterdir()) == []  # nothing was written, so nothing was unpickled
    refused = {words for words, each in done.items() if each.code == 2}
    assert refused == (set() if name not in REFUSED else set(COMMANDS) if REFUSED[name] else {("verify",)})
    if line := REFUSED.get(name):
        assert all(line in each.err and str(path) in each.err for each in done.values())
    assert VERIFIED.get(name, "") in done["verify",].out


def test_every_expectation_is_of_a_file() -> None:
    assert {*REFUSED, *VERIFIED} <= set(HOSTILE)


def cells(name: str, *words: str) -> str:
    return run(("table", *words), DATA / "hostile" / f"{name}.json").out


def test_names_are_shown_as_text() -> None:
    assert r"\x1b[2J\x1b]0;title\x07\x9b31mred\r\u202e" in cells("escape-lane", "--format", "csv")
    assert r"numpy\nnumpy FASTER documented" in cells("newline-lane")
    assert "[bold red]numpy[/] :smile:" in cells("markup-lane")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in cells("script-lane", "--format", "markdown")
    assert "<script>" not in cells("script-lane", "--format", "html")
    assert r"a\|b\](javascript:alert(1))\`\*\_" in cells("markdown-lane", "--format", "markdown")


@given(st.text())
def test_visible_text_prints_and_says_what_it_was(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c.isspace() for c in shown)
    assert len(shown.splitlines()) <= 1
    assert visible(shown) == shown
    if "\\" not in text:
        assert re.sub(r"\\(x..|u....|U.{8}|[nrt])", lambda m: eval(f"'{m[0]}'"), shown) == text


# --- mutations of a real record -------------------------------------------------------------------------------

REAL = json.loads((DATA / "record-1.json").read_text())
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63) + 1, 2**63, 10**400),
    *(0.0, -0.0, 1e-320, 1e308, -1e308, 0.5, "", "Infinity", "-Infinity", "NaN", "1", "numpy", "lesson"),
    *("\x1b[31m", "../../etc/passwd.csv", "x" * 300, "AAAA", "????", [], {}, [[]], [None], {"": None}),
    *({"kind": "file", "path": "/dev/zero", "target": "y"}, {"kind": "packaged", "name": "diabetes"}),
)


def small() -> dict[str, Any]:
    """The real record with a few of its kept steps and machine facts, so that mutations often hit the rest.

    It is older than learning curves and gets one of three points.
    """
    document = copy.deepcopy(REAL)
    del document["machine_info"]
    for each in document["samestep"]["certified"]:
        each["curve"] = [
            {"step": step, "loss": 9.0 / step**2, "excess": 8.9 / step**2} for step in (1, 2, 300)
        ]
        for piece in each["certificate"]["evidence"]:
            piece["judgement"]["kept"] = piece["judgement"]["kept"][:2]
            piece["judgement"]["sample"] = piece["judgement"]["sample"][:2]
    return document


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*before, key)
        yield from places(inner, (*before, key))


SMALL = small()
PLACES = list(places(SMALL))


def mutate(document: dict[str, Any], place: tuple[Any, ...], how: str, value: Any) -> None:
    """One change at a place that is still there: the value or its key gone, replaced, or there twice."""
    inner: Any = document
    try:
        for key in place[:-1]:
            inner = inner[key]
        found = inner[place[-1]]
    except (KeyError, IndexError, TypeError):
        return
    if how == "delete":
        del inner[place[-1]]
    elif how == "replace":
        inner[place[-1]] = value
    elif isinstance(inner, list):
        inner.append(found)
    else:
        inner[f"{place[-1]}{value}"] = found


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(["delete", "replace", "replace", "twice"]),
        st.sampled_from(VALUES),
    ),
    min_size=1,
    max_size=3,
)
FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@pytest.mark.slow
@settings(FUZZ, max_examples=150)
@given(changes=CHANGES, words=st.sampled_from(COMMANDS))
def test_a_mutated_record_is_read_as_it_stands_or_refused(
    changes: list[tuple[tuple[Any, ...], str, Any]], words: tuple[str, ...], tmp_path: Path
) -> None:
    document = copy.deepcopy(SMALL)
    for place, how, value in changes:
        mutate(document, place, how, copy.deepcopy(value))
    path = tmp_path / "record.json"
    path.write_text(json.dumps(document))
    done = run(words, path)
    assert done.clean, done


TEXT = json.dumps(SMALL, separators=(",", ":")).encode()


@pytest.mark.slow
@settings(FUZZ, max_examples=150)
@given(data=st.data(), words=st.sampled_from(COMMANDS))
def test_a_damaged_file_is_read_as_it_stands_or_refused(
    data: st.DataObject, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Cut short at any byte, bits turned, bytes put in, or in another encoding."""
    raw = bytearray(TEXT)
    how = data.draw(st.sampled_from(["cut", "turn", "put", "encode"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if how == "cut":
        raw = raw[:at]
    elif how == "turn":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "put":
        hostile = [
            b'"',
            b"{",
            b"[",
            b"]",
            b",",
            b"\\",
            b"\x00",
            b"\xff",
            b"9" * 400,
            b"NaN",
            b"[" * 2000,
            b"e999",
        ]
        raw[at:at] = data.draw(st.sampled_from(hostile))
    else:
        raw = bytearray(TEXT.decode().encode(data.draw(st.sampled_from(["utf-16", "utf-32", "utf-7"]))))
    path = tmp_path / "record.json"
    path.write_bytes(raw)
    done = run(words, path)
    assert done.clean, done


def test_the_small_record_is_a_record(tmp_path: Path) -> None:
    """Else all mutations of it would be refused for one reason."""
    (tmp_path / "benchmark.json").write_bytes(TEXT)
    assert load(tmp_path).tasks == ("lesson",)
    for words in COMMANDS:
        assert run(words, tmp_path).code == (1 if words == ("verify",) else 0)  # whose kept steps are too few
