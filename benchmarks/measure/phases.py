"""Where the time of a step goes: the run taken apart into loops that do more and more of it.

The bare loop; the loop that also draws its batches; that also computes loss and gradients; that takes the steps;
and the run as it is timed. A phase is the difference of two of them, so that the phases add up to the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, TypeAlias

from samestep.backends.interface import Backend

from .clock import TimedWork, garbage

ROUNDS = 9
PHASES = ("row gathering", "forward and backward", "update", "Python")
Loop: TypeAlias = Callable[[TimedWork, Any], Any]


def phase_breakdown(run: TimedWork) -> dict[str, Any]:
    """Seconds per step by phase, of the run itself, and of the transfer of all data before it.

    `reason` says why a lane has no phases: one that hands its rows to a compiled program cannot be taken apart.
    """
    steps, backend = len(run.files.learning_rates), run.backend
    with run.precision(), garbage(False):
        transfer = seconds(lambda: backend.sync((backend.put(run.files.x), backend.put(run.files.y))))
        reason = indivisible(backend)
        times = interleaved(run, {"run": whole} if reason else LOOPS)
    took = {name: taken / steps for name, taken in times.items()}
    phases = {} if reason else dict(zip(PHASES, differences(took), strict=True))
    return {"run_s": took["run"], "transfer_s": transfer, "reason": reason, "phases": phases}


def differences(took: Mapping[str, float]) -> tuple[float, float, float, float]:
    """What each loop takes longer than the one before; what is left is the loop itself."""
    gathering, computing = took["draw"] - took["bare"], took["compute"] - took["draw"]
    return gathering, computing, took["step"] - took["compute"], took["bare"] + took["run"] - took["step"]


def indivisible(backend: Backend) -> str:
    """Why a lane's run is not a loop over batches and steps, or nothing."""
    if backend.tier == "fused":
        return "many steps are one compiled call"
    if type(backend).steps is not Backend.steps or type(backend).epoch is not Backend.epoch:
        return "rows are gathered inside the compiled step"
    return ""


def interleaved(run: TimedWork, loops: Mapping[str, Loop]) -> dict[str, float]:
    """The median seconds of each loop, all of them in every round; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS + 1):
        for name, loop in loops.items():
            taken[name].append(timed(run, loop))
    return {name: median(each[1:]) for name, each in taken.items()}


def timed(run: TimedWork, loop: Loop) -> float:
    """Seconds of one loop from the certified start, to the end of what it computes."""
    state = run.reset()
    return seconds(lambda: run.backend.sync(loop(run, state)))


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


# --- the loops, each a little more than the one before --------------------------------------------------------


def bare(run: TimedWork, state: Any) -> Any:
    order, size, rates = run.inputs
    for _ in zip(range(0, len(order), size), rates.tolist(), strict=True):
        pass
    return state


def draw(run: TimedWork, state: Any) -> Any:
    order, size, rates = run.inputs
    last: Any = None
    for batch, _ in zip(run.backend.batches(run.data, order, size), rates.tolist(), strict=True):
        last = batch
    return last


def compute(run: TimedWork, state: Any) -> Any:
    order, size, rates = run.inputs
    found = None
    for batch, _ in zip(run.backend.batches(run.data, order, size), rates.tolist(), strict=True):
        found = run.backend.forward_backward(state, batch)
    return found


def step(run: TimedWork, state: Any) -> Any:
    order, size, rates = run.inputs
    for batch, rate in zip(run.backend.batches(run.data, order, size), rates.tolist(), strict=True):
        state, _ = run.backend.step(state, batch, rate)
    return state


def whole(run: TimedWork, state: Any) -> Any:
    return run.backend.epoch(state, run.data, *run.inputs)


LOOPS: Mapping[str, Loop] = {"bare": bare, "draw": draw, "compute": compute, "step": step, "run": whole}
