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
    return base64.b64encode(
        np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    ).decode()


def decode(text: str, dtype: str, shape: tuple[int, ...]) -> Host:
    """The array again.

    Raises:
        ValueError: the text is not base64, or not of this dtype and shape.
    """
    raw = base64.b64decode(text, validate=True)
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


@dataclass(frozen=True, eq=False)
class DecodedStep:
    """A kept step, decoded: where it began and what it recorded, as a trace of one step."""

    number: int
    params: dict[str, Host]
    buffers: dict[str, Host]
    trace: Trace


def decode_steps(task: Task, start: Mapping[str, Host], kept: tuple[KeptStep, ...]) -> list[DecodedStep]:
    """The kept steps of a run, in order.

    Raises:
        ValueError: an array is missing, or is not what its name says.
    """
    found: list[DecodedStep] = []
    for each in sorted(kept, key=lambda one: one.step):

        def table(prefix: str, arrays: dict[str, str] = each.arrays) -> dict[str, Host]:
            names = {name: f"{prefix}{name}" for name in task.parameters if f"{prefix}{name}" in arrays}
            return {k: decode(arrays[key], task.dtype, task.parameters[k]) for k, key in names.items()}

        last = found[-1] if found and found[-1].number == each.step - 1 else None
        before = table("before/") or (
            {k: v[0] for k, v in last.trace.params.items()} if last else dict(start)
        )
        if each.step > 1 and last is None and not table("before/"):
            raise ValueError(f"step {each.step} does not say where it began")
        earlier = table("buffers before/") or (
            {k: v[0] for k, v in last.trace.buffers.items()} if last else {}
        )
        losses = decode(each.arrays["loss"], task.dtype, (1,)) if "loss" in each.arrays else np.empty(0)
        tables = ({k: v[None] for k, v in table(prefix).items()} for prefix in ("", "buffers/", "gradients/"))
        found.append(DecodedStep(each.step, before, earlier, Trace(losses, *tables)))
    return found
