"""Certify a program of your own: functions that take and return parameters, or a recorded stream of them.

The program must do a Task's work: its data, start, row order and learning rates. `export` writes those to an npz
that any language can read. Parameters go by torch Sequential's names, weights as (in, out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from samestep.backends.interface import Backend, Host, Trace
from samestep.backends.spec import Dtype, Task

from ..console.errors import InputError
from ..record.proof import Certificate, Diagnosis, Evidence, Judgement
from .array_data import Data, as_data
from .array_digest import digest
from .certificate import certify_backend, conclude, one_line
from .judge import RunJudge
from .recorded_stream import Params, Stream, examine_stream, is_stream
from .single_entries import probe_work
from .workload import ScheduledBatch, Workload, digest_orders

StepFunction: TypeAlias = Callable[[Params, Host, Host, float], Mapping[str, Host]]
GradientFunction: TypeAlias = Callable[[Params, Host, Host], tuple[Host, Mapping[str, Host]]]
UpdateFunction: TypeAlias = Callable[[Params, Mapping[str, Host], float], Mapping[str, Host]]
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


def assert_same_step(
    program: Program,
    task: Task,
    data: Data | tuple[Any, Any] | list[Any],
    *,
    lane: str = "",
    probe: Port | None = None,
) -> Certificate:
    """`certify`, for a test of your own: the certificate of a program that passed.

    Raises:
        AssertionError: the program does not do the task's work; the message says where, and what is likely wrong.
        InputError: as for `certify`.
    """
    certificate = certify(program, task, data, lane=lane, probe=probe)
    if certificate.status != "pass":
        raise AssertionError(f"{certificate.lane} on {task.name}: {certificate.status}: {certificate.reason}")
    return certificate


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
