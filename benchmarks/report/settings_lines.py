"""The environment variables of a run, in a sentence each: which were set, which no worker got."""

from __future__ import annotations

from collections.abc import Mapping

from ..measure import settings
from ..record import Plan

SHORT = 60  # characters of a value that a sentence shows


def settings_lines(plan: Plan) -> list[str]:
    """A line for the variables that may have changed a lane's speed, and one for those that no worker got."""
    reached = {name: value for name, value in plan.environment.settings.items() if name not in plan.settings}
    return [*set_line(reached, on_cpu=plan.on_cpu), *unset_line(plan.unset)]


def set_line(recorded: Mapping[str, str], *, on_cpu: bool) -> list[str]:
    """The variables that were set, by what they concern; no line where there are none."""
    groups = settings.disclosed(recorded, on_cpu=on_cpu)
    if not groups:
        return []
    texts = [
        f"{', '.join(f'{name}={short(value)}' for name, value in variables.items())} ({what})"
        for what, variables in groups.items()
    ]
    return [
        f"Set in the environment: {'; '.join(texts)}. They may hold back one library and not another: unset "
        "them for times of the libraries as shipped."
    ]


def unset_line(variables: Mapping[str, str]) -> list[str]:
    """The variables that no worker got; no line where there are none."""
    if not variables:
        return []
    texts = ", ".join(f"{name}={short(value)}" for name, value in variables.items())
    return [f"Not passed on to the lanes, since it changes what is run: {texts}."]


def short(value: str) -> str:
    """The beginning of a long value."""
    return value if len(value) <= SHORT else f"{value[: SHORT - 3]}..."
