"""What test processes that run side by side share: the first that needs it makes it."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(
    request: pytest.FixtureRequest,
    factory: pytest.TempPathFactory,
    name: str,
    make: Callable[[Path], object],
) -> Path:
    """A folder of all test processes that `make` fills for the first of them; the others wait for it."""
    base = factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            make(folder)
            (folder / "made").touch()
    return folder


def keep_said(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """Keep in a folder how a command ended that was run for all test processes."""
    text = json.dumps([done.args, done.returncode, done.stdout, done.stderr])
    (folder / "said.json").write_text(text)


def said(folder: Path) -> subprocess.CompletedProcess[str]:
    """How it ended, which was well."""
    done = subprocess.CompletedProcess(*json.loads((folder / "said.json").read_text()))
    assert done.returncode == 0, done.stdout + done.stderr
    return done
