"""Is every recorded step within the rounding of one correct step? A pure function of recorded numbers.

After every step the reference takes one step from the run's *own* previous parameters and buffers; loss,
gradients, buffers and parameters are compared with it, component by component. The errors of earlier steps are
thus in the starting point and never pile up in the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samestep.backends.interface import Trace

from ..record.arrays import DecodedStep, decode_steps
from ..record.proof import BoundRatios, Diagnosis, Judgement, KeptStep, Status, Violation, not_shown
from .failures import FailureTracker, violation_sentence
from .kept_steps import KeptSteps, RatioLog, kept_step_numbers, rounded_ratios
from .reference import Arithmetic, Arrays, Bounds, Magnitudes, Reference, StepStart
from .reference.drift import Drift
from .step_comparison import AnalyzedStep, TensorComparison, compare_step
from .trace_form import changed_form, in_order, malformed, shown_by, step_count, unrecorded
from .workload import ScheduledBatch, Workload

COARSE = 0.1  # of a step: a bound this wide is said to be so


def judge(workload: Workload, trace: Trace) -> Judgement:
    """The judgment of a whole run.

    Raises:
        InputError: the batch is too large for any error bound in the task's dtype.
    """
    run_judge = RunJudge(workload)
    run_judge.feed(trace)
    return run_judge.judgement()


class RunJudge:
    """Judges a run while it is recorded: feed it the traces of one or more epochs, in order.

    `done` counts the steps. `fault` is what is wrong with the form of a trace; `diverged` says where numbers grew
    past the dtype's range. `losses` are the recorded losses and their bounds.
    """

    def __init__(
        self, workload: Workload, *, buffers: Arrays | None = None, also_keep: int | None = None
    ) -> None:
        """`buffers`: momentum with which the first step begins; `also_keep`: a step to keep beside the sample."""
        self.workload, self.reference = workload, Reference(workload.task)
        dtype, wide = workload.task.dtype, self.reference.wide
        self.arithmetic, self.probabilistic = (
            Arithmetic.of(dtype, wide, probabilistic=flag, matmul_precision=workload.matmul_precision)
            for flag in (False, True)
        )
        self.start = StepStart(
            self.reference.widen(workload.start),
            self.reference.widen(buffers or {}),
            first=buffers is None,
        )
        self.batches, self.done = workload.batches(), 0
        self.kept = KeptSteps(kept_step_numbers(workload, also_keep))
        self.ratios = RatioLog(workload.steps, self.kept.numbers)
        self.failures = FailureTracker(wide)
        self.drift = Drift(workload, self.reference)
        self.fault: Diagnosis | None = None
        self.diverged = ""
        self.shown: frozenset[str] | None = None
        self.unrecorded: set[str] = set()
        self.losses: list[tuple[float, float]] = []

    @property
    def violation(self) -> Violation | None:
        """The first number outside its bound."""
        return self.failures.violation

    @property
    def stopped(self) -> bool:
        """Whether nothing further can be judged."""
        return bool(self.fault or self.diverged)

    def feed(self, trace: Trace, expected: int | None = None) -> None:
        """Judge the next steps; `expected` is how many there should be."""
        self.fault = self.fault or malformed(self.workload, trace, expected)
        trace = in_order(self.workload, trace)
        if self.shown is not None:
            self.fault = self.fault or changed_form(self.shown, trace, self.done)
        self.shown = shown_by(trace)
        for index in range(step_count(trace)):
            if self.stopped:
                return
            batch = next(self.batches, None)
            if batch is None:
                sentence = f"more steps were recorded than the task's {self.workload.steps}"
                self.fault = Diagnosis(cause="shape", sentence=sentence)
                return
            with np.errstate(all="ignore"):
                self.judge_step(batch, trace, index)

    def judge_step(self, batch: ScheduledBatch, trace: Trace, index: int) -> None:
        """Compare one step with the reference's from the same values, and go on from what was recorded."""
        self.done += 1
        analyzed = self.analyze(batch)
        comparisons = []
        for comparison in compare_step(trace, index, analyzed):
            if analyzed.errors.overflows and not comparison.finite:
                self.diverged = self.beyond_range(comparison)
                return
            self.ratios.note(self.done, comparison)
            self.failures.note(self.done, comparison)
            comparisons.append(comparison)
        self.ratios.close_step(self.done, comparisons)
        self.failures.close_step(self.done, batch, self.start, comparisons)
        self.kept.add(self.done, trace, index)
        self.advance(batch, trace, index, analyzed)

    def beyond_range(self, comparison: TensorComparison) -> str:
        """That numbers are too large for the dtype, and where that was seen."""
        name = f"{comparison.quantity} {comparison.tensor}".rstrip()
        why = "the numbers grow past the dtype's range"
        if self.done == 1:  # nothing has grown yet
            why = f"a correct first step on these data leaves the range of {self.reference.dtype}"
        return (
            f"diverged: {name} at step {self.done} of {self.workload.steps} is not finite, or too large "
            f"for a bound: {why}"
        )

    def analyze(self, batch: ScheduledBatch, *, likely: bool = True) -> AnalyzedStep:
        """The reference's step from the run's own values, with its worst-case bound.

        `likely`: the probabilistic bound is worked out too, by which nothing is judged.
        """
        start, learning_rate = self.start, batch.learning_rate
        step = self.reference.step(
            start.params, start.buffers, batch.x, batch.y, learning_rate, first=start.first
        )
        magnitudes = Magnitudes(step, start.params, self.arithmetic.tiny)
        arithmetics = (self.arithmetic, self.probabilistic) if likely else (self.arithmetic,)
        bounds = (Bounds(self.reference, arithmetic, step, magnitudes) for arithmetic in arithmetics)
        errors = [bound.errors(start.buffer_errors, learning_rate, first=start.first) for bound in bounds]
        return AnalyzedStep(step, errors[0], errors[-1])

    def advance(self, batch: ScheduledBatch, trace: Trace, index: int, analyzed: AnalyzedStep) -> None:
        """Go on from what was recorded; an unrecorded buffer is the reference's own, with its error."""
        step, errors = analyzed.exact, analyzed.errors
        if trace.losses.size:
            self.losses.append((float(trace.losses[index]), errors.loss))
        params = {name: values[index] for name, values in trace.params.items()}
        self.drift.add(batch, self.start.params, step, errors, params)
        self.unrecorded |= unrecorded(trace, step)
        buffers, buffer_errors = step.buffers, errors.buffers
        if trace.buffers:
            recorded = {name: values[index] for name, values in trace.buffers.items()}
            buffers, buffer_errors = self.reference.widen(recorded), {}
        self.start = StepStart(self.reference.widen(params), buffers, buffer_errors, first=False)

    def judgement(self) -> Judgement:
        """What has been found; steps that are still missing are a fault."""
        if not self.stopped and self.done < self.workload.steps:
            sentence = f"only {self.done} of {self.workload.steps} steps were recorded"
            self.fault = Diagnosis(cause="shape", sentence=sentence)
        wrong, diagnosis = self.fault.sentence if self.fault else "", self.fault
        if self.violation:
            wrong = violation_sentence(self.violation, self.workload.steps)
            diagnosis = self.failures.diagnosis(self.workload, self.reference, self.arithmetic)
        status: Status = "fail" if wrong else "diverged" if self.diverged else "pass"
        return Judgement(
            dtype=self.workload.task.dtype,
            reference=describe_precision(self.reference.wide),
            status=status,
            reason=wrong or self.diverged or self.summary(),
            steps=self.done,
            quantities=self.ratios.worst,
            unrecorded=tuple(sorted(self.unrecorded)),
            failure=self.violation,
            diagnosis=diagnosis,
            sample=tuple(self.ratios.sample),
            kept=tuple(self.kept.steps),
            resolution=self.drift.resolution,
            allowance=self.drift.allowances[-1] if self.drift.allowances else None,
            contraction=self.drift.contracts,
            overall=self.drift.overall() if status == "pass" else None,
        )

    def summary(self) -> str:
        """The largest ratio of all in one line, and a warning where the bound is too wide to say much."""
        quantity, worst = self.ratios.largest
        narrowed = " with products of TF32 inputs" if self.arithmetic.input_error else ""
        text = (
            f"all {self.done} steps lie within the rounding of {self.workload.task.dtype}{narrowed}, "
            f"using at most {100 * worst.share:.3g}% of the bound ({quantity}, step {worst.step})"
        )
        width = self.drift.resolution or 0.0
        if not self.workload.learning_rates.any():
            text = f"{text}; the learning rate is 0 at every step, so that parameters prove nothing"
        elif width > COARSE:
            text = f"{text}, which at this size is {100 * width:.3g}% of a step"
        return f"{text}; {self.hidden(width)}" if self.unrecorded else text

    def hidden(self, width: float) -> str:
        """What the run did not show; of gradients, which part of a step could be wrong unseen."""
        clause = not_shown(self.unrecorded)
        if "gradients" not in self.unrecorded:
            return clause
        if not self.workload.learning_rates.any():
            return f"{clause}, and those prove nothing"
        part = "a whole step" if width >= 1 else f"{100 * width:.2g}% of a step"
        return f"{clause}, where {part} could be wrong unseen"


def judge_kept_steps(workload: Workload, kept: tuple[KeptStep, ...]) -> list[BoundRatios]:
    """The bound ratios of kept steps, worked out anew from their arrays.

    Raises:
        ValueError: the arrays are not those of the task's steps.
    """
    run_judge = RunJudge(workload)
    steps = decode_steps(workload.task, workload.start, kept)
    with np.errstate(all="ignore"):
        return [rounded_ratios(step.number, kept_step_ratios(run_judge, step)) for step in steps]


def kept_step_ratios(run_judge: RunJudge, step: DecodedStep) -> dict[str, float]:
    """The largest bound ratio of each quantity of one kept step, judged from where it says that it began."""
    workload, reference, first = run_judge.workload, run_judge.reference, step.number == 1
    batch = workload.batch(step.number)
    if fault := malformed(workload, step.trace, 1):
        raise ValueError(fault.sentence)
    buffers = {} if first else reference.widen(step.buffers)
    run_judge.start = StepStart(reference.widen(step.params), buffers, first=first)
    run_judge.done = step.number
    analyzed, ratios = run_judge.analyze(batch, likely=False), dict[str, float]()
    for comparison in compare_step(in_order(workload, step.trace), 0, analyzed):
        if analyzed.errors.overflows and not comparison.finite:
            raise ValueError(run_judge.beyond_range(comparison))
        ratios[comparison.quantity] = max(ratios.get(comparison.quantity, 0.0), comparison.worst_ratio)
    return ratios


def describe_precision(wide: Any) -> str:
    """The precision of the reference in a few words, as the record holds it."""
    bits = np.finfo(wide).nmant + 1
    if wide is np.float64:
        return f"float64, {bits} bits"
    return f"long double, {bits} bits" + ("" if bits > 53 else ": no wider than float64 on this platform")
