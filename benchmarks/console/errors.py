"""The one error that a user's input causes: the command line prints its line and exits 2."""

from __future__ import annotations

import shutil


class InputError(ValueError):
    """Bad input or usage. The message is one line: what, where, and how to fix it."""


def cause(error: OSError) -> str:
    """What the system could not do, in its own words."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of every file in a folder
        return str(error.args[0][0][-1])
    return error.strerror or str(error)
