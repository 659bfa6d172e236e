"""The command line as a user meets it: real processes, exit codes, one line for an error."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from samestep import backends
from samestep.backends.spec import Packaged
from samestep.benchmarks import cli, pytest_plugin, tasks
from samestep.benchmarks.commands import list as listing
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.request import by_tier
from samestep.benchmarks.record import SCHEMA_VERSION
from samestep.benchmarks.record.files import load
from tests.helpers.outside_lanes import BROKEN, install, python_path
from tests.helpers.paths import ROOT
from tests.helpers.processes import ONE_LANE, InProcess, interrupted, samestep

Smoke = tuple[Path, CompletedProcess[str]]


GROUP: Any = typer.main.get_command(cli.app)
COMMANDS = GROUP.commands


def test_compare_prints_tables_and_keeps_stdout_clean(smoke: Smoke) -> None:
    folder, done = smoke
    assert done.stdout.startswith("lesson: 1,000 x 2, batch 10")
    assert all(
        word in done.stdout for word in ("SPEED", "COST", "ACCURACY", "numpy:tuned", "baseline", "proven")
    )
    assert max(len(line) for line in done.stdout.splitlines() if str(folder) not in line) <= 100
    assert "certify" in done.stderr  # progress is visible without a terminal too
    assert "certify" not in done.stdout
    (path,) = re.findall(r"^record: (\S+)$", done.stdout, re.MULTILINE)
    assert Path(path).exists()


def test_one_folder_holds_the_record_and_the_table(smoke: Smoke) -> None:
    folder, _ = smoke
    document = json.loads((folder / "benchmark.json").read_text())
    assert {b["name"] for b in document["benchmarks"]} == {
        "test_training[lesson-numpy]",
        "test_training[lesson-numpy:tuned]",
    }
    assert document["samestep"]["schema_version"] == SCHEMA_VERSION
    assert "### lesson" in (folder / "table.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.json", "table.md"]
    assert "Warning" not in smoke[1].stderr


def test_samples_in_the_json_are_the_raw_slices(smoke: Smoke) -> None:
    """pytest-benchmark's data, seconds per step, against elapsed / repeats / steps of the record."""
    folder, _ = smoke
    document = json.loads((folder / "benchmark.json").read_text())
    blocks = document["samestep"]["blocks"]
    for benchmark in document["benchmarks"]:
        lane = benchmark["extra_info"]["lane"]
        pieces = [piece for block in blocks for piece in block["slices"]]
        own = [p for p in pieces if p["lane"] == lane and p["kind"] == "race" and not p["twin"]]
        assert benchmark["stats"]["data"] == [p["elapsed_ns"] / p["repeats"] / 100 / 1e9 for p in own]
        assert len(own) == len(blocks)  # one round a block at this effort


@pytest.mark.parametrize("format", ["rich", "markdown", "csv"])
def test_tables_are_made_again_from_the_record_alone(smoke: Smoke, format: str, here: InProcess) -> None:
    folder, done = smoke
    again = here("table", str(folder), "--format", format)
    assert again.returncode == 0
    if format == "rich":
        assert done.stdout.startswith(again.stdout.rstrip())
    if format == "markdown":
        assert again.stdout.rstrip() == (folder / "table.md").read_text().rstrip()
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(again.stdout)))
        assert [row["lane"] for row in rows] == ["numpy", "numpy:tuned"]
        assert float(rows[0]["seconds_per_step"]) > 0


def test_another_baseline_is_marked_exploratory(smoke: Smoke, here: InProcess) -> None:
    done = here("table", str(smoke[0]), "--baseline", "numpy:tuned")
    assert "Exploratory: the baseline fixed before measuring was numpy." in done.stdout


def test_list_names_every_lane_and_task(here: InProcess) -> None:
    done = here("list")
    assert done.returncode == 0
    for name in (*backends.names(), *tasks.names()):
        assert name in done.stdout


def test_the_list_as_data_names_the_same(here: InProcess) -> None:
    listed = json.loads(here("list", "--json").stdout)
    assert [entry["lane"] for entry in listed["lanes"]] == list(by_tier(backends.names()))
    assert [entry["name"] for entry in listed["tasks"]] == list(tasks.names())
    assert all("missing" in entry or entry["devices"] for entry in listed["lanes"])


def test_list_names_data_by_the_tasks_that_can_be_typed() -> None:
    named = {word for what in listing.DATA_PACKAGES.values() for word in what.split(", ")}
    packaged = {name for name in tasks.names() if isinstance(tasks.get(name).dataset, Packaged)}
    assert named == packaged | {"--data FILE"}
    assert "scikit-learn" in listing.text()


def test_help_says_what_an_option_takes() -> None:
    commands = COMMANDS
    for name, command in commands.items():
        shown = CliRunner().invoke(cli.app, [name, "--help"]).output
        assert "<class" not in shown
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        assert all(option.metavar or option.is_flag for option in options), name


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("compare", ("default torch", "Default: lesson and diabetes", "instead of the default tasks")),
        ("compare", ("Default: all that can run here",)),
        ("lesson", ("Default: numpy, torch and jax",)),
        *((name, ("default the record's own",)) for name in ("table", "diff", "report")),
    ],
)
def test_help_names_defaults(command: str, says: tuple[str, ...]) -> None:
    shown = " ".join(CliRunner().invoke(cli.app, [command, "--help"]).output.split())
    assert all(words in shown for words in says)


def test_parity_passes_and_writes_its_certificates(tmp_path: Path, here: InProcess) -> None:
    done = here("parity", "--task", "lesson", "--lane", "numpy", "--json", "certificates.json")
    assert done.returncode == 0
    assert "PASS" in done.stdout
    (found,) = json.loads((tmp_path / "certificates.json").read_text())
    assert found["certificate"]["status"] == "pass"


def test_parity_shows_how_far_two_lanes_end_from_each_other(tmp_path: Path, here: InProcess) -> None:
    words = ("parity", "--task", "lesson", "--lane", "numpy:tuned", "--against", "numpy", "--json", "c.json")
    done = here(*words)
    assert done.returncode == 0, done.stderr
    assert "from numpy" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    one, other = (each["certificate"] for each in json.loads((tmp_path / "c.json").read_text()))
    gap = math.dist(*([v for values in each["final"].values() for v in values] for each in (one, other)))
    allowed = one["evidence"][-1]["judgement"]["allowance"]
    assert f"{gap:.2g} of {allowed:.2g}" in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("without_limits")
def test_compare_takes_a_file_that_was_not_made_for_it_and_shows_phases(
    tmp_path: Path, here: InProcess
) -> None:
    rows = [
        "height,weight,kind",
        *(f"{150 + i % 41},{50 + (i * 7) % 31 + i / 9:.3f},{i % 2}" for i in range(120)),
    ]
    (tmp_path / "people.csv").write_text("\n".join(rows))
    words = ("--data", "people.csv", "--target", "weight", "--features", "height,kind", "--effort", "smoke")
    done = here("compare", *words, "--lane", "numpy", "--baseline", "numpy", "--phases", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "people.csv: 96 x 2" in done.stdout
    assert "PHASES" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    (found,) = load(tmp_path / "run").ledgers
    assert (found.task, found.lane) == ("people.csv", "numpy")
    assert sum(found.phases.values()) == pytest.approx(found.run_s)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["compare", "--task", "lesso"], "did you mean 'lesson'?"),
        (["compare", "--lane", "torhc"], "did you mean 'torch'?"),
        (["compare", "--effort", "fast"], "unknown effort 'fast'"),
        (["compare", "--until", "dawn"], "unknown end 'dawn'"),
        (["compare", "--until", "decided", "--effort", "standard"], "leave out --effort"),
        (["compare", "--minutes", "5"], "--minutes goes with --until"),
        (["compare", "--until", "decided", "--minutes", "0"], "name a number of minutes above 0"),
        (["compare", "--until", "decided", "--minutes", "soon"], "name a number of minutes above 0"),
        (["compare", "--threads", "3"], "unknown threads '3'"),
        (["compare", "--device", "npu"], "unknown device 'npu'"),
        (["compare", "--dtype", "int8"], "unknown dtype 'int8'"),
        (["compare", "--baseline", "torhc", "--lane", "numpy"], "did you mean 'torch'?"),
        (["compare", "--device", "cuda", "--lane", "numpy", "--baseline", "numpy"], "no device cuda"),
        (["compare", "--tusk", "lesson"], "No such option"),
        (["lesson", "--data", "x.csv"], "--data is an option of compare, parity, verify"),
        (["compare", "--data", "none.csv", "--target", "y"], "none.csv"),
        (["compare", "--data", "x.csv"], "x.csv: no such file"),
        (["compare", "--target", "y"], "--target: only with --data FILE"),
        (["parity", "--against", "numpi"], "did you mean 'numpy'?"),
        (["table", "nowhere"], "name a run's folder"),
        (["table"], "Missing argument"),
        (["tabel"], "Did you mean 'table'?"),
        (["lesson", "--batch", "0"], "batch"),
        (["lesson", "--lane", "numpi"], "did you mean 'numpy'?"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words: list[str], line: str, here: InProcess) -> None:
    done = here(*words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("samestep: ")
    assert done.stderr.count("\n") == 1
    assert line in done.stderr


@pytest.mark.slow
def test_an_error_of_a_real_process_is_the_same(tmp_path: Path) -> None:
    done = samestep("compare", "--task", "lesso", "--lane", "numpy", "--baseline", "numpy", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "did you mean 'lesson'?" in done.stderr


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"samestep": {}}', "\x00\x01", '{"samestep": 3}', "[" * 9999]
)
def test_a_damaged_record_is_one_line(text: str, tmp_path: Path, here: InProcess) -> None:
    (tmp_path / "benchmark.json").write_text(text)
    done = here("table", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_version_and_both_forms_of_help(here: InProcess) -> None:
    assert here("--version").stdout == f"samestep {version('samestep')}\n"
    for name in ([], *([name] for name in COMMANDS)):
        short, long = here(*name, "-h"), here(*name, "--help")
        assert (short.returncode, short.stdout) == (0, long.stdout)
        assert "Usage:" in short.stdout


def test_the_command_line_and_pytest_take_the_same_options() -> None:
    """Both from the one table, with the same defaults and the same help; pytest has a --quiet of its own."""
    parser = pytest.Parser(_ispytest=True)
    pytest_plugin.pytest_addoption(parser)
    (group,) = [group for group in parser._groups if group.name == "samestep"]
    theirs = {option.attrs()["dest"]: option.attrs() for option in group.options}
    ours_name = {name: own for own, name in pytest_plugin.TAKEN.items()}
    parameters = COMMANDS["compare"].params
    ours = {parameter.name: parameter for parameter in parameters}
    theirs = {ours_name.get(name, name): option for name, option in theirs.items()}
    assert set(ours) == {*theirs, "quiet"} == {field.name for field in dataclasses.fields(Options)}
    for name, option in theirs.items():
        assert option["help"].startswith(ours[name].help)
        assert not option["default"] or option["default"] == ours[name].default


def test_no_arguments_is_help(tmp_path: Path) -> None:
    done = samestep(cwd=tmp_path)
    assert done.returncode == 0
    assert "compare" in done.stdout


def test_a_folder_with_a_run_is_not_written_over(smoke: Smoke, here: InProcess) -> None:
    done = here("compare", "--lane", "numpy", "--out", str(smoke[0]))
    assert done.returncode == 2
    assert "already holds a run" in done.stderr


def test_the_record_says_where_the_data_came_from_and_names_no_host(smoke: Smoke) -> None:
    document = json.loads((smoke[0] / "benchmark.json").read_text())
    facts = document["samestep"]["plan"]["works"][0]["facts"]
    assert facts["rank"] == 2
    assert len(facts["transform"]["feature_mean"]) == 2
    assert "node" not in document["machine_info"]
    assert not (smoke[0] / "relay").exists()
    assert "rank 2 of 2" in (smoke[0] / "table.md").read_text()


@pytest.mark.slow
def test_a_lane_that_fails_its_proof_is_exit_1_and_shown_beside_the_others(tmp_path: Path) -> None:
    """Also that a chosen lane brings its baseline."""
    install(tmp_path, "numpy:broken", "Broken", BROKEN)
    words = ("--effort", "smoke", "--task", "lesson", "--lane", "numpy:broken", "--baseline", "numpy")
    command = [sys.executable, "-m", "tests.helpers.no_limits", "compare", *words, "--out", "run"]
    env = os.environ | {"PYTHONPATH": python_path(tmp_path, ROOT)}
    done = run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert "INVALID" in done.stdout
    assert "Baseline numpy;" in done.stdout
    document = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert [entry["params"]["lane"] for entry in document["benchmarks"]] == ["numpy"]


@pytest.mark.slow
def test_where_every_lane_fails_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    install(tmp_path, "numpy:broken", "Broken", BROKEN)
    words = ("--effort", "smoke", "--task", "lesson", "--lane", "numpy:broken", "--baseline", "numpy:broken")
    command = [sys.executable, "-m", "tests.helpers.no_limits", "compare", *words, "--out", "run", "--quiet"]
    env = os.environ | {"PYTHONPATH": python_path(tmp_path, ROOT)}
    done = run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, "")
    assert "INVALID" in done.stdout


@pytest.mark.slow
def test_interrupted_is_130_and_what_was_measured_is_kept(tmp_path: Path) -> None:
    """Ctrl-C once the first block is done: the terminal sends SIGINT to the whole group, and so do we."""
    command = [sys.executable, "-m", "tests.helpers.no_limits", "compare", *ONE_LANE, "--out", "run"]
    code, out, err = interrupted(command, tmp_path, env=os.environ | {"PYTHONPATH": python_path(ROOT)})
    assert code == 130, err
    assert "interrupted; " in err
    assert "Traceback" not in err
    assert "SPEED" in out
    assert "go on with: samestep compare --resume run" in err
    before = json.loads((tmp_path / "run" / "benchmark.json").read_text())["samestep"]
    assert len(before["blocks"]) == 1
    resumed = samestep("compare", "--resume", "run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert after["samestep"]["plan"] == before["plan"]
    assert len(after["samestep"]["blocks"]) == after["samestep"]["plan"]["effort"]["blocks"] == 2
    assert after["samestep"]["blocks"][:1] == before["blocks"]
    assert len(after["benchmarks"]) == 1
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == [
        "benchmark.json",
        "table.md",
    ]


def test_only_an_interrupted_run_is_resumed_and_only_as_it_was_begun(smoke: Smoke, here: InProcess) -> None:
    for words, line in (
        (["--resume", str(smoke[0])], "holds a finished run, so there is nothing to go on with"),
        (["--resume", "nowhere"], "holds no run"),
        (["--resume", str(smoke[0]), "--task", "wide"], "leave out --task"),
        (["--resume", str(smoke[0]), "--effort", "standard"], "leave out --effort"),
    ):
        done = here("compare", *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert line in done.stderr
