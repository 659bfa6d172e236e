"""A record as it must be: names, shapes and dtypes, and its numbers beside those of the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from samestep.backends.interface import Trace

from ..record.proof import Cause, Diagnosis
from .reference.arithmetic import Array
from .reference.bounds import Errors
from .reference.step import Arrays, ReferenceStep
from .workload import Workload

QUANTITIES = ("gradients", "buffers", "params")


@dataclass(frozen=True, eq=False)
class Compared:
    """One tensor of one step: what was recorded, what the reference says, the bound, and the likely bound."""

    quantity: str
    tensor: str
    recorded: Array
    exact: Array
    bound: Array
    probabilistic: Array


def compared(
    trace: Trace, index: int, step: ReferenceStep, errors: Errors, probabilistic: Errors
) -> Iterator[Compared]:
    """Everything that was recorded of a step, in the order in which a step computes it."""
    if trace.losses.size:
        numbers = (trace.losses[index], step.loss, errors.loss, probabilistic.loss)
        yield Compared("loss", "", *(np.asarray(number) for number in numbers))
    for quantity in QUANTITIES:
        exact, bound, usual = (getattr(source, quantity) for source in (step, errors, probabilistic))
        for name, values in getattr(trace, quantity).items():
            yield Compared(quantity, name, values[index], exact[name], bound[name], usual[name])


def unrecorded(trace: Trace, step: ReferenceStep) -> set[str]:
    """The quantities of a step that were not recorded."""
    absent = {quantity for quantity in QUANTITIES if getattr(step, quantity) and not getattr(trace, quantity)}
    return absent if trace.losses.size else absent | {"loss"}


def malformed(workload: Workload, trace: Trace, expected: int | None = None) -> Diagnosis | None:
    """What is wrong with the names, shapes, dtypes or the number of steps of a record, or None."""
    steps = len(next(iter(trace.params.values()), ()))
    if expected is not None and steps != expected:
        dropped = steps == len(workload.x) // workload.task.batch_size
        why = ": the last, partial batch is dropped" if dropped else ""
        cause: Cause = "partial batch" if dropped else "shape"
        return Diagnosis(cause=cause, sentence=f"{steps} steps were recorded of {expected}{why}")
    if trace.buffers and not workload.task.optimizer.momentum:
        return Diagnosis(cause="momentum", sentence="momentum buffers in a task without momentum")
    if trace.losses.size:
        if trace.losses.shape != (steps,):
            words = f"the losses have shape {trace.losses.shape}, not ({steps},): one number for each step"
            return Diagnosis(cause="shape", sentence=words)
        if trace.losses.dtype != workload.task.dtype:
            words = f"the losses are {trace.losses.dtype} in a {workload.task.dtype} task"
            return Diagnosis(cause="dtype", sentence=words)
    tables = {quantity: getattr(trace, quantity) for quantity in QUANTITIES}
    faults = (
        misshapen(workload, what, table, steps) for what, table in tables.items() if table or what == "params"
    )
    return next(filter(None, faults), None)


def in_order(workload: Workload, trace: Trace) -> Trace:
    """The same trace, its tensors in the order of the task's parameters: JAX hands them back by the alphabet."""
    names = workload.task.parameters
    tables = (
        {k: table[k] for k in names if k in table} for table in (trace.params, trace.buffers, trace.gradients)
    )
    return Trace(trace.losses, *tables)


def misshapen(workload: Workload, what: str, table: Arrays, steps: int) -> Diagnosis | None:
    """What is wrong with one table of arrays by parameter name, or None."""
    shapes, dtype = workload.task.parameters, workload.task.dtype
    if set(table) != set(shapes):
        words = f"the {what} are named {sorted(table)}, not {sorted(shapes)}"
        return Diagnosis(cause="shape", sentence=words)
    for name, values in table.items():
        shape = (steps, *shapes[name])
        if values.shape != shape:
            words = f"{what} {name} have shape {values.shape}, not {shape}: one entry a step"
            return Diagnosis(cause="shape", sentence=words)
        if values.dtype != dtype:
            return Diagnosis(cause="dtype", sentence=f"{what} {name} are {values.dtype} in a {dtype} task")
    return None
