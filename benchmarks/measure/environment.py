"""What the run depends on besides the code: the host, its libraries, their settings.

Nothing here names a user, a host or a folder: paths in settings are cut to their last part (`settings`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import psutil
from threadpoolctl import threadpool_info

from samestep import backends

from ..record.machine import Environment, Pool
from . import host, settings

# Parts of benchmarks/ that decide no result: how a run is started, and how it is shown.
NOT_DECISIVE = ("cli.py", "bench_training.py", "commands", "pytest_plugin", "lesson", "report", "console")
PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "triton",
    "numba",
    "llvmlite",
    "samestep",
    "pytest-benchmark",
)


def read() -> Environment:
    """The environment of this process."""
    common = Environment(
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        machine=platform.machine(),
        cpu=cpu_model(),
        cores=psutil.cpu_count(logical=False),
        logical_cpus=psutil.cpu_count() or 1,
        allowed_cpus=len(allowed_cpus()),
        affinity=hasattr(os, "sched_setaffinity"),
        memory=psutil.virtual_memory().total,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: installed()[name] for name in PACKAGES if name in installed()},
        settings=settings.recorded(os.environ),
        boot=boot(),
        installed=_digest("\n".join(f"{name}=={version}" for name, version in sorted(installed().items()))),
        source=source(),
    )
    return common.model_copy(update=host.facts(allowed_cpus()))


def allowed_cpus() -> tuple[int, ...]:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def pools() -> tuple[Pool, ...]:
    """The thread pools loaded into this process."""
    return tuple(
        Pool(
            api=pool["user_api"],
            library=pool["internal_api"],
            version=pool["version"],
            threads=pool["num_threads"],
            architecture=pool.get("architecture"),
        )
        for pool in threadpool_info()
    )


def cpu_model() -> str:
    """The processor's own name for itself, or the architecture where the system does not tell.

    On ARM the kernel has numbers alone, whose names py-cpuinfo knows: it comes with pytest-benchmark.
    """
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    with contextlib.suppress(Exception):  # it runs programs, which may be missing
        import cpuinfo  # type: ignore[import-untyped]  # slow to import

        if name := cpuinfo.get_cpu_info().get("brand_raw"):
            return str(name)
    return platform.processor() or platform.machine()


@cache
def installed() -> dict[str, str]:
    """Name and version of every package that an import takes: of two copies the first on sys.path.

    Copies that setuptools carries in itself are none.
    """
    versions: dict[str, str] = {}
    for one in distributions(path=[folder for folder in sys.path if not folder.endswith("_vendor")]):
        if one.metadata["Name"]:
            versions.setdefault(one.metadata["Name"].lower(), one.version)
    return versions


def boot() -> str:
    """Which boot of this host: equal within one boot, different after the next."""
    try:
        return _digest(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        return _digest(str(int(psutil.boot_time())))


def source() -> str:
    """Digest of the code that decides results, whether or not it is under version control."""
    benchmarks = Path(__file__).resolve().parents[1]
    return source_digest({"backends": Path(*backends.__path__), "benchmarks": benchmarks})


def source_digest(packages: Mapping[str, Path]) -> str:
    """Digest of all decisive Python files of packages, by their names; folders may be links."""
    files = {f"{name}/{file}": path for name, root in packages.items() for file, path in _python_files(root)}
    decisive = [name for name in sorted(files) if name.split("/")[1] not in NOT_DECISIVE]
    return _digest(
        "\n".join(f"{name} {_digest(files[name].read_text(encoding='utf-8'))}" for name in decisive)
    )


def _python_files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, _, names in os.walk(root.resolve(), followlinks=True):
        paths = [Path(folder, name) for name in names if name.endswith(".py")]
        yield from ((path.relative_to(root.resolve()).as_posix(), path) for path in paths)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
