"""The form of a trace: the names, shapes, dtypes and number of steps that a task asks for."""

from __future__ import annotations

import numpy as np

from samestep.backends.interface import Trace

from ..console.choices import counted
from ..record.proof import Cause, Diagnosis
from .reference import Arrays, ReferenceStep
from .step_comparison import QUANTITIES
from .workload import Workload


def malformed(workload: Workload, trace: Trace, expected: int | None = None) -> Diagnosis | None:
    """What is wrong with the form of a trace of `expected` steps, or None."""
    steps = step_count(trace)
    if expected is not None and steps != expected:
        return wrong_count(workload, steps, expected)
    if trace.buffers and not workload.task.optimizer.momentum:
        return Diagnosis(cause="momentum", sentence="momentum buffers in a task without momentum")
    if trace.losses.size:
        if trace.losses.shape != (steps,):
            sentence = f"the losses have shape {trace.losses.shape}, not ({steps},): one number for each step"
            return Diagnosis(cause="shape", sentence=sentence)
        if trace.losses.dtype != workload.task.dtype:
            sentence = f"the losses are {trace.losses.dtype} in a {workload.task.dtype} task"
            return Diagnosis(cause="dtype", sentence=sentence)
    for quantity in QUANTITIES:
        table = getattr(trace, quantity)
        if table or quantity == "params":
            fault = malformed_table(workload, quantity, table, steps)
            if fault:
                return fault
    return None


def wrong_count(workload: Workload, steps: int, expected: int) -> Diagnosis:
    """Too few or too many steps in an epoch; exactly the full batches say that the partial one is missing."""
    dropped = steps == len(workload.x) // workload.task.batch_size
    why = ": the last, partial batch is dropped" if dropped else ""
    cause: Cause = "partial batch" if dropped else "shape"
    return Diagnosis(cause=cause, sentence=f"{_recorded(steps, expected)}{why}")


def _recorded(steps: int, expected: int) -> str:
    return f"{counted(steps, 'step')} {'was' if steps == 1 else 'were'} recorded of {expected}"


def wrong_stream(workload: Workload, trace: Trace) -> Diagnosis | None:
    """What is wrong with the number of entries of a recorded run, or None: counted before anything is judged."""
    steps, expected = step_count(trace), workload.steps
    if malformed(workload, trace):
        return None  # said in full where the steps are judged
    if steps == expected:
        return None
    looks = look_of_count(workload, trace)
    cause: Cause = "partial batch" if "partial" in looks else "shape"
    return Diagnosis(cause=cause, sentence=f"{_recorded(steps, expected)}{looks and ': ' + looks}")


def begins_at_start(workload: Workload, trace: Trace) -> bool:
    """Whether the first entry of a recorded run is the start itself."""
    pairs = ((trace.params[name], value) for name, value in workload.start.items())
    return all(len(values) and np.array_equal(values[0], value) for values, value in pairs)


def look_of_count(workload: Workload, trace: Trace) -> str:
    """What a wrong number of entries looks like, or nothing."""
    steps, expected, epochs = step_count(trace), workload.steps, workload.task.epochs
    with_start = begins_at_start(workload, trace)
    full = len(workload.x) // workload.task.batch_size * epochs
    first_again = steps > 1 and all(np.array_equal(v[0], v[1]) for v in trace.params.values())
    looks = (
        (steps == expected + 1 and with_start, "the first entry is the start itself, leave it out"),
        (steps == expected + 1 and first_again, "the first entry is there twice"),
        (steps == expected - 1, "one entry is missing"),
        (steps == full, "the last, partial batch of each epoch is dropped"),
        (steps == epochs, "one entry for each epoch; give one for each step"),
        (steps == epochs + 1 and with_start, "the start and one entry for each epoch; give one a step"),
        (steps == workload.steps_per_epoch, "one epoch alone"),
        (steps == len(workload.x) * epochs, "one entry for each row; give one for each batch"),
        (expected and steps % expected == 0, f"{steps // max(1, expected)} entries for each step"),
    )
    return next((text for applies, text in looks if applies), "")


def malformed_table(workload: Workload, quantity: str, table: Arrays, steps: int) -> Diagnosis | None:
    """What is wrong with the arrays of one quantity, (steps, *shape) by parameter name, or None."""
    shapes, dtype = workload.task.parameters, workload.task.dtype
    if set(table) != set(shapes):
        sentence = f"the {quantity} are named {sorted(table)}"[:300] + f", not {sorted(shapes)}"[:300]
        return Diagnosis(cause="shape", sentence=sentence)
    for name, values in table.items():
        shape = (steps, *shapes[name])
        if values.shape != shape:
            sentence = f"{quantity} {name} have shape {values.shape}, not {shape}: one entry a step"
            return Diagnosis(cause="shape", sentence=sentence)
        if values.dtype != dtype:
            sentence = f"{quantity} {name} are {values.dtype} in a {dtype} task"
            return Diagnosis(cause="dtype", sentence=sentence)
    return None


def step_count(trace: Trace) -> int:
    """The number of steps of a trace."""
    return len(next(iter(trace.params.values()), ()))


def in_order(workload: Workload, trace: Trace) -> Trace:
    """The same trace, its tensors in the order of the task's parameters; JAX gives them in alphabetical order."""
    names = workload.task.parameters
    tables = ({k: t[k] for k in names if k in t} for t in (trace.params, trace.buffers, trace.gradients))
    return Trace(trace.losses, *tables)


def unrecorded(trace: Trace, step: ReferenceStep) -> set[str]:
    """The quantities of a step that were not recorded."""
    absent = {quantity for quantity in QUANTITIES if getattr(step, quantity) and not getattr(trace, quantity)}
    return absent if trace.losses.size else absent | {"loss"}


def shown_by(trace: Trace) -> frozenset[str]:
    """The quantities that a trace shows."""
    shown = frozenset(quantity for quantity in QUANTITIES if getattr(trace, quantity))
    return shown | {"loss"} if trace.losses.size else shown


def changed_form(before: frozenset[str], trace: Trace, done: int) -> Diagnosis | None:
    """What the next steps of a run show and the first `done` steps did not, or the other way round; or None."""
    if not (changed := before ^ shown_by(trace)):
        return None
    text = f"{' and '.join(sorted(changed))} shown at some steps and not at others, from step {done + 1} on"
    return Diagnosis(cause="shape", sentence=text)
