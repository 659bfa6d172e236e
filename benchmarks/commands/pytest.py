"""`samestep pytest`: the benchmarks through pytest-benchmark, from any folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..pytest_plugin import MODULE

PLUGIN = "samestep.benchmarks.pytest_plugin"
ALONE = (
    "-c",
    os.devnull,
    "--rootdir=.",
    "-p",
    "no:cacheprovider",
)  # no settings or files of the folder's project


def pytest(arguments: Sequence[str]) -> NoReturn:
    """Become `pytest --benchmark-only` on the benchmarks; the arguments are those of pytest and its plugins."""
    command = ["pytest", *ALONE, "-p", PLUGIN, "--benchmark-only", *arguments, "--pyargs", MODULE]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", *command])
