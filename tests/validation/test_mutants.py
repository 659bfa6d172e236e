"""The seeded bugs, all of them, by the command that users run."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest

from samestep import backends
from samestep.backends.numpy_backend import NumpyBackend
from samestep.benchmarks import datasets
from samestep.benchmarks.cli import main
from samestep.benchmarks.parity import certify
from tests.helpers.paths import ROOT
from validation import store
from validation.__main__ import app
from validation.mutants import MUTANTS, experiment
from validation.mutants.foreseen import FORESEEN
from validation.mutants.mutant import replaced
from validation.mutants.ports import HARMLESS, THIRD
from validation.mutants.ports.port_tasks import rows_of
from validation.mutants.ports.programs import one_function, two_functions
from validation.mutants.unseen_first import FIRST
from validation.mutants.unseen_second import SECOND

pytestmark = pytest.mark.slow

ALL = all(backends.missing(name) is None for name in ("torch", "jax"))
Rows = list[dict[str, Any]]
WITHOUT = ("caught_without_gradients", "right_without_gradients")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder, output = tmp_path_factory.mktemp("parity"), io.StringIO()
    with pytest.raises(SystemExit) as end, contextlib.redirect_stdout(output):
        main(["mutants", "--out", str(folder)], commands=app)
    path = folder / "mutants.json"
    assert (end.value.code, output.getvalue()) == (0, f"{path}\nas it should be\n")
    result: Rows = json.loads(path.read_bytes())["mutants"]
    return result


def test_every_mutant_is_in_the_table_once() -> None:
    tables: dict[str, dict[str, Any]] = {
        "foreseen": FORESEEN,
        "first": FIRST,
        "second": SECOND,
        "third": THIRD,
    }
    assert [len(table) for table in tables.values()] == [49, 30, 20, 50]
    assert not ALL or len(MUTANTS) == 149
    for origin, table in tables.items():
        assert {mutant.origin for mutant in table.values()} == {origin}


def test_a_mutant_replaces_a_method_that_is_there() -> None:
    with pytest.raises(AttributeError, match="no_such_method"):
        replaced(NumpyBackend, {"no_such_method": lambda *_: None})


def test_every_mutant_is_caught(rows: Rows) -> None:
    assert [row["what"] for row in rows if not row["caught"]] == []


def test_every_mutant_is_caught_without_its_gradients(rows: Rows) -> None:
    assert [row["what"] for row in rows if not row["caught_without_gradients"]] == []


@pytest.mark.parametrize("key", ["caught", "caught_without_gradients"])
def test_one_that_is_not_caught_is_a_line(key: str) -> None:
    row = {"what": "a bug", "caught": True, "caught_without_gradients": True, key: False}
    assert experiment.faults({"mutants": [row]}) == [f"not {key.replace('_', ' ')}: a bug"]


@pytest.mark.parametrize("origin", ["foreseen", "third"])
def test_what_is_judged_without_gradients_shows_none(origin: str) -> None:
    what = {"foreseen": "half the learning rate", "third": "Huber's delta is not passed on and stays 1"}[
        origin
    ]
    (piece, *_) = MUTANTS[what].certificate_without_gradients().evidence
    assert "gradients" in piece.judgement.unrecorded
    assert "gradients" not in piece.judgement.quantities


def test_the_doctor_answers_as_the_kept_result_says(rows: Rows) -> None:
    committed = {row["what"]: row for row in store.read("mutants", ROOT)["mutants"]}
    for row in rows:
        for key in ("framework", "origin", "caught", "cause", "named", "right", *WITHOUT):
            assert row[key] == committed[row["what"]][key], row
    if ALL:
        assert [row["what"] for row in rows] == list(committed)


def test_most_mutants_are_named_rightly(rows: Rows) -> None:
    foreseen = [row["right"] for row in rows if row["origin"] == "foreseen"]
    unseen = [row["right"] for row in rows if row["origin"] != "foreseen"]
    assert all(foreseen)
    assert sum(unseen) > 0.8 * len(unseen)


def test_no_mutant_is_named_falsely(rows: Rows) -> None:
    """A wrong word costs more time than none."""
    assert [row for row in rows if row["named"] not in (*row["cause"].split(" or "), "unknown")] == []


def test_every_task_passes_without_its_mutant() -> None:
    lanes = FORESEEN | FIRST | SECOND
    for task in {mutant.task.digest(): mutant.task for mutant in lanes.values()}.values():
        certificate = certify(NumpyBackend(), task, datasets.load(task.dataset))
        assert certificate.status == "pass", certificate.reason
    for task in {mutant.task.digest(): mutant.task for mutant in THIRD.values()}.values():
        for form in (one_function, two_functions):
            certificate = certify(form()(task), task, rows_of(task))
            assert certificate.status == "pass", certificate.reason


@pytest.mark.parametrize("what", HARMLESS)
def test_a_rewriting_is_no_mistake(what: str) -> None:
    certificate = HARMLESS[what].certificate()
    assert certificate.status == "pass", certificate.reason
