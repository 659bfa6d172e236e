"""Did this lane do this work? float64 first, where no known bug hides under the bound, then the task's dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from backends.interface import Backend, Host, State, Trace
from backends.spec import Dtype, Task
from benchmarks.errors import InputError
from benchmarks.parity.doctor.outside import of_exception, of_timed
from benchmarks.parity.drift import distance
from benchmarks.parity.judge import Judging
from benchmarks.parity.probe import check_output, probe
from benchmarks.parity.verdicts import Certificate, Diagnosis, Evidence, Judgement, Status, Untraced
from benchmarks.parity.work import Data, Work, digest, digest_orders

MOST_KEPT = 10_000
Examined: TypeAlias = tuple[Evidence, dict[str, Host]]


def certify(
    backend: Backend, task: Task, data: Data, *, lane: str = "", run_steps: int | None = None
) -> Certificate:
    """The certificate of a backend on a task: its traced run judged, and its timed program held against it.

    What is timed is in the task's dtype. If its program ends in the traced run's parameters bit for bit, its
    float64 form has nothing to add; if not, that is held to its own traced run too, where the bound is tightest.
    `run_steps`: the timed program is also checked after that many steps of the first epoch.

    Raises:
        InputError: the data do not fit the dtype, or a batch is too large for any bound in it.
        ValueError: the first epoch does not have so many steps.
    """

    def look(dtype: Dtype, *, timed: bool) -> Examined:
        return examine(
            backend, Work.of(task.model_copy(update={"dtype": dtype}), data), run_steps, timed=timed
        )

    work = Work.of(task, data)
    if run_steps is not None and not 0 < run_steps <= len(work.rates[0]):
        raise ValueError(f"run_steps is {run_steps}; the first epoch has {len(work.rates[0])} steps")
    found = [look("float64", timed=task.dtype == "float64")]
    if task.dtype != "float64" and sound(found[0]):
        found.append(look(task.dtype, timed=True))
        if found[1][0].judgement.status == "pass" and not all(run.equal for run in found[1][0].untraced):
            again = look("float64", timed=True)
            found = [again, found[1]] if sound(again) else [again]
    name = lane or type(backend).__name__
    description = {"lane": name, "device": backend.device, "versions": backend.versions()}
    description |= {"order": digest_orders(work)}
    return conclude(description, task, data, [evidence for evidence, _ in found], found[-1][1])


def sound(examined: Examined) -> bool:
    """Whether the task's dtype is worth a look after this float64: it passed, or the device has none."""
    return examined[0].judgement.status in ("pass", "not run")


def conclude(
    description: Mapping[str, object],
    task: Task,
    data: Data,
    evidence: list[Evidence],
    final: dict[str, Host],
) -> Certificate:
    """The certificate that evidence adds up to; the last piece decides, and its dtype is named if it failed."""
    last = evidence[-1].judgement
    cause = likely(last)
    reasons = "; ".join(f"{piece.judgement.dtype}: {piece.judgement.reason}" for piece in evidence)
    kept = sum(value.size for value in final.values()) <= MOST_KEPT and final
    return Certificate.model_validate(
        {
            **description,
            "task": task.name,
            "task_digest": task.digest(),
            "dtype": task.dtype,
            "data": data.digest(),
            "status": last.status,
            "reason": reasons if last.status == "pass" else f"{last.dtype}: {last.reason}{cause}",
            "evidence": tuple(evidence),
            "final": {name: tuple(value.ravel().tolist()) for name, value in final.items()} if kept else None,
        }
    )


def likely(judgement: Judgement) -> str:
    """The doctor's sentence, to stand behind a reason that does not say the same already."""
    found = judgement.diagnosis
    if found is None or found.sentence in judgement.reason:
        return ""
    return f"; cause {found.sentence}" if found.cause == "unknown" else f"; likely cause: {found.sentence}"


def examine(backend: Backend, work: Work, run_steps: int | None, *, timed: bool) -> Examined:
    """One dtype's evidence, and the final parameters (none if the lane did not get that far)."""
    examination = Examination(backend, work, run_steps, timed=timed)
    try:
        # overflow is judged, not warned of
        with np.errstate(all="ignore"), backend.precision(work.task.dtype):
            examination.run()
    except InputError:
        raise
    except Exception as error:  # whatever a lane raises is its own failure, and is reported as such
        narrows = isinstance(error, TypeError) and examination.doing == "put" and work.task.dtype == "float64"
        words = f"{examination.doing} raised {one_line(error)}"
        if narrows:
            examination.blame(words, status="not run")
        else:
            examination.blame(words, of_exception(backend, work, words))
    return examination.evidence(), examination.final


class Examination:
    """A lane at work in one dtype; `doing` is the verb in progress, for the report of an exception."""

    def __init__(self, backend: Backend, work: Work, run_steps: int | None, *, timed: bool) -> None:
        self.backend, self.work, self.run_steps, self.with_timed = backend, work, run_steps, timed
        self.judging = Judging(work, also=run_steps)
        self.doing = "precision"
        self.final: dict[str, Host] = {}
        self.at_run: dict[str, Host] = {}
        self.blamed: dict[str, Any] = {}
        self.output: float | None = None
        self.probe: float | None = None
        self.untraced: list[Untraced] = []

    def blame(self, reason: str, diagnosis: Diagnosis | None = None, *, status: Status = "fail") -> None:
        """Note the first thing that is wrong apart from the judged steps."""
        self.blamed = self.blamed or {"reason": reason, "status": status, "diagnosis": diagnosis}

    def run(self) -> None:
        """Trace and judge; then, if all is well, the finished model's output, a probe and the timed program."""
        backend, work = self.backend, self.work
        self.doing = "put"
        self.data = backend.put(work.x.copy()), backend.put(work.y.copy())
        state = self.trace()
        if self.judging.failure or self.judging.stopped:
            return
        if absent := self.judging.unrecorded - {"gradients"}:
            self.blame(f"the trace does not record {' and '.join(sorted(absent))}")
            return
        self.doing = "predict"
        self.output, wrong = check_output(backend, state, work, self.final)
        if wrong:
            self.blame(wrong.sentence, wrong)
        self.doing = "step"
        probed = probe(backend, work)
        self.probe = max((worst.share for one in probed for worst in one.quantities.values()), default=np.inf)
        for judgement in probed:
            if judgement.status == "fail":
                self.blame(f"on rows with one non-zero entry, {judgement.reason}", judgement.diagnosis)
        self.doing = "epoch"
        for steps in dict.fromkeys((self.run_steps or work.steps, work.steps)) if self.with_timed else ():
            self.timed(steps)

    def trace(self) -> State:
        """The traced run, judged epoch by epoch."""
        backend, work, size = self.backend, self.work, self.work.task.batch_size
        self.doing = "init"
        state = self.begin()
        self.doing = "trace"
        for epoch, (order, rates) in enumerate(zip(work.orders, work.rates, strict=True)):
            state, trace = backend.trace(state, self.data, order.copy(), size, rates.copy())
            self.judging.feed(trace, len(rates))
            if self.run_steps and not epoch and not self.judging.stopped:
                self.at_run = ending(trace, self.run_steps)
        self.final = backend.params(state)
        if not self.judging.stopped and digest(self.final) != digest(ending(trace, len(rates))):
            words = "the parameters after the traced run are not the last ones that it recorded"
            self.blame(words, Diagnosis(cause="timed program", sentence=words))
        return state

    def begin(self) -> State:
        start = {name: value.copy() for name, value in self.work.start.items()}
        return self.backend.init(self.work.task, params=start)

    def timed(self, steps: int) -> None:
        """The program that is timed, untraced, from the same start: it must end where the traced run does."""
        backend, work, size = self.backend, self.work, self.work.task.batch_size
        state, losses = self.begin(), []
        for order, rates in zip(work.orders, work.rates, strict=True):
            if steps < work.steps:
                order, rates = order[: steps * size], rates[:steps]
            state, told = backend.epoch(state, self.data, order.copy(), size, rates.copy())
            parts = told if isinstance(told, list | tuple) else [told]
            losses += [backend.get(part).reshape(-1) for part in parts]
            if steps < work.steps:
                break
        ended, traced = backend.params(state), self.final if steps == work.steps else self.at_run
        far = distance(widest(ended), widest(traced))
        allowed, final = self.judging.drift.apart[steps - 1], digest(ended)
        equal = final == digest(traced)
        self.untraced.append(Untraced(steps=steps, equal=equal, distance=far, allowance=allowed, final=final))
        dtypes = {str(value.dtype) for value in ended.values()} - {work.task.dtype}
        if dtypes:
            words = f"the timed program ends in {', '.join(sorted(dtypes))} in a {work.task.dtype} task"
            self.blame(words, Diagnosis(cause="dtype", sentence=words))
        elif not far <= allowed:
            words = f"the timed program ends {far:.2g} from the traced run after {steps} steps"
            words += f", {allowed:.2g} allowed"
            self.blame(words, of_timed(work, ended, allowed, steps))
        elif wrong := self.wrong_losses(np.concatenate(losses), steps, equal=equal):
            self.blame(wrong, Diagnosis(cause="timed program", sentence=wrong))

    def wrong_losses(self, losses: Host, steps: int, *, equal: bool) -> str:
        """What is wrong with the losses that the timed program gave, or nothing.

        Where it ends in the traced parameters bit for bit, each of its losses may differ from the traced one by
        two bounds; elsewhere only their number and dtype can be held against it.
        """
        if losses.shape != (steps,) or losses.dtype != self.work.task.dtype:
            wanted = f"{(steps,)} of {self.work.task.dtype}"
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
            start=digest(self.work.start),
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


def ending(trace: Trace, steps: int) -> dict[str, Host]:
    """The parameters after so many steps of a trace."""
    return {name: values[steps - 1] for name, values in trace.params.items()}


def widest(arrays: Mapping[str, Host]) -> dict[str, Host]:
    """In the widest precision there is, so that a difference loses nothing."""
    return {name: array.astype(np.longdouble) for name, array in arrays.items()}


def one_line(error: Exception) -> str:
    """An exception by its type and the first line of its message."""
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def apart(one: Certificate, other: Certificate) -> float | None:
    """How far two lanes' final parameters lie apart (Euclidean norm); None where they were not kept."""
    if one.final is None or other.final is None:
        return None
    return distance(*({k: np.array(v) for k, v in side.items()} for side in (one.final, other.final)))
