"""Runs without the machine's limits, which take seconds to measure, for tests that ask nothing of them.

`leave_out` for those in this process; of others `python -m tests.helpers.no_limits` is the command line, and
`-p tests.helpers.no_limits` a plugin of pytest.
"""

from __future__ import annotations

import pytest

from samestep.benchmarks.measure import benchmark_run
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.measure.folder import MachineLimits, RunFolder
from samestep.benchmarks.record import Plan


def keep_reasons(folder: RunFolder, plan: Plan, limits: WorkerLimits) -> None:
    """In place of `measure_limits`: for every task and framework a reason why there is nothing of it."""
    names = [*(work.task.name for work in plan.works), *(arm.framework for arm in folder.record().arms)]
    folder.keep(MachineLimits(reasons=dict.fromkeys(names, "left out by a test")))


def leave_out(patch: pytest.MonkeyPatch | None = None) -> None:
    """No run of this process measures the machine's limits, until the patch is undone where there is one."""
    (patch or pytest.MonkeyPatch()).setattr(benchmark_run, "measure_limits", keep_reasons)


def pytest_configure() -> None:
    """Of a pytest that has this as a plugin."""
    leave_out()


if __name__ == "__main__":
    from samestep.__main__ import command_line  # which takes the current folder out of the path

    leave_out()
    command_line()
