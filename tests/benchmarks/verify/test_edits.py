"""Edits of a real record, one in each row: `verify` finds each, or the record is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record.files import open_document
from samestep.benchmarks.verify import BenchmarkDocument, Findings, verify

pytestmark = pytest.mark.slow  # for the run that they edit
Json = dict[str, Any]
Edit = Callable[[Json], object]


@pytest.fixture(scope="module")
def untouched(smoke: Any) -> Json:
    return json.loads((smoke[0] / "benchmark.json").read_text())


@pytest.fixture
def document(untouched: Json) -> Json:
    return copy.deepcopy(untouched)


def find(document: Json, tmp_path: Path) -> Findings:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(document))
    return verify(open_document(path, BenchmarkDocument))


def record(document: Json) -> Json:
    return document["samestep"]


def plan(document: Json) -> Json:
    return document["samestep"]["plan"]


def work(document: Json) -> Json:
    return document["samestep"]["plan"]["works"][0]


def environment(document: Json) -> Json:
    return document["samestep"]["plan"]["environment"]


def certified(document: Json) -> Json:
    return document["samestep"]["certified"][0]


def put(part: Callable[[Json], Json], **values: Any) -> Edit:
    """Other values of some fields of a part."""
    return lambda document: part(document).update(values)


def drop(part: Callable[[Json], Json], field: str, index: int = 0) -> Edit:
    """One piece fewer in a list of a part."""
    return lambda document: part(document)[field].pop(index)


def arm(document: Json) -> Json:
    return record(document)["arms"][0]


def timed(document: Json) -> Json:
    return record(document)["blocks"][0]["slices"][0]


def facts(document: Json) -> Json:
    return work(document)["facts"]


def effort(document: Json) -> Json:
    return plan(document)["effort"]


def calibration(document: Json) -> Json:
    return record(document)["calibrations"][0]


def resumption(when: str, blocks: int) -> Edit:
    piece = {"when": when, "cold_results": 0, "blocks": blocks}
    return lambda document: record(document)["resumptions"].append(piece)


def missing_lane(document: Json) -> None:
    plan(document)["missing"]["numpy"] = "cannot be imported"


def judged(document: Json) -> Json:
    return certified(document)["certificate"]["evidence"][-1]["judgement"]


def no_float64(document: Json) -> None:
    """The evidence of a lane on a device without float64."""
    first = certified(document)["certificate"]["evidence"][0]
    bare = {name: first["judgement"][name] for name in ("dtype", "reference")}
    reason = "put raised TypeError: there is no float64 here"
    first.update(judgement={**bare, "status": "not run", "reason": reason}, final=None, untraced=[])
    for check in ("output", "probe"):
        first[check] = None
    both = [evidence["judgement"] for evidence in certified(document)["certificate"]["evidence"]]
    sentence = "; ".join(f"{one['dtype']}: {one['reason']}" for one in both)
    certified(document)["certificate"].update(reason=sentence)


def largest(document: Json) -> Json:
    return judged(document)["quantities"]["params"]


def statistic(name: str) -> Edit:
    """Another statistic of pytest-benchmark's."""
    return lambda document: document["benchmarks"][0]["stats"].update({name: 3})


FOUND: dict[str, tuple[Edit, str]] = {
    # what is made anew from data and code
    "rows": (put(work, rows=2000), "rows is 2000; made anew it is 1000"),
    "features": (put(work, features=3), "features is 3; made anew it is 2"),
    "steps": (put(work, steps=200), "steps is 200; made anew it is 100"),
    "samples": (put(work, samples=2000), "samples is 2000; made anew it is 1000"),
    "bytes": (put(work, bytes_per_step=1), "bytes_per_step is 1; made anew it is 144"),
    "operations": (put(work, flops_per_step=1), "flops_per_step is 1; made anew it is 80"),
    "start": (put(work, start="0" * 16), "start is 0000000000000000; made anew"),
    "columns": (put(facts, columns=["a", "b"]), "columns of the data is ('a', 'b')"),
    "target": (put(facts, target="z"), "target of the data is z"),
    "transform": (lambda d: facts(d)["transform"].update(target_scale=2.0), "transform of the data is"),
    "dropped": (put(facts, dropped=["x9"]), "dropped of the data is ('x9',)"),
    "skipped rows": (put(facts, skipped_rows=9), "skipped_rows of the data is 9"),
    "rank": (put(facts, rank=1), "rank of the data is 1; made anew it is 2"),
    "source of the data": (
        put(facts, source="measured in the field"),
        "the source of the data is 'synthetic",
    ),
    "no facts": (put(work, facts=None), "nothing says where the data come from"),
    "working set": (
        lambda d: record(d)["ceilings"][0].update(working_set=1),
        "the limits are those of 1 bytes",
    ),
    # what the code declares
    "tier": (put(arm, tier="fused"), "tier is 'fused'; it declares 'documented'"),
    "gradient": (put(arm, gradient="autodiff"), "gradient is 'autodiff'; it declares 'by hand'"),
    "buffers": (put(arm, buffers="reused"), "buffers is 'reused'; it declares 'fresh'"),
    "compiled": (put(arm, compiled="epoch"), "compiled is 'epoch'; it declares 'no'"),
    "products": (put(arm, products="tf32"), "products is 'tf32'; it declares 'full'"),
    "framework": (put(arm, framework="torch"), "framework is 'torch'; it declares 'numpy'"),
    "rounds of the effort": (
        put(effort, rounds=[1, 2]),
        "the effort 'smoke' is rounds=(1, 2) and not (1, 1)",
    ),
    "blocks of the effort": (put(effort, blocks=1), "the effort 'smoke' is blocks=1 and not 2"),
    "settings": (lambda d: plan(d)["settings"].update(OMP_NUM_THREADS="2"), "the settings of the workers"),
    "threads": (put(plan, threads="all"), "the settings of the workers"),
    # what is said in two places
    "device of a lane": (put(arm, device="cuda"), "ran on cuda, not on cpu"),
    "versions of a lane": (
        put(arm, versions={"numpy": "9.9"}),
        "other versions than the environment's: numpy 9.9",
    ),
    "versions of a certificate": (
        lambda d: certified(d)["certificate"].update(versions={"numpy": "9.9"}),
        "versions of its certificate are not those of its lane",
    ),
    "device of a certificate": (
        lambda d: certified(d)["certificate"].update(device="cuda"),
        "device of its certificate",
    ),
    "packages": (lambda d: environment(d)["packages"].update(numpy="9.9"), "than the environment's: numpy"),
    "plugin": (put(lambda d: d, version="9.9"), "beside it"),
    "system": (put(environment, system="Plan 9"), "the environment's system is Plan 9"),
    "machine": (put(environment, machine="sparc"), "the environment's machine is sparc"),
    "processor": (put(environment, cpu="Cray-1"), "the environment's cpu is Cray-1"),
    "logical CPUs": (put(environment, logical_cpus=512), "the environment's logical_cpus is 512"),
    "Python": (put(environment, python="PyPy 1.0"), "the environment's python is PyPy 1.0"),
    "machine beside it": (
        lambda d: d["machine_info"].update(system="Plan 9", release="4"),
        "beside the record it is Plan 9 4",
    ),
    "a lane that is missing": (missing_lane, "numpy: missing, and yet in the plan"),
    "group of an entry": (lambda d: d["benchmarks"][0].update(group="wide"), "its group or its parameters"),
    "parameters of an entry": (
        lambda d: d["benchmarks"][0]["params"].update(lane="jax"),
        "its group or its parameters",
    ),
    **{
        f"{name} of an entry": (statistic(name), "its samples are not the raw slices")
        for name in ("min", "max", "mean", "median", "stddev", "rounds", "total", "ops", "iterations")
    },
    # dates
    "begun later": (put(plan, created="2100-01-01T00:00:00+00:00"), "are not in this order"),
    "written earlier": (put(lambda d: d, datetime="2000-01-01T00:00:00+00:00"), "are not in this order"),
    "commit of the future": (
        lambda d: d["commit_info"].update(time="2100-01-01T00:00:00+00:00"),
        "the commit is later than the file",
    ),
    "more time than there was": (put(timed, elapsed_ns=10**15), "were timed in the"),
    "resumed before it began": (resumption("2000-01-01T00:00:00+00:00", 0), "are not in this order"),
    "a block that was removed": (
        resumption("2100-01-01T00:00:00+00:00", 9),
        "found 9 blocks, and there are 2",
    ),
    # what a certificate says twice
    "gradients that are said to be hidden": (
        put(judged, unrecorded=["gradients"]),
        "it says that it shows loss, params, and its steps show something else",
    ),
    "gradients hidden in one dtype": (
        put(judged, unrecorded=["gradients"]),
        "it passed, and one dtype shows what the other does not",
    ),
    "losses that are said to be hidden": (
        put(judged, unrecorded=["loss"]),
        "it passed, and does not show loss",
    ),
    "gradients taken out of the largest ratios": (
        lambda d: judged(d)["quantities"].pop("gradients"),
        "its steps show something else",
    ),
    "slack": (lambda d: largest(d).update(slack=99.0), "the slack of params is not the inverse"),
    "step of the largest": (lambda d: largest(d).update(step=301), "is of step 301, and there are 300"),
    "reason": (
        lambda d: certified(d)["certificate"].update(reason="nobody has ever doubted it"),
        "the reason of its certificate does not follow",
    ),
    "a dtype that failed": (
        lambda d: certified(d)["certificate"]["evidence"][0]["judgement"].update(status="fail"),
        "it passed, and one dtype did not",
    ),
    # what is missing
    "a lane's description": (drop(record, "arms"), "its description is missing"),
    "a certificate": (drop(record, "certified"), "numpy on lesson: certificate missing"),
    "a cold call": (drop(record, "colds"), "1 cold call missing"),
    "rates": (drop(record, "ceilings"), "the limits of lesson are missing"),
    "a cheapest call": (drop(record, "dispatches"), "the limits of numpy are missing"),
    "a calibration": (drop(record, "calibrations"), "calibrated to None"),
    "runs of a calibration": (put(calibration, repeats=999), "calibrated to 999"),
    "a learning curve": (put(certified, curve=[]), "learning curve missing"),
    "an accuracy": (put(certified, accuracy=None), "accuracy missing"),
    "all kept steps": (
        lambda d: certified(d)["certificate"]["evidence"][-1]["judgement"].update(kept=[]),
        "0 steps are kept, not the",
    ),
    "a second cold call": (
        lambda d: record(d)["colds"].append({**record(d)["colds"][0], "repeat": 1}),
        "1 cold call missing",
    ),
    "phases": (
        lambda d: record(d)["ledgers"].append(
            {"task": "lesson", "lane": "numpy", "run_s": 1.0, "transfer_s": 1.0, "phases": {}, "reason": "no"}
        ),
        "phases that the plan does not ask for",
    ),
    "a failure": (
        lambda d: record(d)["blocks"][0]["failures"].append(
            {"task": "lesson", "lane": "numpy", "phase": "slice", "reason": "it hung", "block": 0}
        ),
        "the failures are not those of the blocks",
    ),
    "an accuracy's reason": (
        lambda d: certified(d)["accuracy"].update(no_excess="nobody knows"),
        "the reason for no excess is None",
    ),
    "an accuracy's figure": (
        lambda d: certified(d)["accuracy"].update(r_squared=None),
        "the accuracy is not that",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_an_edit_is_found(name: str, document: Json, untouched: Json, tmp_path: Path) -> None:
    edit, fault = FOUND[name]
    edit(document)
    assert document != untouched
    findings = find(document, tmp_path)
    assert any(fault in line for line in findings.wrong), findings.text()


REFUSED: dict[str, tuple[Edit, str]] = {
    "yesterday": (put(plan, created="yesterday"), "created"),
    "written yesterday": (put(lambda d: d, datetime="yesterday"), "datetime"),
    "cores": (put(environment, cores=-3), "cores"),
    "CPUs": (put(environment, allowed_cpus=0), "allowed_cpus"),
    "memory": (put(environment, memory=0), "memory"),
    "boot": (put(environment, boot="this morning"), "boot"),
    "seed": (put(plan, seed=-1), "seed"),
    "time": (put(timed, elapsed_ns=2**62), "elapsed_ns"),
    "CPU time": (put(timed, cpu_ns=-1), "cpu_ns"),
    "fetch": (put(timed, fetch_ns=-1), "fetch_ns"),
    "place": (put(timed, position=-1), "position"),
    "switches": (put(timed, switches=[-1, 0]), "switches"),
    "first call": (lambda d: record(d)["colds"][0].update(first_call_s=-1.0), "first_call_s"),
    "import": (lambda d: record(d)["colds"][0].update(import_s=1e9), "import_s"),
    "peak memory": (lambda d: record(d)["colds"][0].update(peak_memory=0), "peak_memory"),
    "calibrated run": (put(calibration, run_ns=0), "run_ns"),
    "operations": (put(work, flops_per_step=-80), "flops_per_step"),
    "a calibration twice": (
        lambda d: record(d)["calibrations"].append(calibration(d)),
        "the calibration of numpy",
    ),
    "a cold call twice": (
        lambda d: record(d)["colds"].append(record(d)["colds"][0]),
        "cold call 0 of numpy",
    ),
    "rates twice": (
        lambda d: record(d)["ceilings"].append(record(d)["ceilings"][0]),
        "the limits of lesson",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_edit_that_cannot_be_is_refused(name: str, document: Json, tmp_path: Path) -> None:
    edit, fault = REFUSED[name]
    edit(document)
    with pytest.raises(InputError, match=fault):
        find(document, tmp_path)


NOT_CHECKED: dict[str, tuple[Edit, str]] = {
    "machine": (lambda d: d.pop("machine_info"), "the machine: there are no facts of it"),
    "date": (lambda d: d.pop("datetime"), "when the file was written"),
    "plugin": (lambda d: d.pop("version"), "the version of pytest-benchmark"),
    "a dtype that was not run": (no_float64, "the float64 steps of numpy on lesson: put raised TypeError"),
    "code": (
        lambda d: (put(arm, tier="fused")(d), put(environment, source="0" * 16)(d)),
        "tier is 'fused'; it declares 'documented'; made by another version of the code",
    ),
}


@pytest.mark.parametrize("name", NOT_CHECKED)
def test_what_is_gone_or_of_another_code_is_not_checked_and_said(
    name: str, document: Json, tmp_path: Path
) -> None:
    edit, line = NOT_CHECKED[name]
    edit(document)
    findings = find(document, tmp_path)
    assert findings.wrong == []
    assert any(line in each for each in findings.unchecked), findings.text()
