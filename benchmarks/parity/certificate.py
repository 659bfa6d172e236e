"""The certificate of a lane: float64 first, where no known bug hides under the bound, then the task's dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from samestep.backends import why_unsupported
from samestep.backends.interface import Backend, Host
from samestep.backends.spec import Dtype, Task

from ..console.errors import InputError
from ..record.plan import MOST_STEPS
from ..record.proof import Certificate, Diagnosis, Evidence, Judgement
from .array_data import Data, as_data
from .doctor.lane_faults import of_exception
from .examination import LaneExamination
from .reference.drift import distance
from .workload import Workload, digest_orders

MOST_KEPT = 10_000  # final parameters in a certificate


class Examined(NamedTuple):
    """A lane in one dtype: the evidence and the final parameters."""

    evidence: Evidence
    final: dict[str, Host]

    @property
    def sound(self) -> bool:
        """Whether the task's dtype is worth a run after this float64: it passed, or the device has none."""
        return self.evidence.judgement.status in ("pass", "not run")


def certify_backend(
    backend: Backend,
    task: Task,
    data: Data,
    *,
    lane: str = "",
    run_steps: int | None = None,
    max_kept_steps: int = MOST_STEPS,
) -> Certificate:
    """The certificate of a backend on a task: its traced run judged, and its timed program held against it.

    What is timed is in the task's dtype. If its program ends in the traced run's parameters bit for bit, its
    float64 form has nothing to add; if not, that is held to its own traced run too, where the bound is tightest.
    A lane that declares products of TF32 inputs is allowed their rounding, in float32 and in nothing else. Of one
    that does not do this task nothing is run, and the certificate says why.
    `run_steps`: the timed program is also checked after that many steps of the first epoch. `max_kept_steps`: the
    most steps that stay in it.

    Raises:
        InputError: the data do not fit the dtype, or a batch is too large for any bound in it.
        ValueError: the first epoch does not have so many steps.
    """
    data = as_data(data)
    workload = Workload.of(task, data)
    if run_steps is not None and not 0 < run_steps <= workload.steps_per_epoch:
        raise ValueError(f"run_steps is {run_steps}; the first epoch has {workload.steps_per_epoch} steps")
    description = {
        "lane": lane or type(backend).__name__,
        "device": backend.device,
        "versions": backend.versions(),
        "order": digest_orders(workload),
        "products": backend.traits.matmul_precision,
    }
    if reason := why_unsupported(type(backend), task):
        return Certificate.model_validate(
            subject(description, task, data) | {"reason": f"unsupported: {reason}"}
        )
    examined = examine_dtypes(backend, task, data, run_steps, max_kept_steps)
    return conclude(description, task, data, [piece.evidence for piece in examined], examined[-1].final)


def examine_dtypes(
    backend: Backend, task: Task, data: Data, run_steps: int | None, max_kept_steps: int
) -> list[Examined]:
    """The lane in float64, and in the task's dtype if that was sound."""

    def examine_in(dtype: Dtype, *, timed: bool) -> Examined:
        variant = task.model_copy(update={"dtype": dtype})
        workload = Workload.of(variant, data, backend.traits.matmul_precision, max_kept_steps)
        return examine(backend, workload, run_steps, timed=timed)

    first = examine_in("float64", timed=task.dtype == "float64")
    if task.dtype == "float64" or not first.sound:
        return [first]
    second = examine_in(task.dtype, timed=True)
    evidence = second.evidence
    if evidence.judgement.status == "pass" and not all(run.equal for run in evidence.untraced):
        first = examine_in("float64", timed=True)
    return [first, second] if first.sound else [first]


def conclude(
    description: Mapping[str, object],
    task: Task,
    data: Data,
    evidence: list[Evidence],
    final: dict[str, Host],
) -> Certificate:
    """The certificate that evidence adds up to; the last piece decides, and its dtype is named if it failed."""
    evidence = [*evidence[:-1], shown_alike(evidence)]
    evidence = [*evidence[:-1], limited(evidence)]
    few = 0 < sum(value.size for value in final.values()) <= MOST_KEPT
    kept = few and all(value.dtype.kind == "f" and value.itemsize <= 8 for value in final.values())
    return Certificate.model_validate(
        {
            **subject(description, task, data),
            "status": evidence[-1].judgement.status,
            "reason": reason_of(evidence),
            "evidence": tuple(evidence),
            "final": {name: tuple(value.ravel().tolist()) for name, value in final.items()} if kept else None,
        }
    )


def subject(description: Mapping[str, object], task: Task, data: Data) -> dict[str, object]:
    """What a certificate is about: the program as it is described, task and data."""
    about = {"task": task.name, "task_digest": task.digest(), "dtype": task.dtype, "data": data.digest()}
    return {**description, **about}


def reason_of(evidence: Sequence[Evidence]) -> str:
    """The reason of a certificate: every dtype's own where all passed, that of the one that failed otherwise."""
    last = evidence[-1].judgement
    if last.status == "pass":
        return "; ".join(f"{piece.judgement.dtype}: {piece.judgement.reason}" for piece in evidence)
    return f"{last.dtype}: {last.reason}{cause_clause(last)}"


def shown_alike(evidence: Sequence[Evidence]) -> Evidence:
    """The last piece of evidence, which fails where both passed and they do not show the same."""
    first, last = evidence[0].judgement, evidence[-1]
    hidden = sorted(set(first.unrecorded) ^ set(last.judgement.unrecorded))
    if not hidden or {first.status, last.judgement.status} != {"pass"}:
        return last
    sentence = f"{' and '.join(hidden)} shown in {{}} and not in {{}}: show them in both, or in neither"
    dtypes = (last.judgement.dtype, first.dtype)
    sentence = sentence.format(*(dtypes if set(hidden) <= set(first.unrecorded) else dtypes[::-1]))
    diagnosis = Diagnosis(cause="shape", sentence=sentence)
    update = {"status": "fail", "reason": sentence, "diagnosis": diagnosis}
    return last.model_copy(update={"judgement": last.judgement.model_copy(update=update)})


def limited(evidence: Sequence[Evidence]) -> Evidence:
    """The last piece of evidence; where only float32 was judged and passed, its reason says so."""
    last = evidence[-1]
    judged = {piece.judgement.dtype for piece in evidence if piece.judgement.status == "pass"}
    if judged != {"float32"}:
        return last
    reason = f"{last.judgement.reason}; proven within float32 rounding only"
    return last.model_copy(update={"judgement": last.judgement.model_copy(update={"reason": reason})})


def cause_clause(judgement: Judgement) -> str:
    """The doctor's sentence as the end of a reason, unless the reason says the same already."""
    diagnosis = judgement.diagnosis
    if diagnosis is None or diagnosis.sentence in judgement.reason:
        return ""
    lead = "cause" if diagnosis.cause == "unknown" else "likely cause:"
    return f"; {lead} {diagnosis.sentence}"


def examine(backend: Backend, workload: Workload, run_steps: int | None, *, timed: bool) -> Examined:
    """One dtype's evidence and parameters (none if the lane did not get that far)."""
    examination = LaneExamination(backend, workload, run_steps, timed=timed)
    try:
        # overflow is judged, not warned of
        with np.errstate(all="ignore"), backend.precision(workload.task.dtype):
            examination.run()
    except InputError:
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever a lane raises is its own failure, and is reported as such
        message = f"{examination.verb} raised {one_line(error)}"
        if isinstance(error, TypeError) and examination.verb == "put" and workload.task.dtype == "float64":
            examination.report(message, status="not run")  # the device has no float64
        else:
            examination.report(message, of_exception(backend, workload, message))
    return Examined(examination.evidence(), examination.final)


def one_line(error: BaseException) -> str:
    """An exception by its type and the first line of its message."""
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def final_distance(first: Certificate, second: Certificate) -> float | None:
    """Euclidean distance of two lanes' final parameters; None where they were not kept."""
    if first.final is None or second.final is None:
        return None
    return distance(arrays(first.final), arrays(second.final))


def arrays(final: Mapping[str, tuple[float, ...]]) -> dict[str, Host]:
    """Final parameters as flat arrays."""
    return {name: np.array(values) for name, values in final.items()}
