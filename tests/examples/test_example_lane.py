"""A lane from outside: the example is installed as a package of its own, found, proven and listed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.outside_lanes import hide_frameworks, pip_install
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "packed"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed in it, as `pip install ./examples/packed` would."""
    return pip_install(EXAMPLE, tmp_path_factory.mktemp("packed"))


def samestep(
    site: Path, *words: str, cwd: Path, also: Path | None = None, module: str = "samestep"
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, filter(None, (site, also))))}
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def test_the_lane_is_one_file_and_one_entry_point() -> None:
    assert sorted(path.name for path in EXAMPLE.iterdir() if path.is_file()) == [
        "pyproject.toml",
        "samestep_packed.py",
    ]


def test_the_registry_finds_it_by_name(site: Path, tmp_path: Path) -> None:
    """Beside lanes that cannot run, since their frameworks are not there: they would take seconds to import."""
    hide_frameworks(tmp_path)
    done = samestep(site, "list", cwd=tmp_path, also=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "numpy:packed" in done.stdout


def test_it_is_proven_like_any_other_on_one_layer_and_on_two(site: Path, tmp_path: Path) -> None:
    words = ("parity", "--lane", "numpy:packed", "--task", "lesson", "--task", "mlp")
    done = samestep(site, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 2


def test_it_is_compared_like_any_other(site: Path, tmp_path: Path) -> None:
    lanes = ("--lane", "numpy:tuned", "--lane", "numpy:packed", "--baseline", "numpy:tuned")
    words = ("compare", "--effort", "smoke", "--task", "lesson", *lanes, "--out", "run")
    done = samestep(site, *words, cwd=tmp_path, also=ROOT, module="tests.helpers.no_limits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "numpy:packed" in done.stdout
    assert "proven" in done.stdout
