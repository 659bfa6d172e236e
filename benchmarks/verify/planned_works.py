"""The plan of a record: works made anew from data and code; effort and settings as the code declares them."""

from __future__ import annotations

from samestep.backends.interface import Device

from .. import tasks
from ..datasets import Split
from ..measure.efforts import EFFORTS, UNTIL
from ..measure.grid import SWEEP
from ..measure.limits import working_set
from ..measure.process import worker_settings
from ..measure.task_files import describe, facts_of, timed_run
from ..parity.workload import initial_parameters
from ..record import AnyRecord, Facts, Plan, PlannedWork
from .closeness import alike
from .findings import Findings

OF_THE_SYSTEM = "XLA_FLAGS"  # a setting of workers only where processes cannot be bound to a core


def check_plan(findings: Findings, plan: Plan) -> None:
    """Effort and settings are those declared; nothing that ran is among what is missing."""
    declared = (*EFFORTS.values(), *UNTIL.values(), SWEEP)
    effort = next((effort for effort in declared if effort.name == plan.effort.name), None)
    if effort is not None:
        fault = f"the effort {effort.name!r} is {_differences(plan.effort, effort)}"
        findings.declared("parts of the plan", plan.effort == effort, fault)
    expected = worker_settings(threads=plan.threads, device=Device.parse(plan.device))
    same = {**plan.settings, OF_THE_SYSTEM: ""} == {**expected, OF_THE_SYSTEM: ""}
    findings.declared(
        "parts of the plan", same, "the settings of the workers are not those of its threads and device"
    )
    both = sorted(set(plan.missing) & {*plan.lanes, *(work.task.name for work in plan.works)})
    findings.compare("parts of the plan", not both, f"{', '.join(both)}: missing, and yet in the plan")
    for (task, lane), reason in plan.unsupported_pairs.items():
        findings.compare(
            "parts of the plan", bool(reason.strip()), f"{lane} on {task}: left out without a reason"
        )


def check_work(findings: Findings, record: AnyRecord, planned: PlannedWork, data: Split) -> None:
    """A task's sizes, digests and facts, from its data made anew.

    Raises:
        InputError: the data do not fit the task.
    """
    task = planned.task
    x, y = data.rounded(task.dtype)
    files = timed_run(task, data, x, y, initial_parameters(task))
    remade = describe(files)
    for name in ("rows", "features", "steps", "samples", "start", "bytes_per_step", "flops_per_step"):
        recorded, value = getattr(planned, name), getattr(remade, name)
        fault = f"{task.name}: {name} is {recorded}; made anew it is {value}"
        findings.compare("figures of tasks", recorded == value, fault)
    _check_facts(findings, task.name, planned.facts, facts_of(data))
    if task.name in tasks.names() and task != tasks.get(task.name, dtype=task.dtype):
        findings.skip(f"that {task.name} is the task of that name: this version has another one")
    for limits in (limits for limits in record.ceilings if limits.task == task.name):
        fault = (
            f"{task.name}: the limits are those of {limits.working_set} bytes, not of {working_set(files)}"
        )
        findings.compare("figures of tasks", limits.working_set == working_set(files), fault)


def _check_facts(findings: Findings, task: str, recorded: Facts | None, remade: Facts) -> None:
    """What was done to the data; how their source is called may change with the code."""
    if recorded is None:
        findings.declared("facts of data", False, f"{task}: nothing says where the data come from")
        return
    first, second = recorded.model_dump(), remade.model_dump()
    sources = first.pop("source"), second.pop("source")
    for name in first:
        fault = f"{task}: {name} of the data is {first[name]}; made anew it is {second[name]}"
        findings.compare("facts of data", alike(first[name], second[name]), fault[:300])
    findings.declared(
        "facts of data", sources[0] == sources[1], f"{task}: the source of the data is {sources[1]!r}"
    )


def _differences(recorded: object, declared: object) -> str:
    """The fields in which a model differs from another, with both values."""
    values = vars(recorded), vars(declared)
    return ", ".join(f"{k}={values[0][k]} and not {v}" for k, v in values[1].items() if values[0][k] != v)
