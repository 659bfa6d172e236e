"""`verify` on a real small run: it agrees, and finds inconsistent edits of every part."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.commands.verify import table_rendering
from samestep.benchmarks.commands.verify import verify as command
from samestep.benchmarks.datasets import frames
from samestep.benchmarks.record.arrays import decode, encode
from samestep.benchmarks.record.files import open_document
from samestep.benchmarks.report.tables import record_document
from samestep.benchmarks.report.text_table import markdown
from samestep.benchmarks.verify import BenchmarkDocument, Findings, verify
from samestep.benchmarks.verify import remake as limits
from samestep.benchmarks.verify.rendered import same_table
from samestep.benchmarks.verify.steps import check_steps
from tests.helpers.page_records import EVEN, awkward
from tests.helpers.paths import REFERENCE
from tests.helpers.processes import InProcess, samestep, without_progress
from tests.helpers.records import record as made_up


@pytest.fixture
def document(smoke: Any) -> dict[str, Any]:
    return json.loads((smoke[0] / "benchmark.json").read_text())


def parse(document: dict[str, Any]) -> BenchmarkDocument:
    return BenchmarkDocument.model_validate_json(json.dumps(document))


def findings(document: dict[str, Any], table: str | None = None) -> Any:
    parsed = parse(document)
    return verify(parsed, table=None if table is None else table_rendering(parsed.samestep, table))


def test_a_run_is_verified(smoke: Any, document: dict[str, Any]) -> None:
    found = findings(document, (smoke[0] / "table.md").read_text())
    assert found.wrong == []
    assert found.unchecked == []
    assert found.counts["steps"] > 200
    assert found.counts["blocks"] == len(document["samestep"]["blocks"])
    assert found.counts["audits"] >= 3 * found.counts["blocks"]  # two lanes and the twin
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
    judged(document)["audit"]["reason"] = "it came to another end"


def other_verdict(document: dict[str, Any]) -> None:
    info = document["benchmarks"][1]["extra_info"]
    info["verdict"] = "FASTER" if info["verdict"] == "SLOWER" else "SLOWER"  # noise can make either


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


def nearer(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["curve"][0]["loss"] *= 0.99


def no_final(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["final"] = None


def shorter_curve(document: dict[str, Any]) -> None:
    del document["samestep"]["certified"][0]["curve"][1]


def without_certificates(document: dict[str, Any]) -> None:
    document["samestep"]["certified"] = []


def kept_twice(document: dict[str, Any]) -> None:
    piece(document)["judgement"]["kept"].append(piece(document)["judgement"]["kept"][-1])


def no_last_step(document: dict[str, Any]) -> None:
    piece(document)["judgement"].update(kept=piece(document)["judgement"]["kept"][:1], steps=1)


def float64_twice(document: dict[str, Any]) -> None:
    evidence = document["samestep"]["certified"][0]["certificate"]["evidence"]
    evidence.insert(0, evidence[0])


def misshapen_final(document: dict[str, Any]) -> None:
    document["samestep"]["certified"][0]["certificate"]["final"] = {"0.weight": [1.0, 2.0, 3.0]}


def a_benchmark_twice(document: dict[str, Any]) -> None:
    document["benchmarks"].append(document["benchmarks"][0])


def a_benchmark_of_nobody(document: dict[str, Any]) -> None:
    document["benchmarks"].append({"name": "stranger"})


def other_data(document: dict[str, Any]) -> None:
    document["samestep"]["plan"]["works"][0]["data"] = "0" * 64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (faster, "its samples are not the raw slices"),
        (other_end, "the verdict is INVALID"),
        (other_verdict, "ER was recorded"),
        (smaller_share, "of its bounds"),
        (other_step, "of its bounds"),
        (other_start, "another start"),
        (other_order, "another order"),
        (passed, "does not follow"),
        (garbage, "cannot be judged"),
        (without_certificates, "cannot be laid out"),
        (kept_twice, "are kept, not the"),
        (no_last_step, "not those after the last step"),
        (float64_twice, "one dtype twice"),
        (misshapen_final, "its certificate cannot be judged"),
        (a_benchmark_twice, "or there twice"),
        (a_benchmark_of_nobody, "stranger: not a lane of the record"),
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
        (no_final, "an accuracy without final parameters"),
        (nearer, "the learning curve is not that"),
        (shorter_curve, "the learning curve is not that"),
    ],
)
def test_an_inconsistent_edit_is_found(document: dict[str, Any], edit: Any, says: str) -> None:
    before = copy.deepcopy(document)
    edit(document)
    assert document != before
    found = findings(document)
    assert any(says in line for line in found.wrong), found.wrong


def test_another_table_beside_the_record_is_found(smoke: Any, document: dict[str, Any]) -> None:
    table = (smoke[0] / "table.md").read_text()
    assert findings(document, table.replace("FASTER", "SLOWER").replace("proven", "NOT PROVEN")).wrong
    assert findings(document, "").wrong == ["table.md is not the table of this record"]


TABLE_EDITS: list[tuple[Callable[[str], str], bool]] = [
    (lambda text: text, True),
    (lambda text: text.replace("| memory |", "| peak memory |"), True),  # a heading
    (lambda text: text.replace("It holds for this host", "This is true of this host"), True),  # a sentence
    (lambda text: text.replace(" at the 5% level", ""), True),  # a level that a sentence no longer names
    (lambda text: re.sub(r" us ±\d", " us ±9", text, count=1), False),
    (lambda text: text.replace(" us ", " ns ", 1), False),
    (
        lambda text: re.sub(
            r"\| (FASTER|SLOWER|UNSTABLE|equivalent|undecided) \|", "| INVALID |", text, count=1
        ),
        False,
    ),
    (lambda text: text.replace("| numpy:tuned |", "| numpy |", 1), False),
    (lambda text: text.replace("Baseline torch", "Baseline numpy"), False),
    (lambda text: re.sub(r"over \d+ blocks", "over 99 blocks", text), False),
    (lambda text: text.replace("### lesson: 1,000", "### lesson: 2,000"), False),
    (lambda text: re.sub(r"(\| numpy \|.*\n)", r"\1\1", text, count=1), False),
    (lambda text: text.replace("autodiff, fresh", "written out, new"), True),  # words of a cell
    (lambda text: text.replace("| proven |", "| certified |"), True),
    (lambda text: text.replace("| proven |", "| NOT PROVEN |", 1), False),
    (lambda text: text.replace("| proven |", "| unproven |", 1), False),
    (lambda text: text.replace("| proven |", "| failed |", 1), False),
    (lambda text: text.replace("| proven |", "|  |", 1), False),
    (lambda text: text.replace("| documented |", "| tuned |", 1), False),
    (lambda text: text.replace("| numpy |", "| torch |", 1), False),
    (lambda text: re.sub(r"(\d)(%|x) \|", r"\g<1>1\2 |", text, count=1), False),
]


def test_a_table_agrees_by_its_figures_and_not_by_its_sentences() -> None:
    analysis = RecordAnalysis(awkward())
    table = markdown(record_document(analysis))
    for number, (edit, same) in enumerate(TABLE_EDITS):
        assert number == 0 or edit(table) != table, number
        assert same_table(edit(table), table, analysis.lanes) is same, number


def test_a_mark_of_a_table_is_one_of_its_figures() -> None:
    analysis = RecordAnalysis(made_up({"numpy": [0.5 * each for each in EVEN], "jax": EVEN}))
    table = markdown(record_document(analysis))
    assert same_table(table, table, analysis.lanes)
    assert table.count(" ◆ |") == 1
    for sign in ("", " ◇"):
        assert not same_table(table.replace(" ◆ |", f"{sign} |"), table, analysis.lanes)


CELLS = "| numpy | {parity} | {steps} | {verdict} | {ratio} |\n"
WRITTEN = {"parity": "NOT PROVEN", "steps": "never", "verdict": "undecided", "ratio": r"1.02 \[0.99, 1.05\]"}


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        ({"parity": "not certified"}, True),
        ({"parity": "proven"}, False),
        ({"parity": "not run"}, False),
        ({"parity": "diverged"}, False),
        ({"steps": "never, at any length"}, True),
        ({"steps": "from the first step"}, False),
        ({"verdict": "equivalent"}, False),
        ({"verdict": "FASTER"}, False),
        ({"verdict": ""}, False),
        ({"ratio": "1.02 (0.99 to 1.05)"}, True),
        ({"ratio": r"1.02 \[1.05, 0.99\]"}, False),
        ({"ratio": r"0.99 \[0.97, 1.05\]"}, False),
        ({"ratio": "1.02 | 3"}, False),
    ],
)
def test_a_cell_agrees_by_its_figures_in_their_order(edit: dict[str, str], same: bool) -> None:
    head = "| lane | parity | steps | verdict | ratio |\n| --- | --- | --- | --- | --- |\n"
    fresh, edited = (head + CELLS.format(**values) for values in (WRITTEN, WRITTEN | edit))
    assert same_table(edited, fresh, ["numpy", "torch"]) is same


@pytest.mark.parametrize("consistent", [False, True])
def test_what_no_check_can_notice(document: dict[str, Any], consistent: bool) -> None:
    """What docs/record.md says verify cannot see: a twin's slice alone, or raw slices and all that follows."""
    slices = [each for block in document["samestep"]["blocks"] for each in block["slices"]]
    if not consistent:
        next(each for each in slices if each["twin"])["elapsed_ns"] += 1
    for each in slices if consistent else []:
        each["elapsed_ns"] *= 2
        for name in ("cpu_ns", "span_ns", "steal_ns", "outside_ns", "outside_cpu_ns"):
            each[name] *= 2
    for entry in document["benchmarks"] if consistent else []:
        stats = entry["stats"]
        stats["data"] = [2 * value for value in stats["data"]]
        for name in ("min", "max", "mean", "median", "stddev", "total"):
            stats[name] *= 2
        stats["ops"] /= 2
    assert findings(document).wrong == []


def of_file(document: dict[str, Any], path: str) -> BenchmarkDocument:
    """The document with the first task's data from a file."""
    document["samestep"]["plan"]["works"][0]["task"]["dataset"] = {
        "kind": "file",
        "path": path,
        "target": "y",
    }
    return parse(document)


def test_a_file_is_read_below_this_folder_or_where_it_is_named(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    rows = "x,y\n" + "".join(f"{i},{i * i}\n" for i in range(20))
    for place in ("own.csv", "../outside.csv"):
        Path(place).write_text(rows)
    Path("link.csv").symlink_to("../outside.csv")
    read = "the data are not those that were recorded"  # of the lesson: so the file was read
    assert any(read in line for line in verify(of_file(document, "own.csv")).wrong)
    for path in ("../outside.csv", str(tmp_path / "outside.csv"), "link.csv", "/dev/zero", "\0.csv"):
        found = verify(of_file(document, path))
        assert "not below this folder; name the file with --data" in found.unchecked[0]
        assert not any(read in line for line in found.wrong)
    assert any(read in line for line in verify(of_file(document, "gone.csv"), data="../outside.csv").wrong)


def test_a_parquet_file_of_few_bytes_and_many_values_is_not_unpacked(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(limits, "MOST_VALUES", 9_999)
    frames.write({"x": np.ones(5_000), "y": np.ones(5_000)}, Path("many.parquet"), "y")
    (said, *_) = verify(of_file(document, "many.parquet")).unchecked
    assert "it has 10,000 values; no more than 9,999 are worked out again" in said
    Path("broken.parquet").write_bytes(b"PAR1")
    assert "cannot be read" in verify(of_file(document, "broken.parquet")).unchecked[0]


def test_a_pipe_is_not_waited_for(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    assert "pipe.csv is not a file" in verify(of_file(document, "pipe.csv")).unchecked[0]


def test_a_table_that_is_no_text_is_another_table(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "benchmark.json").write_text(json.dumps(document))
    table = tmp_path / "table.md"
    table.write_bytes(b"\xff\x00")
    assert command(tmp_path) == 1
    table.unlink()
    table.mkdir()
    assert command(tmp_path) == 1
    assert capsys.readouterr().out.count("table.md is not the table") == 2


def test_a_page_beside_the_record_is_not_read(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "benchmark.json").write_text(json.dumps(document))
    (tmp_path / "report.html").write_text("<p>fastest of all</p>")
    assert command(tmp_path) == 0
    line = "not checked: report.html; make your own: samestep report"
    assert line in capsys.readouterr().out


@pytest.mark.slow
def test_the_reference_is_verified() -> None:
    """Every kept step of the committed result's small tasks, on whatever machine this is."""
    document = open_document(REFERENCE, BenchmarkDocument)
    small = [work for work in document.samestep.plan.works if work.rows * work.features < 100_000]  # seconds
    found = Findings()
    for work in small:
        check_steps(found, document.samestep, work, None)
    assert found.wrong == []
    assert all(line.startswith("the float64 steps of keras:torch on ") for line in found.unchecked)
    assert found.counts["steps"] > 100 * len(small) > 0


@pytest.mark.slow
def test_the_command(smoke: Any, tmp_path: Path, document: dict[str, Any], here: InProcess) -> None:
    done = samestep("verify", str(smoke[0]), cwd=tmp_path)
    assert done.returncode == 0
    assert not without_progress(done.stderr)
    other_verdict(document)
    (tmp_path / "edited.json").write_text(json.dumps(document))
    done = here("verify", "edited.json")
    assert done.returncode == 1
    assert "DISAGREES" in done.stdout
    done = here("verify", "edited.json", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verified"]) == (1, False)
    assert found["disagrees"]
    done = here("verify", "absent")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
