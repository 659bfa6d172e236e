"""One interface, three implementations of the same training step: NumPy, PyTorch and JAX.

The registry: lanes are found through the entry-point group ``samestep.backends`` (built-in ones too), so that
a backend from outside is one file and one entry point. Importing this package imports no framework.
"""

from __future__ import annotations

from dis import opmap
from importlib.metadata import EntryPoint, entry_points

from .interface import Backend, Device, LaneName, Unavailable
from .spec import Task

GROUP = "samestep.backends"
__all__ = [
    "GROUP",
    "Backend",
    "Device",
    "DuplicateLane",
    "LaneName",
    "Unavailable",
    "lane_class",
    "load",
    "missing",
    "names",
    "places",
    "unsupported",
    "why_unsupported",
]


class DuplicateLane(ValueError):
    """Two installed packages claim one lane's name."""


def _entries() -> dict[str, EntryPoint]:
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        first = entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            raise DuplicateLane(
                f"two packages claim the lane {entry.name!r}: {first.value} and {entry.value}; "
                f"uninstall one, or rename its entry point in the group {GROUP}"
            )
    return entries


def names() -> tuple[str, ...]:
    """Every registered lane, whether or not it can run here."""
    return tuple(sorted(_entries()))


def places() -> dict[str, EntryPoint]:
    """Where the class of every registered lane is; nothing is imported."""
    return _entries()


def lane_class(name: str) -> type[Backend]:
    """The class of a registered lane; imports its framework.

    Raises:
        KeyError: no such lane.
        Unavailable: the lane's module cannot be imported here.
    """
    entries = _entries()
    if name not in entries:
        raise KeyError(f"no lane {name!r}; the lanes are {', '.join(sorted(entries))}")
    try:
        lane: type[Backend] = entries[name].load()
    except ImportError as error:
        extra = LaneName.parse(name).framework
        hint = f"; pip install 'samestep[{extra}]'" if extra in ("torch", "jax", "numba") else ""
        if error.name in ("backends", "benchmarks"):  # their names before there was one installed name
            hint = f"; write `from samestep.{error.name} import ...`"
        raise Unavailable(f"{error}{hint}") from error
    except BaseException as error:  # whatever goes wrong inside a lane's own import concerns that lane alone
        if isinstance(error, KeyboardInterrupt) and not _is_raised_by_code(error):
            raise
        raise Unavailable(f"its import fails: {_one_line(error)}") from error
    return lane


def _is_raised_by_code(error: BaseException) -> bool:
    """Whether a statement `raise` raised this, and no signal."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if (
        trace is None or type(error) is not KeyboardInterrupt
    ):  # a handler of signals raises a class of its own
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]


def _one_line(error: BaseException) -> str:
    """An exception by its type and the first line of its message."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def missing(name: str) -> str | None:
    """Why a lane cannot run here, or None when it can."""
    try:
        lane = lane_class(name)
    except Unavailable as reason:
        return str(reason)
    try:
        reason_of_lane = lane.missing()
        lane.devices()
    except Unavailable as reason:
        return str(reason)
    except (
        Exception
    ) as error:  # what goes wrong where a framework looks for its devices concerns its lanes alone
        return f"its devices cannot be listed: {_one_line(error)}"
    return reason_of_lane


def unsupported(name: str, task: Task) -> str | None:
    """Why a lane that can run here cannot do a task, in one line; None when it can.

    Raises:
        KeyError: no such lane.
        Unavailable: the lane's module cannot be imported here.
    """
    return why_unsupported(lane_class(name), task)


def why_unsupported(lane: type[Backend], task: Task) -> str | None:
    """The same of a class of a lane; an answer that is neither a text nor None is a reason, too."""
    cannot = "it cannot say whether it does this task"
    try:
        reason: object = lane.unsupported(task)
    except Exception as error:  # as for its devices: whatever goes wrong concerns that lane alone
        return f"{cannot}: {_one_line(error)}"
    if reason is None:
        return None
    if not isinstance(reason, str) or not reason.strip():
        return f"{cannot}: {reason!r:.100} is neither a reason nor None"
    return " ".join(reason.split())


def load(name: str, device: str = "cpu") -> Backend:
    """A lane, ready on a device.

    Raises:
        KeyError: no such lane.
        Unavailable: the lane or the device cannot be used here.
    """
    lane = lane_class(name)
    if reason := missing(name):
        raise Unavailable(reason)
    if device not in lane.devices():
        raise Unavailable(f"{name} has no device {device!r} here; it has {', '.join(lane.devices())}")
    return lane(device)
