"""`verify` on a real small run: it agrees, and finds inconsistent edits of every part."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import samestep

from benchmarks.parity.kept import decode, encode
from benchmarks.record import Record
from benchmarks.verify import verify


@pytest.fixture
def document(smoke: Any) -> dict[str, Any]:
    return json.loads((smoke[0] / "benchmark.json").read_text())


def findings(document: dict[str, Any], table: str | None = None) -> Any:
    record = Record.model_validate_json(json.dumps(document["samestep"]))
    return verify(record, document, table)


def test_a_run_is_verified(smoke: Any, document: dict[str, Any]) -> None:
    found = findings(document, (smoke[0] / "table.md").read_text())
    assert found.wrong == []
    assert found.unchecked == []
    assert found.counts["steps"] > 200
    assert found.counts["slices"] == sum(len(b["slices"]) for b in document["samestep"]["blocks"])
    assert found.text().endswith("\nverified")


def piece(document: dict[str, Any]) -> dict[str, Any]:
    return document["samestep"]["certified"][0]["certificate"]["evidence"][-1]


def judged(document: dict[str, Any]) -> dict[str, Any]:
    """The first slice that counts: neither a twin's nor a control."""
    slices = document["samestep"]["blocks"][0]["slices"]
    return next(each for each in slices if each["kind"] == "race" and not each["twin"])


def faster(document: dict[str, Any]) -> None:
    judged(document)["elapsed_ns"] //= 2


def other_end(document: dict[str, Any]) -> None:
    judged(document).update(final="0" * 16, apart=1.0)


def other_verdict(document: dict[str, Any]) -> None:
    document["benchmarks"][1]["extra_info"]["verdict"] = "SLOWER"


def smaller_share(document: dict[str, Any]) -> None:
    piece(document)["judgement"]["sample"][4]["shares"]["params"] /= 2


def other_step(document: dict[str, Any]) -> None:
    arrays = piece(document)["judgement"]["kept"][5]["arrays"]
    arrays["0.bias"] = encode(decode(arrays["0.bias"], "float32", (1,)) * 2)


def other_start(document: dict[str, Any]) -> None:
    piece(document)["start"] = "0" * 64


def other_order(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["order"] = "0" * 64


def passed(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["evidence"][-1]["judgement"]["status"] = "fail"


def garbage(document: dict[str, Any]) -> None:
    piece(document)["judgement"]["kept"][0]["arrays"]["0.bias"] = "????"


def fewer_steps(document: dict[str, Any]) -> None:
    del piece(document)["judgement"]["kept"][4]


def infinite(document: dict[str, Any]) -> None:
    arrays = piece(document)["judgement"]["kept"][-1]["arrays"]
    arrays["before/0.bias"] = encode(decode(arrays["before/0.bias"], "float32", (1,)) + np.float32(np.nan))


def no_float64(document: dict[str, Any]) -> None:
    del document["samestep"]["certified"][0]["certificate"]["evidence"][0]


def no_evidence(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["evidence"] = []


def another_lane(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["lane"] = "jax"


def other_final(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["final"]["0.bias"][0] += 1


def unequal(document: dict[str, Any]) -> None:
    piece(document)["untraced"][0]["equal"] = False


def other_mean(document: dict[str, Any]) -> None:
    document["benchmarks"][0]["stats"]["mean"] *= 0.5


def no_samples(document: dict[str, Any]) -> None:
    del document["benchmarks"][0]["stats"]["data"]


def no_benchmark(document: dict[str, Any]) -> None:
    del document["benchmarks"][0]


def better(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["accuracy"]["r_squared"] += 1e-5


def other_data(document: dict[str, Any]) -> None:
    document["samestep"]["plan"]["works"][0]["data"] = "0" * 64


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (faster, "its samples are not the raw slices"),
        (other_end, "the verdict is INVALID"),
        (other_verdict, "SLOWER was recorded"),
        (smaller_share, "of its bounds"),
        (other_step, "of its bounds"),
        (other_start, "another start"),
        (other_order, "another order"),
        (passed, "does not follow"),
        (garbage, "cannot be judged"),
        (other_data, "the data are not those"),
        (fewer_steps, "are kept, not the"),
        (infinite, "cannot be judged"),
        (no_float64, "on the evidence of float32"),
        (no_evidence, "on the evidence of nothing"),
        (another_lane, "the certificate is jax's"),
        (other_final, "are not the certified ones"),
        (unequal, "is not that of the kept step"),
        (other_mean, "its samples are not the raw slices"),
        (no_samples, "its samples are not the raw slices"),
        (no_benchmark, "has a time and no benchmark"),
        (better, "the accuracy is not that"),
    ],
)
def test_an_inconsistent_edit_is_found(document: dict[str, Any], edit: Any, says: str) -> None:
    before = copy.deepcopy(document)
    edit(document)
    assert document != before
    found = findings(document)
    assert any(says in line for line in found.wrong), found.wrong


def test_the_command(smoke: Any, tmp_path: Path, document: dict[str, Any]) -> None:
    done = samestep("verify", str(smoke[0]), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    other_verdict(document)
    (tmp_path / "edited.json").write_text(json.dumps(document))
    done = samestep("verify", "edited.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "DISAGREES" in done.stdout
    done = samestep("verify", "absent", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
