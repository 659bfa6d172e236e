"""What a run's folder may hold before and after a run, and disks that are full."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.folder import RunFolder
from samestep.benchmarks.measure.process import check_room
from samestep.benchmarks.record.files import write_text
from tests.helpers.outside_lanes import python_path
from tests.helpers.paths import ROOT
from tests.helpers.processes import ONE_LANE, SMOKE, InProcess, samestep, without_progress
from tests.helpers.records import plan

LIMITED = """
import resource, sys
from samestep.benchmarks.cli import main
from tests.helpers.no_limits import leave_out
leave_out()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
main(sys.argv[2:])
"""


@pytest.mark.parametrize("name", ["benchmark.json", "table.md", "report.html", "relay", "relay/notes.txt"])
def test_what_is_not_ours_is_not_written_over(name: str, tmp_path: Path, here: InProcess) -> None:
    place = tmp_path / "run" / name
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    done = here("compare", *ONE_LANE, "--out", "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert name.partition("/")[0] in done.stderr
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [place]
    assert place.read_text() == "mine"


def test_other_files_do_not_matter_and_half_a_plan_is_no_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    folder.work(0).mkdir(parents=True)
    (folder.work(0) / "x.npy").touch()
    (folder.root / ".plan.json.123").touch()
    folder.check_free()
    with made_folder(tmp_path), folder.planning():
        assert not folder.root.exists()
        folder.work(0).mkdir(parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_record_of_another_run_is_not_written_over(tmp_path: Path) -> None:
    with made_folder(tmp_path) as folder:
        folder.begin(plan(["numpy"], "numpy", 1, "one"))
    (tmp_path / "benchmark.json").write_text("{}")
    with pytest.raises(InputError, match=r"benchmark\.json"):
        folder.check_begun()


@pytest.mark.parametrize("words", [("report", "x", "--out"), ("parity", "--task", "lesson", "--json")])
def test_a_file_that_cannot_be_written_is_said_before_any_work(
    words: tuple[str, ...], smoke: tuple[Path, object], tmp_path: Path, here: InProcess
) -> None:
    words = tuple(str(smoke[0]) if word == "x" else word for word in words)
    (tmp_path / "notes.txt").write_text("mine")
    for target in ("notes.txt", "nowhere/file", ".", "n" * 300, "/dev/null"):
        done = here(*words, target)
        assert (done.returncode, done.stdout) == (2, ""), target
        assert done.stderr.count("\n") == 1
        assert words[-1] in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert Path("/dev/null").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_earlier_page_is_written_again_and_a_long_name_is_no_fault(
    smoke: tuple[Path, object], tmp_path: Path, here: InProcess
) -> None:
    name = "n" * 250 + ".html"
    for _ in range(2):
        assert here("report", str(smoke[0]), "--out", name).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "words",
    [
        ("compare", *ONE_LANE, "--out"),
        ("compare", "--resume"),
        ("sweep", "--lane", "numpy", "--out"),
        ("sweep", "--resume"),
        ("table",),
        ("report",),
        ("verify",),
        ("diff", "x"),
    ],
)
def test_a_name_of_300_letters_is_one_line(words: tuple[str, ...], tmp_path: Path, here: InProcess) -> None:
    done = here(*words, "n" * 300)
    assert (done.returncode, done.stdout) == (2, "")
    assert len([line for line in done.stderr.splitlines() if line.startswith("samestep: ")]) == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path, limits = tmp_path / "a.json", resource.getrlimit(resource.RLIMIT_FSIZE)
    write_text(path, "before")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_text(path, "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert path.read_text() == "before"


def test_no_lane_is_to_blame_for_a_full_disk() -> None:
    for code in (errno.ENOSPC, errno.EFBIG):
        with pytest.raises(OSError, match=os.strerror(code)):
            check_room(f"OSError: [Errno {code}] {os.strerror(code)}: 'final-0.npz'")
    with pytest.raises(OSError, match="No space"):
        check_room("OSError: 2000 requested and 21 written")
    check_room("ValueError: too large")


# The bytes that a file may have: each has too few for this, and enough for what comes before it.
ROOM = {"data": 300, "plan": 1_500, "certificates": 6_000, "record": 20_000}


@pytest.mark.slow
def test_a_disk_that_fills_loses_nothing(tmp_path: Path) -> None:
    """One run, which ever more room takes further, and enough of it to the end.

    The data of the lesson are cut off in the middle. Of forty rows the data are smaller than the plan, and the
    record of two lanes is larger than all other files.
    """
    (tmp_path / "few.csv").write_text("x,y\n" + "".join(f"{row},{row * row % 17}\n" for row in range(40)))
    lanes = SMOKE[SMOKE.index("--lane") :]
    few = ("--effort", "smoke", "--data", "few.csv", "--target", "y", *lanes)
    for lacking, most_bytes in ROOM.items():
        check_full_disk(lacking, most_bytes, SMOKE if lacking == "data" else few, tmp_path)
    resumed = samestep("compare", "--resume", "run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == ["benchmark.json", "table.md"]
    assert len(json.loads((run / "benchmark.json").read_text())["benchmarks"]) == 2


def check_full_disk(lacking: str, most_bytes: int, race: tuple[str, ...], place: Path) -> None:
    """The run is begun or gone on with, ends for want of room for this, and says so in one line."""
    folder = RunFolder(place / "run")
    words = ("--resume", "run") if folder.begun else (*race, "--out", "run")
    command = [sys.executable, "-c", LIMITED, str(most_bytes), "compare", *words]
    env = os.environ | {"PYTHONPATH": python_path(ROOT)}
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, (lacking, done.stderr)
    *told, error = without_progress(done.stderr)
    assert not [line for line in told if not line.startswith(("few.csv: ", "  "))]  # how the file was read
    assert ("no room for a whole file" if lacking == "data" else "File too large") in error
    assert "record:" not in done.stdout
    assert not [path for path in folder.run.rglob(".*") if path.is_file()]
    assert ("--resume run" in error) == folder.begun
    has_data = "prepare 1/1" in done.stderr or folder.begun
    reached = "record" if folder.blocks() else "certificates" if folder.begun else "plan"
    assert (reached if has_data else "data") == lacking


FOR_ANY_USER = """
import os, sys
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.request import resolve
for out in sys.argv[1:]:
    try:
        resolve(Options(lane=["numpy"], baseline="numpy", data="nowhere.csv", target="y", out=out))
    except InputError as error:
        print(error)
    if os.geteuid() == 0:  # who may write anywhere; `access` asks for the real user, reading not
        os.setreuid(65534, 0)
"""


def test_a_folder_that_cannot_be_written_to_is_said_before_the_data_are_read(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as closed:  # pytest's folders are closed to other users
        os.chmod(closed, 0o555)
        outs = [str(tmp_path), closed, f"{closed}/a/b"]
        command = [sys.executable, "-c", FOR_ANY_USER, *outs]
        done = subprocess.run(command, cwd=closed, capture_output=True, text=True, timeout=300)
    free, *refused = done.stdout.splitlines()
    assert free.startswith("nowhere.csv: no such file"), done.stderr
    cannot = f"{closed} cannot be written to; choose another folder with --out"
    assert refused == [f"{out}: {cannot}" for out in outs[1:]], done.stderr
