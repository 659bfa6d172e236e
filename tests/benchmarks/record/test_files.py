"""Records on disk: whole or absent, exact, and one line for whatever is not a record."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record import SCHEMA_VERSION, Record, files
from samestep.benchmarks.record import bounded_json as document
from samestep.benchmarks.record.files import open_document
from samestep.benchmarks.report import tables
from samestep.benchmarks.verify import BenchmarkDocument, verify
from tests.helpers.paths import DATA
from tests.helpers.records import AUDIT, record

MADE = record(
    {"jax": [0.5, 0.51], "numpy": [0.1, 0.2]},
    change=lambda *_: {"audit": AUDIT.model_copy(update={"distance": math.inf})},
)
TEXT = MADE.model_dump_json()


def test_a_family_that_is_not_the_plans_is_refused(tmp_path: Path) -> None:
    found = record({"jax": [0.5, 0.5]})
    plan = found.plan.model_copy(update={"family": ()})
    path = tmp_path / "fewer.json"
    path.write_text(json.dumps({"samestep": found.model_copy(update={"plan": plan}).model_dump(mode="json")}))
    with pytest.raises(InputError, match="the family of comparisons is not that of its tasks"):
        open_document(path, BenchmarkDocument)


def test_round_trip_is_exact_and_infinities_are_words(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    files.write(path, MADE)
    assert files.read_model(path, Record) == MADE
    assert '"Infinity"' in path.read_text()
    json.loads(path.read_text(), parse_constant=pytest.fail)  # no bare Infinity or NaN
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    files.write(path, MADE)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        files.write(path, MADE.model_copy(update={"blocks": ()}))
    assert files.read_model(path, Record) == MADE


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        files.read_model(path, Record)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    assert len(line) < 500
    return line


def test_missing_huge_and_foreign_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    assert "No such file" in refused(path)
    assert "cannot be read" in refused(tmp_path)
    for text in (
        "",
        "[]",
        "null",
        '{"a": 1}',
        TEXT[:-40],
        "[" * 100_000,
        TEXT.replace("lesson", "<script>", 1),
    ):
        path.write_text(text)
        assert "not a record" in refused(path)
    path.write_bytes(b"\x80\x04\x95\xff")
    assert "not a record" in refused(path)
    monkeypatch.setattr(document, "MOST_BYTES", 3)
    assert "larger than" in refused(path)


def test_a_run_is_loaded_from_its_folder_or_its_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"benchmarks": [{"stats": {}}], "samestep": json.loads(TEXT)}))
    assert files.load(path) == files.load(tmp_path) == MADE
    for text, words in (
        ('{"benchmarks": []}', "has no 'samestep' record"),
        (TEXT[:-40], "not a record"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            files.load(tmp_path)
    monkeypatch.setattr(document, "MOST_BYTES", 3)
    with pytest.raises(InputError, match="larger than"):
        files.load(tmp_path)
    with pytest.raises(InputError, match="name a run's folder"):
        files.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (3, "its schema_version is 3, and this samestep reads up to 2: a newer samestep is needed"),
        (99, "its schema_version is 99, and this samestep reads up to 2: a newer samestep is needed"),
        (0, "its schema_version is '0', not a whole number from 1"),
        ("1", "its schema_version is '1', not a whole number from 1"),
        (True, "its schema_version is 'True', not a whole number from 1"),
        (1.0, "its schema_version is '1.0', not a whole number from 1"),
        (None, "its schema_version is missing"),
    ],
)
def test_a_version_that_is_not_read_here_is_named(version: object, words: str, tmp_path: Path) -> None:
    """Whatever else a later version may have changed."""
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"samestep": {"schema_version": version, "other": []}}))
    with pytest.raises(InputError) as caught:
        files.load(path)
    assert str(caught.value).startswith(f"{path}: {words}")


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_every_version_so_far_is_read(version: int) -> None:
    """A run of `samestep compare --effort smoke` as it was written when that version was new."""
    path = DATA / f"record-{version}.json"
    assert json.loads(path.read_text())["samestep"]["schema_version"] == version
    record = files.load(path)
    words = ["BASELINE", "UNDECIDED"]  # of two blocks nothing is claimed
    assert [row.verdict.word for row in RecordAnalysis(record).rows] == words
    for format in tables.FORMATS:
        assert "numpy:tuned" in tables.render(RecordAnalysis(record), format)
    assert verify(open_document(path, BenchmarkDocument)).wrong == []
    assert type(record).model_validate_json(record.model_dump_json()) == record


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull), Path("/dev/zero")):
        with pytest.raises(InputError, match="not a file"):
            files.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        files.load(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "the key 'c' comes twice"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        (f"[{2**63}]", "does not fit into 64 bits"),
        (f"[-{'9' * 5000}]", "does not fit into 64 bits"),
        ("[" + "1," * 100 + "1]", "more than 50 values"),
        ('{"a": 1', "Expecting"),
    ],
)
def test_json_that_readers_differ_about_is_refused(
    text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "MOST_VALUES", 50)
    with pytest.raises(ValueError, match=says):
        document.parse(text.encode())


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-9, 9) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_json_is_read_as_it_is(value: object) -> None:
    assert document.parse(json.dumps(value).encode()) == value
    assert document.parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_another_version_and_unknown_fields_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for change in ({"schema_version": 3}, {"surprise": 1}, {"blocks": None}):
        path.write_text(json.dumps(json.loads(TEXT) | change))
        assert next(iter(change)) in refused(path)


def test_a_piece_that_the_plan_does_not_know_is_refused(tmp_path: Path) -> None:
    document = json.loads(TEXT)
    document["blocks"][0]["slices"][0]["lane"] = "mlx"
    path = tmp_path / "record.json"
    path.write_text(json.dumps(document))
    assert "mlx" in refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_record_is_read_as_it_was_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TEXT) - 1))
    damage = data.draw(st.text(max_size=3))
    path = tmp_path / "record.json"
    path.write_text(TEXT[:at] + damage + TEXT[at + data.draw(st.integers(0, 3)) :])
    line = ""
    try:
        assert files.read_model(path, Record).tasks == ("lesson",)
    except InputError as error:
        line = str(error)
    assert "\n" not in line


def test_nothing_of_this_machine_is_in_a_record() -> None:
    words = MADE.plan.environment.model_dump_json()
    for private in (str(Path.home()), str(Path.cwd()), "/site-packages"):
        assert private not in words
