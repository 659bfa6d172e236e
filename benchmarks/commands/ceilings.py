"""`samestep ceilings`: what this machine can do at a task's size, whatever the framework."""

from __future__ import annotations

import json as encoder
import tempfile
from typing import Any

import numpy as np

from .. import datasets
from ..analysis.rows import roofline_floor
from ..measure import RunRequest, environment, task_files
from ..measure.efforts import WorkerLimits
from ..measure.folder import MachineLimits, RunFolder
from ..measure.limits import CALLS
from ..measure.options import Options
from ..measure.preparation import machine_limits
from ..measure.request import resolve
from ..parity.workload import initial_parameters
from ..record.plan import PlannedWork
from ..report import formatting as fmt
from ..report.text_table import TextTable, boxed

WIDTH = 100
READING = "Reading is a dot product of an array with itself; copying counts what is read and what is written."
FLOOR = "Floor of a step: the larger of its bytes at the read rate and its operations at the BLAS rate."
HOLDS = "Each row from a process of its own, the best of many spells. It holds for this host and this boot."


def ceilings(options: Options, *, json: bool) -> int:
    """Measure the limits of the CPU at each task, and each framework's cheapest call, and print them.

    0, or 1 when something could not be measured; it is named with the reason.

    Raises:
        InputError: the options or the data cannot be used.
    """
    limits = measure_here(resolve(options, race=False))
    print(encoder.dumps(limits, indent=2) if json else text(limits))
    return int(bool(limits["failed"]))


def measure_here(request: RunRequest) -> dict[str, Any]:
    """The limits as JSON has them: rates per second in bytes and operations, times in seconds.

    `missing` are frameworks and default tasks that cannot run here, `failed` those that could not be measured.
    """
    lanes = {name: name for name in CALLS if name in request.lanes}
    with tempfile.TemporaryDirectory() as scratch:
        folder, works = RunFolder(scratch), list[PlannedWork]()
        for index, task in enumerate(request.tasks):
            data, start = datasets.load(task.dataset), initial_parameters(task)
            works.append(task_files.write(folder.work(index), task, data, start))
        rng = np.random.default_rng()
        limits, failed = machine_limits(folder, works, lanes, request.threads, WorkerLimits(), rng)
    missing = {name: reason for name, reason in request.missing_lanes.items() if name in CALLS}
    return {
        "cpu": environment.cpu_model(),
        "allowed_cpus": len(environment.allowed_cpus()),
        "threads": request.threads,
        "tasks": rates(limits, works),
        "calls": [call.model_dump() for call in limits.dispatches],
        "missing": missing | dict(request.left_out_tasks),
        "failed": failed,
    }


def rates(limits: MachineLimits, works: list[PlannedWork]) -> list[dict[str, Any]]:
    """The rates at each task, beside the least that one full step moves and computes."""
    by_task = {work.task.name: work for work in works}
    return [
        rate.model_dump()
        | {
            "bytes_per_step": by_task[rate.task].bytes_per_step,
            "flops_per_step": by_task[rate.task].flops_per_step,
            "floor_s": roofline_floor(by_task[rate.task], rate),
        }
        for rate in limits.ceilings
    ]


def text(limits: dict[str, Any]) -> str:
    """Two small tables."""
    parts = [f"{limits['cpu']}, {limits['allowed_cpus']} CPUs, threads {limits['threads']}"]
    reasons = [f"{name}: {why}" for name, why in {**limits["missing"], **limits["failed"]}.items()]
    for table in (rates_table(limits["tasks"]), calls_table(limits["calls"], reasons)):
        parts += ["", boxed(table, WIDTH)]
    return "\n".join(parts)


def rates_table(rows: list[dict[str, Any]]) -> TextTable:
    """Bandwidth at the working set of the timed run, and the BLAS rate at the shapes of its step."""
    units = {
        "working_set": "B",
        "read_rate": "B/s",
        "copy_rate": "B/s",
        "blas_rate": "flop/s",
        "bytes_per_step": "B",
        "flops_per_step": "",
    }
    names = ("task", "working set", "read", "copy", "BLAS", "bytes/step", "flop/step", "floor/step")
    table = TextTable("RATES", names, notes=[READING, FLOOR], left=("task",))
    for row in rows:
        values = (fmt.quantity(row[name], unit) for name, unit in units.items())
        table.rows.append((row["task"], *values, fmt.duration(row["floor_s"])))
    return table


def calls_table(rows: list[dict[str, Any]], reasons: list[str]) -> TextTable:
    """The cheapest call of each framework on one number: no step can take less than its calls."""
    table = TextTable("CHEAPEST CALL", ("what", "time"), notes=[*reasons, HOLDS], left=("what",))
    table.rows = [(row["call"], fmt.duration(row["seconds"])) for row in rows]
    return table
