"""What holds the host's CPUs back or makes them differ, as far as Linux tells: nothing here on other systems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..record.machine import Environment

ROOT = Path("/")
CPUS, CGROUPS = Path("sys/devices/system/cpu"), Path("sys/fs/cgroup")
HYBRID = "cpu_core", "cpu_atom"  # Intel's two kinds


def facts(cpus: Collection[int], root: Path = ROOT) -> dict[str, object]:
    """The fields of an environment that say so of some CPUs; only what is known, and not as on most hosts."""
    found = {
        "quota": cpu_quota(root),
        "sharing_cpus": sharing_cpus(cpus, root),
        "core_kinds": core_kinds(cpus, root),
        "governor": governor(cpus, root),
        "turbo": turbo(root),
    }
    return {name: value for name, value in found.items() if value != Environment.model_fields[name].default}


# --- the quota of the cgroup ----------------------------------------------------------------------------------


def cpu_quota(root: Path = ROOT) -> float | None:
    """The CPU seconds that each second has for this process and its siblings, at most; None without a quota."""
    quotas = [quota for folder in cgroups(root) if (quota := _quota(folder))]
    return min(quotas, default=None)


def throttled_periods(root: Path = ROOT) -> int:
    """In how many periods so far a quota stopped this process's cgroup, or one above it."""
    return sum(map(_throttled, _with_statistics(root)))


def cgroups(root: Path = ROOT) -> list[Path]:
    """The folders of this process's cgroups that can hold a CPU quota, its own and those above it.

    Version 2 has one hierarchy, version 1 one for the controller `cpu`. In a container the path may be that of
    the host, which cannot be seen; the top of what can is the container's own.
    """
    folders = list[Path]()
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for top in _tops(root / CGROUPS, controllers):
            own = top / path.strip("/")
            folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(top)]
    return folders


def _tops(folder: Path, controllers: str) -> Iterator[Path]:
    """Where a hierarchy that can hold a CPU quota is mounted."""
    if not controllers:
        yield folder / "unified" if (folder / "unified").is_dir() else folder
    elif "cpu" in controllers.split(","):
        yield folder / controllers if (folder / controllers).is_dir() else folder / "cpu"


def _quota(folder: Path) -> float | None:
    """The quota of one cgroup in CPU seconds a second: `cpu.max` of version 2, `cpu.cfs_*` of version 1."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    if len(words) != 2 or not all(word.isdigit() for word in words):  # "max" or "-1": none
        return None
    quota, period = map(int, words)
    return quota / period if quota and period else None


@cache
def _with_statistics(root: Path) -> tuple[Path, ...]:
    """The cgroups that count how often they were stopped."""
    return tuple(folder for folder in cgroups(root) if "nr_throttled" in _text(folder / "cpu.stat"))


def _throttled(folder: Path) -> int:
    lines = (line.split() for line in _text(folder / "cpu.stat").splitlines())
    return sum(int(words[1]) for words in lines if words[0] == "nr_throttled")


# --- the cores ------------------------------------------------------------------------------------------------


def sharing_cpus(cpus: Collection[int], root: Path = ROOT) -> int:
    """How many of some CPUs are hardware threads of a core that another of them is a thread of too."""
    cores = [frozenset(_cpu_list(_of_cpu(root, cpu, "topology/thread_siblings_list"))) for cpu in cpus]
    return sum(len(siblings & set(cpus)) > 1 for siblings in cores)


def core_kinds(cpus: Collection[int], root: Path = ROOT) -> int:
    """How many kinds of core some CPUs are of: by their capacity, or by Intel's two lists."""
    capacities = {_of_cpu(root, cpu, "cpu_capacity") for cpu in cpus}
    lists = [set(_cpu_list(_text(root / "sys/devices" / kind / "cpus"))) for kind in HYBRID]
    return max(1, len(capacities), sum(bool(kind & set(cpus)) for kind in lists))


def governor(cpus: Collection[int], root: Path = ROOT) -> str | None:
    """What chooses the clock of some CPUs; None where it cannot be read, as in most virtual machines."""
    names = sorted({name for cpu in cpus if (name := _of_cpu(root, cpu, "cpufreq/scaling_governor"))})
    return ", ".join(names) or None


def turbo(root: Path = ROOT) -> bool | None:
    """Whether the clock may go beyond its nominal rate; None where it cannot be read."""
    if off := _text(root / CPUS / "intel_pstate/no_turbo").strip():
        return off == "0"
    boost = _text(root / CPUS / "cpufreq/boost").strip()
    return boost == "1" if boost else None


def _of_cpu(root: Path, cpu: int, name: str) -> str:
    return _text(root / CPUS / f"cpu{cpu}" / name).strip()


def _cpu_list(text: str) -> Iterator[int]:
    """The numbers of a list such as 0-3,8 (cpuset(7))."""
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _text(path: Path) -> str:
    """What a file says; nothing where it cannot be read."""
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text()
    return ""
