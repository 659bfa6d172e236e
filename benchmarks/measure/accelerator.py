"""The state of the GPUs that NVIDIA's own tool reports: clocks, what limits them, temperature and power.

nvidia-smi comes with every driver, so nothing has to be installed for it. A field that it does not give, or gives
in another unit than expected, is None.
"""

from __future__ import annotations

import csv
import math
import subprocess
from collections.abc import Sequence

from ..record.machine import SETTINGS, THROTTLES, Accelerator

LIMIT_S = 10.0  # for an answer; a broken driver may never answer
FIELDS = (
    *("index", "name", "driver_version", "clocks.sm", "clocks.max.sm"),
    *("temperature.gpu", "power.draw", "memory.total"),
)
LIMITS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")  # the second before driver 535
BYTES = {"MiB": 2**20, "GiB": 2**30}


def read() -> tuple[Accelerator, ...]:
    """Every GPU that nvidia-smi lists, () where there is no such tool or it fails."""
    for limits in LIMITS:
        if rows := query((*FIELDS, limits)):
            return tuple(accelerator(row) for row in rows)
    return ()


def query(fields: Sequence[str]) -> list[list[str]]:
    """A row of values for each GPU, [] where the tool is absent, fails or answers with something else."""
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return []
    rows = [[value.strip() for value in row] for row in csv.reader(done.stdout.splitlines()) if row]
    return rows if all(len(row) == len(fields) and row[0].isdecimal() for row in rows) else []


def accelerator(row: Sequence[str]) -> Accelerator:
    """One row of values in the order of FIELDS, the limits last."""
    index, name, driver, clock, highest, temperature, power, memory, limits = row
    unit = memory.rpartition(" ")[2]
    total = number_with_unit(memory, unit) if unit in BYTES else None
    return Accelerator(
        index=int(index),
        name=name,
        driver=driver,
        clock=number_with_unit(clock, "MHz"),
        highest_clock=number_with_unit(highest, "MHz"),
        limits=limit_names(limits),
        temperature=number_with_unit(temperature, ""),
        power=number_with_unit(power, "W"),
        memory=None if total is None else round(total * BYTES[unit]),
    )


def number_with_unit(text: str, unit: str) -> float | None:
    """The number in "1980 MHz"; None for another unit, or for none: [N/A], [Not Supported], [Unknown Error]."""
    number, _, text_unit = text.partition(" ")
    if text_unit != unit or not number.replace(".", "", 1).isdecimal():
        return None
    return value if math.isfinite(value := float(number)) else None


def limit_names(bits: str) -> tuple[str, ...] | None:
    """The names of a mask such as 0x0000000000000004; bits without a name stay as numbers."""
    try:
        mask = int(bits, 16)
    except ValueError:
        return None
    names = SETTINGS | THROTTLES
    bits_set = (1 << place for place in range(mask.bit_length()) if mask >> place & 1)
    return tuple(names.get(bit, hex(bit)) for bit in bits_set)
