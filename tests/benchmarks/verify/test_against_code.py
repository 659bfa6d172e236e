"""Lanes that are certified again: a record's steps and ends are compared with what they do now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samestep.benchmarks.measure import certification
from samestep.benchmarks.record import Record
from samestep.benchmarks.verify import BenchmarkDocument, Findings
from samestep.benchmarks.verify.against_code import Recertification, check_against_code
from samestep.benchmarks.verify.origin import MachineFacts
from tests.helpers.processes import InProcess

pytestmark = pytest.mark.slow  # certifies


@pytest.fixture(scope="module")
def text(smoke: Any) -> str:
    return (smoke[0] / "benchmark.json").read_text()


@pytest.fixture
def document(text: str) -> dict[str, Any]:
    return json.loads(text)


@pytest.fixture(scope="module")
def fresh(text: str) -> Record:
    record = BenchmarkDocument.model_validate_json(text).samestep
    return certification(
        [work.task for work in record.plan.works], record.plan.lanes, kept=record.plan.effort.kept
    )


def recertified(document: dict[str, Any], fresh: Record, *, same_machine: bool = True) -> Findings:
    record = BenchmarkDocument.model_validate_json(json.dumps(document)).samestep
    findings = Findings()
    again = Recertification(findings, record, fresh, same_machine=same_machine)
    for lane in record.plan.lanes:
        again.check(lane)
    return findings


def certificate(document: dict[str, Any]) -> dict[str, Any]:
    return document["samestep"]["certified"][0]["certificate"]


def evidence(document: dict[str, Any]) -> dict[str, Any]:
    return certificate(document)["evidence"][-1]


def allowance(document: dict[str, Any]) -> None:
    evidence(document)["judgement"]["allowance"] *= 2


def largest(document: dict[str, Any]) -> None:
    evidence(document)["judgement"]["quantities"]["params"]["share"] /= 2


def probe(document: dict[str, Any]) -> None:
    evidence(document)["probe"] = 0.0


def start(document: dict[str, Any]) -> None:
    evidence(document)["start"] = "0" * 64


def status(document: dict[str, Any]) -> None:
    certificate(document)["status"] = "fail"


def order(document: dict[str, Any]) -> None:
    certificate(document)["order"] = "0" * 64


def tier(document: dict[str, Any]) -> None:
    document["samestep"]["arms"][0]["tier"] = "fused"


def end(document: dict[str, Any], by: float = 1e-12) -> None:
    evidence(document)["final"] = "0" * 64
    certificate(document)["final"]["0.bias"][0] += by


def test_a_record_is_what_its_lanes_do(document: dict[str, Any], fresh: Record) -> None:
    findings = recertified(document, fresh)
    assert (findings.wrong, findings.unchecked) == ([], [])
    lines = [
        f"certified again: {lane}: 1 with the same final parameters, bit for bit" for lane in fresh.plan.lanes
    ]
    assert findings.notes == lines


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (allowance, "float32: other allowance"),
        (largest, "float32: other quantities"),
        (probe, "float32: other probe"),
        (start, "another start"),
        (status, "status is pass, not fail"),
        (order, "order is"),
        (tier, "tier is 'fused'; its code says 'documented'"),
        (end, "other final parameters, on the same processor"),
    ],
)
def test_an_edit_is_found_by_certifying_again(
    edit: Callable[[dict[str, Any]], None], fault: str, document: dict[str, Any], fresh: Record
) -> None:
    edit(document)
    findings = recertified(document, fresh)
    assert any(fault in line for line in findings.wrong), findings.text()


def test_on_another_machine_ends_may_differ_by_the_allowance(document: dict[str, Any], fresh: Record) -> None:
    end(document)
    findings = recertified(document, fresh, same_machine=False)
    assert findings.wrong == []
    assert findings.notes[0].endswith("1 with final parameters within the allowance")
    end(document, by=0.5)
    (fault,) = recertified(document, fresh, same_machine=False).wrong
    assert "its end is 0.5 away" in fault


def test_a_name_in_a_record_opens_no_module(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger.py").write_text("raise SystemExit('opened')")
    monkeypatch.syspath_prepend(tmp_path)
    edited = text.replace('"numpy:tuned"', '"stranger:Lane"').replace('"numpy"', '"os:system"')
    findings = Findings()
    check_against_code(findings, BenchmarkDocument.model_validate_json(edited), MachineFacts())
    assert findings.unchecked == [
        "os:system against its code: no such lane is registered here",
        "stranger:Lane against its code: no such lane is registered here",
    ]
    assert findings.notes == []


def test_the_command_prints_a_line_for_each_lane(smoke: Any, here: InProcess) -> None:
    done = here("verify", str(smoke[0]), "--against-code")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("certified again: ")]
    assert [line.rpartition(": ")[0] for line in lines] == [
        "certified again: numpy",
        "certified again: numpy:tuned",
    ]
    assert all(line.endswith("bit for bit") for line in lines)
