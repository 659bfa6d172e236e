"""Certify a program of your own: functions that take and return parameters, or a recorded stream of them.

The program must do a Task's work: its data, start, order and learning rates. `export` writes those to an npz
that any language can read. Parameters go by torch Sequential's names, weights as (in, out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np

from samestep.backends.interface import Backend, Trace
from samestep.backends.spec import Task

from ..console.errors import InputError
from ..record.proof import Certificate, Diagnosis, Evidence
from .certificate import certify_backend, conclude, one_line
from .judge import Judging
from .workload import Data, Host, ScheduledBatch, Workload, digest, digest_orders

PREFIXES = ("", "buffers/", "gradients/")
Params: TypeAlias = dict[str, Host]
Step: TypeAlias = Callable[[Params, Host, Host, float], Mapping[str, Host]]
Gradient: TypeAlias = Callable[[Params, Host, Host], tuple[Host, Mapping[str, Host]]]
Update: TypeAlias = Callable[[Params, Mapping[str, Host], float], Mapping[str, Host]]
Program: TypeAlias = Backend | Step | tuple[Gradient, Update] | Mapping[str, Host] | str | Path


def certify(
    program: Program, task: Task, data: Data, *, lane: str = "", run_steps: int | None = None
) -> Certificate:
    """The certificate of any program on a task.

    A program is a backend; a function `step(params, x, y, learning_rate)` that gives the parameters after one
    step; two functions, `(gradient(params, x, y), update(params, gradients, learning_rate))`, of which the first
    gives loss and gradients; or a recorded stream of parameters, an npz file or a mapping (see `certify_stream`).
    `lane` is the name it gets; `run_steps` is for backends alone.

    Raises:
        InputError: the data do not fit the dtype, a batch is too large for any bound in it, or a stream cannot be
            read.
    """
    match program:
        case Backend():
            return certify_backend(program, task, data, lane=lane, run_steps=run_steps)
        case (gradient, update):
            return certify_halves(gradient, update, task, data, name=lane or "port")
        case str() | Path() | Mapping():
            return certify_stream(program, task, data, name=lane or "port")
        case _ if callable(program):
            return certify_step(program, task, data, name=lane or "port")
    raise InputError(f"{program!r} is no program: give a backend, functions, or a recorded stream")


def certify_step(step: Step, task: Task, data: Data, *, name: str = "port") -> Certificate:
    """Certify `step(params, x, y, learning_rate)`, which gives the parameters after one step on a batch.

    Called for every step of every epoch, in float64 and then in the task's dtype, with its own previous result;
    a new run begins with the start values, where momentum has to begin anew too (`functools.partial` and
    closures may carry it: where no buffers are shown, the reference's own, with their error, stand in).

    Raises:
        InputError: the data do not fit the dtype, or a batch is too large for any bound in it.
    """

    def record(params: Params, batch: ScheduledBatch) -> Trace:
        return Trace(np.empty(0), recorded(step(params, batch.x, batch.y, batch.learning_rate)))

    return certify_recorder(record, task, data, name)


def certify_halves(
    gradient: Gradient, update: Update, task: Task, data: Data, *, name: str = "port"
) -> Certificate:
    """Certify `gradient(params, x, y)`, which gives loss and gradients, with `update(params, gradients, rate)`.

    As `certify_step`, but loss and gradients are judged too, and a mistake is told apart better.
    """

    def record(params: Params, batch: ScheduledBatch) -> Trace:
        own = {key: value.copy() for key, value in params.items()}
        loss, gradients = gradient(own, batch.x, batch.y)
        found = recorded(gradients)
        after = recorded(update(params, gradients, batch.learning_rate))
        dtype = batch.x.dtype if isinstance(loss, float) else None  # a Python number has no dtype of its own
        return Trace(np.asarray(loss, dtype).reshape(1), after, {}, found)

    return certify_recorder(record, task, data, name)


def recorded(arrays: Mapping[str, Host]) -> Params:
    """One step's arrays as a trace of one step."""
    return {key: np.array(value)[None] for key, value in arrays.items()}


def certify_recorder(
    record: Callable[[Params, ScheduledBatch], Trace], task: Task, data: Data, name: str
) -> Certificate:
    """Certify what records one step after another."""
    evidence: list[Evidence] = []
    for dtype in dict.fromkeys(("float64", task.dtype)):
        workload = Workload.of(task.model_copy(update={"dtype": dtype}), data)
        piece, final = examine_steps(record, workload)
        evidence.append(piece)
        if piece.judgement.status != "pass":
            break
    return conclude(description(name, workload), task, data, evidence, final)


def description(name: str, workload: Workload) -> dict[str, object]:
    """What is known of a program from outside."""
    return {"lane": name, "device": "unknown", "versions": {}, "order": digest_orders(workload)}


def examine_steps(
    record: Callable[[Params, ScheduledBatch], Trace], workload: Workload
) -> tuple[Evidence, Params]:
    """One dtype's evidence on a program, step by step."""
    judging, params = Judging(workload), workload.start
    for batch in workload.batches():
        trace = Trace(np.empty(0), recorded(params))
        try:
            trace = record({key: value.copy() for key, value in params.items()}, batch)
        except Exception as error:  # a port's own failure, reported as such
            words = f"step {judging.done + 1} raised {one_line(error)}"
            judging.fault = Diagnosis(cause="error", sentence=words)
        judging.feed(trace)
        params = {key: values[-1] for key, values in trace.params.items()}
        if judging.stopped:
            break
    judgement = judging.judgement()
    return Evidence(judgement=judgement, start=digest(workload.start), final=digest(params)), params


def certify_stream(
    stream: str | Path | Mapping[str, Host], task: Task, data: Data, *, name: str = "port"
) -> Certificate:
    """Certify a recorded run: the parameters after every step, in the dtype of the task.

    The stream is an npz file or a mapping. Either one array per parameter with a first axis of steps
    ("0.weight": (T, in, out)), or one entry per step and parameter ("1/0.weight", "2/0.weight", ...). With
    "loss" (T,), "gradients/0.weight" and "buffers/0.weight" (T, ...) these are judged too.

    Raises:
        InputError: the file cannot be read, or does not hold the task's parameters.
    """
    workload = Workload.of(task, data)
    judging = Judging(workload)
    trace = read_stream(stream, workload)
    judging.feed(trace)
    final = {key: values[-1] for key, values in trace.params.items() if len(values)}
    piece = Evidence(judgement=judging.judgement(), start=digest(workload.start), final=digest(final))
    return conclude(description(name, workload), task, data, [piece], final)


def read_stream(stream: str | Path | Mapping[str, Host], workload: Workload) -> Trace:
    """The trace in a stream."""
    if isinstance(stream, Mapping):
        arrays, where = dict(stream), "the stream"
    else:
        where = str(stream)
        try:
            with open(stream, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, EOFError, ValueError, AttributeError, TypeError, BadZipFile) as error:
            raise InputError(f"{where}: not an npz file of arrays ({one_line(error)})") from error
    names = workload.task.parameters
    known = ["loss", *(f"{prefix}{name}" for prefix in PREFIXES for name in names)]
    arrays = stacked(arrays, known, where)
    if absent := [key for key in names if key not in arrays or not arrays[key].ndim]:
        raise InputError(
            f'{where}: no parameter {absent[0]!r}; give "{absent[0]}" with a first axis of '
            f'{workload.steps} steps, or "1/{absent[0]}" to "{workload.steps}/{absent[0]}"'
        )
    return trace_of(arrays, workload)


def stacked(arrays: Mapping[str, Host], known: Sequence[str], where: str) -> dict[str, Host]:
    """Entries of single steps, "1/name" and on, put together; other entries as they are.

    Raises:
        InputError: an entry has a name that means nothing here, or a step is missing between others.
    """
    found: dict[str, Host] = {}
    steps: dict[str, dict[int, Host]] = {}
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        if key in known:
            found[key] = array
        elif number.isdigit() and name in known:
            steps.setdefault(name, {})[int(number)] = array
        else:
            raise InputError(
                f"{where}: {key!r} is none of {', '.join(known)}, nor a step of one, as in '1/{known[1]}'"
            )
    for name, parts in steps.items():
        if missing := set(range(1, max(parts) + 1)) - set(parts):
            raise InputError(f"{where}: step {min(missing)} of {name!r} is missing, and later ones are there")
        if len({part.shape for part in parts.values()}) > 1:
            raise InputError(f"{where}: the steps of {name!r} have different shapes")
        found[name] = np.stack([parts[number] for number in sorted(parts)])
    return found


def trace_of(arrays: Mapping[str, Host], workload: Workload) -> Trace:
    """A trace from arrays by name; what is not there counts as not recorded."""
    tables = (
        {key: arrays[f"{prefix}{key}"] for key in workload.task.parameters if f"{prefix}{key}" in arrays}
        for prefix in PREFIXES
    )
    return Trace(arrays.get("loss", np.empty(0)), *tables)


def export(path: str | Path, task: Task, data: Data) -> None:
    """Write a task's work for a program in any language: x, y, order and rates by epoch, and "start/<name>"."""
    workload = Workload.of(task, data)
    arrays = {
        "x": workload.x,
        "y": workload.y,
        "order": np.stack(workload.orders),
        "rates": workload.learning_rates,
    }
    arrays |= {f"start/{name}": value for name, value in workload.start.items()}
    np.savez(path, allow_pickle=False, **arrays)
