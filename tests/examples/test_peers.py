"""The peers: lanes of other libraries, proven and raced where they are installed, else listed with a reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from samestep import backends
from tests.helpers.outside_lanes import pip_install, python_path
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "peers"
DECLARED = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PEERS = sorted(DECLARED["entry-points"][backends.GROUP])
HERE = [name for name in PEERS if name in backends.names()]
HIDE = """
import importlib.metadata, sys
sys.modules.update(keras=None, lightning=None)
real = importlib.metadata.version
def version(name):
    if name == "keras":
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
"""
NEEDS_PEERS = pytest.mark.skipif(not HERE, reason="the peers are not installed: pip install ./examples/peers")


def run(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A Python process in a folder of its own."""
    environment = os.environ | variables
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )


def printed(code: str, cwd: Path, **variables: str) -> str:
    """What a program prints."""
    done = run("-c", code, cwd=cwd, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_library_that_is_absent_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    """The package without its libraries: they are hidden from the processes that are asked."""
    site = pip_install(EXAMPLE, tmp_path)
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    path = python_path(tmp_path, site)
    for lane, library in (("keras:torch", "keras"), ("keras:jax", "keras"), ("lightning", "lightning")):
        code = f"from samestep import backends; print(backends.missing({lane!r}))"
        reason = printed(code, tmp_path, PYTHONPATH=path)
        assert "\n" not in reason
        assert f"pip install {library}" in reason


@NEEDS_PEERS
def test_all_are_registered_and_can_run() -> None:
    assert HERE == PEERS
    assert [backends.missing(name) for name in PEERS] == [None] * len(PEERS)


@NEEDS_PEERS
@pytest.mark.parametrize("lane", PEERS)
def test_each_is_proven_like_any_other(lane: str, tmp_path: Path) -> None:
    done = run("-m", "samestep", "parity", "--lane", lane, "--task", "lesson", "--task", "mlp", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 2


@NEEDS_PEERS
def test_all_are_raced_like_any_other_and_compile_nothing_in_a_slice(tmp_path: Path) -> None:
    lanes = [word for lane in ("numpy", *PEERS) for word in ("--lane", lane)]
    words = (
        "compare",
        "--effort",
        "smoke",
        "--task",
        "lesson",
        *lanes,
        "--baseline",
        "numpy",
        "--out",
        "run",
    )
    done = run("-m", "samestep", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "run" / "benchmark.json").read_text())["samestep"]
    slices = [timed for block in record["blocks"] for timed in block["slices"]]
    assert {timed["lane"] for timed in slices} >= set(PEERS)
    assert not any(timed["compilations"] for timed in slices)
    assert not list(tmp_path.glob("*logs*"))  # what Lightning writes by itself


@NEEDS_PEERS
def test_importing_keras_leaves_environment_and_home_as_they_were(tmp_path: Path) -> None:
    code = """
import os
from samestep import backends
variables = dict(os.environ)
lane = backends.load("keras:jax")
assert dict(os.environ) == variables
print(lane.keras.config.backend())
"""
    limits = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "0"}
    assert printed(code, tmp_path, **limits) == "jax"
    assert not list(tmp_path.iterdir())


@NEEDS_PEERS
def test_keras_takes_one_backend_in_a_process(tmp_path: Path) -> None:
    code = """
from samestep import backends
backends.load("keras:torch")
print(backends.missing("keras:jax"))
"""
    reason = printed(code, tmp_path)
    assert reason == "Keras runs on torch here: jax needs a process of its own"
    with pytest.raises(AssertionError, match="Unavailable: Keras runs on torch"):
        printed(code + 'backends.load("keras:jax")', tmp_path)


@NEEDS_PEERS
def test_several_learning_rates_in_one_fit_are_refused_and_lightning_takes_them(tmp_path: Path) -> None:
    code = """
import numpy as np
from samestep import backends, tasks
from samestep.backends.spec import SGD, Cosine
task = tasks.get("lesson")
cosine = task.model_copy(update={"optimizer": SGD(schedule=Cosine())})
print([bool(backends.unsupported(lane, cosine)) for lane in ("keras:torch", "lightning")])
lane = backends.load("keras:torch")
x, y = np.ones((20, 2), np.float32), np.ones((20, 1), np.float32)
try:
    with lane.precision("float32"):
        lane.epoch(lane.init(task), (x, y), np.arange(20), 10, np.array([0.1, 0.2], np.float32))
except ValueError as error:
    print(error)
"""
    assert printed(code, tmp_path) == "[True, False]\none fit has one learning rate"
