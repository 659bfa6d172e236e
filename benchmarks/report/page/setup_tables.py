"""What a record was measured on and with, and the command that measures the same again."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from samestep.backends.spec import File, Task

from ... import tasks
from ...console.choices import counted
from ...console.errors import InputError
from ...datasets.spelling import arguments_of
from ...record import AnyRecord
from .. import formatting as fmt
from ..text_table import TextTable

HOST = ("what", "value")
PACKAGES = ("package", "version")
SETTINGS = ("variable", "value", "by whom")
POOLS = ("lane", "device", "pools")
CALLS = ("framework", "call", "takes")


def environment(record: AnyRecord) -> list[TextTable]:
    """The host, its software, the settings, and what the machine can do at best."""
    makers = _host, _packages, _settings, _pools, _roofline_limits, _dispatches
    return [table for make in makers if (table := make(record)).rows]


def _host(record: AnyRecord) -> TextTable:
    plan, host = record.plan, record.plan.environment
    rows: list[tuple[str, ...]] = [
        ("measured", fmt.moment(plan.created)),
        ("processor", host.cpu),
        ("cores", f"{host.cores or 'unknown'}, {host.logical_cpus} logical, {host.allowed_cpus} allowed"),
        ("memory", f"{host.memory / 2**30:.1f} GiB"),
        ("system", f"{host.system}, {host.machine}"),
        ("device, threads", f"{plan.device}, {plan.threads}"),
        (
            "effort",
            f"{plan.effort.name}: {plan.effort.blocks} blocks, {counted(plan.effort.cold, 'cold call')}",
        ),
        ("order drawn from seed", str(plan.seed)),
        ("boot", host.boot),
    ]
    return TextTable("Host", HOST, rows, left=HOST)


def _packages(record: AnyRecord) -> TextTable:
    host = record.plan.environment
    rows: list[tuple[str, ...]] = [("python", host.python), *host.packages.items()]
    rows += [("digest of all packages", host.installed), ("digest of the measuring code", host.source)]
    return TextTable("Software", PACKAGES, rows, left=PACKAGES)


def _settings(record: AnyRecord) -> TextTable:
    plan = record.plan
    rows: list[tuple[str, ...]] = [
        (name, value, "found") for name, value in plan.environment.settings.items()
    ]
    rows += [(name, value, "set for the workers") for name, value in plan.settings.items()]
    rows += [(name, value, "found, and unset for the workers") for name, value in plan.unset.items()]
    return TextTable("Settings", SETTINGS, rows, left=SETTINGS)


def _pools(record: AnyRecord) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for arm in record.arms:
        pools = "; ".join(
            f"{p.library}{f' {p.version}' if p.version else ''}, threads {p.threads}" for p in arm.pools
        )
        rows.append((arm.lane, arm.device, pools or "none that can be seen"))
    return TextTable("Lanes and their thread pools", POOLS, rows, left=POOLS)


def _roofline_limits(record: AnyRecord) -> TextTable:
    """Bytes and operations per second."""
    names = ("task", "working set", "read", "copy", "peak", "BLAS")
    rows: list[tuple[str, ...]] = [
        (c.task, fmt.quantity(c.working_set, "B"), *(fmt.quantity(r, "B/s") for r in (c.read_rate, c.copy_rate)),
         "" if c.peak_rate is None else fmt.quantity(c.peak_rate, "FLOP/s"), fmt.quantity(c.blas_rate, "FLOP/s"))
        for c in record.ceilings
    ]  # fmt: skip
    return TextTable("The machine's measured limits", names, rows, left=("task",))


def _dispatches(record: AnyRecord) -> TextTable:
    rows: list[tuple[str, ...]] = [(d.framework, d.call, fmt.duration(d.seconds)) for d in record.dispatches]
    return TextTable("The cheapest call of each framework", CALLS, rows, left=CALLS[:2])


def reproduce(record: AnyRecord) -> str:
    """A command that makes such a record again; empty where a task is not a named one."""
    plan = record.plan
    if plan.effort.name == "sweep":
        rows = ["--rows"] if any(work.task.most_steps for work in plan.works) else []
        arguments, absent = ["sweep", *rows], list[str]()  # what is missing there is what nobody asked for
    else:
        arguments, absent = _compare(record), list(plan.missing_lanes)  # lanes that could not run there
    if not arguments:
        return ""
    arguments += [argument for lane in (*plan.lanes, *absent) for argument in ("--lane", lane)]
    arguments += ["--device", plan.device, "--threads", plan.threads, "--baseline", plan.baseline]
    return shlex.join(["samestep", *arguments])


def _compare(record: AnyRecord) -> list[str]:
    """compare, its tasks and its effort; nothing where a task is not of this version or the dtypes differ."""
    plan, dtypes = record.plan, {work.task.dtype for work in record.plan.works}
    options = [_task(work.task) for work in plan.works]
    if not all(options) or len(dtypes) > 1:
        return []
    arguments = ["compare", *(argument for task in options for argument in task)]
    effort = plan.effort.name
    arguments += [
        "--dtype",
        *dtypes,
        *(["--until", "decided"] if plan.effort.looks else ["--effort", effort]),
    ]
    return arguments + (["--phases"] if plan.phases else [])


def _task(task: Task) -> list[str]:
    """The options that name a task; none where it is neither a named one nor a file's."""
    if isinstance(task.dataset, File):
        return arguments_of(task.dataset, PurePath(task.dataset.path).name)
    try:
        named = tasks.get(task.name, task.dtype) == task
    except InputError:
        named = False
    return ["--task", task.name] if named else []
