"""Arithmetic that is narrower than the task's dtype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samestep.backends import spec

from ..reference import Arithmetic, Array, Arrays, Bounds, Magnitudes, Reference, narrow
from ..step_comparison import QUANTITIES
from .case import Case, Finding, StepSnapshot, flat

SINGLE = 24  # bits of float32's significand
NARROWER = ((11, "TF32 and float16"), (8, "bfloat16"))
LEAST = 2.0**-30  # of a step or a gradient: what float32 adds is larger than that
FEWEST = 8  # numbers that have few bits, for that to mean something
EXPLAINED = 0.5  # of the deviation, at most, may be left when a step is played with narrower inputs


def narrower_arithmetic(case: Case) -> Finding | None:
    """All deviations are what a narrower arithmetic makes: the finest that explains them.

    float32 in a float64 task is known by its size alone. Deviations as large as those of 11 or 8 bits could be
    any small mistake: there a step played with inputs cut so must come nearer to what was recorded.
    """
    dtype, failing = case.workload.task.dtype, case.failing
    if dtype == "float64" and all(within(case, s, SINGLE) for s in failing) and as_large_as_float32(case):
        return "precision", "what is wrong in this float64 task is as small as float32 arithmetic makes it"
    declared = bool(case.arithmetic.input_error)  # TF32 that is declared is no finding
    for bits, formats in NARROWER[1:] if declared else NARROWER:
        if all(within(case, snapshot, bits) for snapshot in failing):
            if quantity := short_quantity(failing, bits):
                return "precision", f"{quantity} are numbers of {bits} bits, as in {formats}"
            left = min(
                unexplained(case, RoundedReference(case.workload.task, bits, parts), failing)
                for parts in WHERE_CUT
            )
            if left <= EXPLAINED:
                explained = f"explain {1 - left:.0%} of what is wrong"
                return "precision", f"inputs cut to {bits} bits, as {formats} do, {explained}"
    return None


def as_large_as_float32(case: Case) -> bool:
    """Whether some deviation is of the size of float32's roundings, and not far below it."""
    for snapshot in case.failing:
        step = case.exact(snapshot)
        for name, values in snapshot.recorded["params"].items():
            size = narrow(abs(step.params[name] - snapshot.start.params[name])).max(initial=0.0)
            if narrow(abs(values - step.params[name])).max(initial=0.0) > size * LEAST:
                return True
        if "gradients" in snapshot.recorded:
            recorded, exact = flat(snapshot.recorded["gradients"]), flat(step.gradients)
            if narrow(abs(recorded - exact)).max() > LEAST * narrow(abs(exact)).max():
                return True
    return False


def within(case: Case, snapshot: StepSnapshot, bits: int) -> bool:
    """Whether a step lies within the probabilistic bound of so many bits.

    The worst-case bound would hide the next narrower format.
    """
    step, plain, start = case.exact(snapshot), case.arithmetic, snapshot.start
    arithmetic = Arithmetic(2.0**-bits, plain.tiny, plain.largest, probabilistic=True)
    bounds = Bounds(case.reference, arithmetic, step, Magnitudes(step, start.params, plain.tiny))
    errors = bounds.errors({}, snapshot.learning_rate, first=start.first)
    triples = [("loss", {"": step.loss}, {"": errors.loss})]
    triples += [(quantity, getattr(step, quantity), getattr(errors, quantity)) for quantity in QUANTITIES]
    return all(
        bool(np.all(abs(snapshot.recorded[quantity][name] - exact[name]) <= allowed[name]))
        for quantity, exact, allowed in triples
        for name in snapshot.recorded.get(quantity, {})
    )


def short_quantity(snapshots: Sequence[StepSnapshot], bits: int) -> str:
    """The wrong quantity whose numbers all have so few bits, or nothing; a few could have them by chance."""
    for quantity in QUANTITIES:
        parts = [flat(snapshot.recorded[quantity]) for snapshot in snapshots if snapshot.has_wrong(quantity)]
        numbers = np.concatenate(parts) if parts else np.zeros(0)
        if np.count_nonzero(numbers) >= FEWEST and np.array_equal(cut(numbers, bits), numbers):
            return quantity
    return ""


def cut(array: Array, bits: int) -> Array:
    """Rounded to so many bits of the significand."""
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent)


class RoundedReference(Reference):
    """A reference that cuts some of its arrays to so many bits.

    `parts` are among "rows" (of the data), "weights", "predictions", and "products": both inputs of every matrix
    product, those of the backward pass included, which is what a GPU does with TF32.
    """

    def __init__(self, task: spec.Task, bits: int, parts: Sequence[str]) -> None:
        super().__init__(task)
        self.bits, self.parts = bits, parts

    def cut(self, part: str, array: Array) -> Array:
        """An array, cut if it is of the chosen parts."""
        return cut(array, self.bits) if part in self.parts else array

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The forward pass from cut arrays."""
        params = {name: self.cut("weights", value) for name, value in params.items()}
        *inner, last = super().forward(params, self.cut("rows", x))
        return [*inner, self.cut("predictions", last)]

    def product(self, a: Array, b: Array) -> Array:
        """A matrix product of cut arrays."""
        return super().product(self.cut("products", a), self.cut("products", b))


WHERE_CUT = (("rows",), ("rows", "weights"), ("rows", "weights", "predictions"), ("products",))


def unexplained(case: Case, rounded: Reference, snapshots: Sequence[StepSnapshot]) -> float:
    """The part of the deviations that is left when the steps are played with narrower inputs, by norms."""
    quantity = next(
        quantity
        for quantity in ("gradients", "loss", "buffers", "params")
        if any(snapshot.has_wrong(quantity) for snapshot in snapshots)
    )
    before = after = 0.0
    for snapshot in snapshots:
        recorded = flat(snapshot.recorded[quantity])
        before += squared_deviation(case, snapshot, quantity, recorded, None)
        after += squared_deviation(case, snapshot, quantity, recorded, rounded)
    return float(np.sqrt(after / before)) if before else 0.0


def squared_deviation(
    case: Case, snapshot: StepSnapshot, quantity: str, recorded: Array, reference: Reference | None
) -> float:
    """Squared distance of a quantity from what a reference gives, the case's own by default."""
    step = case.play_step(snapshot, *case.batch(snapshot), reference=reference)
    values = np.atleast_1d(step.loss) if quantity == "loss" else flat(getattr(step, quantity))
    return float(np.square(narrow(recorded - values)).sum())
