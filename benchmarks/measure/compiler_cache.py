"""Where workers keep what they compile: below the run's folder, or elsewhere where its path has a space.

torch.compile puts paths into a command line and takes that apart at spaces and quotes, so that a folder of such a
name cannot hold its cache or its temporary files.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from pathlib import Path

from ..console.errors import InputError

SHORT_PATHS = ("/tmp", "/var/tmp")  # where the temporary folder itself has a space


def is_one_word(path: str | Path) -> bool:
    """Whether a command line keeps an absolute path whole."""
    text = os.path.abspath(path)
    try:
        return shlex.split(text) == [text]
    except ValueError:  # a quote that is not closed
        return False


def temporary_folder() -> Path:
    """The folder for temporary files that compilers can be given."""
    fitting = (Path(folder) for folder in (tempfile.gettempdir(), *SHORT_PATHS) if is_one_word(folder))
    return next((folder for folder in fitting if os.access(folder, os.W_OK)), Path(tempfile.gettempdir()))


def cache_of(root: Path) -> Path:
    """The folder of compiled programs of the run whose pieces lie in `root`: always the same for one run."""
    if is_one_word(root):
        return root / "cache"
    name = hashlib.sha256(os.path.abspath(root).encode(errors="surrogateescape")).hexdigest()[:16]
    return temporary_folder() / f"samestep-cache-{name}"


def make(cache: Path) -> None:
    """Make the folder, for this user alone.

    Raises:
        InputError: it is somebody else's; programs that others put there would be run.
    """
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and cache.lstat().st_uid != os.getuid():
        raise InputError(f"{cache}: belongs to another user; remove it, or choose a folder without a space")
