"""Recorded runs: read from files, mappings or lists of steps, counted, and judged."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard
from zipfile import BadZipFile

import numpy as np

from samestep.backends.interface import Host, Trace

from ..console.errors import InputError
from ..record.proof import Diagnosis, Evidence
from .array_data import as_numbers
from .array_digest import digest
from .certificate import one_line
from .judge import RunJudge
from .trace_form import begins_at_start, wrong_stream
from .workload import Workload

PREFIXES = ("", "buffers/", "gradients/")
Params: TypeAlias = dict[str, Host]
Stream: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | Path


def is_stream(program: object) -> TypeGuard[Stream]:
    """Whether a program is a recorded stream: a file, a mapping, or a list of steps."""
    steps = (
        isinstance(program, list | tuple) and program and all(isinstance(step, Mapping) for step in program)
    )
    return bool(steps) or isinstance(program, str | Path | Mapping)


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
