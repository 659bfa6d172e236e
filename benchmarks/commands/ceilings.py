"""`samestep ceilings`: what this machine can do at a task's size, whatever the framework."""

from __future__ import annotations

import json as encoder
import tempfile
from typing import Any

import numpy as np

from .. import datasets
from ..measure import environment
from ..measure import task_files as work
from ..measure.efforts import Limits
from ..measure.folder import Folder
from ..measure.jobs import ceilings as measured
from ..measure.limits import CALLS, floor
from ..measure.options import Options, Session, resolve
from ..parity.workload import initial_parameters
from ..record.plan import PlannedWork
from ..report import formatting as fmt
from ..report.tables import Table, boxed, notes

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
    asked = resolve(options, race=False)
    found = measure(asked)
    print(encoder.dumps(found, indent=2) if json else text(found))
    return int(bool(found["failed"]))


def measure(asked: Session) -> dict[str, Any]:
    """The limits as JSON has them: rates per second in bytes and operations, times in seconds.

    `missing` are frameworks and default tasks that cannot run here, `failed` what was tried in vain.
    """
    missing = {name: why for name, why in asked.missing.items() if name in CALLS} | asked.left_out
    lanes = {name: name for name in CALLS if name in asked.lanes}
    with tempfile.TemporaryDirectory() as scratch:
        place, works = Folder(scratch), []
        for index, task in enumerate(asked.tasks):
            works.append(
                work.write(place.work(index), task, datasets.load(task.dataset), initial_parameters(task))
            )
        found, failed = measured(place, works, lanes, asked.threads, Limits(), np.random.default_rng())
    by_task = {each.task.name: each for each in works}
    rates = [each.model_dump() | sizes(by_task[each.task]) for each in found.ceilings]
    for row, each in zip(rates, found.ceilings, strict=True):
        row["floor_s"] = floor(by_task[each.task], each)
    return {
        "cpu": environment.cpu_model(),
        "allowed_cpus": len(environment.allowed_cpus()),
        "threads": asked.threads,
        "tasks": rates,
        "calls": [each.model_dump() for each in found.dispatches],
        "missing": missing,
        "failed": failed,
    }


def sizes(described: PlannedWork) -> dict[str, int]:
    """The least that one full step moves and computes."""
    return {"bytes_per_step": described.bytes_per_step, "flops_per_step": described.flops_per_step}


def text(found: dict[str, Any]) -> str:
    """Two small tables."""
    heading = f"{found['cpu']}, {found['allowed_cpus']} CPUs, threads {found['threads']}"
    reasons = [f"{name}: {why}" for name, why in {**found["missing"], **found["failed"]}.items()]
    parts = [heading]
    for table in (rates_table(found["tasks"]), calls_table(found["calls"], reasons)):
        parts += ["", boxed(table, WIDTH), *notes(table, WIDTH)]
    return "\n".join(parts)


def rates_table(rows: list[dict[str, Any]]) -> Table:
    """Bandwidth at the working set of the timed run, and the BLAS rate at the shapes of its step."""
    names = ("task", "working set", "read", "copy", "BLAS", "bytes/step", "flop/step", "floor/step")
    table = Table("RATES", names, [], [READING, FLOOR])
    for row in rows:
        sizes = [row["working_set"], row["bytes_per_step"], row["flops_per_step"]]
        rates = [row["read_rate"], row["copy_rate"], row["blas_rate"]]
        size, moved, computed = (unit(value, what) for value, what in zip(sizes, ("B", "B", ""), strict=True))
        speeds = [unit(value, what) for value, what in zip(rates, ("B/s", "B/s", "flop/s"), strict=True)]
        table.rows.append((row["task"], size, *speeds, moved, computed, fmt.duration(row["floor_s"])))
    return table


def calls_table(rows: list[dict[str, Any]], reasons: list[str]) -> Table:
    """The cheapest call of each framework on one number: no step can take less than its calls."""
    table = Table("CHEAPEST CALL", ("what", "time"), [], [*reasons, HOLDS])
    table.rows = [(row["call"], fmt.duration(row["seconds"])) for row in rows]
    return table


def unit(value: float, what: str) -> str:
    """A number with a metric suffix before its unit: 12 kB, 144 B, 44.2 Gflop/s."""
    number, _, suffix = fmt.count(value).partition(" ")
    return f"{number} {suffix}{what}".rstrip()
