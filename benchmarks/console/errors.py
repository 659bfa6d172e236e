"""The one error that a user's input causes: the command line prints its line and exits 2."""

from __future__ import annotations

import re
import shutil

CUT = re.compile(r"\d+ requested and \d+ written")  # what NumPy says of a disk that is full


class InputError(ValueError):
    """Bad input or usage. The message is one line: what, where, and how to fix it."""


def cause(error: OSError) -> str:
    """What the system could not do, in its own words."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of every file in a folder
        return str(error.args[0][0][-1])
    if error.strerror is None and CUT.search(str(error)):
        return f"there was no room for a whole file ({error})"
    return error.strerror or str(error)
