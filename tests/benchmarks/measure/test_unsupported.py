"""A lane that cannot do one of the tasks: listed with its reason, in the race of the others, never a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import Task
from samestep.benchmarks import tasks
from samestep.benchmarks.commands import sweep
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.request import resolve
from samestep.benchmarks.parity import Rows, certify
from samestep.benchmarks.pytest_plugin.replay import Replay
from samestep.benchmarks.record import Record
from samestep.benchmarks.record.files import load
from samestep.comparison import compare
from tests.helpers.outside_lanes import PICKY, install, python_path
from tests.helpers.paths import ROOT
from tests.helpers.pieces import lay_out
from tests.helpers.processes import ONLY, run_pytest

SAYS = "it has no columns but two, and diabetes has 10"
LANES = ("numpy", "numpy:picky")


class Picky(NumpyBackend):
    @classmethod
    def unsupported(cls, task: Task) -> str | None:
        return None if task.name == "lesson" else "only\n the lesson"


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy:tuned does the lesson alone."""
    real = backends.lane_class
    monkeypatch.setattr(backends, "lane_class", lambda name: Picky if name == "numpy:tuned" else real(name))


def request(*names: str, lanes: tuple[str, ...] = ("numpy", "numpy:tuned"), **more: Any) -> Any:
    return resolve(Options(task=names, lane=lanes, **{"baseline": "numpy", **more}))


@pytest.mark.usefixtures("picky")
def test_it_stays_out_of_that_task_alone() -> None:
    asked = request("lesson", "diabetes")
    assert asked.unsupported == {("diabetes", "numpy:tuned"): "only the lesson"}
    assert asked.pairs == (("lesson", "numpy"), ("lesson", "numpy:tuned"), ("diabetes", "numpy"))
    assert not asked.missing_lanes
    no_pytest: Any = None
    assert Replay(no_pytest, asked, set(asked.pairs)).request == asked


@pytest.mark.usefixtures("picky")
def test_one_that_can_do_none_of_the_tasks_is_missing_like_one_that_cannot_run() -> None:
    asked = request("diabetes")
    assert asked.lanes == ("numpy",)
    assert asked.missing_lanes == {"numpy:tuned": "diabetes: only the lesson"}
    assert not asked.unsupported


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize("race", [True, False])
def test_when_no_named_lane_is_left_it_is_one_line(race: bool) -> None:
    chosen = Options(task=("diabetes", "flights"), lane=("numpy:tuned",))
    with pytest.raises(InputError) as caught:
        resolve(chosen, race=race)
    says = "none of the named lanes can do these tasks: numpy:tuned: diabetes, flights: only the lesson"
    assert str(caught.value) == says


@pytest.mark.usefixtures("picky")
def test_a_baseline_does_every_task() -> None:
    with pytest.raises(InputError) as caught:
        request("lesson", "diabetes", baseline="numpy:tuned")
    assert str(caught.value) == "the baseline numpy:tuned cannot do diabetes: only the lesson"


def test_a_lane_that_cannot_answer_is_listed_with_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(NumpyBackend):
        @classmethod
        def unsupported(cls, task: Task) -> str | None:
            raise AttributeError("no such thing")

    monkeypatch.setattr(backends, "lane_class", lambda _: Silent)
    reason = backends.unsupported("numpy", tasks.get("lesson"))
    assert reason == "it cannot say whether it does this task: AttributeError: no such thing"


@pytest.mark.parametrize("answer", [False, True, 0, "", " ", ["x"], b"no"], ids=repr)
def test_an_answer_that_is_no_text_is_listed_as_it_is(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(NumpyBackend):
        @classmethod
        def unsupported(cls, task: Task) -> str | None:
            if task.name == "lesson":
                return None
            return answer  # type: ignore[no-any-return]

    says = f"it cannot say whether it does this task: {answer!r} is neither a reason nor None"
    real = backends.lane_class
    monkeypatch.setattr(backends, "lane_class", lambda name: Odd if name == "numpy:tuned" else real(name))
    assert request("lesson", "diabetes").unsupported == {("diabetes", "numpy:tuned"): says}
    certificate = certify(Odd(), tasks.get("diabetes"), Rows(np.zeros((1, 10)), np.ones((1, 1))))
    assert (certificate.status, certificate.reason) == ("not run", f"unsupported: {says}")


@pytest.mark.usefixtures("picky")
def test_a_sweep_leaves_it_out_with_its_reason() -> None:
    asked = sweep.chosen(Options(lane=("numpy", "numpy:tuned"), baseline="numpy"), compiled=False)
    assert asked.lanes == ("numpy",)
    assert list(asked.missing_lanes) == ["numpy:tuned"]
    assert asked.missing_lanes["numpy:tuned"].endswith("only the lesson")


@pytest.mark.slow
@pytest.mark.usefixtures("picky", "without_limits")
def test_from_python_it_is_in_the_race_of_the_others(tmp_path: Path) -> None:
    result = compare(
        ["lesson", "diabetes"],
        ["numpy", "numpy:tuned"],
        baseline="numpy",
        effort="smoke",
        out=tmp_path / "run",
    )
    record = result.record
    raced = {(piece.task, piece.lane) for block in record.blocks for piece in block.slices}
    assert raced == {("lesson", "numpy"), ("lesson", "numpy:tuned"), ("diabetes", "numpy")}
    assert record.plan.unsupported_pairs == {("diabetes", "numpy:tuned"): "only the lesson"}
    with pytest.raises(InputError, match="none of the named lanes can do these tasks"):
        compare("diabetes", "numpy:tuned", out=tmp_path / "other")


def test_its_certificate_is_not_run_and_says_why() -> None:
    task = tasks.get("diabetes")
    certificate = certify(Picky(), task, Rows(np.zeros((1, 10)), np.ones((1, 1))))
    assert certificate.status == "not run"
    assert certificate.reason == "unsupported: only the lesson"
    assert not certificate.evidence


# --- whole runs, by a lane from outside -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(folder, "numpy:picky", "Picky", PICKY)
    return folder


def at_once(site: Path, *lines: tuple[str, ...], cwd: Path) -> list[dict[str, Any]]:
    """How many commands end in one process that has this lane, each with its "code" and its "output"."""
    listing = cwd / "commands.json"
    listing.write_text(json.dumps([{"arguments": line, "folder": str(cwd)} for line in lines]))
    command = [sys.executable, "-m", "tests.helpers.command_runner", str(listing)]
    env = os.environ | {"PYTHONPATH": python_path(site, ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    ended: list[dict[str, Any]] = json.loads(done.stdout)
    return ended


def words(*names: str) -> list[str]:
    options = [("--task", name) for name in names] + [("--lane", lane) for lane in LANES]
    return [word for pair in options for word in pair]


@pytest.fixture(scope="module")
def compared(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of both lanes on both tasks, and what it printed."""
    folder = tmp_path_factory.mktemp("compared")
    last = ("--effort", "smoke", "--baseline", "numpy", "--out", "run")
    command = [
        sys.executable,
        "-m",
        "tests.helpers.no_limits",
        "compare",
        *words("lesson", "diabetes"),
        *last,
    ]
    env = os.environ | {"PYTHONPATH": python_path(site, ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", " ".join(done.stdout.split())


@pytest.mark.slow
def test_compare_lists_it_with_its_reason_and_races_it_elsewhere(compared: tuple[Path, str]) -> None:
    record, shown = load(compared[0]), compared[1]
    assert isinstance(record, Record)
    assert f"Not run here: numpy:picky on diabetes: {SAYS}" in shown
    raced = {(piece.task, piece.lane) for block in record.blocks for piece in block.slices}
    assert raced == {("lesson", "numpy"), ("lesson", "numpy:picky"), ("diabetes", "numpy")}
    assert [(pair.task, pair.lane) for pair in record.plan.family] == [("lesson", "numpy:picky")]
    assert not record.failures


@pytest.mark.slow
def test_its_record_verifies_and_shows_on_every_surface(
    site: Path, compared: tuple[Path, str], tmp_path: Path
) -> None:
    run = str(compared[0])
    lines = (
        ("verify", run),
        ("verify", run, "--against-code"),
        ("table", run, "--format", "csv"),
        ("report", run, "--out", "page.html"),
        ("table", run, "--baseline", "numpy:picky"),
    )
    *well, refused = at_once(site, *lines, cwd=tmp_path)
    assert [done["code"] for done in well] == [0] * 4, well
    assert SAYS in (tmp_path / "page.html").read_text()
    assert refused["code"] == 2
    assert "it is not in the race of diabetes" in refused["output"]


@pytest.mark.slow
def test_a_record_that_contradicts_itself_is_refused(compared: tuple[Path, str], tmp_path: Path) -> None:
    for change, says in (
        ({"task": "lesson"}, "of numpy:picky on lesson is not of the plan"),
        ({"lane": "numpy"}, "of numpy on diabetes is not of the plan"),
        ({"lane": "torch"}, "torch on diabetes is unsupported, and not of the plan"),
    ):
        document = json.loads((compared[0] / "benchmark.json").read_text())
        document["samestep"]["plan"]["unsupported"][0] |= change
        (tmp_path / "benchmark.json").write_text(json.dumps(document))
        with pytest.raises(InputError, match=says):
            load(tmp_path)


@pytest.mark.slow
def test_parity_lists_it_and_does_not_fail(site: Path, tmp_path: Path) -> None:
    lines = (
        ("parity", *words("lesson", "diabetes")),
        ("parity", "--task", "diabetes", "--lane", "numpy:picky"),
    )
    done, refused = at_once(site, *lines, cwd=tmp_path)
    assert done["code"] == 0, done["output"]
    assert f"numpy:picky on diabetes: not run: {SAYS}" in " ".join(done["output"].split())
    assert done["output"].count("PASS") == 3
    assert refused["code"] == 2
    expected = "samestep: none of the named lanes can do these tasks: numpy:picky: diabetes: "
    assert refused["output"] == f"{expected}{SAYS}\n"


@pytest.mark.slow
def test_pytest_skips_that_test_with_the_reason(
    site: Path, compared: tuple[Path, str], tmp_path: Path
) -> None:
    lay_out(compared[0], tmp_path / "run")
    env = os.environ | {"PYTHONPATH": python_path(site)}
    done = run_pytest(*ONLY, "-rs", resume=tmp_path / "run", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed, 1 skipped" in done.stdout
    assert SAYS in " ".join(done.stdout.split())
