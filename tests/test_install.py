"""What makes .venv: uv only where it finds what pip would find, and errors in the installer's own words."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from tests.helpers.paths import ROOT


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_of_pip_that_decide_what_is_found(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # none of this machine's files
    before = install.pip_settings() - {"config-file"}
    assert "timeout" not in before
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    monkeypatch.setenv("PIP_NO_INPUT", "1")
    assert install.pip_settings() - {"config-file"} == before | {"find-links"}


def test_the_locks_hold_each_package_once() -> None:
    """What compares needs no linter, browser or test tool beside pytest."""
    names = {}
    for lock in ("requirements.lock", "requirements-tests.lock"):
        lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
        pins = [Requirement(line) for line in lines if line and not line.startswith(("#", "-c "))]
        assert all(str(pin.specifier).startswith("==") for pin in pins)
        names[lock] = {pin.name.lower().replace("_", "-") for pin in pins}
    assert not names["requirements.lock"] & names["requirements-tests.lock"]
    assert {"ruff", "mypy", "playwright", "pre-commit", "hypothesis"} <= names["requirements-tests.lock"]
    assert {"torch", "jax", "flax", "optax", "numpy", "pytest-benchmark"} <= names["requirements.lock"]


def test_no_installer_compiles_by_itself(install: ModuleType) -> None:
    assert "--no-compile" in install.installer(None)
    assert "--compile-bytecode" not in install.installer("uv")


@pytest.mark.slow
def test_bytecode_is_made_of_what_is_installed_and_of_this_package(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Python may keep none; it is what Python looks for, below a link too."""
    site = tmp_path / ".venv/lib/python3.11/site-packages"
    for name in (".venv/bin", "backends", "benchmarks", "samestep", "validation"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "samestep/backends").symlink_to("../backends")
    for module in (site / "other/code.py", site / "other/tests/code.py", tmp_path / "backends/code.py"):
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text("x = 1\n", encoding="utf-8")
    (site / "other/template.py").write_text("this is {{ no }} Python\n", encoding="utf-8")
    (tmp_path / install.PYTHON).symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)  # where tests keep theirs
    monkeypatch.setattr(sys, "pycache_prefix", None)
    install.run(install.bytecode(), None, "bytecode")
    cached = Path(importlib.util.cache_from_source("samestep/backends/code.py"))
    assert cached.exists()
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.pyc")}
    assert {path.parent.parent for path in found} >= {Path("backends"), site.relative_to(tmp_path) / "other"}
    assert not [path for path in found if "tests" in path.parts or path.name.startswith("template")]


@pytest.mark.slow
def test_an_install_that_fails_shows_the_last_lines_and_names_the_log(tmp_path: Path) -> None:
    shutil.copy(ROOT / "install.py", tmp_path)
    (tmp_path / "requirements.lock").write_text("no-such-package ==1 ; nonsense\n", encoding="utf-8")
    command = [sys.executable, "install.py", "--next", "compare"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 2
    assert "then come the certificates" in done.stdout
    assert "nonsense" in done.stderr
    assert done.stderr.endswith(
        "requirements.lock could not be installed; all that was said is in .venv/install.log\n"
    )
    assert "nonsense" in (tmp_path / ".venv/install.log").read_text(encoding="utf-8")
