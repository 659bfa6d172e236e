"""Arithmetic that is narrower than the task's dtype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samestep.backends import spec

from ...record.proof import Cause
from ..reference.arithmetic import Arithmetic, Array, narrow
from ..reference.bounds import Bounds
from ..reference.step import Arrays, Magnitudes, Reference
from .case import Case, Moment, flat

SINGLE = 24  # bits of float32's significand
NARROWER = ((11, "TF32 and float16"), (8, "bfloat16"))
LEAST = 2.0**-30  # of a step or a gradient: what float32 adds is larger than that
FEWEST = 8  # numbers that have few bits, for that to mean something
EXPLAINED = 0.5  # of the deviation, at most, may be left when a step is played with narrower inputs


def narrower(case: Case) -> tuple[Cause, str] | None:
    """All deviations are what a narrower arithmetic makes: the finest that explains them.

    float32 in a float64 task is known by its size alone. Deviations as large as those of 11 or 8 bits could be
    any small mistake: there a step played with inputs cut so must come nearer to what was recorded.
    """
    dtype, failing = case.workload.task.dtype, case.failing
    if dtype == "float64" and all(within(case, moment, SINGLE) for moment in failing) and coarse(case):
        return "precision", "what is wrong in this float64 task is as small as float32 arithmetic makes it"
    for bits, words in NARROWER[1:] if case.arithmetic.inputs else NARROWER:  # what is declared is no finding
        if all(within(case, moment, bits) for moment in failing):
            if held := held_in(failing, bits):
                return "precision", f"{held} are numbers of {bits} bits, as in {words}"
            left = min(unexplained(case, form, failing, bits) for form in COARSE)
            if left <= EXPLAINED:
                found = f"inputs cut to {bits} bits, as {words} do, explain {1 - left:.0%} of what is wrong"
                return "precision", found
    return None


def coarse(case: Case) -> bool:
    """Whether some deviation is of the size of float32's roundings, and not far below it."""
    for moment in case.failing:
        step = case.exact(moment)
        for name, values in moment.recorded["params"].items():
            size = narrow(abs(step.params[name] - moment.before[name])).max(initial=0.0)
            if narrow(abs(values - step.params[name])).max(initial=0.0) > size * LEAST:
                return True
        if "gradients" in moment.recorded:
            recorded, exact = flat(moment.recorded["gradients"]), flat(step.gradients)
            if narrow(abs(recorded - exact)).max() > LEAST * narrow(abs(exact)).max():
                return True
    return False


def within(case: Case, moment: Moment, bits: int) -> bool:
    """Whether a step lies within what so many bits likely do; their worst case would hide the next narrower."""
    step, plain = case.exact(moment), case.arithmetic
    arithmetic = Arithmetic(2.0**-bits, plain.tiny, plain.largest, probabilistic=True)
    sizes = Magnitudes(step, moment.before, plain.tiny)
    errors = Bounds(case.reference, arithmetic, step, sizes).errors(
        {}, moment.learning_rate, first=moment.first
    )
    pairs = [("loss", {"": step.loss}, {"": errors.loss})]
    pairs += [
        (name, getattr(step, name), getattr(errors, name)) for name in ("gradients", "buffers", "params")
    ]
    return all(
        bool(np.all(abs(moment.recorded[quantity][name] - exact[name]) <= bounds[name]))
        for quantity, exact, bounds in pairs
        for name in moment.recorded.get(quantity, {})
    )


def held_in(moments: Sequence[Moment], bits: int) -> str:
    """The wrong quantity whose numbers all have so few bits, or nothing; a few could have them by chance."""
    for quantity in ("gradients", "buffers", "params"):
        found = [flat(moment.recorded[quantity]) for moment in moments if moment.has_wrong(quantity)]
        numbers = np.concatenate(found) if found else np.zeros(0)
        if np.count_nonzero(numbers) >= FEWEST and np.array_equal(cut(numbers, bits), numbers):
            return quantity
    return ""


def cut(array: Array, bits: int) -> Array:
    """Rounded to so many bits of the significand."""
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent)


class Coarse(Reference):
    """A reference that cuts the rows of the data."""

    def __init__(self, task: spec.Task, bits: int) -> None:
        super().__init__(task)
        self.bits = bits

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        return super().forward(params, cut(x, self.bits))


class CoarseWeights(Coarse):
    """The weights too."""

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        return super().forward({k: cut(v, self.bits) for k, v in params.items()}, x)


class CoarseResults(CoarseWeights):
    """The predictions too."""

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        *inner, last = super().forward(params, x)
        return [*inner, cut(last, self.bits)]


class CoarseProducts(Coarse):
    """Both inputs of every product instead, those of the backward pass included: what a GPU does with TF32."""

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        return Reference.forward(self, params, x)

    def product(self, a: Array, b: Array) -> Array:
        return cut(a, self.bits) @ cut(b, self.bits)


COARSE = (Coarse, CoarseWeights, CoarseResults, CoarseProducts)


def unexplained(case: Case, form: type[Coarse], moments: Sequence[Moment], bits: int) -> float:
    """The share of the deviations that is left when the steps are played with narrower inputs."""
    actor = form(case.workload.task, bits)
    quantity = next(
        q for q in ("gradients", "loss", "buffers", "params") if any(m.has_wrong(q) for m in moments)
    )
    before = after = 0.0
    for moment in moments:
        x, y = case.workload.x[moment.rows], case.workload.y[moment.rows]
        recorded = flat(moment.recorded[quantity])
        for played, right in ((actor, False), (None, True)):
            step = case.play(moment, x, y, reference=played)
            values = np.atleast_1d(step.loss) if quantity == "loss" else flat(getattr(step, quantity))
            off = float(np.square(narrow(recorded - values)).sum())
            before, after = (before + off, after) if right else (before, after + off)
    return float(np.sqrt(after / before)) if before else 0.0
