"""A lane at work in one dtype: traced and judged, probed, and then the program that is timed held against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Host, State

from ..console.choices import counted
from ..record.proof import Diagnosis, Evidence, Judgement, Status, Untraced
from .array_digest import digest
from .doctor.lane_faults import of_timed
from .judge import RunJudge
from .probe import begin, check_output, has_program, params_after, probe_program, probe_step, probe_timed_step
from .reference.drift import exact_distance
from .workload import Workload


class LaneExamination:
    """A lane at work in one dtype. `verb` is the interface's verb in progress, for the report of an exception."""

    def __init__(self, backend: Backend, workload: Workload, run_steps: int | None, *, timed: bool) -> None:
        self.backend, self.workload, self.run_steps, self.with_timed = backend, workload, run_steps, timed
        self.run_judge = RunJudge(workload, also_keep=run_steps)
        self.verb = "precision"
        self.final: dict[str, Host] = {}
        self.after_run_steps: dict[str, Host] = {}
        self.fault: dict[str, Any] = {}
        self.output_ratio: float | None = None
        self.probe_ratio: float | None = None
        self.untraced: list[Untraced] = []

    def report(self, reason: str, diagnosis: Diagnosis | None = None, *, status: Status = "fail") -> None:
        """Note the first thing that is wrong beside the judged steps."""
        self.fault = self.fault or {"reason": reason, "status": status, "diagnosis": diagnosis}

    def run(self) -> None:
        """Trace and judge; then, if all is well, the finished model's output, probes and the timed program."""
        backend, workload = self.backend, self.workload
        self.verb = "put"
        self.data = backend.put(workload.x.copy()), backend.put(workload.y.copy())
        state = self.trace()
        if self.run_judge.violation or self.run_judge.stopped:
            return
        if absent := self.run_judge.unrecorded - {"gradients"}:
            self.report(f"the trace does not record {' and '.join(sorted(absent))}")
            return
        self.verb = "predict"
        self.output_ratio, wrong = check_output(backend, state, workload, self.final)
        if wrong:
            self.report(wrong.sentence, wrong)
        self.verb = "step"
        self.note_probes(*probe_step(backend, workload), hidden=set())
        self.verb = "epoch"
        if self.with_timed:
            for steps in dict.fromkeys((self.run_steps or workload.steps, workload.steps)):
                self.run_timed(steps)
            if not self.fault and has_program(backend):
                self.note_probes(probe_program(backend, workload), hidden=self.run_judge.unrecorded)
                self.note_probes(probe_timed_step(backend, workload), hidden={"gradients"})

    def note_probes(self, *judgements: Judgement, hidden: set[str]) -> None:
        """Note what probes used; report what is outside, or absent and not `hidden` in the run."""
        for judgement in judgements:
            ratio = max((worst.share for worst in judgement.quantities.values()), default=np.inf)
            self.probe_ratio = max(self.probe_ratio or 0.0, float(ratio))
            if judgement.status == "fail":
                self.report(f"on rows with one non-zero entry, {judgement.reason}", judgement.diagnosis)
            elif absent := set(judgement.unrecorded) - hidden:
                self.report(f"on rows with one non-zero entry, {' and '.join(sorted(absent))} not shown")

    def trace(self) -> State:
        """The traced run, judged epoch by epoch."""
        backend, workload, size = self.backend, self.workload, self.workload.task.batch_size
        self.verb = "init"
        state = begin(backend, workload)
        self.verb = "trace"
        for epoch, (order, rates) in enumerate(zip(workload.orders, workload.learning_rates, strict=True)):
            state, trace = backend.trace(state, self.data, order.copy(), size, rates.copy())
            self.run_judge.feed(trace, len(rates))
            if self.run_steps and not epoch and not self.run_judge.stopped:
                self.after_run_steps = params_after(trace, self.run_steps)
        self.final = backend.params(state)
        if not self.run_judge.stopped and digest(self.final) != digest(params_after(trace, len(rates))):
            sentence = "the parameters after the traced run are not the last ones that it recorded"
            self.report(sentence, Diagnosis(cause="timed program", sentence=sentence))
        return state

    def run_timed(self, steps: int) -> None:
        """Run the timed program, untraced, from the same start: it must end where the traced run does."""
        ended, losses = self.timed_program(steps)
        traced = self.final if steps == self.workload.steps else self.after_run_steps
        if wrong := malformed_end(ended, self.workload):
            self.report(wrong.sentence, wrong)
            return
        far = exact_distance(ended, traced)
        allowed, final = self.run_judge.drift.allowances[steps - 1], digest(ended)
        equal = final == digest(traced)
        self.untraced.append(Untraced(steps=steps, equal=equal, distance=far, allowance=allowed, final=final))
        if not far <= allowed:
            lead = f"the timed program ends {far:.2g} from the traced run after {counted(steps, 'step')}"
            self.report(f"{lead}, {allowed:.2g} allowed", of_timed(self.workload, ended, allowed, steps))
        elif sentence := self.wrong_losses(losses, steps, equal=equal):
            self.report(sentence, Diagnosis(cause="timed program", sentence=sentence))

    def timed_program(self, steps: int) -> tuple[dict[str, Host], list[Host]]:
        """Parameters and losses of the timed program: of the whole run, or of some steps of the first epoch."""
        backend, workload, size = self.backend, self.workload, self.workload.task.batch_size
        state, losses = begin(backend, workload), []
        for order, rates in zip(workload.orders, workload.learning_rates, strict=True):
            if steps < workload.steps:
                order, rates = order[: steps * size], rates[:steps]
            state, given = backend.epoch(state, self.data, order.copy(), size, rates.copy())
            parts = given if isinstance(given, list | tuple) else [given]
            losses += [backend.get(part).reshape(-1) for part in parts]
            if steps < workload.steps:
                break
        return backend.params(state), losses

    def wrong_losses(self, parts: list[Host], steps: int, *, equal: bool) -> str:
        """What is wrong with the losses that the timed program gave, or nothing.

        Where it ends in the traced parameters bit for bit, each of its losses may differ from the traced one by
        two bounds; elsewhere only their number and dtype can be held against it.
        """
        losses = np.concatenate(parts) if parts else np.empty(0)
        if losses.shape != (steps,) or losses.dtype != self.workload.task.dtype:
            wanted = f"{(steps,)} of {self.workload.task.dtype}"
            return f"the timed program gave losses {losses.shape} of {losses.dtype}, not {wanted}"
        if not equal:
            return ""
        traced, bounds = (np.array(part)[:steps] for part in zip(*self.run_judge.losses, strict=True))
        outside = np.flatnonzero(~(abs(losses - traced) <= 2 * bounds))
        if not outside.size:
            return ""
        at = int(outside[0])
        return (
            f"the timed program gave the loss {losses[at]:.9g} at step {at + 1}, the traced {traced[at]:.9g}"
        )

    def evidence(self) -> Evidence:
        """What was found."""
        judged_wrong = (
            self.run_judge.violation or self.run_judge.stopped
        )  # before missing steps become a fault
        judgement = self.run_judge.judgement()
        if self.fault and not judged_wrong:
            judgement = judgement.model_copy(update=self.fault)
        elif judgement.status == "pass" and self.untraced:
            judgement = judgement.model_copy(update={"reason": f"{judgement.reason}; {self.end_clause()}"})
        return Evidence(
            judgement=judgement,
            start=digest(self.workload.start),
            final=digest(self.final) if self.final else None,
            output=self.output_ratio,
            probe=self.probe_ratio,
            untraced=tuple(self.untraced),
        )

    def end_clause(self) -> str:
        """How the timed program's end compares with the traced run's, as the end of a reason."""
        last = self.untraced[-1]
        if all(run.equal for run in self.untraced):
            return "the timed program ends in the same parameters bit for bit"
        return f"the timed program ends {last.distance:.2g} away, {last.allowance:.2g} allowed"


def malformed_end(ended: Mapping[str, Host], workload: Workload) -> Diagnosis | None:
    """What is wrong with the names, shapes and dtypes in which the timed program ends, or None."""
    shapes = {name: value.shape for name, value in ended.items()}
    if shapes != workload.task.parameters:
        sentence = f"the timed program ends in parameters {shapes}, not {workload.task.parameters}"
        return Diagnosis(cause="shape", sentence=sentence)
    if dtypes := {str(value.dtype) for value in ended.values()} - {workload.task.dtype}:
        names = ", ".join(sorted(dtypes))
        sentence = f"the timed program ends in {names} in a {workload.task.dtype} task"
        return Diagnosis(cause="dtype", sentence=sentence)
    return None
