"""pytest-benchmark's own options do to our benchmarks what its users expect; each in a real pytest.

A race is measured once for all of them: see tests/helpers/raced.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.pytest_plugin.adapter import document
from samestep.benchmarks.record.files import load
from tests.helpers.outside_lanes import BROKEN, install, python_path
from tests.helpers.paths import DATA, ROOT
from tests.helpers.processes import ONLY, InProcess, run_pytest
from tests.helpers.raced import PLUGIN, Raced

pytestmark = pytest.mark.slow

BENCH = "samestep.benchmarks.bench_training"
LANE = "lesson-numpy:tuned"


def slices(path: Path) -> int:
    return sum(len(block.slices) for block in load(path).blocks)


def test_the_users_own_json_is_the_record(raced: Raced) -> None:
    document = json.loads(raced.json.read_text())
    assert all(each["stats"]["data"] for each in document["benchmarks"])
    assert slices(raced.json)


def test_the_runs_folder_is_whole_beside_it(raced: Raced, here: InProcess) -> None:
    """What is named below the table can be read by every command."""
    (path,) = re.findall(r"^record: (\S+)$", raced.done.stdout, re.MULTILINE)
    assert Path(path) == raced.out / "benchmark.json"
    assert sorted(file.name for file in raced.out.iterdir()) == ["benchmark.json", "table.md"]
    assert load(path) == load(raced.json)
    for named in (raced.out, raced.json):
        assert here("verify", str(named)).returncode == 0


def test_pytest_benchmark_would_write_every_entry_as_the_command_does(raced: Raced) -> None:
    """Then any two files can be compared, whoever wrote them."""
    theirs, ours = (
        json.loads(raced.json.read_text()),
        json.loads(json.dumps(document(RecordAnalysis(load(raced.json))))),
    )
    assert list(ours) == list(theirs)
    differ = {key for key, value in ours.items() if value != theirs[key]}
    assert differ <= {"datetime"}


@pytest.mark.parametrize("is_former", [False, True])
def test_a_run_is_compared_with_the_files_of_any_run(raced: Raced, is_former: bool, tmp_path: Path) -> None:
    """A sweep's among them, and one of a version that wrote fewer keys."""
    whole, swept = document(RecordAnalysis(load(DATA / "sweep-1.json"))), tmp_path / "sweep.json"
    fewer = ("benchmarks", "samestep") if is_former else tuple(whole)
    swept.write_text(json.dumps({key: whole[key] for key in fewer}))
    compared = ("--benchmark-compare", str(raced.saved)), ("--benchmark-compare", str(swept))
    for number, words in enumerate(compared):
        done = raced.again(tmp_path / str(number), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Comparing against benchmarks from: {words[1]}" in done.stderr
        assert "INTERNALERROR" not in done.stdout + done.stderr
        assert ("0001_" in done.stdout) == (number == 0)  # a sweep measures other tasks


def test_a_saved_run_has_the_raw_samples_that_pytest_benchmark_leaves_out(raced: Raced) -> None:
    document = json.loads(raced.saved.read_text())
    assert len(document["benchmarks"]) == 2
    assert not any("data" in each["stats"] for each in document["benchmarks"])
    assert slices(raced.saved) == slices(raced.json) > 0


def test_what_is_saved_names_neither_a_host_nor_a_momentary_clock(raced: Raced) -> None:
    """Else every comparison on a machine whose clock changes would warn of another machine."""
    info: dict[str, Any] = json.loads(raced.saved.read_text())["machine_info"]
    assert "node" not in info
    assert info["cpu"]["count"]
    assert not [name for name in info["cpu"] if name.startswith("hz")]


def test_charts_are_drawn(raced: Raced) -> None:
    charts = list(raced.chart.parent.glob("speed-*.svg"))
    assert len(charts) == 2  # a group is a lane here
    for path in charts:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_columns_and_groups_are_the_users(raced: Raced) -> None:
    shown = raced.done.stdout
    assert shown.index("benchmark 'lane=numpy': 1 tests") < shown.index(
        "benchmark 'lane=numpy:tuned': 1 tests"
    )
    headers = [line for line in shown.splitlines() if line.startswith("Name (time in")]
    assert [header.split()[-2:] for header in headers] == [["Min", "Rounds"]] * 2


def test_a_run_that_is_no_slower_passes_from_another_project_too(raced: Raced, tmp_path: Path) -> None:
    """The plugin by its name and the module by --pyargs, in a project that does not know us."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    words = (
        *PLUGIN,
        "--pyargs",
        BENCH,
        "-k",
        "tuned",
    )
    storage = raced.slowed(tmp_path / "slow", 2.0)
    fails = ("--benchmark-compare-fail=min:5%", "--benchmark-compare-fail=mean:0.001")
    compare = ("--benchmark-compare", *fails, f"--benchmark-storage={storage}")
    done = raced.again(tmp_path / "run", *words, *compare, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ratio(done.stdout, "NOW") == "(1.0)"
    assert ratio(done.stdout, "0001_") == "(2.00)"
    assert "SPEED" in done.stdout


def test_a_regression_fails_and_loses_nothing(raced: Raced, tmp_path: Path) -> None:
    storage = raced.slowed(tmp_path / "fast", 0.5)
    compare = ("--benchmark-compare", "--benchmark-compare-fail=mean:5%", f"--benchmark-storage={storage}")
    done = raced.again(tmp_path / "run", "-k", "tuned", *compare)
    said = done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert ratio(done.stdout, "NOW") == "(2.00)"
    assert f"test_training[{LANE}] (0001_" in done.stderr
    assert "Field 'mean' has failed PercentageRegressionCheck: 100.0" in done.stderr
    assert "SPEED" in done.stdout  # our table is shown all the same
    assert "Traceback" not in said
    assert slices(tmp_path / "run" / "benchmark.json") == slices(raced.json)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["benchmark.json", "table.md"]


def ratio(shown: str, source: str) -> str:
    """The ratio beside the minimum, of the lane's row from a source."""
    (row,) = [line for line in shown.splitlines() if line.startswith(f"test_training[{LANE}] ({source}")]
    return row.partition(")")[2].split()[1]


def test_nothing_to_compare_with_is_a_warning(raced: Raced, tmp_path: Path) -> None:
    done = raced.again(tmp_path / "run", "--benchmark-compare", f"--benchmark-storage={tmp_path / 'none'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "Can't compare. No benchmark files" in done.stderr


def test_quiet_shows_no_table_and_still_keeps_the_run(raced: Raced, tmp_path: Path) -> None:
    done = raced.again(tmp_path / "run", "--benchmark-quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SPEED" not in done.stdout
    assert "Name (time in" not in done.stdout
    assert slices(tmp_path / "run" / "benchmark.json") == slices(raced.json)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*ONLY, "--benchmark-compare-fail=min:5%"), "--benchmark-compare-fail needs --benchmark-compare"),
        (
            (*ONLY, "--benchmark-json=nowhere/mine.json"),
            "nowhere/mine.json: there is no folder nowhere; make it first",
        ),
        (
            (*ONLY, "--benchmark-cprofile=tottime"),
            "--benchmark-cprofile: lanes run in processes of their own",
        ),
        (("--task=nothing", "--pyargs", BENCH), "unknown task 'nothing'"),
        ((ONLY[1], "-p", "no:benchmark"), "bench_training.py needs pytest-benchmark"),
    ],
)
def test_what_cannot_end_well_ends_before_the_race(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run_pytest(*words, out=tmp_path / "run")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    assert said in error
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_without_pytest_benchmark_other_tests_run_as_ever(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_other(): pass\n")
    done = run_pytest(*PLUGIN, "-p", "no:benchmark", out=tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_skipped_benchmarks_measure_nothing(tmp_path: Path) -> None:
    done = run_pytest("benchmarks/bench_training.py", "--benchmark-skip", out=tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 skipped" in done.stdout
    assert not (tmp_path / "run").exists()


def test_a_lane_that_fails_stops_at_x_and_leaves_the_others_measured(tmp_path: Path) -> None:
    """A lane from outside that is wrong stands between two that are right."""
    install(tmp_path, "numpy:broken", "Broken", BROKEN)
    env = os.environ | {"PYTHONPATH": python_path(tmp_path, ROOT)}
    lanes = ("--lane=numpy", "--lane=numpy:broken", "--lane=numpy:tuned", "--baseline=numpy")
    race = ("--effort=smoke", "--task=lesson", *lanes)
    words = (*ONLY, "-x", "-p", "tests.helpers.no_limits")
    done = run_pytest(*words, race=race, out=tmp_path / "run", env=env)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "INVALID" in done.stdout
    document = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    measured = [entry["params"]["lane"] for entry in document["benchmarks"]]
    assert measured == ["numpy", "numpy:tuned"]  # the second was measured, though its test was not reached
    found = load(tmp_path / "run")
    assert {piece.lane for block in found.blocks for piece in block.slices} == {"numpy", "numpy:tuned"}
    certificate = found.certificate("lesson", "numpy:broken")
    assert certificate is not None
    assert certificate.certificate.status == "fail"
