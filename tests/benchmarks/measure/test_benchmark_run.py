"""Whole runs with real workers, small ones: what is recorded, what goes wrong, what an end leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from samestep.backends.spec import Task
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.gates import untested
from samestep.benchmarks.analysis.looks import reason_to_end
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure import BenchmarkRun, RunRequest, certify_lanes, environment, measure, resume
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.folder import RunFolder
from samestep.benchmarks.measure.process import Worker
from samestep.benchmarks.record import Record
from samestep.benchmarks.record.layout import LOST
from samestep.benchmarks.record.plan import Effort
from samestep.benchmarks.statistics.inference import FEWEST_BLOCKS
from samestep.benchmarks.verify.findings import Findings
from samestep.benchmarks.verify.slices import check_slices
from tests.helpers.dying_lanes import DYING
from tests.helpers.lanes import LANES
from tests.helpers.sessions import LIMITS, SMALL, TASKS, TINY, requested, run

pytestmark = pytest.mark.slow


def test_a_worker_ends_with_its_job() -> None:
    """A grid has hundreds of jobs: idle workers would fill the memory, and their threads the cores."""
    alive: list[int] = []

    def watch(phase: str, done: int, total: int, text: str) -> None:
        if phase == "certify":
            alive.append(len(psutil.Process().children()))

    tasks = [TASKS[0].model_copy(update={"name": f"task{number}"}) for number in range(3)]
    already = len(psutil.Process().children())
    assert len(certify_lanes(tasks, ["numpy"], progress=watch)) == 3
    assert len(alive) == 3
    assert max(alive) - already < Effort(name="any", blocks=1).jobs


@pytest.mark.usefixtures("without_limits")
def test_audits_side_by_side_have_a_cpu_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpus, ask = set[int](), Worker.ask

    def watched(self: Worker, verb: str, **arguments: Any) -> dict[str, Any]:
        if verb == "trace_again":
            cpus.update(arguments.get("cpus", ()))
        return ask(self, verb, **arguments)

    monkeypatch.setattr(Worker, "ask", watched)
    run(tmp_path / "run", "numpy", "numpy:tuned", tasks=tuple(TASKS[:1]))
    assert cpus == set(environment.allowed_cpus()[-TINY.jobs :])


def test_a_baseline_whose_process_dies_once_is_made_up_for(one_death: tuple[Path, str]) -> None:
    folder, made = one_death[0], Record.model_validate_json(one_death[1])
    deaths = [(f.task, f.lane, f.phase, f.died, f.block) for f in made.failures if f.phase != LOST]
    assert len(deaths) == 1
    task = deaths[0][0]
    assert deaths == [(task, DYING, "slice", True, 0)]
    assert len(made.blocks) == TINY.blocks + 1  # one more than planned
    analysis = RecordAnalysis(made)
    assert analysis.row_of[task, "numpy"].verdict.word not in ("FAILED", "INVALID")
    assert analysis[task, "numpy"].blocks_measured == TINY.blocks + 1
    assert analysis[task, DYING].blocks_measured == TINY.blocks
    assert any("died once in block 1" in note for note in analysis.row_of[task, DYING].notes)
    assert all(row.over_fastest is None for row in analysis.rows)  # of so few blocks nothing is claimed
    assert resume(folder) == made  # nothing is lacking


@pytest.fixture(scope="module")
def whole(small: tuple[Path, str]) -> tuple[Path, Record]:
    """A session that nothing interrupted, and its folder."""
    return small[0], Record.model_validate_json(small[1])


def test_a_finished_session_leaves_no_scratch_and_is_not_measured_again(whole: tuple[Path, Record]) -> None:
    folder, record = whole
    assert {path.name for path in (folder / "relay").iterdir()} == {
        *("plan.json", "jobs", "blocks", "ceilings.json", "calibrations.json")
    }
    assert resume(folder) == record
    with pytest.raises(InputError, match="already holds a run"):
        run(folder, "numpy", "numpy:tuned")


@pytest.mark.usefixtures("without_limits")
def test_a_run_with_looks_ends_at_one_and_not_past_its_time(tmp_path: Path) -> None:
    """At which look depends on the machine: by the rule it has to end there, and had to go on before."""
    effort = TINY.model_copy(update={"blocks": 6, "looks": (2, 4)})
    lanes, out = ("numpy", "numpy:tuned"), tmp_path / "run"
    request = requested(out, *lanes, tasks=tuple(TASKS[:1]), effort=effort, seconds=0.1)
    broken_off = measure(request, limits=LIMITS, blocks=1)
    assert len(broken_off.blocks) == 1
    late = measure(replace(request, resumed=True), limits=LIMITS)
    assert len(late.blocks) == 2  # the first look comes in any case
    ended = resume(out, limits=LIMITS)
    assert len(ended.blocks) == 6 or reason_to_end(RecordAnalysis(ended))
    assert not BenchmarkRun(out).lacks()
    assert not faults_of(ended)
    hidden = ended.plan.model_copy(update={"effort": effort.model_copy(update={"looks": ()})})
    assert faults_of(
        ended.model_copy(update={"plan": hidden})
    )  # its slices are in another order without looks


def faults_of(record: Record) -> list[str]:
    """What `verify` says of the slices of a record."""
    findings = Findings()
    check_slices(findings, RecordAnalysis(record))
    return findings.wrong


def test_a_run_has_time_for_the_next_look_or_ends(tmp_path: Path) -> None:
    effort = TINY.model_copy(update={"blocks": 24, "looks": (12, 18)})
    run = BenchmarkRun.begin(
        requested(tmp_path, "numpy", tasks=tuple(TASKS[:1]), effort=effort, seconds=100.0)
    )
    assert run.has_time(12, 24, block_s=10.0)  # six blocks to 18
    assert not run.has_time(12, 24, block_s=20.0)
    assert run.has_time(18, 26, block_s=10.0)  # eight, of which two make up for deaths
    assert not run.has_time(18, 26, block_s=15.0)
    assert run.has_time(13, 24, block_s=1e9)  # at no look nobody asks
    run.seconds = None
    assert run.has_time(12, 24, block_s=1e9)


def test_no_lane_is_below_the_floor(tmp_path: Path) -> None:
    """The compiled loop is there too, which no framework's call holds up."""
    lanes = [lane for lane in ("numpy", "numpy:fused", "numba", "jax:fused") if lane in LANES]
    effort = TINY.model_copy(update={"blocks": 1})
    rows = RecordAnalysis(measure(requested(tmp_path, *lanes, tasks=tuple(TASKS[:1]), effort=effort))).rows
    assert {row.lane for row in rows if row.time} == set(lanes)
    for row in (row for row in rows if row.time):
        assert row.above_floor is not None, row.no_floor
        assert row.above_floor > 1


def cells(found: Record) -> set[tuple[object, ...]]:
    return {
        (block.index, block.twin, s.task, s.lane, s.twin, s.kind, s.round, s.position, s.predecessor)
        for block in found.blocks
        for s in block.slices
    }


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_places_and_predecessors_are_balanced_over_the_blocks(task: Task, raced: str) -> None:
    """Three arms make a square of six rounds: three blocks of two."""
    found = Record.model_validate_json(raced)
    assert (len(found.blocks), found.plan.effort.rounds) == (3, (2, 2))
    arm = {True: "twin"}
    of_task = [s for block in found.blocks for s in block.slices if s.task == task.name]
    race = [s for s in of_task if s.kind == "race"]
    places = Counter((arm.get(s.twin, s.lane), s.position) for s in race)
    assert set(places.values()) == {2}
    assert len(places) == 9
    before = Counter(
        (arm.get(s.twin, s.lane), "twin" if (s.predecessor or "").startswith("twin") else s.predecessor)
        for s in race
        if s.predecessor
    )
    assert set(before.values()) == {2}
    assert len(before) == 6


@pytest.mark.usefixtures("without_limits")
def test_phases_that_an_end_left_out_are_measured_on_resumption(tmp_path: Path) -> None:
    def stop(phase: str, *_: object) -> None:
        if phase == "phases":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "numpy", tasks=(TASKS[0],), phases=True, progress=stop)
    assert len(RunFolder(tmp_path).blocks()) == TINY.blocks
    assert {ledger.task for ledger in resume(tmp_path).ledgers} == {TASKS[0].name}


@pytest.mark.usefixtures("without_limits")
def test_an_interrupted_session_is_finished_to_the_same_cells(
    whole: tuple[Path, Record], tmp_path: Path
) -> None:
    reached = []

    def stop(phase: str, done: int, total: int, text: str) -> None:
        reached.append(text)
        if (phase, done) in stops:
            stops.remove((phase, done))
            raise KeyboardInterrupt

    stops = {("certify", 2), ("race", 75), ("race", 150)}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", "numpy", "numpy:tuned", effort=SMALL, progress=stop)
    while stops:
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "broken", progress=stop)
    partial = RunFolder(tmp_path / "broken").record()
    assert 0 < len(partial.blocks) < SMALL.blocks
    analysis = RecordAnalysis(partial)
    assert {untested(analysis[task.name, "numpy:tuned"]) for task in TASKS} == {
        f"{len(partial.blocks)} of {SMALL.blocks} blocks were measured; a test needs {FEWEST_BLOCKS}"
    }
    finished = resume(tmp_path / "broken", progress=stop)
    assert cells(finished) == cells(whole[1])
    assert whole[1].resumptions == ()
    blocks = [resumption.blocks for resumption in finished.resumptions]
    assert (len(blocks), blocks[0], blocks[-1]) == (3, 0, len(partial.blocks))
    assert finished.plan == partial.plan
    assert finished.plan.environment == environment.read()
    # the whole one may have been measured by another test process, which has other CPUs
    elsewhere = {name: getattr(whole[1].plan, name) for name in ("created", "environment")}
    assert finished.plan.model_copy(update=elsewhere) == whole[1].plan
    assert not [child for child in psutil.Process().children() if "worker" in " ".join(child.cmdline())]


SCRIPT = """
import sys
from pathlib import Path
from samestep.benchmarks.measure import resume
from samestep.benchmarks.measure.folder import RunFolder
from tests.helpers.sessions import run
folder = Path(sys.argv[1])
resume(folder) if RunFolder(folder).begun else run(folder, "numpy", "numpy:tuned")
"""


@pytest.mark.usefixtures("without_limits")  # of the last time, which nobody kills
def test_a_session_that_is_killed_again_and_again_is_finished_to_the_same_cells(tmp_path: Path) -> None:
    kills = int(os.environ.get("SAMESTEP_KILLS", "3"))
    rng = np.random.default_rng(kills)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env=env) as process:
            time.sleep(rng.uniform(0.6, 2.5))
            workers = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive  # whoever was left alone has ended
    finished = resume(tmp_path) if RunFolder(tmp_path).begun else run(tmp_path, "numpy", "numpy:tuned")
    blocks = Counter((index, task) for index, _, task, *_ in cells(finished))
    # a race of 3 arms and 2 rounds, and in the first block two control slices of both lanes
    assert blocks == {(b, t.name): 6 + 4 * (b == 0) for b in range(TINY.blocks) for t in TASKS}


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped before its first certificate."""
    folder = tmp_path_factory.mktemp("stopped")

    def stop(phase: str, *_: object) -> None:
        if phase == "certify":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, "numpy", "numpy:tuned", progress=stop)
    return folder


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A copy of its folder."""
    shutil.copytree(stopped_once, tmp_path / "stopped")
    return tmp_path / "stopped"


@pytest.mark.parametrize("field", ["boot", "installed", "source"])
def test_a_session_of_another_boot_lock_or_code_is_refused(field: str, stopped: Path) -> None:
    folder = RunFolder(stopped)
    plan = folder.plan()
    changed = plan.environment.model_copy(update={field: "0" * 16})
    with made_folder(stopped):
        folder.begin(plan.model_copy(update={"environment": changed}))
    with pytest.raises(InputError, match="begun with another"):
        resume(stopped)


def test_a_session_with_other_data_is_refused(stopped: Path) -> None:
    path = stopped / "relay" / "work" / "0" / "y.npy"
    np.save(path, np.load(path) + 1)
    with pytest.raises(InputError, match="not the data of task 'two'"):
        resume(stopped)


@pytest.mark.parametrize(
    ("tasks", "lanes", "baseline", "message"),
    [
        ([], ["numpy"], "numpy", "no task"),
        (TASKS, [], "numpy", "no lane"),
        (TASKS, ["numpy", "numpy"], "numpy", "named twice"),
        (TASKS * 2, ["numpy"], "numpy", "named twice"),
        (TASKS, ["numpy"], "torch", "not among the lanes"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    tasks: list[Task], lanes: list[str], baseline: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        measure(RunRequest(tuple(tasks), tuple(lanes), baseline, TINY, tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        resume(tmp_path)


def test_certificates_alone(tmp_path: Path) -> None:
    found = certify_lanes(
        TASKS[:1], ["numpy", "validation.trap_lanes:Wrong", "validation.trap_lanes:Absent"], limits=LIMITS
    )
    assert [each.certificate.status for each in found] == ["pass", "fail", "fail"]
    assert "mlx" in found[2].certificate.reason
