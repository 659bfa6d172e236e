"""Steps that stay in the record, to be judged again by anybody: all of a short run, a sample of a long one.

Arrays are kept as they were, bit for bit: base64 of their bytes, little-endian, in the task's dtype. The values
before a step are left out where the step before is kept too, and at step 1, which begins at the start.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from samestep.backends.interface import Host, Trace

from ..record.arrays import encode
from ..record.proof import KeptStep
from .workload import Workload

MOST_BYTES = 24_000  # of the kept steps of one run, before base64; but never fewer steps than
FEWEST_STEPS = 4
MOST_EACH = 1_000_000  # bytes of one step, beyond which none is kept


def kept_step_numbers(workload: Workload, also: int | None) -> frozenset[int]:
    """The steps to keep, evenly spread, the last one and step `also` among them; none of huge models."""
    values = sum(int(np.prod(shape)) for shape in workload.task.parameters.values())
    each = values * np.dtype(workload.task.dtype).itemsize * (5 if workload.task.optimizer.momentum else 3)
    if each > MOST_EACH:
        return frozenset()
    most = min(workload.max_kept_steps, max(MOST_BYTES // each, FEWEST_STEPS))
    spread = np.linspace(1, workload.steps, min(workload.steps, most)).astype(int).tolist()
    return frozenset([*spread, *([also] if also and also <= workload.steps else [])])


def keep(number: int, trace: Trace, index: int, before: Mapping[str, Host] | None) -> KeptStep:
    """One step of a trace; `before` are the values it began with, by "before/" and "buffers before/" names."""
    arrays = {"loss": trace.losses[index]} if trace.losses.size else {}
    for prefix, table in (("gradients/", trace.gradients), ("buffers/", trace.buffers), ("", trace.params)):
        arrays |= {f"{prefix}{name}": values[index] for name, values in table.items()}
    return KeptStep(
        step=number, arrays={name: encode(array) for name, array in {**(before or {}), **arrays}.items()}
    )


def beginning(params: Mapping[str, Host], buffers: Mapping[str, Host]) -> dict[str, Host]:
    """The values before a step, under their names."""
    return {f"before/{k}": v for k, v in params.items()} | {
        f"buffers before/{k}": v for k, v in buffers.items()
    }
