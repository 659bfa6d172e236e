"""Certify a program of your own: functions that take and return parameters, or a recorded stream of them.

The program must do a Task's work: its data, start, row order and learning rates. `export` writes those to an npz
that any language can read. Parameters go by torch Sequential's names, weights as (in, out).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard
from zipfile import BadZipFile

import numpy as np

from samestep.backends.interface import Backend, Host, Trace
from samestep.backends.spec import Dtype, Task

from ..console.errors import InputError
from ..record.proof import Certificate, Diagnosis, Evidence, Judgement
from .array_data import Data, as_data, as_numbers
from .array_digest import digest
from .certificate import certify_backend, conclude, one_line
from .judge import RunJudge
from .single_entries import probe_work
from .trace_form import begins_at_start, wrong_stream
from .workload import ScheduledBatch, Workload, digest_orders

PREFIXES = ("", "buffers/", "gradients/")
Params: TypeAlias = dict[str, Host]
StepFunction: TypeAlias = Callable[[Params, Host, Host, float], Mapping[str, Host]]
GradientFunction: TypeAlias = Callable[[Params, Host, Host], tuple[Host, Mapping[str, Host]]]
UpdateFunction: TypeAlias = Callable[[Params, Mapping[str, Host], float], Mapping[str, Host]]
Stream: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | Path
Port: TypeAlias = StepFunction | tuple[GradientFunction, UpdateFunction] | Stream
Program: TypeAlias = Backend | Port
Recorder: TypeAlias = Callable[[Params, ScheduledBatch], Trace]  # one step, as a trace of one step
Examiner: TypeAlias = Callable[[Workload], tuple[Evidence, Params]]


def certify(
    program: Program,
    task: Task,
    data: Data | tuple[Any, Any] | list[Any],
    *,
    lane: str = "",
    run_steps: int | None = None,
    probe: Port | None = None,
) -> Certificate:
    """The certificate of any program on a task.

    A program is a backend; a function `step(params, x, y, learning_rate)` that gives the parameters after one
    step; two functions, `(gradient(params, x, y), update(params, gradients, learning_rate))`, of which the first
    gives loss and gradients, so that these are judged too; or a recorded stream of parameters (`read_stream`),
    which may be a list of steps. `data` are the rows (x, y), in this order, `Rows` or a data set; `lane` is the
    name that the program gets; `run_steps` is for backends alone.

    `probe` is the same program once more, afresh, for the work that `export(..., probe=True)` writes: functions,
    or the stream that it recorded there. It shows what is too small for the bounds of the run. A backend is
    probed by itself.

    Functions are called for every step of every epoch, in float64 and then in the task's dtype, with their own
    previous result. A new run begins with the start values; momentum that a function carries has to begin anew
    there too. Where no buffers are shown, the reference's own, with their error, stand in.

    Raises:
        InputError: the data are no arrays of finite real numbers or do not fit task and dtype, a batch is too
            large for any bound in it, a stream cannot be read, or a backend comes with a probe.
    """
    data = as_data(data)
    if not isinstance(program, Backend):
        return certify_port(program, task, data, lane or "port", probe)
    if probe is not None:
        raise InputError("a backend is probed by itself; leave `probe` out")
    return certify_backend(program, task, data, lane=lane, run_steps=run_steps)


def recorder_of_step(step: StepFunction) -> Recorder:
    """Records the parameters that a step function gives."""
    return lambda params, batch: Trace(
        np.empty(0), stacked(step(params, batch.x, batch.y, batch.learning_rate))
    )


def recorder_of_halves(gradient: GradientFunction, update: UpdateFunction) -> Recorder:
    """Records the loss and gradients of one function, and the parameters of the other."""

    def record(params: Params, batch: ScheduledBatch) -> Trace:
        copies = {name: value.copy() for name, value in params.items()}
        loss, gradients = gradient(copies, batch.x, batch.y)
        recorded = stacked(gradients)  # before `update` may change them
        after = stacked(update(params, gradients, batch.learning_rate))
        dtype = batch.x.dtype if isinstance(loss, float) else None  # a Python number has no dtype of its own
        return Trace(np.asarray(loss, dtype).reshape(1), after, {}, recorded)

    return record


def stacked(arrays: Mapping[str, Host]) -> Params:
    """One step's arrays as copies with a first axis of one step."""
    return {name: np.array(value)[None] for name, value in arrays.items()}


def certify_port(program: Port, task: Task, data: Data, lane: str, probe: Port | None) -> Certificate:
    """The certificate of functions or of a stream: in float64 first, but a stream in the task's dtype alone."""
    examine, examine_probe = examiner_of(program), None if probe is None else examiner_of(probe)
    dtypes: tuple[Dtype, ...] = (task.dtype,) if is_stream(program) else ("float64", task.dtype)
    evidence: list[Evidence] = []
    variants = [task.model_copy(update={"dtype": dtype}) for dtype in dict.fromkeys(dtypes)]
    for workload in [Workload.of(variant, data) for variant in variants]:  # all, before anything is run
        piece, final = examine(workload)
        probed = piece.judgement.status == "pass" and (
            workload.task.dtype == task.dtype or not is_stream(probe)
        )
        if examine_probe and probed:
            piece = with_probe(piece, examine_probe(probe_work(workload))[0].judgement)
        evidence.append(piece)
        if piece.judgement.status != "pass":
            break
    return conclude(description(lane, workload), task, data, evidence, final)


def examiner_of(program: Port) -> Examiner:
    """What examines such a program on some work.

    Raises:
        InputError: it is no such program.
    """
    match program:
        case _ if is_stream(program):
            return partial(examine_stream, program)
        case (gradient, update) if callable(gradient) and callable(update):
            return partial(examine_steps, recorder_of_halves(gradient, update))
        case _ if callable(program):
            return partial(examine_steps, recorder_of_step(program))
    kind = f"a value of type {type(program).__name__}"
    given = repr(program) if isinstance(program, int | float | None) else kind
    raise InputError(f"{given} is no program: give a backend, functions, or a recorded stream")


def is_stream(program: object) -> TypeGuard[Stream]:
    """Whether a program is a recorded stream: a file, a mapping, or a list of steps."""
    steps = (
        isinstance(program, list | tuple) and program and all(isinstance(step, Mapping) for step in program)
    )
    return bool(steps) or isinstance(program, str | Path | Mapping)


def with_probe(piece: Evidence, probe: Judgement) -> Evidence:
    """Evidence with the judgment of a probe, which is part of the judgment of the run."""
    ratio = max((worst.share for worst in probe.quantities.values()), default=np.inf)
    update: dict[str, object] = {"reason": f"on rows with one non-zero entry, {probe.reason}"}
    if probe.status == "pass":
        update["reason"] = f"{piece.judgement.reason}; {update['reason']}"
    else:
        update |= {"status": probe.status, "diagnosis": probe.diagnosis}
    judgement = piece.judgement.model_copy(update=update)
    return piece.model_copy(update={"judgement": judgement, "probe": float(ratio)})


def description(lane: str, workload: Workload) -> dict[str, object]:
    """What is known of a program from outside."""
    return {"lane": lane, "device": "unknown", "versions": {}, "order": digest_orders(workload)}


def examine_steps(record: Recorder, workload: Workload) -> tuple[Evidence, Params]:
    """One dtype's evidence on a program, step by step, and the parameters in which it ends."""
    run_judge, params = RunJudge(workload), workload.start
    for batch in workload.batches():
        trace = Trace(np.empty(0), stacked(params))
        try:
            with np.errstate(all="ignore"):  # overflow is judged, not warned of
                trace = record({name: value.copy() for name, value in params.items()}, batch)
        except (Exception, SystemExit) as error:  # a port's own failure, reported as such
            sentence = f"step {run_judge.done + 1} raised {one_line(error)}"
            run_judge.fault = Diagnosis(cause="error", sentence=sentence)
        run_judge.feed(trace)
        params = {name: values[-1] for name, values in trace.params.items()}
        if run_judge.stopped:
            break
    judgement = run_judge.judgement()
    if not all(isinstance(value, np.ndarray) and value.dtype.kind == "f" for value in params.values()):
        return Evidence(
            judgement=judgement, start=digest(workload.start)
        ), {}  # the judgement says what they are
    return Evidence(judgement=judgement, start=digest(workload.start), final=digest(params)), params


# --- streams --------------------------------------------------------------------------------------------------


def examine_stream(stream: Stream, workload: Workload) -> tuple[Evidence, Params]:
    """The evidence on a recorded run, and the parameters in which it ends."""
    run_judge, trace = RunJudge(workload), read_stream(stream, workload)
    run_judge.fault = wrong_stream(workload, trace)
    run_judge.feed(trace)
    final = {name: values[-1] for name, values in trace.params.items() if len(values)}
    judgement = run_judge.judgement()
    if judgement.failure and begins_at_start(workload, trace) and judges_one_earlier(workload, trace):
        sentence = "the first entry is the start itself: entries are wanted after each step, not before it"
        shifted = Diagnosis(cause="shape", sentence=sentence)
        judgement = judgement.model_copy(update={"diagnosis": shifted})
    piece = Evidence(judgement=judgement, start=digest(workload.start), final=digest(final))
    return piece, final


def judges_one_earlier(workload: Workload, trace: Trace) -> bool:
    """Whether all entries but the first are right as those of one step earlier."""
    run_judge = RunJudge(workload)
    run_judge.feed(Trace(np.empty(0), {name: values[1:] for name, values in trace.params.items()}))
    return run_judge.done > 0 and not run_judge.violation and not run_judge.stopped


def read_stream(stream: Stream, workload: Workload) -> Trace:
    """The trace in a recorded stream: the parameters after every step, in the dtype of the task.

    The stream is an npz file or a mapping. Either one array per parameter with a first axis of steps
    ("0.weight": (T, in, out)), or one entry per step and parameter ("1/0.weight", "2/0.weight", ...). "loss"
    (T,), "gradients/0.weight" and "buffers/0.weight" (T, ...) are judged where they are given. Entries may be
    arrays, tensors, or nested lists, whose numbers are of the task's dtype if that holds them exactly.

    Raises:
        InputError: the file cannot be read, or does not hold the task's parameters.
    """
    where, dtype = str(stream) if isinstance(stream, str | Path) else "the stream", workload.task.dtype
    if isinstance(stream, str | Path):
        arrays = read_npz(stream, dtype)
    else:
        arrays = as_arrays(stream if isinstance(stream, Mapping) else by_step(stream), where, dtype)
    names = workload.task.parameters
    stream_keys = ["loss", *(f"{prefix}{name}" for prefix in PREFIXES for name in names)]
    arrays = join_steps(arrays, stream_keys, where)
    if absent := [name for name in names if name not in arrays or not arrays[name].ndim]:
        raise InputError(
            f'{where}: no parameter {absent[0]!r}; give "{absent[0]}" with a first axis of {workload.steps} '
            f'steps, or "1/{absent[0]}" to "{workload.steps}/{absent[0]}"'
        )
    tables = (
        {name: arrays[f"{prefix}{name}"] for name in names if f"{prefix}{name}" in arrays}
        for prefix in PREFIXES
    )
    return Trace(arrays.get("loss", np.empty(0)), *tables)


def by_step(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of a list of steps by step and name: "1/0.weight" and on."""
    return {f"{number}/{name}": value for number, step in enumerate(steps, 1) for name, value in step.items()}


def as_arrays(stream: Mapping[str, Any], where: str, dtype: str) -> dict[str, Host]:
    """The entries of a stream as arrays; numbers of Python's own are of `dtype` where it holds them exactly.

    Raises:
        InputError: an entry cannot be an array of numbers.
    """
    arrays = {}
    for name, value in stream.items():
        if not isinstance(name, str):
            raise InputError(f"{where}: the name {name!r} is of type {type(name).__name__}, not a text")
        arrays[name] = as_numbers(value, f"{where}: {name!r}", dtype)
    return arrays


def read_npz(path: str | Path, dtype: str) -> dict[str, Host]:
    """The arrays of an npz file, by name; nothing in it is executed.

    Raises:
        InputError: it is not such a file.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for without end
        raise InputError(f"{path}: not an npz file of arrays (it is a folder, a pipe or a device)")
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, EOFError, ValueError, AttributeError, TypeError, BadZipFile) as error:
        raise InputError(f"{path}: not an npz file of arrays ({one_line(error)})") from error
    return as_arrays(arrays, str(path), dtype)


def join_steps(arrays: Mapping[str, Host], stream_keys: Sequence[str], where: str) -> dict[str, Host]:
    """Entries of single steps, "1/name" and on, put together; other entries as they are.

    Raises:
        InputError: an entry has a name that means nothing here, or a step is missing between others.
    """
    joined: dict[str, Host] = {}
    steps: dict[str, dict[int, Host]] = {}
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        if key in stream_keys:
            joined[key] = array
        elif number.isdigit() and name in stream_keys:
            steps.setdefault(name, {})[int(number)] = array
        else:
            choices, example = ", ".join(stream_keys), f"'1/{stream_keys[1]}'"
            raise InputError(f"{where}: {key!r} is none of {choices}, nor a step of one, as in {example}")
    for name, parts in steps.items():
        if missing := set(range(1, max(parts) + 1)) - set(parts):
            raise InputError(f"{where}: step {min(missing)} of {name!r} is missing, and later ones are there")
        if len({part.shape for part in parts.values()}) > 1:
            raise InputError(f"{where}: the steps of {name!r} have different shapes")
        joined[name] = np.stack([parts[number] for number in sorted(parts)])
    return joined


def export(
    path: str | Path, task: Task, data: Data | tuple[Any, Any] | list[Any], *, probe: bool = False
) -> None:
    """Write a task's work for a program in any language, as an npz file.

    It holds x, y, "order" and "rates" by epoch, and "start/<name>" for every parameter. `probe`: in the place of
    the task's own rows and start, an epoch of a few steps on work on which little can hide (`single_entries`).

    Raises:
        InputError: the data are none for this task.
    """
    workload = Workload.of(task, as_data(data))
    workload = probe_work(workload) if probe else workload
    arrays = {"x": workload.x, "y": workload.y, "order": np.stack(workload.orders)}
    arrays |= {"rates": workload.learning_rates}
    arrays |= {f"start/{name}": value for name, value in workload.start.items()}
    np.savez(path, allow_pickle=False, **arrays)
