"""Steps that stay in the record, to be judged again by anybody: all of a short run, a sample of a long one.

Arrays are kept as they were, bit for bit: base64 of their bytes, little-endian, in the task's dtype. The values
before a step are left out where the step before is kept too, and at step 1, which begins at the start.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.interface import Host, Trace
from backends.spec import Task
from benchmarks.parity.verdicts import Kept
from benchmarks.parity.work import Work

MOST_BYTES = 24_000  # of the kept steps of one run, before base64; but never fewer steps than
FEWEST_STEPS = 4
MOST_EACH = 1_000_000  # bytes of one step, beyond which none is kept


def chosen(work: Work, also: int | None) -> frozenset[int]:
    """The steps to keep, evenly spread, the last one and step `also` among them; none of huge models."""
    values = sum(int(np.prod(shape)) for shape in work.task.parameters.values())
    each = values * np.dtype(work.task.dtype).itemsize * (5 if work.task.optimizer.momentum else 3)
    if each > MOST_EACH:
        return frozenset()
    most = min(work.keep, max(MOST_BYTES // each, FEWEST_STEPS))
    spread = np.linspace(1, work.steps, min(work.steps, most)).astype(int).tolist()
    return frozenset([*spread, *([also] if also and also <= work.steps else [])])


def keep(number: int, trace: Trace, index: int, before: Mapping[str, Host] | None) -> Kept:
    """One step of a trace; `before` are the values it began with, by "before/" and "buffers before/" names."""
    arrays = {"loss": trace.losses[index]} if trace.losses.size else {}
    for prefix, table in (("gradients/", trace.gradients), ("buffers/", trace.buffers), ("", trace.params)):
        arrays |= {f"{prefix}{name}": values[index] for name, values in table.items()}
    return Kept(
        step=number, arrays={name: encode(array) for name, array in {**(before or {}), **arrays}.items()}
    )


def beginning(params: Mapping[str, Host], buffers: Mapping[str, Host]) -> dict[str, Host]:
    """The values before a step, under their names."""
    return {f"before/{k}": v for k, v in params.items()} | {
        f"buffers before/{k}": v for k, v in buffers.items()
    }


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
class Begun:
    """A kept step, decoded: where it began and what it recorded, as a trace of one step."""

    number: int
    params: dict[str, Host]
    buffers: dict[str, Host]
    trace: Trace


def decoded(task: Task, start: Mapping[str, Host], kept: tuple[Kept, ...]) -> list[Begun]:
    """The kept steps of a run, in order.

    Raises:
        ValueError: an array is missing, or is not what its name says.
    """
    found: list[Begun] = []
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
        found.append(Begun(each.step, before, earlier, Trace(losses, *tables)))
    return found
