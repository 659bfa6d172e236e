"""One small real run, which many tests read."""

from __future__ import annotations

import gc
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import SMOKE, samestep


def pytest_configure() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and so would be all that tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Thousands of tests need not be walked again whenever one of them collects garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder and the output of a small run of `samestep compare`, from a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("smoke")
    done = samestep("compare", *SMOKE, "--out", str(folder / "run"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done
