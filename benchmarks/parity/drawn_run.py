"""A run of drawn work against the reference: its recorded steps one by one, or its end alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from samestep.backends.interface import Arrays, Host, Trace

from .judge import RunJudge
from .reference import Array, StepStart
from .reference.drift import distance, norm
from .workload import Workload


class JudgedSteps(NamedTuple):
    """What came of judging recorded steps: their number, the largest bound ratio, losses with bounds, a fault."""

    steps: int
    ratio: float
    losses: Host
    loss_bounds: Host
    reason: str


class RunEnd(NamedTuple):
    """How far a run ended from the reference's run, and how far a correct one can with high probability."""

    distance: float
    allowance: float


def judge_trace(workload: Workload, buffers: Arrays | None, trace: Trace) -> JudgedSteps:
    """Judge recorded steps that begin with the workload's start, and with these momentum buffers, if any."""
    run_judge = RunJudge(workload, buffers=wide_buffers(buffers))
    run_judge.feed(trace, workload.steps)
    judgement = run_judge.judgement()
    reason = "" if judgement.status == "pass" else judgement.reason
    if not reason and (absent := run_judge.unrecorded - {"gradients"}):
        reason = f"the trace does not record {' and '.join(sorted(absent))}"
    ratio = max((worst.share for worst in judgement.quantities.values()), default=math.inf)
    pairs = np.array(run_judge.losses, dtype=np.float64).reshape(-1, 2)
    return JudgedSteps(judgement.steps, ratio, pairs[:, 0], pairs[:, 1], reason)


def judge_end(workload: Workload, buffers: Arrays | None, ended: Arrays) -> RunEnd:
    """Where a run ended, and how far a correct one can be from the reference's with high probability.

    The rounding errors of the steps are taken as independent: allowance^2 = 4 sum ||tau_t||^2, with tau the
    probabilistic bound of a step (Higham and Mary, 2019) and 2 for the growth of errors from step to step.
    """
    run_judge = RunJudge(workload, buffers=wide_buffers(buffers))
    squares = 0.0
    with np.errstate(all="ignore"):
        for batch in workload.batches():
            analyzed = run_judge.analyze(batch)
            squares += norm(analyzed.probabilistic.params) ** 2
            run_judge.start = StepStart(analyzed.exact.params, analyzed.exact.buffers, {}, first=False)
        far = distance(run_judge.reference.widen(ended), run_judge.start.params)
    return RunEnd(far, 2 * math.sqrt(squares))


def wide_buffers(buffers: Arrays | None) -> dict[str, Array] | None:
    """Momentum buffers as the reference takes them."""
    return None if buffers is None else {name: np.asarray(value) for name, value in buffers.items()}
