"""The sentence on what holds the CPUs back."""

from __future__ import annotations

from typing import Any

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Record
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.host_line import host_line
from tests.helpers.records import record

USUAL: dict[str, Any] = {"quota": None, "sharing_cpus": 0, "core_kinds": 1, "governor": None, "turbo": None}


def on_a_host(throttled: int = 0, **facts: Any) -> Record:
    made = record({"jax": [0.5] * 6}, change=lambda lane, b, r: {"throttled": throttled} if r == 0 else {})
    environment = made.plan.environment.model_copy(update=USUAL | facts)
    return made.model_copy(update={"plan": made.plan.model_copy(update={"environment": environment})})


def test_nothing_is_said_of_a_host_without_anything_of_the_kind() -> None:
    assert host_line(on_a_host()) == []


def test_everything_that_is_known_stands_in_one_line_below_the_tables() -> None:
    made = on_a_host(throttled=1, quota=0.5, sharing_cpus=4, core_kinds=2, governor="powersave", turbo=False)
    (line,) = host_line(made)
    assert line == (
        "The CPUs: a quota of 0.5 CPUs of the cgroup stopped 18 of 54 slices; 4 of the allowed ones are hardware "
        "threads that share a core; 2 kinds of core; governor powersave; turbo off."
    )
    analysis = RecordAnalysis(made)
    assert line in tables.scope(analysis)
    assert line in tables.brief_scope(analysis)


def test_what_is_not_out_of_the_ordinary_is_absent_from_the_json() -> None:
    names = {"quota", "sharing_cpus", "core_kinds", "governor", "turbo"}
    plain, other = (made.plan.environment.model_dump_json() for made in (on_a_host(), on_a_host(quota=2.0)))
    assert [name for name in names if f'"{name}"' in plain] == []
    assert [name for name in names if f'"{name}"' in other] == ["quota"]
    assert "throttled" not in on_a_host().model_dump_json()
    assert (
        Record.model_validate_json(on_a_host(throttled=3).model_dump_json()).blocks[0].slices[0].throttled
        == 3
    )
