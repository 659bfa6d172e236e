"""Records on disk: whole or absent, exact, and one line for whatever is not a record."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_maker import record

from benchmarks import record as records
from benchmarks.errors import InputError
from benchmarks.record import Record

MADE = record({"jax": [0.5, 0.51], "numpy": [0.1, 0.2]}, change=lambda lane, b, r: {"apart": math.inf})
TEXT = MADE.model_dump_json()


def test_round_trip_is_exact_and_infinities_are_words(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    records.write(path, MADE)
    assert records.read_model(path, Record) == MADE
    assert '"Infinity"' in path.read_text()
    json.loads(path.read_text(), parse_constant=pytest.fail)  # no bare Infinity or NaN
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    records.write(path, MADE)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        records.write(path, MADE.model_copy(update={"blocks": ()}))
    assert records.read_model(path, Record) == MADE


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        records.read_model(path, Record)
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
    monkeypatch.setattr(records, "MOST_BYTES", 3)
    assert "larger than" in refused(path)


def test_a_run_is_loaded_from_its_folder_or_its_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"benchmarks": [{"stats": {}}], "samestep": json.loads(TEXT)}))
    assert records.load(path) == records.load(tmp_path) == MADE
    for text, words in (
        ('{"benchmarks": []}', "has no 'samestep' record"),
        (json.dumps({"samestep": json.loads(TEXT) | {"schema_version": 2}}), "schema_version"),
        (TEXT[:-40], "not a record"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            records.load(tmp_path)
    monkeypatch.setattr(records, "MOST_BYTES", 3)
    with pytest.raises(InputError, match="larger than"):
        records.load(tmp_path)
    with pytest.raises(InputError, match="name a run's folder"):
        records.load(tmp_path / "nowhere")


def test_another_version_and_unknown_fields_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for change in ({"schema_version": 2}, {"surprise": 1}, {"blocks": None}):
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
        assert records.read_model(path, Record).tasks == ("lesson",)
    except InputError as error:
        line = str(error)
    assert "\n" not in line


def test_nothing_of_this_machine_is_in_a_record() -> None:
    words = MADE.plan.environment.model_dump_json()
    for private in (str(Path.home()), str(Path.cwd()), "/site-packages"):
        assert private not in words
