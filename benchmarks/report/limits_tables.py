"""The tables of a machine's limits: rates at each task, and the cheapest call of each framework."""

from __future__ import annotations

from typing import Any

from ..console.choices import counted
from . import formatting as fmt
from .settings_lines import set_line, unset_line
from .text_table import TextTable, boxed, paragraph

DROPS = ("flop/step", "bytes/step", "working set")  # where there is no room for all
READING = "Reading is a dot product; copying counts what is read and written. The cost of calls is taken off."
FLOOR = "Floor of a step: the larger of its rows' bytes at the read rate and its operations at the peak rate."
BLAS = "Peak is a product of large matrices, BLAS the products of one step with the cost of their calls."
HOLDS = (
    "Each row from a process of its own, the best of many short runs. It holds for this host and this boot."
)


def limits_text(limits: dict[str, Any], *, width: int = 100) -> str:
    """Two small tables, and the environment variables that may have bent them."""
    cpus = counted(limits["allowed_cpus"], "CPU")
    parts = [paragraph(f"{limits['cpu']}, {cpus}, threads {limits['threads']}", width)]
    reasons = [f"{name}: {why}" for name, why in {**limits["missing"], **limits["failed"]}.items()]
    for table in (rates_table(limits["tasks"]), calls_table(limits["calls"], reasons)):
        parts += ["", boxed(table, width)]
    settings = [*set_line(limits["settings"], on_cpu=True), *unset_line(limits["unset"])]
    parts += ["", *(paragraph(line, width) for line in settings)] if settings else []
    return "\n".join(parts)


def rates_table(rows: list[dict[str, Any]]) -> TextTable:
    """Bandwidth at the working set of the timed run, the best arithmetic, and BLAS at the shapes of its step."""
    units = {
        "working_set": "B",
        "read_rate": "B/s",
        "copy_rate": "B/s",
        "peak_rate": "flop/s",
        "blas_rate": "flop/s",
        "row_bytes_per_step": "B",
        "flops_per_step": "",
    }
    names = ("task", "working set", "read", "copy", "peak", "BLAS", "bytes/step", "flop/step", "floor/step")
    table = TextTable("RATES", names, notes=[READING, BLAS, FLOOR], left=("task",), drops=DROPS)
    for row in rows:
        values = (fmt.quantity(row[name], unit) for name, unit in units.items())
        table.rows.append((row["task"], *values, fmt.duration(row["floor_s"])))
    return table


def calls_table(rows: list[dict[str, Any]], reasons: list[str]) -> TextTable:
    """The cheapest call of each framework on one number: no step can take less than its calls."""
    table = TextTable("CHEAPEST CALL", ("what", "time"), notes=[*reasons, HOLDS], left=("what",))
    table.rows = [(row["call"], fmt.duration(row["seconds"])) for row in rows]
    return table
