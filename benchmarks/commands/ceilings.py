"""`samestep ceilings`: what this machine can do at a task's size, whatever the framework."""

from __future__ import annotations

import json as encoder
import os
import tempfile
from typing import Any

import numpy as np

from samestep.backends.interface import Device

from .. import datasets
from ..analysis.lane_samples import roofline_floor
from ..console.interrupts import raise_interrupts
from ..console.terminal import terminal_width
from ..measure import RunRequest, compiler_cache, environment, settings, task_files
from ..measure.efforts import WorkerLimits
from ..measure.folder import MachineLimits, RunFolder
from ..measure.limits import CALLS
from ..measure.options import Options
from ..measure.preparation import machine_limits
from ..measure.process import worker_settings
from ..measure.request import resolve
from ..parity.workload import initial_parameters
from ..record.plan import PlannedWork
from ..report import limits_tables


def ceilings(options: Options, *, json: bool) -> int:
    """Measure the limits of the CPU at each task, and each framework's cheapest call, and print them.

    0, or 1 when something could not be measured; it is named with the reason.

    Raises:
        InputError: the options or the data cannot be used.
    """
    request = resolve(options, race=False)
    raise_interrupts()
    limits = measure_here(request)
    if json:
        print(encoder.dumps(limits, allow_nan=False, indent=2))
    else:
        print(limits_tables.limits_text(limits, width=terminal_width()))
    return int(bool(limits["failed"]))


def measure_here(request: RunRequest) -> dict[str, Any]:
    """The limits as JSON has them: rates per second in bytes and operations, times in seconds.

    `missing` are frameworks and default tasks that cannot run here, `failed` those that could not be measured.
    `settings` are environment variables that reached workers and may change a run, `unset` those that none got.
    """
    lanes = {name: name for name in CALLS if name in request.lanes}
    with tempfile.TemporaryDirectory() as scratch:
        folder, works = RunFolder(scratch), list[PlannedWork]()
        for index, task in enumerate(request.tasks):
            data, start = datasets.load(task.dataset), initial_parameters(task)
            works.append(task_files.write(folder.work(index), task, data, start))
        rng = np.random.default_rng()
        compiler_cache.make(folder.cache)
        limits = machine_limits(folder, works, lanes, request.threads, WorkerLimits(), rng)
        folder.remove_scratch()
    missing = {name: reason for name, reason in request.missing_lanes.items() if name in CALLS}
    return {
        "cpu": environment.cpu_model(),
        "allowed_cpus": len(environment.allowed_cpus()),
        "threads": request.threads,
        "tasks": rates(limits, works),
        "calls": [call.as_json() for call in limits.dispatches],
        "missing": missing | dict(request.left_out_tasks),
        "failed": limits.reasons,
        "settings": settings_of_workers(request),
        "unset": settings.unset(os.environ),
    }


def settings_of_workers(request: RunRequest) -> dict[str, str]:
    """The recorded environment variables, but for those that every worker gets anew."""
    replaced = worker_settings(threads=request.threads, device=Device("cpu"))
    return {name: value for name, value in settings.recorded(os.environ).items() if name not in replaced}


def rates(limits: MachineLimits, works: list[PlannedWork]) -> list[dict[str, Any]]:
    """The rates at each task, beside the least that one full step reads and computes."""
    by_task = {work.task.name: work for work in works}
    return [
        rate.as_json()
        | {
            "row_bytes_per_step": by_task[rate.task].row_bytes_per_step,
            "flops_per_step": by_task[rate.task].flops_per_step,
            "floor_s": roofline_floor(by_task[rate.task], rate),
        }
        for rate in limits.ceilings
    ]
