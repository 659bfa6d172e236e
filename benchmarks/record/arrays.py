"""Arrays of training steps in a record: base64 of their bytes, little-endian, bit for bit."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from samestep.backends.interface import Host, Trace
from samestep.backends.spec import Task

from .proof import KeptStep


def encode(array: Host) -> str:
    """An array's bytes in base64."""
    little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return base64.b64encode(little_endian.tobytes()).decode()


def decode(text: str, dtype: str, shape: tuple[int, ...]) -> Host:
    """The array again.

    Raises:
        ValueError: the text is not base64, or not of this dtype and shape.
    """
    raw = base64.b64decode(text, validate=True)
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


@dataclass(frozen=True, eq=False)
class DecodedStep:
    """A kept step, decoded: the parameters and buffers it began with, and a trace of this one step."""

    number: int
    params: dict[str, Host]
    buffers: dict[str, Host]
    trace: Trace


def decode_steps(task: Task, start: Mapping[str, Host], kept: tuple[KeptStep, ...]) -> list[DecodedStep]:
    """The kept steps of a run, in order.

    Raises:
        ValueError: an array is missing, or is not what its name says.
    """
    steps: list[DecodedStep] = []
    for step in sorted(kept, key=lambda step: step.step):
        previous = steps[-1] if steps and steps[-1].number == step.step - 1 else None
        params, buffers = decode_table(task, step, "before/"), decode_table(task, step, "buffers before/")
        if not params and step.step > 1 and previous is None:
            raise ValueError(f"step {step.step} does not say where it began")
        if previous:
            params = params or first_entries(previous.trace.params)
            buffers = buffers or first_entries(previous.trace.buffers)
        losses = decode(step.arrays["loss"], task.dtype, (1,)) if "loss" in step.arrays else np.empty(0)
        tables = (decode_table(task, step, prefix) for prefix in ("", "buffers/", "gradients/"))
        stacked = ({name: value[None] for name, value in table.items()} for table in tables)
        steps.append(DecodedStep(step.step, params or dict(start), buffers, Trace(losses, *stacked)))
    return steps


def decode_table(task: Task, step: KeptStep, prefix: str) -> dict[str, Host]:
    """The arrays of one prefix, by parameter name; those that are not there are left out."""
    return {
        name: decode(step.arrays[f"{prefix}{name}"], task.dtype, shape)
        for name, shape in task.parameters.items()
        if f"{prefix}{name}" in step.arrays
    }


def first_entries(table: Mapping[str, Host]) -> dict[str, Host]:
    """The first step of a table of steps."""
    return {name: values[0] for name, values in table.items()}
