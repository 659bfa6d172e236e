"""One small real run, which many tests read."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from tests.helpers.processes import SMOKE, samestep
from tests.helpers.shared import keep_said, made_once, said


def pytest_configure() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and so would be all that tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keep_bytecode()
    for name in (
        "FORCE_COLOR",
        "PY_COLORS",
    ):  # whose colors would stand between the words that tests look for
        os.environ.pop(name, None)
    # how long an example takes says nothing on a machine that does other things
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
    # pytest-benchmark switches itself off where it sees these; the sessions of tests are to see nothing of ours
    if worker := os.environ.pop("PYTEST_XDIST_WORKER", None):
        # Numba locks nothing: processes that compile at once can give two programs one name in a cache they share
        os.environ["NUMBA_CACHE_DIR"] = str(Path(sys.prefix, "numba", worker))
        take_cpus(int(worker.removeprefix("gw")), int(os.environ.pop("PYTEST_XDIST_WORKER_COUNT")))


def keep_bytecode() -> None:
    """Where Python is told to write no bytecode, as in many containers, the folder of the environment gets it.

    Else every process of every test compiles what it imports: JAX takes three times as long, PyTorch twice.
    """
    if sys.dont_write_bytecode and not sys.pycache_prefix:
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(sys.prefix, "bytecode"))


def take_cpus(worker: int, workers: int) -> None:
    """Give a test process CPUs of its own, so that what it times is not disturbed by the other processes.

    NumPy's BLAS has been loaded by then, with a thread for each CPU; threads that wait for one another on CPUs of
    others make products of small matrices ten times slower.
    """
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cpus[worker::workers] or cpus)
        threadpool_limits(len(os.sched_getaffinity(0)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m alone` asks for a file or two: the others need not be imported to be left out."""
    if config.option.markexpr != "alone" or collection_path.suffix != ".py":
        return None
    return "mark.alone" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_finish() -> None:
    """Thousands of tests need not be walked again whenever one of them collects garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def smoke(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder and the output of a small run of `samestep compare`, from a folder that is no checkout.

    Test processes that run side by side read the same one: the first that needs it makes it.
    """

    def make(folder: Path) -> None:
        keep_said(folder, samestep("compare", *SMOKE, "--out", str(folder / "run"), cwd=folder))

    folder = made_once(request, tmp_path_factory, "smoke", make)
    return folder / "run", said(folder)


@pytest.fixture
def without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this process measure all but the machine's limits: see tests/helpers/no_limits.py."""
    from tests.helpers.no_limits import leave_out  # not before something is measured

    leave_out(monkeypatch)
