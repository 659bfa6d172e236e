"""Faults beside the judged steps: an exception, a wrong prediction, a timed program that ends elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np

from samestep.backends.interface import Backend, Host

from ...console.choices import counted
from ...record.proof import Diagnosis
from ..reference import Arithmetic, Arrays, Reference, StepStart, narrow
from ..reference.drift import distance
from ..workload import Workload
from .case import Case, Outcome, Play, StepSnapshot, outcome, split_tensors
from .variations import of_rows, of_targets

MOST_REPLAYED = 2e8  # multiplications of a run that is replayed to find a timed program's mistake
SPARE = 4  # a replayed run may end so many allowances away: two runs are compared, in another precision

Run: TypeAlias = Callable[[], Arrays | None]  # final parameters; None where the run cannot be made


def of_exception(backend: Backend, workload: Workload, message: str) -> Diagnosis:
    """What a lane raised; an iterator that loses the partial batch is seen by counting its batches."""
    batches = workload.steps_per_epoch
    try:
        with backend.precision(workload.task.dtype):
            data = backend.put(workload.x.copy()), backend.put(workload.y.copy())
            order = workload.orders[0].copy()
            given = sum(1 for _ in backend.batches(data, order, workload.task.batch_size))
    except Exception:  # the same exception again, perhaps: then there is nothing to add
        given = batches
    if given == len(workload.x) // workload.task.batch_size < batches:
        counted = f"its iterator gives {given} batches of {batches}: the last, partial one is dropped"
        return Diagnosis(cause="partial batch", sentence=f"{counted} ({message})")
    return Diagnosis(cause="error", sentence=message)


def of_prediction(workload: Workload, params: Arrays, output: Host, x: Host, ratio: float) -> Diagnosis:
    """A finished model that predicts something else: a factor, no biases, or other parameters."""
    lead = f"predict is {ratio:.3g} times its bound away from the reference"
    reference = Reference(workload.task)

    def predicted(theta: Arrays) -> Host:
        return narrow(reference.forward(reference.widen(theta), x.astype(reference.wide))[-1]).ravel()

    given, correct = narrow(output).ravel(), predicted(params)
    factor = float(given @ correct / (correct @ correct)) if correct.any() else 0.0
    no_biases = {name: value * (0 if name.endswith("bias") else 1) for name, value in params.items()}
    tolerance = float(abs(correct).max(initial=0.0)) * 1e-5
    for manner, guess in (
        (f"multiplied by {factor:.6g}", factor * correct),
        ("made without the biases", predicted(no_biases)),
        ("made with the initial parameters", predicted(workload.start)),
    ):
        if abs(given - guess).max(initial=0.0) <= tolerance and abs(factor - 1) > 1e-5:
            return Diagnosis(cause="prediction", sentence=f"{lead}: predictions are {manner}")
    rows = output.shape[0]
    wrong = np.flatnonzero(abs(given - correct) > tolerance) // max(1, output[0].size)
    count, first = len(set(wrong.tolist())), wrong.min(initial=rows)
    wrong_rows = f"{count} of {counted(rows, 'row')} {'is' if count == 1 else 'are'} wrong"
    sentence = f"{lead}: {wrong_rows}, the first of them row {first}"
    return Diagnosis(cause="prediction", sentence=sentence)


def of_timed(workload: Workload, ended: Arrays, allowed: float, steps: int) -> Diagnosis:
    """Which run, replayed with one change, ends where the timed program does."""
    reference = Reference(workload.task)
    final = reference.widen(ended)
    if workload.x.size * steps * workload.task.batch_size <= MOST_REPLAYED * len(workload.x):
        (_, correct_run), *others = runs(workload, reference, steps)
        correct = correct_run() or final
        for description, run in others:
            end = run()
            if end is None or distance(correct, end) <= 2 * SPARE * allowed:
                continue  # it is no different
            if distance(final, end) <= SPARE * allowed:
                sentence = f"the timed program ends like one {description}"
                return Diagnosis(cause="timed program", sentence=sentence)
    sentence = "the timed program does something else than the traced one"
    return Diagnosis(cause="timed program", sentence=sentence)


def runs(workload: Workload, reference: Reference, steps: int) -> Iterator[tuple[str, Run]]:
    """Whole runs with one change, after the correct one."""
    arithmetic = Arithmetic.of(
        workload.task.dtype, reference.wide, matmul_precision=workload.matmul_precision
    )
    case = Case(workload, reference, arithmetic, [])

    def correct(snapshot: StepSnapshot) -> Outcome:
        return outcome(case.play_step(snapshot, *case.batch(snapshot)))

    def skipping(snapshot: StepSnapshot) -> Outcome | None:
        return None if case.is_partial(snapshot) else correct(snapshot)

    yield "that is correct", lambda: play_run(case, steps, correct)
    yield "that does no step", lambda: reference.widen(workload.start)
    yield "that leaves the partial batches out", lambda: play_run(case, steps, skipping)
    yield "that stops one step early", lambda: play_run(case, steps - 1, correct)
    for manner, factor in (("half", 0.5), ("twice", 2.0)):
        yield f"with {manner} the learning rate", partial(play_run, case, steps, correct, rate_factor=factor)
    for variation in (*of_rows(case), *of_targets(case)):
        yield f"with {variation.description}", partial(play_run, case, steps, variation.play, needed=True)


def play_run(
    case: Case, steps: int, play: Play, *, rate_factor: float = 1.0, needed: bool = False
) -> Arrays | None:
    """The parameters after a run; a step that cannot be played is left out, or ends the attempt if `needed`."""
    params: Arrays = case.reference.widen(case.workload.start)
    buffers: Arrays = {}
    first = True
    for number, batch in zip(range(1, steps + 1), case.workload.batches(), strict=False):
        start = StepStart(params, buffers, first=first)
        played = play(StepSnapshot(number, batch.rows, batch.learning_rate, start))
        if played is None:
            if needed:
                return None
            continue
        gradients = split_tensors(played.gradient, case.workload.task.parameters)
        buffers, directions = case.reference.optimize(params, buffers, gradients, first=first)
        rate = case.reference.wide(rate_factor * batch.learning_rate)
        params = {name: theta - rate * directions[name] for name, theta in params.items()}
        first = False
    return params
