"""A lane at work in one dtype: traced and judged, looked at from the sides, then the program that is timed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from samestep.backends.interface import Backend, Host, State, Trace

from ..record.proof import Diagnosis, Evidence, Judgement, Status, Untraced
from .doctor.outside import of_timed
from .judge import Judging
from .probe import check_output, probe, probe_program
from .reference.drift import distance
from .workload import Workload, digest


class Examination:
    """A lane at work in one dtype; `doing` is the verb in progress, for the report of an exception."""

    def __init__(self, backend: Backend, workload: Workload, run_steps: int | None, *, timed: bool) -> None:
        self.backend, self.workload, self.run_steps, self.with_timed = backend, workload, run_steps, timed
        self.judging = Judging(workload, also=run_steps)
        self.doing = "precision"
        self.final: dict[str, Host] = {}
        self.at_run: dict[str, Host] = {}
        self.blamed: dict[str, Any] = {}
        self.output: float | None = None
        self.probe: float | None = None
        self.untraced: list[Untraced] = []
        self.ended: dict[int, dict[str, Host]] = {}  # in what the timed program ended, by its number of steps

    def blame(self, reason: str, diagnosis: Diagnosis | None = None, *, status: Status = "fail") -> None:
        """Note the first thing that is wrong apart from the judged steps."""
        self.blamed = self.blamed or {"reason": reason, "status": status, "diagnosis": diagnosis}

    def run(self) -> None:
        """Trace and judge; then, if all is well, the finished model's output, a probe and the timed program."""
        backend, workload = self.backend, self.workload
        self.doing = "put"
        self.data = backend.put(workload.x.copy()), backend.put(workload.y.copy())
        state = self.trace()
        if self.judging.failure or self.judging.stopped:
            return
        if absent := self.judging.unrecorded - {"gradients"}:
            self.blame(f"the trace does not record {' and '.join(sorted(absent))}")
            return
        self.doing = "predict"
        self.output, wrong = check_output(backend, state, workload, self.final)
        if wrong:
            self.blame(wrong.sentence, wrong)
        self.doing = "step"
        self.probed(*probe(backend, workload))
        self.doing = "epoch"
        for steps in (
            dict.fromkeys((self.run_steps or workload.steps, workload.steps)) if self.with_timed else ()
        ):
            self.timed(steps)
        if self.with_timed and not self.blamed and (judgement := probe_program(backend, workload)):
            self.probed(judgement)

    def probed(self, *judgements: Judgement) -> None:
        """Note what a probe used of its bounds, and blame what is outside."""
        for judgement in judgements:
            used = max((worst.share for worst in judgement.quantities.values()), default=np.inf)
            self.probe = max(self.probe or 0.0, float(used))
            if judgement.status == "fail":
                self.blame(f"on rows with one non-zero entry, {judgement.reason}", judgement.diagnosis)

    def trace(self) -> State:
        """The traced run, judged epoch by epoch."""
        backend, workload, size = self.backend, self.workload, self.workload.task.batch_size
        self.doing = "init"
        state = self.begin()
        self.doing = "trace"
        for epoch, (order, learning_rates) in enumerate(
            zip(workload.orders, workload.learning_rates, strict=True)
        ):
            state, trace = backend.trace(state, self.data, order.copy(), size, learning_rates.copy())
            self.judging.feed(trace, len(learning_rates))
            if self.run_steps and not epoch and not self.judging.stopped:
                self.at_run = ending(trace, self.run_steps)
        self.final = backend.params(state)
        if not self.judging.stopped and digest(self.final) != digest(ending(trace, len(learning_rates))):
            words = "the parameters after the traced run are not the last ones that it recorded"
            self.blame(words, Diagnosis(cause="timed program", sentence=words))
        return state

    def begin(self) -> State:
        start = {name: value.copy() for name, value in self.workload.start.items()}
        return self.backend.init(self.workload.task, params=start)

    def timed(self, steps: int) -> None:
        """The program that is timed, untraced, from the same start: it must end where the traced run does."""
        backend, workload, size = self.backend, self.workload, self.workload.task.batch_size
        state, losses = self.begin(), []
        for order, learning_rates in zip(workload.orders, workload.learning_rates, strict=True):
            if steps < workload.steps:
                order, learning_rates = order[: steps * size], learning_rates[:steps]
            state, given = backend.epoch(state, self.data, order.copy(), size, learning_rates.copy())
            parts = given if isinstance(given, list | tuple) else [given]
            losses += [backend.get(part).reshape(-1) for part in parts]
            if steps < workload.steps:
                break
        ended, traced = backend.params(state), self.final if steps == workload.steps else self.at_run
        if wrong := unlike(ended, workload):
            self.blame(wrong.sentence, wrong)
            return
        self.ended[steps] = ended
        far = distance(widest(ended), widest(traced))
        allowed, final = self.judging.drift.apart[steps - 1], digest(ended)
        equal = final == digest(traced)
        self.untraced.append(Untraced(steps=steps, equal=equal, distance=far, allowance=allowed, final=final))
        if not far <= allowed:
            words = f"the timed program ends {far:.2g} from the traced run after {steps} steps"
            self.blame(f"{words}, {allowed:.2g} allowed", of_timed(workload, ended, allowed, steps))
        elif told := self.wrong_losses(losses, steps, equal=equal):
            self.blame(told, Diagnosis(cause="timed program", sentence=told))

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
        traced, bounds = (np.array(part)[:steps] for part in zip(*self.judging.losses, strict=True))
        off = np.flatnonzero(~(abs(losses - traced) <= 2 * bounds))
        if not off.size:
            return ""
        at = int(off[0])
        return (
            f"the timed program gave the loss {losses[at]:.9g} at step {at + 1}, the traced {traced[at]:.9g}"
        )

    def evidence(self) -> Evidence:
        """What was found."""
        wrong = self.judging.failure or self.judging.stopped
        judgement = self.judging.judgement()
        if self.blamed and not wrong:
            judgement = judgement.model_copy(update=self.blamed)
        elif judgement.status == "pass" and self.untraced:
            judgement = judgement.model_copy(update={"reason": f"{judgement.reason}; {self.ends()}"})
        return Evidence(
            judgement=judgement,
            start=digest(self.workload.start),
            final=digest(self.final) if self.final else None,
            output=self.output,
            probe=self.probe,
            untraced=tuple(self.untraced),
        )

    def ends(self) -> str:
        """How the timed program's end compares with the traced run's, in words."""
        last = self.untraced[-1]
        if all(run.equal for run in self.untraced):
            return "the timed program ends in the same parameters bit for bit"
        return f"the timed program ends {last.distance:.2g} away, {last.allowance:.2g} allowed"


def unlike(ended: Mapping[str, Host], workload: Workload) -> Diagnosis | None:
    """What is wrong with the names, shapes and dtypes in which the timed program ends, or None."""
    shapes = {name: value.shape for name, value in ended.items()}
    if shapes != workload.task.parameters:
        words = f"the timed program ends in parameters {shapes}, not {workload.task.parameters}"
        return Diagnosis(cause="shape", sentence=words)
    if dtypes := {str(value.dtype) for value in ended.values()} - {workload.task.dtype}:
        words = f"the timed program ends in {', '.join(sorted(dtypes))} in a {workload.task.dtype} task"
        return Diagnosis(cause="dtype", sentence=words)
    return None


def ending(trace: Trace, steps: int) -> dict[str, Host]:
    """The parameters after so many steps of a trace."""
    return {name: values[steps - 1] for name, values in trace.params.items()}


def widest(arrays: Mapping[str, Host]) -> dict[str, Host]:
    """In the widest precision there is, so that a difference loses nothing."""
    return {name: array.astype(np.longdouble) for name, array in arrays.items()}
