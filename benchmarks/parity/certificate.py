"""Did this lane do this work? float64 first, where no known bug hides under the bound, then the task's dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from samestep.backends.interface import Backend, Host
from samestep.backends.spec import Dtype, Task

from ..console.errors import InputError
from ..record.plan import MOST_STEPS
from ..record.proof import Certificate, Evidence, Judgement
from .doctor.outside import of_exception
from .examination import Examination
from .reference.drift import distance
from .workload import Data, Workload, digest_orders

MOST_KEPT = 10_000


class Examined(NamedTuple):
    """A lane in one dtype: the evidence, the final parameters, and those of the timed program by its steps."""

    evidence: Evidence
    final: dict[str, Host]
    ends: dict[int, dict[str, Host]]


def certify_backend(
    backend: Backend,
    task: Task,
    data: Data,
    *,
    lane: str = "",
    run_steps: int | None = None,
    max_kept_steps: int = MOST_STEPS,
    ends: dict[int, dict[str, Host]] | None = None,
) -> Certificate:
    """The certificate of a backend on a task: its traced run judged, and its timed program held against it.

    What is timed is in the task's dtype. If its program ends in the traced run's parameters bit for bit, its
    float64 form has nothing to add; if not, that is held to its own traced run too, where the bound is tightest.
    A lane that declares products of TF32 inputs is allowed their rounding, in float32 and in nothing else.
    `run_steps`: the timed program is also checked after that many steps of the first epoch. `keep`: the most
    steps that stay in it. `ends` is filled with the parameters in which it ended, by number of steps.

    Raises:
        InputError: the data do not fit the dtype, or a batch is too large for any bound in it.
        ValueError: the first epoch does not have so many steps.
    """

    matmul_precision = backend.traits.products

    def look(dtype: Dtype, *, timed: bool) -> Examined:
        workload = Workload.of(
            task.model_copy(update={"dtype": dtype}), data, matmul_precision, max_kept_steps
        )
        return examine(backend, workload, run_steps, timed=timed)

    workload = Workload.of(task, data)
    if run_steps is not None and not 0 < run_steps <= len(workload.learning_rates[0]):
        raise ValueError(
            f"run_steps is {run_steps}; the first epoch has {len(workload.learning_rates[0])} steps"
        )
    found = [look("float64", timed=task.dtype == "float64")]
    if task.dtype != "float64" and sound(found[0]):
        found.append(look(task.dtype, timed=True))
        timed = found[1].evidence
        if timed.judgement.status == "pass" and not all(run.equal for run in timed.untraced):
            again = look("float64", timed=True)
            found = [again, found[1]] if sound(again) else [again]
    name = lane or type(backend).__name__
    description = {"lane": name, "device": backend.device, "versions": backend.versions()}
    description |= {"order": digest_orders(workload), "products": matmul_precision}
    if ends is not None:
        ends.update(found[-1].ends)
    return conclude(description, task, data, [one.evidence for one in found], found[-1].final)


def sound(examined: Examined) -> bool:
    """Whether the task's dtype is worth a look after this float64: it passed, or the device has none."""
    return examined.evidence.judgement.status in ("pass", "not run")


def conclude(
    description: Mapping[str, object],
    task: Task,
    data: Data,
    evidence: list[Evidence],
    final: dict[str, Host],
) -> Certificate:
    """The certificate that evidence adds up to; the last piece decides, and its dtype is named if it failed."""
    last = evidence[-1].judgement
    cause = probabilistic(last)
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


def probabilistic(judgement: Judgement) -> str:
    """The doctor's sentence, to stand behind a reason that does not say the same already."""
    found = judgement.diagnosis
    if found is None or found.sentence in judgement.reason:
        return ""
    return f"; cause {found.sentence}" if found.cause == "unknown" else f"; likely cause: {found.sentence}"


def examine(backend: Backend, workload: Workload, run_steps: int | None, *, timed: bool) -> Examined:
    """One dtype's evidence and parameters (none if the lane did not get that far)."""
    examination = Examination(backend, workload, run_steps, timed=timed)
    try:
        # overflow is judged, not warned of
        with np.errstate(all="ignore"), backend.precision(workload.task.dtype):
            examination.run()
    except InputError:
        raise
    except Exception as error:  # whatever a lane raises is its own failure, and is reported as such
        words = f"{examination.doing} raised {one_line(error)}"
        if isinstance(error, TypeError) and examination.doing == "put" and workload.task.dtype == "float64":
            examination.blame(words, status="not run")  # the device has no float64
        else:
            examination.blame(words, of_exception(backend, workload, words))
    return Examined(examination.evidence(), examination.final, examination.ended)


def one_line(error: Exception) -> str:
    """An exception by its type and the first line of its message."""
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def final_distance(one: Certificate, other: Certificate) -> float | None:
    """How far two lanes' final parameters lie apart (Euclidean norm); None where they were not kept."""
    if one.final is None or other.final is None:
        return None
    return distance(*({k: np.array(v) for k, v in side.items()} for side in (one.final, other.final)))
