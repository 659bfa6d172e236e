"""What happened in this process and to it: compilations, stolen time, context switches, memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import psutil

from .environment import allowed_cpus

_jax_compilations = [0]


def compilations() -> int:
    """Programs compiled so far in this process, counted by the framework that is loaded in it."""
    count = _jax_compilations[0]
    if dynamo := sys.modules.get("torch._dynamo.utils"):
        count += dynamo.counters["frames"]["total"]
    return count


def watch_compilations() -> None:
    """Count JAX's backend compilations from now on, if JAX is loaded."""
    if jax := sys.modules.get("jax"):

        def listen(event: str, seconds: float, **_: Any) -> None:
            _jax_compilations[0] += event == "/jax/core/compile/backend_compile_duration"

        jax.monitoring.register_event_duration_secs_listener(listen)


def steal_ns() -> int:
    """Time that the host took from this process's CPUs (all CPUs it may run on); 0 where nobody tells."""
    allowed = set(allowed_cpus())
    times = psutil.cpu_times(percpu=True)
    return int(
        sum(getattr(t, "steal", 0.0) for cpu, t in enumerate(times) if cpu in allowed) * 1e9 / len(allowed)
    )


def context_switches() -> tuple[int, int]:
    """Voluntary and involuntary context switches of all threads of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_nivcsw


def peak_memory() -> int:
    """Largest resident memory of this process so far, bytes."""
    try:  # ru_maxrss on Linux may be the parent's, from before exec
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
