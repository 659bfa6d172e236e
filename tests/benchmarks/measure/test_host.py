"""What holds CPUs back, read from trees of files as Linux has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from samestep.benchmarks.measure import environment, host
from samestep.benchmarks.record import Environment

CPU = "sys/devices/system/cpu"


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


VERSION_2 = {
    "proc/self/cgroup": "0::/user/run",
    "sys/fs/cgroup/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_usec 0",
    "sys/fs/cgroup/user/cpu.max": "150000 100000",
    "sys/fs/cgroup/user/cpu.stat": "usage_usec 9\nnr_periods 694\nnr_throttled 685\nthrottled_usec 7",
    "sys/fs/cgroup/user/run/cpu.max": "max 100000",
}
VERSION_1 = {
    "proc/self/cgroup": "2:cpu,cpuacct:/run\n1:memory:/run\n0::/",
    "sys/fs/cgroup/cpu,cpuacct/run/cpu.cfs_quota_us": "50000",
    "sys/fs/cgroup/cpu,cpuacct/run/cpu.cfs_period_us": "100000",
    "sys/fs/cgroup/cpu,cpuacct/run/cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 5",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
}
UNSEEN_PATH = {  # as in a container: the path is the host's, and its own files are at the top
    "proc/self/cgroup": "0::/system.slice/docker-1234.scope",
    "sys/fs/cgroup/cpu.max": "200000 100000",
    "sys/fs/cgroup/cpu.stat": "nr_periods 4\nnr_throttled 2",
}


@pytest.mark.parametrize(
    ("files", "quota", "throttled"),
    [(VERSION_2, 1.5, 685), (VERSION_1, 0.5, 3), (UNSEEN_PATH, 2.0, 2), ({}, None, 0)],
)
def test_a_quota_is_the_least_of_all_cgroups_above(
    files: Mapping[str, str], quota: float | None, throttled: int, tmp_path: Path
) -> None:
    root = tree(tmp_path, files)
    assert host.cpu_quota(root) == quota
    assert host.throttled_periods(root) == throttled


BUSY = """
import sys, time
from samestep.benchmarks.measure import host
open(sys.argv[1], "w").write("0")  # this process
before, end = host.throttled_periods(), time.monotonic() + 20
while host.throttled_periods() == before and time.monotonic() < end:
    pass
print(host.cpu_quota(), host.throttled_periods() - before)
"""


@pytest.fixture
def tenth_of_a_cpu() -> Iterator[Path]:
    """A cgroup of this system with a tenth of a CPU, in the hierarchy of the first version or the second."""
    first, second = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    group = (first if first.is_dir() else second) / f"samestep-test-{os.getpid()}"
    try:
        group.mkdir()
        if first.is_dir():
            (group / "cpu.cfs_quota_us").write_text("10000")
        else:
            (group / "cpu.max").write_text("10000 100000")
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no cgroup with a CPU quota can be made here: {error.strerror}")
    yield group
    group.rmdir()


@pytest.mark.slow
def test_a_real_quota_is_seen_and_what_it_stops_is_counted(tenth_of_a_cpu: Path) -> None:
    """A loop for as long as it takes: the kernel counts a period in which all was used that may be."""
    command = [sys.executable, "-c", BUSY, str(tenth_of_a_cpu / "cgroup.procs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    quota, throttled = done.stdout.split()
    assert float(quota) == 0.1
    assert int(throttled) >= 1


def test_periods_are_read_anew(tmp_path: Path) -> None:
    root = tree(tmp_path, VERSION_2)
    assert host.throttled_periods(root) == 685
    tree(root, {"sys/fs/cgroup/user/cpu.stat": "nr_periods 700\nnr_throttled 690"})
    assert host.throttled_periods(root) == 690


def test_hardware_threads_of_one_core_are_counted_among_those_that_are_allowed(tmp_path: Path) -> None:
    siblings = {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}
    root = tree(
        tmp_path, {f"{CPU}/cpu{n}/topology/thread_siblings_list": text for n, text in siblings.items()}
    )
    assert host.sharing_cpus((0, 1, 4, 5), root) == 4
    assert host.sharing_cpus((0, 1, 4), root) == 2
    assert host.sharing_cpus((0, 1), root) == 0
    ranges = tree(tmp_path / "b", {f"{CPU}/cpu{n}/topology/thread_siblings_list": "0-1" for n in (0, 1)})
    assert host.sharing_cpus((0, 1), ranges) == 2


def test_kinds_of_core_are_told_by_capacity_or_by_two_lists(tmp_path: Path) -> None:
    arm = tree(tmp_path / "arm", {f"{CPU}/cpu{n}/cpu_capacity": "446" if n < 2 else "1024" for n in range(4)})
    assert host.core_kinds(range(4), arm) == 2
    assert host.core_kinds((2, 3), arm) == 1
    lists = {"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7"}
    intel = tree(tmp_path / "intel", lists)
    assert host.core_kinds(range(8), intel) == 2
    assert host.core_kinds((4, 5), intel) == 1


@pytest.mark.parametrize(
    ("name", "text", "known"),
    [
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
        ("other", "", None),
    ],
)
def test_turbo_is_known_where_it_can_be_read(
    name: str, text: str, known: bool | None, tmp_path: Path
) -> None:
    assert host.turbo(tree(tmp_path, {f"{CPU}/{name}": text})) is known


def test_the_governor_is_that_of_the_allowed_cpus(tmp_path: Path) -> None:
    names = {0: "powersave", 1: "performance"}
    root = tree(tmp_path, {f"{CPU}/cpu{n}/cpufreq/scaling_governor": name for n, name in names.items()})
    assert host.governor((0,), root) == "powersave"
    assert host.governor((0, 1), root) == "performance, powersave"
    assert host.governor((2,), root) is None


def test_an_environment_holds_what_is_out_of_the_ordinary_and_older_ones_lack_it(tmp_path: Path) -> None:
    root = tree(tmp_path, VERSION_1 | {f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"})
    assert host.facts((0,), root) == {"quota": 0.5, "governor": "powersave"}
    assert host.facts((0,), tmp_path / "nothing") == {}
    now = environment.read()
    plain = now.model_copy(
        update={name: Environment.model_fields[name].default for name in host.facts((), root)}
    )
    assert not {"quota", "sharing_cpus", "core_kinds", "governor", "turbo"} & set(
        plain.model_copy(update={"turbo": None, "sharing_cpus": 0, "core_kinds": 1}).model_dump()
    )
    assert Environment.model_validate_json(now.model_dump_json()) == now
