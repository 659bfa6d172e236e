"""What the lanes can do here: on which devices, and which of the tasks. Frameworks are imported to ask them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from samestep import backends
from samestep.backends.interface import Device
from samestep.backends.spec import Task

from ..console.choices import by_reason

Pair = tuple[str, str]  # task and lane


@contextmanager
def variables_kept() -> Iterator[None]:
    """Take back what frameworks set in the environment where they are imported: no settings of a user."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:  # an interrupt may come at any place: nothing else is touched
                os.environ[name] = value


@variables_kept()
def why_not(lane: str, device: Device) -> str | None:
    """Why a lane cannot run on a device here; None when it can."""
    if reason := backends.missing(lane):
        return reason
    devices = backends.lane_class(lane).devices()
    return None if str(device) in devices else f"no device {device} here, only {', '.join(devices)}"


@variables_kept()
def class_of(lane: str) -> type[backends.Backend] | None:
    """The class of a lane; None where it is not registered or cannot be imported."""
    try:
        return backends.lane_class(lane)
    except (KeyError, backends.Unavailable):
        return None


@variables_kept()
def has_device(lane: str) -> bool:
    """Whether a lane has a device here, or lacks more than that: a lane for absent devices is no default."""
    try:
        return bool(backends.lane_class(lane).devices())
    except Exception:  # its reason is `backends.missing`
        return True


@variables_kept()
def unsupported_pairs(tasks: Sequence[Task], lanes: Sequence[str]) -> dict[Pair, str]:
    """The tasks that each of some lanes cannot do, by task and lane, with the reason; each lane is asked once."""
    return {
        (task.name, lane): reason
        for task in tasks
        for lane in lanes
        if (reason := backends.unsupported(lane, task))
    }


def idle_lanes(
    tasks: Sequence[Task], lanes: Sequence[str], unsupported: Mapping[Pair, str]
) -> dict[str, str]:
    """The lanes that can do none of the tasks, with the reason."""
    names = [task.name for task in tasks]
    idle = [lane for lane in lanes if all((name, lane) in unsupported for name in names)]
    return {lane: by_reason({name: unsupported[name, lane] for name in names}) for lane in idle}
