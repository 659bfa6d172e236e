"""pytest-benchmark's insides, all that is used of them, in one file: pinned below version 6.

Its JSON is the document that every run leaves, whether pytest ran or not. An entry of a lane on a task is the
same in both cases, so that `--benchmark-compare` takes any two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_benchmark
from pytest_benchmark import plugin as benchmark_plugin
from pytest_benchmark.session import PerformanceRegression
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from ..analysis import RecordAnalysis, Row
from ..console.safe_path import safe_path
from ..record import KEY
from . import BENCH
from .replay_clock import CLOCK

__all__ = ["PerformanceRegression", "Saver", "document", "machine_info"]

TEST = "test_training"  # the test function in BENCH
SWITCHED_OFF = (
    "training is timed in workers, and only pytest-benchmark shows their times: leave out what switches it off "
    "(--codspeed, -p no:pytest-benchmark), or the benchmarks of samestep"
)
OPTIONS: dict[str, Any] = {  # what pytest-benchmark writes of our benchmarks; the samples are not its own
    "disable_gc": False,
    "timer": CLOCK.__name__,
    "min_rounds": 5,
    "max_time": 1.0,
    "min_time": 0.000005,
    "precision": None,
    "confidence": None,
    "warmup": False,
}


def document(analysis: RecordAnalysis) -> dict[str, Any]:
    """The JSON of a run: machine, commit, an entry for each lane that has times, and the record."""
    return {
        "machine_info": machine_info(),
        "commit_info": get_commit_info(),
        "benchmarks": [entry(analysis, row) for row in analysis.rows if row.time is not None],
        "datetime": datetime.now(UTC).isoformat(),
        "version": pytest_benchmark.__version__,
        KEY: analysis.record.as_json(),
    }


def entry(analysis: RecordAnalysis, row: Row) -> dict[str, Any]:
    """The samples of a lane on a task, seconds per training step, with pytest-benchmark's own statistics."""
    stats = Stats()
    for seconds in analysis[row.task, row.lane].seconds_per_step:
        stats.update(seconds)
    parameter = f"{row.task}-{row.lane}".encode("unicode_escape").decode("ascii")  # as pytest names a test
    name = f"{TEST}[{parameter}]"
    return {
        "group": row.task,
        "name": name,
        "fullname": full_name(name),
        "params": {"task": row.task, "lane": row.lane},
        "param": parameter,
        "extra_info": extra_info(row),
        "options": OPTIONS,
        "stats": stats.as_dict() | {"data": stats.data, "iterations": 1},
    }


def full_name(name: str) -> str:
    """What runs are compared by: the same from every rootdir."""
    return f"{BENCH.name}::{name}"


def label(benchmark: Any, task: str) -> None:
    """Give a test's entry its group and full name."""
    benchmark.group, benchmark.fullname = task, full_name(benchmark.name)


def extra_info(row: Row) -> dict[str, Any]:
    """What an entry says beside the samples."""
    unit = "seconds per training step"
    return {"task": row.task, "lane": row.lane, "unit": unit, "verdict": row.verdict.word}


def machine_info() -> dict[str, Any]:
    """pytest-benchmark's facts of the machine, those that stay the same."""
    with safe_path():
        return stable_facts(benchmark_plugin.pytest_benchmark_generate_machine_info())


def stable_facts(machine_info: Mapping[str, Any]) -> dict[str, Any]:
    """No name of a host, and no momentary clock, which would differ in every comparison."""
    cpu = {name: value for name, value in machine_info.get("cpu", {}).items() if not name.startswith("hz_")}
    return {name: value for name, value in machine_info.items() if name != "node"} | {"cpu": cpu}


class Saver:
    """pytest-benchmark's own session in this pytest run: what its options say, and what it will save."""

    def __init__(self, config: pytest.Config) -> None:
        self._session: Any = config.pluginmanager.getplugin("pytest-benchmark")

    @property
    def measures(self) -> bool:
        """Whether benchmarks are run and timed."""
        return not (self._session.disabled or self._session.skip)

    @property
    def is_quiet(self) -> bool:
        """Whether tables are left out."""
        return bool(self._session.quiet)

    def misuse(self) -> str | None:
        """Which of pytest-benchmark's options cannot end well, in one line."""
        session = self._session
        if session is None:
            return SWITCHED_OFF
        if not self.measures:
            return None
        if session.compare_fail and not session.compared_mapping:
            return (
                "--benchmark-compare-fail needs --benchmark-compare, and a saved run in --benchmark-storage"
            )
        if session.cprofile_sort_by:
            return "--benchmark-cprofile: lanes run in processes of their own; --phases says where time goes"
        if session.json and not Path(session.json).absolute().parent.is_dir():
            folder = Path(session.json).parent
            return f"--benchmark-json {session.json}: there is no folder {folder}; make it first"
        return None
