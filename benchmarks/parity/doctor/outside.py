"""Faults beside the judged steps: an exception, a wrong prediction, a timed program that ends elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from samestep.backends.interface import Backend

from ...record.proof import Diagnosis
from ..reference.arithmetic import Arithmetic, narrow
from ..reference.drift import distance
from ..reference.step import Arrays, Reference
from ..workload import Host, Workload
from .case import Case, Moment, split
from .fits import near
from .hypothesis import Played
from .rows import of_rows, of_targets

MOST_REPLAYED = 2e8  # multiplications of a run that is replayed to find a timed program's mistake
SPARE = 4  # a replayed run may end so many allowances away: two runs are compared, in another precision


def of_exception(backend: Backend, workload: Workload, words: str) -> Diagnosis:
    """What a lane raised; an iterator that loses the partial batch is seen by counting its batches."""
    try:
        with backend.precision(workload.task.dtype):
            data = backend.put(workload.x.copy()), backend.put(workload.y.copy())
            given = sum(1 for _ in backend.batches(data, workload.orders[0].copy(), workload.task.batch_size))
    except Exception:  # the same exception again, perhaps: then there is nothing to add
        given = len(workload.learning_rates[0])
    batches = len(workload.learning_rates[0])
    if given == len(workload.x) // workload.task.batch_size < batches:
        counted = f"its iterator gives {given} batches of {batches}: the last, partial one is dropped"
        return Diagnosis(cause="partial batch", sentence=f"{counted} ({words})")
    return Diagnosis(cause="error", sentence=words)


def of_prediction(workload: Workload, params: Arrays, output: Host, x: Host, used: float) -> Diagnosis:
    """A finished model that predicts something else: a factor, no biases, or other parameters."""
    lead = f"predict is {used:.3g} times its bound away from the reference"
    reference = Reference(workload.task)

    def predicted(theta: Arrays) -> Host:
        return narrow(reference.forward(reference.widen(theta), x.astype(reference.wide))[-1]).ravel()

    got, right = narrow(output).ravel(), predicted(params)
    factor = float(got @ right / (right @ right)) if right.any() else 0.0
    no_biases = {name: value * (0 if name.endswith("bias") else 1) for name, value in params.items()}
    scale = float(abs(right).max(initial=0.0)) * 1e-5
    for words, guess in (
        (f"multiplied by {factor:.6g}", factor * right),
        ("made without the biases", predicted(no_biases)),
        ("made with the initial parameters", predicted(workload.start)),
    ):
        if abs(got - guess).max(initial=0.0) <= scale and not near(factor, 1.0, 1e-5):
            return Diagnosis(cause="prediction", sentence=f"{lead}: predictions are {words}")
    rows = output.shape[0]
    wrong = np.flatnonzero(abs(got - right) > scale) // max(1, output[0].size)
    count, first = len(set(wrong.tolist())), wrong.min(initial=rows)
    words = f"{lead}: {count} of {rows} rows are wrong, the first of them row {first}"
    return Diagnosis(cause="prediction", sentence=words)


def of_timed(workload: Workload, ended: Arrays, allowed: float, steps: int) -> Diagnosis:
    """Which run, replayed with one change, ends where the timed program does."""
    reference = Reference(workload.task)
    found = reference.widen(ended)
    if workload.x.size * steps * workload.task.batch_size <= MOST_REPLAYED * len(workload.x):
        (_, right), *others = runs(workload, reference, steps)
        correct = right() or found
        for words, run in others:
            end = run()
            if end is None or distance(correct, end) <= 2 * SPARE * allowed:
                continue  # it is no different
            if distance(found, end) <= SPARE * allowed:
                return Diagnosis(cause="timed program", sentence=f"the timed program ends like one {words}")
    return Diagnosis(
        cause="timed program", sentence="the timed program does something else than the traced one"
    )


def runs(
    workload: Workload, reference: Reference, steps: int
) -> Iterator[tuple[str, Callable[[], Arrays | None]]]:
    """Whole runs with one change, after the correct one."""
    case = Case(
        workload,
        reference,
        Arithmetic.of(workload.task.dtype, reference.wide, matmul_precision=workload.matmul_precision),
        [],
    )

    def correct(moment: Moment) -> Played:
        step = case.play(moment, workload.x[moment.rows], workload.y[moment.rows])
        return step.loss, np.concatenate([g.ravel() for g in step.gradients.values()])

    def skipping(moment: Moment) -> Played:
        return None if case.partial(moment) else correct(moment)

    yield "that is correct", lambda: replay(case, steps, correct)
    yield "that does no step", lambda: reference.widen(workload.start)
    yield "that leaves the partial batches out", lambda: replay(case, steps, skipping)
    yield "that stops one step early", lambda: replay(case, steps - 1, correct)
    for words, factor in (("half", 0.5), ("twice", 2.0)):
        yield f"with {words} the learning rate", partial(replay, case, steps, correct, rate=factor)
    for suspect in (*of_rows(case), *of_targets(case)):
        yield f"with {suspect.words}", partial(replay, case, steps, suspect.play, needed=True)


def replay(
    case: Case, steps: int, play: Callable[[Moment], Played], *, rate: float = 1.0, needed: bool = False
) -> Arrays | None:
    """The parameters after a run; a step that cannot be played is left out, or ends the attempt if `needed`."""
    params: Arrays = case.reference.widen(case.workload.start)
    buffers: Arrays = {}
    first = True
    for number, batch in zip(range(1, steps + 1), case.workload.batches(), strict=False):
        moment = Moment(number, batch.rows, batch.learning_rate, params, buffers, first)
        made = play(moment)
        if made is None:
            if needed:
                return None
            continue
        gradients = split(made[1], case.workload.task.parameters)
        buffers, directions = case.reference.optimize(params, buffers, gradients, first=first)
        step = case.reference.wide(rate * batch.learning_rate)
        params = {name: theta - step * directions[name] for name, theta in params.items()}
        first = False
    return params
