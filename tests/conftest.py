"""One small real run, which many tests read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import SMOKE, samestep


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder and the output of a small run of `samestep compare`, from a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("smoke")
    done = samestep("compare", *SMOKE, "--out", str(folder / "run"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done
