"""The committed result, read and analyzed once for all tests of a process."""

from __future__ import annotations

from functools import cache

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record.files import load
from tests.helpers.paths import REFERENCE


@cache
def reference() -> RecordAnalysis:
    """Its analysis; nobody changes one."""
    return RecordAnalysis(load(REFERENCE))
