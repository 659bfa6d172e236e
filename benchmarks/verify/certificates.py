"""A certificate worked out again from what it holds, with NumPy alone: what does not agree, a line each.

Data, order and start are made anew; kept steps are judged anew, with the same ratios to their bounds but for what
another BLAS does to the last digits; and the certificate's own word must follow from its evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from samestep.backends.interface import MatmulPrecision
from samestep.backends.spec import Dtype, Task

from ..console.choices import counted
from ..console.errors import InputError
from ..parity.array_data import Data
from ..parity.array_digest import digest
from ..parity.judge import describe_precision, judge_kept_steps
from ..parity.kept_steps import kept_step_numbers
from ..parity.reference import WIDE
from ..parity.workload import Workload, digest_orders
from ..record.arrays import decode_steps
from ..record.plan import MOST_STEPS
from ..record.proof import BoundRatios, Certificate, Evidence, Judgement
from .closeness import near

SAME = 0.02  # ratios that differ by less are the same: the reference's sums may be formed in another order
ROUNDED = 2e-3  # ratios of single steps are recorded with four digits
SMALL = 1e-3  # and smaller ones are rounding of the reference


class RemadeWork:
    """A task on its data, made once for all of its certificates: the work in each dtype.

    `keep`: how many steps a certificate keeps, at most.
    """

    def __init__(self, task: Task, data: Data, keep: int = MOST_STEPS) -> None:
        self.task, self.data, self.digest, self.keep = task, data, data.digest(), keep
        self._works: dict[Dtype, tuple[Workload, str]] = {}

    def work(self, dtype: Dtype, products: MatmulPrecision) -> tuple[Workload, str]:
        """The work in a dtype, as a lane with such products does it, and the digest of its order."""
        if dtype not in self._works:
            work = Workload.of(
                self.task.model_copy(update={"dtype": dtype}), self.data, max_kept_steps=self.keep
            )
            self._works[dtype] = work, digest_orders(work)
        work, order = self._works[dtype]
        return replace(work, matmul_precision=products), order


def disagreements(certificate: Certificate, remade: RemadeWork, run_steps: int) -> Iterator[str]:
    """What does not agree in a certificate of a task on its data; `run_steps` of its first epoch were timed."""
    task = remade.task
    if certificate.task_digest != task.digest() or certificate.dtype != task.dtype:
        yield "another task was certified"
    if certificate.data != remade.digest:
        yield "other data were certified"
        return
    dtypes = [evidence.judgement.dtype for evidence in certificate.evidence]
    if certificate.status == "pass" and dtypes != list(dict.fromkeys(("float64", task.dtype))):
        yield f"it passed on the evidence of {', '.join(dtypes) or 'nothing'}"
    if len(set(dtypes)) < len(dtypes):
        yield "there is evidence of one dtype twice"
        return
    for evidence in certificate.evidence:
        work, order = remade.work(evidence.judgement.dtype, certificate.products)
        if certificate.order != order:
            yield "another order was certified"
        for fault in of_evidence(evidence, work, run_steps):
            yield f"{evidence.judgement.dtype}: {fault}"
    yield from of_conclusion(certificate)


def of_evidence(evidence: Evidence, work: Workload, run_steps: int) -> Iterator[str]:
    """What does not agree in one dtype's evidence."""
    judgement = evidence.judgement
    if evidence.start != digest(work.start):
        yield "another start was certified"
    present = sorted(kept.step for kept in judgement.kept)
    expected = sorted(step for step in kept_step_numbers(work, run_steps) if step <= judgement.steps)
    unkept = judgement.status in ("fail", "diverged") and expected[-1:] == [judgement.steps]
    must_keep = judgement.kept or judgement.status == "pass"
    if must_keep and present != expected and not (unkept and present == expected[:-1]):
        are = "is" if len(judgement.kept) == 1 else "are"
        yield f"{counted(len(judgement.kept), 'step')} {are} kept, not the {len(expected)} that should be"
        return  # a step whose numbers grow past the dtype's range is counted, and not kept
    try:
        again = judge_kept_steps(work, judgement.kept)
        steps = decode_steps(work.task, work.start, judgement.kept)
    except (ValueError, KeyError, InputError) as error:
        yield f"the kept steps cannot be judged: {' '.join(str(error).split())}"
        return
    yield from of_bound_ratios(judgement, again)
    if judgement.status != "pass" or not steps:
        return
    yield from of_shown(judgement, work.task)
    ends = {step.number: digest({k: v[0] for k, v in step.trace.params.items()}) for step in steps}
    if evidence.final != ends.get(work.steps):
        yield "the final parameters are not those after the last step"
    for run in evidence.untraced:
        same = run.final == ends.get(run.steps, run.final if run.equal else "")
        if run.equal != same or not run.distance <= run.allowance:
            yield f"the timed program's end after {run.steps} steps is not that of the kept step"


def of_bound_ratios(judgement: Judgement, again: list[BoundRatios]) -> Iterator[str]:
    """Ratios to bounds that are not those recorded, or too large for a pass."""
    recorded = {shares.step: shares.shares for shares in judgement.sample}
    yield from of_largest_ratios(judgement, recorded)
    comparable = judgement.reference == describe_precision(WIDE[judgement.dtype])
    for shares in again:
        if comparable and not same_ratios(shares.shares, recorded.get(shares.step, {})):
            yield f"step {shares.step} uses {shares.shares} of its bounds, not {recorded.get(shares.step)}"
        if judgement.status == "pass" and max(shares.shares.values(), default=math.inf) > 1:
            yield f"step {shares.step} is outside its bound, and the certificate says pass"
    for shares in judgement.sample:
        if any(
            share > judgement.quantities[quantity].share * (1 + 1e-3)
            for quantity, share in shares.shares.items()
            if quantity in judgement.quantities
        ):
            yield f"step {shares.step} used more of its bound than the largest that was recorded"


def of_shown(judgement: Judgement, task: Task) -> Iterator[str]:
    """What was judged is what the run says that it showed; nothing but gradients may be hidden.

    The ratios of kept steps are those of `sample`, which hold one for each quantity that was shown.
    """
    buffers = {"buffers"} if task.optimizer.momentum else set()
    shown = {"loss", "gradients", "params"} | buffers
    if hidden := set(judgement.unrecorded) - {"gradients"}:
        yield f"it passed, and does not show {' and '.join(sorted(hidden))}"
    shown -= set(judgement.unrecorded)
    if any(ratios != shown for ratios in (judgement.quantities.keys(), *map(_quantities, judgement.sample))):
        yield f"it says that it shows {', '.join(sorted(shown))}, and its steps show something else"


def _quantities(ratios: BoundRatios) -> set[str]:
    return set(ratios.shares)


def of_largest_ratios(judgement: Judgement, sample: dict[int, dict[str, float]]) -> Iterator[str]:
    """The largest ratios of a run are of one of its steps, and the slack is their inverse."""
    for quantity, worst in judgement.quantities.items():
        if worst.step > judgement.steps:
            yield f"the largest ratio of {quantity} is of step {worst.step}, and there are {judgement.steps}"
        share = sample.get(worst.step, {}).get(quantity)
        if (
            share is not None
            and math.isfinite(share)
            and not math.isclose(share, worst.share, rel_tol=ROUNDED)
        ):
            yield f"the largest ratio of {quantity} is not that of step {worst.step}"
        if math.isfinite(worst.share) and worst.share > 0 and not near(worst.slack * worst.share, 1.0):
            yield f"the slack of {quantity} is not the inverse of its largest ratio"


def same_ratios(first: dict[str, float], second: dict[str, float]) -> bool:
    """Whether two sets of ratios are the same, but for the last digits of the reference."""
    return first.keys() == second.keys() and all(
        math.isclose(first[key], second[key], rel_tol=SAME, abs_tol=SMALL) for key in first
    )


def of_conclusion(certificate: Certificate) -> Iterator[str]:
    """The certificate's own word follows from its evidence."""
    judgements = [evidence.judgement for evidence in certificate.evidence]
    statuses = [judgement.status for judgement in judgements]
    beyond = any(worst.share > 1 for judgement in judgements for worst in judgement.quantities.values())
    shown = {judgement.unrecorded for judgement in judgements if judgement.status == "pass"}  # not "not run"
    if certificate.status == "pass" and not {*statuses} <= {"pass", "not run"}:
        yield "it passed, and one dtype did not"
    if certificate.status == "pass" and len(shown) > 1:
        yield "it passed, and one dtype shows what the other does not"
    if statuses and (certificate.status != statuses[-1] or (certificate.status == "pass" and beyond)):
        yield f"{certificate.status} does not follow from its evidence"
