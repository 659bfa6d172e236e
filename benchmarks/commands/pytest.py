"""`samestep pytest`: the benchmarks through pytest-benchmark, from any folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..pytest_plugin import MODULE

PLUGIN = "samestep.benchmarks.pytest_plugin"
NOTHING_OF_ITS_PROJECT = ("-c", os.devnull, "--rootdir=.", "--noconftest", "-p", "no:cacheprovider")


def pytest(arguments: Sequence[str]) -> NoReturn:
    """Become `pytest --benchmark-only` on the benchmarks; the arguments are those of pytest and its plugins."""
    command = [
        "pytest",
        *NOTHING_OF_ITS_PROJECT,
        "-p",
        PLUGIN,
        "--benchmark-only",
        *arguments,
        "--pyargs",
        MODULE,
    ]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", *command])
