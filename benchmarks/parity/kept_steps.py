"""What a judgment keeps of a run: the arrays of some steps, bound ratios of more, and the largest ratios of all.

Arrays are kept bit for bit, so that anybody can judge them again. The values before a step are left out where the
step before is kept too, and at step 1, which begins at the start.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samestep.backends.interface import Host, Trace

from ..record.arrays import encode
from ..record.proof import BoundRatios, KeptStep, WorstRatio
from .step_comparison import TensorComparison
from .workload import Workload

MOST_BYTES = 24_000  # of the kept steps of one run, before base64; but never fewer steps than
FEWEST_STEPS = 4
MOST_EACH = 1_000_000  # bytes of one step, beyond which none is kept
MOST_SAMPLED = 60  # steps whose ratios are recorded


def kept_step_numbers(workload: Workload, also: int | None) -> frozenset[int]:
    """The steps to keep, evenly spread, the last one and step `also` among them; none of huge models."""
    task = workload.task
    values = sum(int(np.prod(shape)) for shape in task.parameters.values())
    step_bytes = values * np.dtype(task.dtype).itemsize * (5 if task.optimizer.momentum else 3)
    if step_bytes > MOST_EACH:
        return frozenset()
    most = min(workload.max_kept_steps, max(MOST_BYTES // step_bytes, FEWEST_STEPS))
    extra = [also] if also and also <= workload.steps else []
    return frozenset([*evenly_spread(workload.steps, most), *extra])


def evenly_spread(steps: int, most: int) -> list[int]:
    """At most `most` step numbers from 1 to `steps`, both ends among them."""
    numbers: list[int] = np.linspace(1, steps, min(steps, most)).astype(int).tolist()
    return numbers


class KeptSteps:
    """The arrays of chosen steps, encoded as the run goes by."""

    def __init__(self, numbers: frozenset[int]) -> None:
        self.numbers = numbers
        self.steps: list[KeptStep] = []
        self.before: dict[str, Host] = {}

    def add(self, number: int, trace: Trace, index: int) -> None:
        """Keep step `number`, which is entry `index` of the trace, if it was chosen."""
        if number in self.numbers:
            follows = number == 1 or bool(self.steps and self.steps[-1].step == number - 1)
            arrays = {} if follows else self.before
            if trace.losses.size:
                arrays = arrays | {"loss": trace.losses[index]}
            for prefix, table in (
                ("gradients/", trace.gradients),
                ("buffers/", trace.buffers),
                ("", trace.params),
            ):
                arrays = arrays | {f"{prefix}{name}": values[index] for name, values in table.items()}
            encoded = {name: encode(array) for name, array in arrays.items()}
            self.steps.append(KeptStep(step=number, arrays=encoded))
        if number + 1 in self.numbers:
            self.before = {f"before/{name}": values[index] for name, values in trace.params.items()}
            self.before |= {f"buffers before/{name}": values[index] for name, values in trace.buffers.items()}


class RatioLog:
    """The largest bound ratio of each quantity over a run, and the ratios of a fixed sample of its steps."""

    def __init__(self, steps: int, kept: frozenset[int]) -> None:
        self.sampled = kept.union(evenly_spread(steps, MOST_SAMPLED))
        self.sample: list[BoundRatios] = []
        self.worst: dict[str, WorstRatio] = {}

    def note(self, number: int, comparison: TensorComparison) -> None:
        """Note what one tensor of step `number` used of its bounds."""
        ratio, worst = comparison.worst_ratio, self.worst.get(comparison.quantity, WorstRatio())
        update: dict[str, float | int | str] = {"likely": max(worst.likely, comparison.probabilistic_ratio)}
        if ratio > worst.share or not worst.step:
            update |= {"share": ratio, "step": number, "tensor": comparison.tensor}
            update |= {"slack": 1 / ratio if ratio else float("inf")}
        self.worst[comparison.quantity] = worst.model_copy(update=update)

    def close_step(self, number: int, comparisons: Sequence[TensorComparison]) -> None:
        """Record the ratios of a whole step, if it is in the sample."""
        if number in self.sampled:
            ratios: dict[str, float] = {}
            for comparison in comparisons:
                ratios[comparison.quantity] = max(
                    ratios.get(comparison.quantity, 0.0), comparison.worst_ratio
                )
            self.sample.append(rounded_ratios(number, ratios))

    @property
    def largest(self) -> tuple[str, WorstRatio]:
        """The quantity with the largest ratio, and that ratio."""
        return max(self.worst.items(), key=lambda item: item[1].share)


def rounded_ratios(number: int, ratios: dict[str, float]) -> BoundRatios:
    """The ratios of step `number` to four digits, as the record holds them."""
    return BoundRatios(step=number, shares={name: float(f"{ratio:.4g}") for name, ratio in ratios.items()})
