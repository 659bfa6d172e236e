"""One process at a time in a run's folder, by every way to a run; the second one changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import samestep
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure import BenchmarkRun, measure, resume
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.folder import RunFolder
from samestep.benchmarks.measure.run_lock import locked
from tests.helpers.processes import ONE_LANE, ONLY, run_pytest
from tests.helpers.processes import samestep as command
from tests.helpers.records import plan
from tests.helpers.sessions import requested

HOLDER = """
import sys, time
from pathlib import Path
from typing import Any
from samestep.benchmarks.measure.exclusive import made_folder
with made_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
REFUSED = "another process is measuring in"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder with a run that has been begun."""
    folder = tmp_path / "run"
    with made_folder(folder) as place:
        place.begin(plan(["numpy"], "numpy", 1, "one"))
    return folder


@pytest.fixture
def held(begun: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that measures in it."""
    command = [sys.executable, "-c", HOLDER, str(begun)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.slow
def test_every_way_in_is_refused_and_changes_nothing(
    begun: Path, held: subprocess.Popen[str], tmp_path: Path
) -> None:
    before = contents(begun)
    run = BenchmarkRun(begun)  # reading goes on
    ways = [
        lambda: resume(begun),
        lambda: measure(requested(begun, "numpy")),
        lambda: samestep.compare(resume=begun),
        run.certify,
        run.race,
        run.finish,
        lambda: RunFolder(begun).begin(run.plan),
    ]
    for way in ways:
        with pytest.raises(InputError, match="measur"):
            way()
    done = command("compare", "--resume", "run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"samestep: {REFUSED} run; wait for its end, or name another folder\n"
    tested = run_pytest(*ONLY, resume=begun)
    assert tested.returncode == pytest.ExitCode.USAGE_ERROR
    assert REFUSED in tested.stdout + tested.stderr
    assert "Traceback" not in tested.stdout + tested.stderr
    assert contents(begun) == before
    held.kill()
    held.wait()
    with locked(begun):  # no lock is left by a process that was killed
        pass


@pytest.mark.slow
def test_of_two_new_runs_one_goes_on(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "samestep", "compare", *ONE_LANE, "--out", "run"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(line, cwd=tmp_path, text=True, **pipes) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    (refusal,) = [err for process, (_, err) in zip(both, said, strict=True) if process.returncode == 2]
    assert refusal.count("\n") == 1
    assert REFUSED in refusal or "already holds a run" in refusal
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["benchmark.json", "table.md"]


def test_no_program_that_is_started_keeps_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path):
        started = subprocess.Popen(["sleep", "60"], close_fds=False)
    with started:
        try:
            with locked(tmp_path):
                pass
        finally:
            started.kill()


@pytest.mark.slow
def test_a_child_that_outlives_its_parent_keeps_no_lock(tmp_path: Path) -> None:
    """The parent is killed within its lock, and lets go of nothing itself."""
    script = f"""
import os, signal, time
from pathlib import Path
from typing import Any
from samestep.benchmarks.measure.run_lock import locked
with locked(Path({str(tmp_path)!r})):
    if not (child := os.fork()):
        print(os.getpid(), flush=True)
        time.sleep(60)
        os._exit(0)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.wait()
        try:
            with locked(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_another_thread_is_another_measurement(tmp_path: Path) -> None:
    errors: list[InputError] = []

    def enter() -> None:
        try:
            with locked(tmp_path):
                pass
        except InputError as error:
            errors.append(error)

    with locked(tmp_path), locked(tmp_path):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_removed_is_not_made_again(begun: Path) -> None:
    for made_anew in (False, True):
        with made_folder(begun, make=False) as folder:
            begun.rename(begun.with_name("elsewhere"))
            if made_anew:
                begun.mkdir()
            with pytest.raises(InputError, match="start a new run"):
                folder.begin(plan(["numpy"], "numpy", 1, "one"))
        assert not list(begun.iterdir()) if made_anew else not begun.exists()
        begun.with_name("elsewhere").replace(begun)
