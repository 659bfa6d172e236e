"""A lane from outside, as a package of its own in a folder: one file and one entry point."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

BROKEN = """
from samestep.backends.numpy_backend import NumpyBackend

class Broken(NumpyBackend):
    def update(self, state, gradients, learning_rate):
        return super().update(state, gradients, 2 * learning_rate)
"""


def install(folder: Path, lane: str, class_name: str, code: str) -> None:
    """Lay out the package: `lane` is the name that its entry point registers."""
    module = f"lane_{class_name.lower()}"
    package = folder / f"{module}-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (package / "entry_points.txt").write_text(f"[samestep.backends]\n{lane} = {module}:{class_name}\n")
    (folder / f"{module}.py").write_text(code)


def pip_install(example: Path, folder: Path) -> Path:
    """A site folder in `folder` with an example in it, as pip installs it, without what it depends on."""
    source, site = folder / "source", folder / "site"
    shutil.copytree(example, source)  # pip leaves build files behind
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    command = [sys.executable, *words, str(site), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return site


def hide_frameworks(folder: Path) -> None:
    """Modules in whose place frameworks cannot be imported, where the folder is in the path."""
    for name in ("torch", "jax", "numba"):
        (folder / f"{name}.py").write_text("raise ImportError('not installed')\n")


def python_path(*folders: Path) -> str:
    """PYTHONPATH with more folders before what is in it."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


PICKY = """
from samestep.backends.numpy_backend import NumpyBackend

class Picky(NumpyBackend):
    @classmethod
    def unsupported(cls, task):
        return f"it has no columns but two, and {task.name} has {task.layers[0].in_features}" * (
            task.layers[0].in_features != 2
        ) or None

    def init(self, task, params=None, buffers=None):
        if reason := self.unsupported(task):
            raise ValueError(reason)
        return super().init(task, params, buffers)
"""
