"""What is told of a run before it starts grows with the work, and knows every lane."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from samestep import backends
from samestep.benchmarks.measure import duration
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.measure.relay import longest_first
from samestep.benchmarks.measure.request import resolve


def test_more_of_anything_takes_longer() -> None:
    request = resolve(Options(task=["lesson"], lane=["numpy", "numpy:tuned"], baseline="numpy"))
    least = duration.expected(request)
    assert list(least) == ["certify", "ceilings", "race"]
    assert min(least.values()) > 0
    longer = replace(request, effort=EFFORTS["standard"])
    assert duration.expected(longer)["race"] == 2 * least["race"]  # twelve blocks for six
    assert duration.expected(replace(request, phases=True))["phases"] > 0
    two = resolve(Options(task=["lesson", "lesson-huber"], lane=["numpy", "numpy:tuned"], baseline="numpy"))
    assert duration.expected(two)["certify"] == 2 * least["certify"]


def test_a_lane_that_is_not_here_has_an_expectation_too() -> None:
    request = resolve(Options(task=["lesson"], lane=["numpy"], baseline="numpy"))
    elsewhere = replace(request, lanes=("numpy", "no.such:Lane"))
    assert sum(duration.expected(elsewhere).values()) > sum(duration.expected(request).values())


IMPORTS = """
import os, sys
from samestep.benchmarks.measure.duration import of_certificates
before = dict(os.environ)
of_certificates([("lesson", lane) for lane in ("torch", "jax")])
assert {"torch", "jax"} <= set(sys.modules)
assert dict(os.environ) == before, set(os.environ) ^ set(before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    any(backends.missing(lane) for lane in ("torch", "jax")), reason="both frameworks are imported"
)
def test_what_frameworks_set_while_they_are_imported_is_no_setting_of_a_run() -> None:
    """A run that goes on must find the settings that it began with; JAX sets one of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    subprocess.run([sys.executable, "-c", IMPORTS], env=plain, check=True)


def test_jobs_are_spread_so_that_none_waits_for_a_long_one() -> None:
    """Sums of 10 on each of two CPUs; by turns, as they come, they would be 16 and 4."""
    assert longest_first([8.0, 1.0, 6.0, 1.0, 2.0, 2.0], [0, 1]) == [0, 1, 1, 1, 1, 0]
    assert longest_first([3.0, 1.0], [5]) == [5, 5]
    assert longest_first([], [0, 1]) == []
