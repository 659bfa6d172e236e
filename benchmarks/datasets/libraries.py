"""Libraries that only some data need: imported when first needed, with what to install where they are absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..console.errors import InputError

INSTALL = "pip install 'samestep[data]'"
PIP = {"sklearn": "scikit-learn", "charset_normalizer": "charset-normalizer"}  # where pip has another name


def require(module: str) -> ModuleType:
    """Import a data library when it is first needed.

    Raises:
        InputError: it is not installed; the line says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{PIP.get(package, package)} is needed here ({error}): {INSTALL}") from error
