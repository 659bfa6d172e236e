"""What happened in this process and to it: compilations, stolen time, context switches, memory."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path
from typing import Any

import psutil

from .environment import allowed_cpus

_jax_compilations = {"programs": 0, "operations": 0}
_numba_compilations = {"programs": 0, "depth": 0}


def compilations() -> int:
    """How often something was compiled so far in this process, counted by the framework that is loaded in it."""
    count = sum(_jax_compilations.values()) + _numba_compilations["programs"]
    if dynamo := sys.modules.get("torch._dynamo.utils"):
        # frames leaves out those that must be one whole graph, graphs leaves out those that came to nothing
        count += max(dynamo.counters["frames"]["total"], dynamo.counters["stats"]["unique_graphs"])
    return count


def programs_compiled(framework: str) -> int | None:
    """Programs of several operations that a framework compiled so far in this process; None where nobody counts.

    torch: graphs of torch.compile, functions and modules of TorchScript. jax: functions of jax.jit, also where a
    cache had them; single operations, which JAX compiles without it too, are not among them. numba: functions
    called with arguments of new types, also where a cache had them.
    """
    if framework == "jax":
        return _jax_compilations["programs"]
    if framework == "torch":
        return _torch_programs()
    if framework == "numba":
        return _numba_compilations["programs"]
    return None


def _torch_programs() -> int:
    count = 0
    if dynamo := sys.modules.get("torch._dynamo.utils"):
        count += dynamo.counters["stats"]["unique_graphs"]
    if script := sys.modules.get("torch.jit"):
        functions = script._state._python_cu.get_functions()
        count += len(functions) + len(script._recursive.concrete_type_store.type_store)
    return count


def watch_compilations() -> None:
    """Count what JAX and Numba compile from now on, whichever of them is loaded."""
    if jax := sys.modules.get("jax"):

        def listen(event: str, seconds: float, **_: Any) -> None:
            if event == "/jax/core/compile/backend_compile_duration":
                _jax_compilations["operations" if _is_single_operation() else "programs"] += 1

        jax.monitoring.register_event_duration_secs_listener(listen)
    if events := sys.modules.get("numba.core.event"):
        _watch_numba(events)


def _watch_numba(events: Any) -> None:
    """Count how often Numba's compiler lock is taken: it compiles, or takes from its cache, what a call needs."""

    class Count(events.Listener):  # type: ignore[misc]  # a class of Numba's
        def on_start(self, event: Any) -> None:
            _numba_compilations["depth"] += 1
            _numba_compilations["programs"] += _numba_compilations["depth"] == 1

        def on_end(self, event: Any) -> None:
            _numba_compilations["depth"] -= 1

    events.register("numba:compiler_lock", Count())


def _is_single_operation() -> bool:
    """Whether JAX compiles, in the calls above, one operation that was called outside of jax.jit."""
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        if frame.f_code.co_name == "apply_primitive":
            return True
    return False


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


def forget_peak_memory() -> None:
    """Let `peak_memory` begin anew, where the system can (proc_pid_clear_refs(5))."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Largest resident memory of this process so far, or since `forget_peak_memory`, bytes."""
    try:  # ru_maxrss on Linux may be the parent's, from before exec
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
