"""Where and with what a record was measured, and the command that measures the same again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from samestep.backends.spec import File, Task

from ... import tasks
from ...console.errors import InputError
from ...record import Record
from .. import formatting as fmt
from ..text_table import TextTable

HOST = ("what", "value")
PACKAGES = ("package", "version")
SETTINGS = ("variable", "value", "by whom")
POOLS = ("lane", "device", "pools")
CALLS = ("framework", "call", "takes")


def environment(record: Record) -> list[TextTable]:
    """The host, its software, the settings, and what the machine can do at best."""
    makers = _host, _packages, _settings, _pools, _roofline_limits, _dispatches
    return [table for make in makers if (table := make(record)).rows]


def _host(record: Record) -> TextTable:
    plan, host = record.plan, record.plan.environment
    rows: list[tuple[str, ...]] = [
        ("measured", fmt.moment(plan.created)),
        ("processor", host.cpu),
        ("cores", f"{host.cores or 'unknown'}, {host.logical_cpus} logical, {host.allowed_cpus} allowed"),
        ("memory", f"{host.memory / 2**30:.1f} GiB"),
        ("system", f"{host.system}, {host.machine}"),
        ("device, threads", f"{plan.device}, {plan.threads}"),
        ("effort", f"{plan.effort.name}: {plan.effort.blocks} blocks, {plan.effort.cold} cold calls"),
        ("order drawn from seed", str(plan.seed)),
        ("boot", host.boot),
    ]
    return TextTable("Host", HOST, rows, left=HOST)


def _packages(record: Record) -> TextTable:
    host = record.plan.environment
    rows: list[tuple[str, ...]] = [("python", host.python), *host.packages.items()]
    rows += [("digest of all packages", host.installed), ("digest of the measuring code", host.source)]
    return TextTable("Software", PACKAGES, rows, left=PACKAGES)


def _settings(record: Record) -> TextTable:
    plan = record.plan
    rows: list[tuple[str, ...]] = [
        (name, value, "found") for name, value in plan.environment.settings.items()
    ]
    rows += [(name, value, "set for the workers") for name, value in plan.settings.items()]
    return TextTable("Settings", SETTINGS, rows, left=SETTINGS)


def _pools(record: Record) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for arm in record.arms:
        pools = "; ".join(
            f"{p.library}{f' {p.version}' if p.version else ''}, threads {p.threads}" for p in arm.pools
        )
        rows.append((arm.lane, arm.device, pools or "none that can be seen"))
    return TextTable("Lanes and their thread pools", POOLS, rows, left=POOLS)


def _roofline_limits(record: Record) -> TextTable:
    """Bytes and operations per second."""
    names = ("task", "working set", "read", "copy", "BLAS")
    rows: list[tuple[str, ...]] = [
        (c.task, fmt.count(c.working_set) + "B", *(fmt.count(r) + "B/s" for r in (c.read_rate, c.copy_rate)),
         fmt.count(c.blas_rate) + "FLOP/s")
        for c in record.ceilings
    ]  # fmt: skip
    return TextTable("The machine's measured limits", names, rows, left=("task",))


def _dispatches(record: Record) -> TextTable:
    rows: list[tuple[str, ...]] = [(d.framework, d.call, fmt.duration(d.seconds)) for d in record.dispatches]
    return TextTable("The cheapest call of each framework", CALLS, rows, left=CALLS[:2])


def reproduce(record: Record) -> list[str]:
    """The lines of a command that makes such a record again; none where a task is not a named one."""
    plan = record.plan
    words = ["samestep", *(["sweep"] if plan.effort.name == "sweep" else _compare(record))]
    if len(words) == 1:
        return []
    # lanes that could not run are asked for again; a sweep's are those that nobody asked for
    absent = [] if words[1] == "sweep" else [name for name in plan.missing if name not in tasks.names()]
    lanes = [*plan.lanes, *absent]
    words += [word for lane in lanes for word in ("--lane", lane)]
    words += ["--device", plan.device, "--threads", plan.threads, "--baseline", plan.baseline]
    return _wrapped(words)


def _compare(record: Record) -> list[str]:
    """compare, its tasks and its effort; nothing where a task is not of this version or the dtypes differ."""
    plan, dtypes = record.plan, {work.task.dtype for work in record.plan.works}
    options = [_task(work.task) for work in plan.works]
    if not all(options) or len(dtypes) > 1:
        return []
    words = ["compare", *(word for task in options for word in task)]
    words += ["--dtype", *dtypes, "--effort", plan.effort.name]
    return words + (["--phases"] if plan.phases else [])


def _task(task: Task) -> list[str]:
    """The options that ask for a task; none where it is neither a named one nor a file's."""
    if isinstance(task.dataset, File):
        chosen = task.dataset.features
        words = ["--data", PurePath(task.dataset.path).name, "--target", task.dataset.target]
        return words + (["--features", ",".join(chosen)] if chosen else [])
    try:
        named = tasks.get(task.name, task.dtype) == task
    except InputError:
        named = False
    return ["--task", task.name] if named else []


def _wrapped(words: Sequence[str], width: int = 88) -> list[str]:
    """Shell words on lines that a shell joins again; an option and its value stay together."""
    lines, line = [], ""
    groups: list[str] = []
    for word in map(shlex.quote, words):
        if word.startswith("--") or not groups or not groups[-1].startswith("--") or " " in groups[-1]:
            groups.append(word)
        else:
            groups[-1] += f" {word}"
    for group in groups:
        if line and len(line) + len(group) > width:
            lines.append(line + " \\")
            line = "   "
        line += f" {group}" if line else group
    return [*lines, line]
