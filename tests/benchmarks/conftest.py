"""The command line in this process, and small runs that many tests read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from samestep.benchmarks import cli
from samestep.benchmarks.record import Record
from tests.helpers.dying_lanes import DIED, DYING
from tests.helpers.no_limits import leave_out
from tests.helpers.processes import InProcess
from tests.helpers.sessions import SEVERAL, TASKS, run, small_race
from tests.helpers.shared import keep_said, made_once, said
from tests.helpers.sweeps import LANES, small_sweep, sweep_code

Kept = tuple[Path, str]  # the folder of a run that all test processes share, and its record as JSON


def kept(
    request: pytest.FixtureRequest,
    factory: pytest.TempPathFactory,
    name: str,
    measured: Callable[[Path], Record],
) -> Kept:
    """Measured without the machine's limits, of which nothing is asked."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            leave_out(patch)
            record = measured(folder / "run")
        (folder / "record.json").write_text(record.model_dump_json())

    folder = made_once(request, factory, name, make)
    return folder / "run", (folder / "record.json").read_text()


@pytest.fixture(scope="session")
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A small race that nothing interrupted."""
    return kept(request, tmp_path_factory, "raced", small_race)


@pytest.fixture(scope="session")
def raced(small: Kept) -> str:
    """Its record, as JSON."""
    return small[1]


@pytest.fixture(scope="session")
def one_death(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A run in which a process of its baseline dies once, on one task; one more block makes up for it."""

    def mended(folder: Path) -> Record:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(DIED, str(folder.with_name("died")))
            return run(folder, DYING, "numpy", tasks=tuple(TASKS[:1]), effort=SEVERAL)

    return kept(request, tmp_path_factory, "mended", mended)


@pytest.fixture(scope="session")
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CompletedProcess[str]]:
    """The folder and the output of a sweep of two by two sizes, with two rounds and control slices."""

    def make(folder: Path) -> None:
        code = sweep_code(rounds=2, controls=2, limits=False)
        keep_said(folder, small_sweep(*LANES, "--out", "run", cwd=folder, code=code))

    folder = made_once(request, tmp_path_factory, "swept", make)
    return folder / "run", said(folder)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> InProcess:
    """The command line in this process, from an empty folder: no framework has to be imported again."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> CompletedProcess[str]:
        with pytest.raises(SystemExit) as left:
            cli.main(list(words))
        text = capfd.readouterr()
        return CompletedProcess(words, int(left.value.code or 0), text.out, text.err)

    return command
