"""Arithmetic that is narrower than the task's dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from samestep.backends import spec

from ...record.proof import Diagnosis
from ..reference import Array, Arrays, Reference, ReferenceStep, narrow
from ..step_comparison import QUANTITIES
from .case import Case, StepSnapshot, flat

FORMATS = {24: "float32", 11: "TF32 and float16", 8: "bfloat16"}  # bits of the significand
CUT_TO = (24, 20, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8)  # bits that inputs are tried with
EVIDENCE = 40  # bits that are zero in different recorded numbers, together, for that to mean something
EXPLAINED = 0.5  # of the deviation, at most, may be left when a step is played with narrower inputs
MOST_TRIED = 6  # steps on which narrower inputs are tried
FEW = 4  # different numbers, at least, that have few bits
FEWEST = 8  # numbers that have to come nearer, for that to mean something


def narrower_arithmetic(case: Case) -> Diagnosis | None:
    """Recorded numbers that have too few bits, or deviations that narrower inputs explain.

    A small deviation by itself is no sign of it: any small mistake makes one.
    """
    bits_of_dtype = {"float32": 24, "float64": 53}[case.workload.task.dtype]
    declared = bool(case.arithmetic.input_error)  # TF32 that is declared is no finding
    for quantity in ("loss", *QUANTITIES):
        numbers = wrong_numbers(case, quantity)
        bits = significant_bits(numbers)
        different = len(np.unique(numbers))
        if bits < bits_of_dtype - 2 and different >= FEW and different * (bits_of_dtype - bits) >= EVIDENCE:
            plural = "losses" if quantity == "loss" else quantity
            return Diagnosis(
                cause="precision", sentence=f"{plural} are numbers of {bits} bits{format_text(bits)}"
            )
    chosen = [bits for bits in CUT_TO if bits < bits_of_dtype and not (declared and bits >= 11)]
    left, bits = min(((unexplained_by(case, bits), bits) for bits in chosen), default=(1.0, 0))
    if left <= EXPLAINED:
        text = f"inputs cut to {bits} bits{format_text(bits)} explain {1 - left:.0%} of what is wrong"
        return Diagnosis(cause="precision", sentence=text)
    return None


def format_text(bits: int) -> str:
    """The formats that have so many bits, as a part of a sentence."""
    return f" ({FORMATS[bits]})" if bits in FORMATS else ""


def wrong_numbers(case: Case, quantity: str) -> Array:
    """All recorded numbers of a quantity at the steps at which it is wrong."""
    parts = [
        np.ravel(s.recorded[quantity][tensor]) for s in case.failing for q, tensor in s.wrong if q == quantity
    ]
    numbers = np.concatenate(parts) if parts else np.zeros(0)
    return numbers[np.isfinite(narrow(numbers))]


def significant_bits(numbers: Array) -> int:
    """The most bits of the significand that one of the numbers needs; a large number of none at all."""
    if not np.count_nonzero(numbers):
        return 99
    return next((bits for bits in range(2, 65) if np.array_equal(cut(numbers, bits), numbers)), 99)


def unexplained_by(case: Case, bits: int) -> float:
    """The least part of the deviations that is left with inputs of so many bits, in any place.

    Inputs have nothing to do with it where the recorded gradients are right, and a few numbers prove nothing.
    """
    task, failing = case.workload.task, case.failing[:MOST_TRIED]
    right = any(
        "gradients" in s.recorded and not (s.has_wrong("gradients") or s.has_wrong("loss")) for s in failing
    )
    if right or deviating(case, failing) < FEWEST:
        return 1.0
    batches = {snapshot.number: CutBatch(case, snapshot, bits) for snapshot in failing}
    return min(
        unexplained(case, RoundedReference(task, bits, parts), batches, failing) for parts in WHERE_CUT
    )


def deviating(case: Case, failing: Sequence[StepSnapshot]) -> float:
    """How many numbers deviate, each weighted by its size: (sum d^2)^2 / sum d^4."""
    quantity = first_wrong(failing)
    squares = []
    for snapshot in failing:
        step = case.exact(snapshot)
        values = np.atleast_1d(step.loss) if quantity == "loss" else flat(getattr(step, quantity))
        deviation = narrow(flat(snapshot.recorded[quantity]) - values)
        largest = float(abs(deviation).max(initial=0.0))
        if largest and np.isfinite(largest):
            squares.append(np.square(deviation / largest))
    together = np.concatenate(squares) if squares else np.zeros(1)
    return float(together.sum() ** 2 / max(np.square(together).sum(), 1e-300))


def first_wrong(snapshots: Sequence[StepSnapshot]) -> str:
    """The wrong quantity in which narrower inputs show best."""
    quantities = ("gradients", "loss", "buffers", "params")
    return next(q for q in quantities if any(snapshot.has_wrong(q) for snapshot in snapshots))


def cut(array: Array, bits: int) -> Array:
    """Rounded to so many bits of the significand."""
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent)


class CutBatch:
    """A step's rows and targets, in full and cut: to cut a wide batch takes longer than to play it."""

    def __init__(self, case: Case, snapshot: StepSnapshot, bits: int) -> None:
        self.whole = [
            part.astype(case.reference.wide) if part.dtype.kind == "f" else part
            for part in case.batch(snapshot)
        ]
        self.short = [cut(part, bits) if part.dtype.kind == "f" else part for part in self.whole]

    def of(self, parts: Sequence[str]) -> tuple[Array, Array]:
        """x and y, each cut if it is of the chosen parts."""
        x, y = (self.short if name in parts else self.whole for name in ("rows", "targets"))
        return x[0], y[1]


class RoundedReference(Reference):
    """A reference that cuts some of its arrays to so many bits.

    `parts` are among "weights", "values" (of activations), "predictions", and "products": both inputs of every
    matrix product, those of the backward pass included, as a GPU does with TF32. "rows" and "targets" are cut
    before, in `CutBatch`.
    """

    def __init__(self, task: spec.Task, bits: int, parts: Sequence[str]) -> None:
        super().__init__(task)
        self.bits, self.parts = bits, parts

    def cut(self, part: str, array: Array) -> Array:
        """An array, cut if it is of the chosen parts."""
        return cut(array, self.bits) if part in self.parts else array

    def forward(self, params: Arrays, x: Array) -> list[Array]:
        """The forward pass from cut weights."""
        params = {name: self.cut("weights", value) for name, value in params.items()}
        *inner, last = super().forward(params, x)
        return [*inner, self.cut("predictions", last)]

    def activation(self, index: int, z: Array) -> Array:
        """The value of an activation, cut."""
        return self.cut("values", super().activation(index, z))

    def product(self, a: Array, b: Array) -> Array:
        """A matrix product of cut arrays."""
        return super().product(self.cut("products", a), self.cut("products", b))


WHERE_CUT = (
    ("rows",),
    ("targets",),
    ("rows", "targets"),
    ("weights",),
    ("rows", "weights"),
    ("rows", "weights", "predictions"),
    ("predictions",),
    ("values",),
    ("products",),
)


def unexplained(
    case: Case,
    rounded: RoundedReference,
    batches: Mapping[int, CutBatch],
    snapshots: Sequence[StepSnapshot],
) -> float:
    """The part of the deviations that is left when the steps are played with narrower inputs, by norms."""
    quantity = first_wrong(snapshots)
    before = after = 0.0
    for snapshot in snapshots:
        recorded = flat(snapshot.recorded[quantity])
        narrower = case.play_step(snapshot, *batches[snapshot.number].of(rounded.parts), reference=rounded)
        before += squared_deviation(case.exact(snapshot), quantity, recorded)
        after += squared_deviation(narrower, quantity, recorded)
    return float(np.sqrt(after / before)) if before else 0.0


def squared_deviation(step: ReferenceStep, quantity: str, recorded: Array) -> float:
    """Squared distance of a recorded quantity from that of a step."""
    values = np.atleast_1d(step.loss) if quantity == "loss" else flat(getattr(step, quantity))
    return float(np.square(narrow(recorded - values)).sum())
