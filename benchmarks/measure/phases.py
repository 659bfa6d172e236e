"""Where the time of a step goes: the run taken apart into loops that do more and more of it.

The bare loop; the loop that also draws its batches; that also computes loss and gradients; that takes the steps;
and the run as it is timed. A phase is the difference of two of them, so that the phases add up to the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any, TypeAlias

from samestep.backends.interface import Backend

from ..record.measurements import PHASES
from .clock import TimedWork, garbage

ROUNDS = 9
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
    seconds_of = {name: total / steps for name, total in times.items()}
    phases = {} if reason else dict(zip(PHASES, differences(seconds_of), strict=True))
    return {"run_s": seconds_of["run"], "transfer_s": transfer, "reason": reason, "phases": phases}


def differences(seconds_of: Mapping[str, float]) -> tuple[float, float, float, float]:
    """What each loop takes longer than the one before; what is left is the loop itself."""
    bare, draw, compute, step, run = (seconds_of[name] for name in ("bare", "draw", "compute", "step", "run"))
    return draw - bare, compute - draw, step - compute, bare + run - step


def indivisible(backend: Backend) -> str:
    """Why a lane's run is not a loop over batches and steps, or nothing."""
    if backend.tier == "fused":
        return "many steps share a call or a gather"
    if type(backend).steps is not Backend.steps or type(backend).epoch is not Backend.epoch:
        return "rows are gathered inside the compiled step"
    return ""


def interleaved(run: TimedWork, loops: Mapping[str, Loop]) -> dict[str, float]:
    """The median seconds of each loop, all of them in every round; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS + 1):
        for name, loop in loops.items():
            taken[name].append(timed(run, loop))
    return {name: median(times[1:]) for name, times in taken.items()}


def timed(run: TimedWork, loop: Loop) -> float:
    """Seconds of one loop from the certified start, to the end of what it computes."""
    state = run.reset()
    return seconds(lambda: run.backend.sync(loop(run, state)))


def seconds(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


# --- the loops, each a little more than the one before --------------------------------------------------------


def bare(run: TimedWork, state: Any) -> Any:
    """The loop alone."""
    row_order, size, learning_rates = run.inputs
    for _ in zip(range(0, len(row_order), size), learning_rates.tolist(), strict=True):
        pass
    return state


def scheduled(run: TimedWork) -> Iterator[tuple[Any, float]]:
    """Every batch with its learning rate."""
    row_order, size, learning_rates = run.inputs
    return zip(run.backend.batches(run.data, row_order, size), learning_rates.tolist(), strict=True)


def draw(run: TimedWork, state: Any) -> Any:
    """The loop that also draws its batches."""
    last: Any = None
    for batch, _ in scheduled(run):
        last = batch
    return last


def compute(run: TimedWork, state: Any) -> Any:
    """The loop that also computes loss and gradients."""
    result = None
    for batch, _ in scheduled(run):
        result = run.backend.forward_backward(state, batch)
    return result


def step(run: TimedWork, state: Any) -> Any:
    """The loop that takes the steps."""
    for batch, learning_rate in scheduled(run):
        state, _ = run.backend.step(state, batch, learning_rate)
    return state


def whole(run: TimedWork, state: Any) -> Any:
    """The run as it is timed."""
    return run.backend.epoch(state, run.data, *run.inputs)


LOOPS: Mapping[str, Loop] = {"bare": bare, "draw": draw, "compute": compute, "step": step, "run": whole}
