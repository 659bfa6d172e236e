"""The folder of compiled programs: where no space is, one for each run, gone with the run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from samestep import backends
from samestep.backends.interface import Device
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure import compiler_cache
from samestep.benchmarks.measure.folder import RunFolder
from samestep.benchmarks.measure.process import worker_environment
from tests.helpers.paths import ROOT


@pytest.mark.parametrize(
    ("name", "fits"), [("plain", True), ("a b", False), ("it's", False), ("José", True), ("a\tb", False)]
)
def test_a_cache_lies_below_its_run_where_a_command_line_takes_the_path(
    name: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / name / "relay"
    cache = compiler_cache.cache_of(root)
    assert compiler_cache.is_one_word(cache)
    assert (cache == root / "cache") == fits
    assert compiler_cache.cache_of(root) == cache  # so that a run is gone on with in the same
    assert compiler_cache.cache_of(tmp_path / f"{name} 2" / "relay") != cache
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert compiler_cache.is_one_word(compiler_cache.cache_of(Path("relay")))  # the current folder counts


def test_every_compiler_of_a_worker_keeps_its_programs_in_the_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    variables = worker_environment(threads="one", cpus=[], device=Device("cpu"), cache=tmp_path, rng=rng)
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "NUMBA_CACHE_DIR"):
        assert Path(variables[name]).is_relative_to(tmp_path)
    assert variables["NUMBA_NUM_THREADS"] == "1"


def test_a_cache_elsewhere_is_made_for_this_user_and_goes_with_the_scratch(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a b")
    compiler_cache.make(folder.cache)
    assert folder.cache.stat().st_mode & 0o077 == 0
    (folder.cache / "program.so").write_bytes(b"x" * 5000)
    assert folder.scratch_bytes() == 5000
    folder.remove_scratch()
    assert not folder.cache.exists()


def test_a_cache_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        compiler_cache.make(tmp_path / "cache")


def test_temporary_files_of_workers_have_no_space_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given() -> dict[str, str]:
        rng = np.random.default_rng(0)
        return worker_environment(
            threads="one", cpus=[0], device=Device("cpu"), cache=tmp_path / "cache", rng=rng
        )

    monkeypatch.delenv("TMPDIR", raising=False)
    before = given().get("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    assert given()["TMPDIR"] == "/tmp" != before


def test_a_torch_that_lies_below_a_space_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "__file__", str(tmp_path / "a b" / "torch" / "__init__.py"))
    for lane in ("torch:compile", "torch:fused"):
        assert "a space in its path" in (backends.missing(lane) or "")
    assert backends.missing("torch:tuned") is None


@pytest.mark.slow
@pytest.mark.skipif(backends.missing("torch:compile") is not None, reason="torch:compile cannot run here")
def test_a_compiled_lane_is_certified_from_a_folder_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    code = (
        "from samestep import tasks; from samestep.benchmarks.measure import certify_lanes\n"
        "if __name__ == '__main__': "
        "print(certify_lanes([tasks.get('lesson')], ['torch:compile'])[0].certificate.reason)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path / "my data"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "my data",
        env=environment,
        capture_output=True,
        text=True,
        timeout=560,
    )
    assert "bit for bit" in done.stdout, done.stdout + done.stderr
    assert not list((tmp_path / "my data").iterdir())


def test_make_clean_leaves_results(tmp_path: Path) -> None:
    """It takes what tools leave and what was compiled, and nothing that was measured."""
    gone = [
        ".benchmarks/x",
        ".mypy_cache/x",
        "backends/__pycache__/x.pyc",
        "results/local/run/relay/cache/x.so",
    ]
    stay = ["results/local/run/relay/plan.json", "results/reference/x.json", ".venv/__pycache__/x.pyc"]
    for name in (*gone, *stay):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    subprocess.run(["make", "-f", str(ROOT / "Makefile"), "clean"], cwd=tmp_path, check=True, timeout=60)
    assert not [name for name in gone if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in stay)
