"""A file that a user has named for output: whether it can be written, before any work is done for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import InputError, cause

HEAD_BYTES = 4096  # of a file that lies there already: enough to tell what it is


def check_target(name: str, path: Path, mark: bytes) -> None:
    """Raise InputError unless the file can be written and whatever lies there is an earlier one of its kind.

    name: what the user wrote before the path, such as an option. mark: what every such file begins with, within
    its first 4096 bytes.
    """
    folder = path.absolute().parent
    if not os.path.isdir(folder):
        raise InputError(f"{name}{path}: there is no folder {path.parent}; make it first")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise InputError(f"{name}{path}: {cause(error)}; name another file") from error
    if mode is not None:
        _check_present(name, path, mode, mark)
    if not os.access(folder, os.W_OK):
        raise InputError(f"{name}{path}: the folder {path.parent} cannot be written to; name another file")


def _check_present(name: str, path: Path, mode: int, mark: bytes) -> None:
    if stat.S_ISDIR(mode):
        raise InputError(f"{name}{path}: is a folder; name a file in an existing folder")
    if not stat.S_ISREG(mode):
        raise InputError(f"{name}{path}: is no file that can be replaced; name another")
    try:
        with path.open("rb") as file:
            is_ours = mark in file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{name}{path}: {cause(error)}; name another file") from error
    if not is_ours:
        raise InputError(f"{name}{path}: is a file of another kind, and would be overwritten; name another")
