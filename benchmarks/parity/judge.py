"""Is every recorded step within the rounding of one correct step? A pure function of recorded numbers.

After every step the reference takes one step from the run's *own* previous parameters and buffers; loss,
gradients, buffers and parameters are compared with it, component by component. The errors of earlier steps are
thus in the starting point and never pile up in the bound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from samestep.backends.interface import Trace

from ..record.arrays import decode_steps
from ..record.proof import BoundRatios, Diagnosis, Judgement, KeptStep, Status, Violation, WorstRatio
from .comparison import Compared, compared, in_order, malformed, unrecorded
from .doctor import diagnose
from .doctor.case import Case, Moment
from .reference.arithmetic import Arithmetic, Array, narrow
from .reference.bounds import Bounds, Errors
from .reference.drift import Drift
from .reference.step import Arrays, Magnitudes, Reference, ReferenceStep
from .snapshots import beginning, keep, kept_step_numbers
from .workload import ScheduledBatch, Workload

MOST_SHARES = 60
BEFORE, AFTER = 3, 12  # steps that are kept for the doctor, around the first wrong one
WIDE_BATCH, FEW = 20_000, 3  # numbers of x in a batch beyond which only so few are kept after it
COARSE = 0.1  # of a step: a bound this wide is said to be so


def judge(workload: Workload, trace: Trace) -> Judgement:
    """The judgement of a whole run.

    Raises:
        InputError: the batch is too large for any error bound in the task's dtype.
    """
    judging = Judging(workload)
    judging.feed(trace)
    return judging.judgement()


class Judging:
    """A judgement in the making: feed it the traces of one or more epochs, in order."""

    def __init__(self, workload: Workload, *, buffers: Arrays | None = None, also: int | None = None) -> None:
        """`buffers`: momentum with which the first step begins; `also`: a step to keep beside the sample."""
        self.workload, self.reference = workload, Reference(workload.task)
        dtype, wide = workload.task.dtype, self.reference.wide
        self.arithmetics = tuple(
            Arithmetic.of(
                dtype, wide, probabilistic=probabilistic, matmul_precision=workload.matmul_precision
            )
            for probabilistic in (False, True)
        )
        self.batches, self.done = workload.batches(), 0
        self.params = self.reference.widen(workload.start)
        self.fresh = buffers is None
        self.buffers: Arrays = self.reference.widen(buffers or {})
        self.keeps = kept_step_numbers(workload, also)
        self.kept: list[KeptStep] = []
        self.before = beginning(workload.start, buffers or {})
        self.carried: Arrays = {}
        self.drift = Drift(workload, self.reference)
        self.worst: dict[str, WorstRatio] = {}
        self.sample: list[BoundRatios] = []
        spread = np.linspace(1, workload.steps, min(workload.steps, MOST_SHARES)).astype(int).tolist()
        self.sampled = self.keeps.union(spread)
        self.failure: Violation | None = None
        self.fault: Diagnosis | None = None
        self.diverged = ""
        self.unrecorded: set[str] = set()
        self.moments: deque[Moment] = deque(maxlen=BEFORE)
        self.losses: list[tuple[float, float]] = []  # as recorded, and their bounds

    @property
    def stopped(self) -> bool:
        """Whether nothing further can be judged."""
        return bool(self.fault or self.diverged)

    def feed(self, trace: Trace, expected: int | None = None) -> None:
        """Judge the next steps; `expected` is how many there should be."""
        self.fault = self.fault or malformed(self.workload, trace, expected)
        trace = in_order(self.workload, trace)
        for index in range(len(next(iter(trace.params.values()), ()))):
            if self.stopped:
                return
            batch = next(self.batches, None)
            if batch is None:
                words = f"more steps were recorded than the task's {self.workload.steps}"
                self.fault = Diagnosis(cause="shape", sentence=words)
                return
            with np.errstate(all="ignore"):
                self.take(batch, trace, index)

    def take(self, batch: ScheduledBatch, trace: Trace, index: int) -> None:
        """One step from the run's own previous values, and everything it recorded against it."""
        first, self.done = self.fresh and self.done == 0, self.done + 1
        rate = batch.learning_rate
        step = self.reference.step(self.params, self.buffers, batch.x, batch.y, rate, first=first)
        sizes = Magnitudes(step, self.params, self.arithmetics[0].tiny)
        errors, probabilistic = (
            Bounds(self.reference, arithmetic, step, sizes).errors(self.carried, rate, first=first)
            for arithmetic in self.arithmetics
        )
        shares: dict[str, float] = {}
        seen: list[tuple[Compared, float]] = []
        for tensor in compared(trace, index, step, errors, probabilistic):
            if errors.overflows and not (
                np.isfinite(tensor.recorded).all() and np.isfinite(tensor.bound).all()
            ):
                what = f"{tensor.quantity} {tensor.tensor}".rstrip()
                self.diverged = (
                    f"diverged: {what} at step {self.done} of {self.workload.steps} is not finite, or too large "
                    "for a bound: the numbers grow past the dtype's range"
                )
                return
            used = self.weigh(tensor)
            seen.append((tensor, used))
            shares[tensor.quantity] = max(shares.get(tensor.quantity, 0.0), used)
        if self.done in self.sampled:
            rounded = {quantity: float(f"{share:.4g}") for quantity, share in shares.items()}
            self.sample.append(BoundRatios(step=self.done, shares=rounded))
        self.remember(batch, seen, first=first)
        self.keep(trace, index)
        if trace.losses.size:
            self.losses.append((float(trace.losses[index]), errors.loss))
        after = {name: values[index] for name, values in trace.params.items()}
        self.drift.add(batch, self.params, step, errors, after)
        self.advance(trace, index, step, errors)

    def keep(self, trace: Trace, index: int) -> None:
        """Keep the step as it was recorded, for whoever wants to judge it again."""
        if self.done in self.keeps:
            follows = self.done == 1 or bool(self.kept and self.kept[-1].step == self.done - 1)
            self.kept.append(keep(self.done, trace, index, None if follows else self.before))
        if self.done + 1 in self.keeps:
            tables = ({k: v[index] for k, v in table.items()} for table in (trace.params, trace.buffers))
            self.before = beginning(*tables)

    def remember(self, batch: ScheduledBatch, seen: list[tuple[Compared, float]], *, first: bool) -> None:
        """Keep the step for the doctor: the last few, and after the first wrong one a few more."""
        if self.moments.maxlen and self.failure:
            self.moments = deque(self.moments)
        if len(self.moments) > BEFORE + (AFTER if batch.x.size < WIDE_BATCH else FEW):
            return
        recorded: dict[str, Arrays] = {}
        bounds: dict[str, Arrays] = {}
        for tensor, _ in seen:
            wide = np.asarray(tensor.recorded).astype(self.reference.wide)
            recorded.setdefault(tensor.quantity, {})[tensor.tensor] = wide
            bounds.setdefault(tensor.quantity, {})[tensor.tensor] = tensor.bound
        wrong = frozenset((tensor.quantity, tensor.tensor) for tensor, used in seen if used > 1)
        self.moments.append(
            Moment(
                number=self.done,
                rows=batch.rows,
                learning_rate=batch.learning_rate,
                before=self.params,
                buffers=self.buffers,
                first=first,
                recorded=recorded,
                bounds=bounds,
                wrong=wrong,
            )
        )

    def weigh(self, tensor: Compared) -> float:
        """The share of its bound that one tensor uses, noted."""
        deviation = abs(narrow(tensor.recorded.astype(self.reference.wide) - tensor.exact))
        used = share(deviation, tensor.bound)
        worst = float(used.max(initial=0.0))
        probabilistic = float(share(deviation, tensor.probabilistic).max(initial=0.0))
        before = self.worst.get(tensor.quantity, WorstRatio())
        update: dict[str, Any] = {"likely": max(before.likely, probabilistic)}
        if worst > before.share or not before.step:
            update |= {"share": worst, "step": self.done, "tensor": tensor.tensor}
            update |= {"slack": 1 / worst if worst else float("inf")}
        self.worst[tensor.quantity] = before.model_copy(update=update)
        if worst > 1 and self.failure is None:
            self.failure = self.failed(tensor, np.unravel_index(int(used.argmax()), used.shape))
        return worst

    def failed(self, tensor: Compared, at: Any) -> Violation:
        """The worst component of a tensor, in numbers."""
        return Violation(
            step=self.done,
            quantity=tensor.quantity,
            tensor=tensor.tensor,
            index=tuple(int(i) for i in at),
            recorded=float(tensor.recorded[at]),
            reference=float(tensor.exact[at]),
            deviation=float(abs(tensor.recorded.astype(self.reference.wide)[at] - tensor.exact[at])),
            bound=float(tensor.bound[at]),
        )

    def advance(self, trace: Trace, index: int, step: ReferenceStep, errors: Errors) -> None:
        """Go on from what was recorded; an unrecorded buffer is the reference's own, with its error."""
        self.params = self.reference.widen({name: values[index] for name, values in trace.params.items()})
        if trace.buffers:
            self.buffers = self.reference.widen(
                {name: values[index] for name, values in trace.buffers.items()}
            )
        else:
            self.buffers, self.carried = step.buffers, errors.buffers
        self.unrecorded |= unrecorded(trace, step)

    def judgement(self) -> Judgement:
        """What has been found."""
        if not self.stopped and self.done < self.workload.steps:
            words = f"only {self.done} of {self.workload.steps} steps were recorded"
            self.fault = Diagnosis(cause="shape", sentence=words)
        wrong = (
            sentence(self.failure, self.workload.steps)
            if self.failure
            else self.fault and self.fault.sentence
        )
        status: Status = "fail" if wrong else "diverged" if self.diverged else "pass"
        return Judgement(
            dtype=self.workload.task.dtype,
            reference=describe_precision(self.reference.wide),
            status=status,
            reason=wrong or self.diverged or self.summary(),
            steps=self.done,
            quantities=self.worst,
            unrecorded=tuple(sorted(self.unrecorded)),
            failure=self.failure,
            diagnosis=self.diagnosis() if wrong else None,
            sample=tuple(self.sample),
            kept=tuple(self.kept),
            resolution=self.drift.resolution,
            allowance=self.drift.apart[-1] if self.drift.apart else None,
            contraction=self.drift.contracts,
            overall=self.drift.overall() if status == "pass" else None,
        )

    def diagnosis(self) -> Diagnosis | None:
        """The doctor's answer to the first wrong number, or the fault of the record itself."""
        if self.failure is None:
            return self.fault
        try:
            with np.errstate(all="ignore"):
                return diagnose(Case(self.workload, self.reference, self.arithmetics[0], self.moments))
        except Exception as error:  # numbers that nobody foresaw must not cost the judgement
            return Diagnosis(cause="unknown", sentence=f"unknown: the doctor failed ({type(error).__name__})")

    def summary(self) -> str:
        """The largest share of all in one line, and a warning where the bound is too wide to say much."""
        quantity, most = max(self.worst.items(), key=lambda item: item[1].share)
        narrowed = " with products of TF32 inputs" if self.arithmetics[0].inputs else ""
        text = (
            f"all {self.done} steps lie within the rounding of {self.workload.task.dtype}{narrowed}, "
            f"using at most {100 * most.share:.3g}% of the bound ({quantity}, step {most.step})"
        )
        wide = self.drift.resolution or 0.0
        return f"{text}, which at this size is {100 * wide:.3g}% of a step" if wide > COARSE else text


def judge_kept_steps(workload: Workload, kept: tuple[KeptStep, ...]) -> list[BoundRatios]:
    """The shares of kept steps, worked out anew from their arrays.

    Raises:
        ValueError: the arrays are not those of the task's steps.
    """
    found = []
    for begun in decode_steps(workload.task, workload.start, kept):
        batch = workload.batch(begun.number)
        learning_rates = np.full((1, 1), batch.learning_rate)
        one = replace(workload, orders=(batch.rows,), learning_rates=learning_rates, start=begun.params)
        judging = Judging(one, buffers=begun.buffers if begun.number > 1 else None)
        judging.feed(begun.trace, 1)
        if judging.fault or judging.diverged:
            raise ValueError(judging.fault.sentence if judging.fault else judging.diverged)
        shares = {quantity: float(f"{worst.share:.4g}") for quantity, worst in judging.worst.items()}
        found.append(BoundRatios(step=begun.number, shares=shares))
    return found


def share(deviation: Array, bound: Array) -> Array:
    """deviation / bound: 0 where nothing deviates, infinite where it is no number."""
    with np.errstate(all="ignore"):
        used = np.where(deviation == 0, 0.0, deviation / bound)
    return np.nan_to_num(used, nan=np.inf, posinf=np.inf)


def sentence(failure: Violation, steps: int) -> str:
    """A failure in one line."""
    where = f" {failure.tensor}{list(failure.index)}" if failure.tensor else ""
    times = failure.deviation / failure.bound if failure.bound else float("inf")
    return (
        f"step {failure.step} of {steps}: {failure.quantity}{where} is {failure.recorded:.9g}, "
        f"the reference {failure.reference:.9g}: {failure.deviation:.2g} off, {times:.3g} times the bound"
    )


def describe_precision(wide: Any) -> str:
    """The precision of the reference, in words."""
    bits = np.finfo(wide).nmant + 1
    if wide is np.float64:
        return f"float64, {bits} bits"
    return f"long double, {bits} bits" + ("" if bits > 53 else ": no wider than float64 on this platform")
