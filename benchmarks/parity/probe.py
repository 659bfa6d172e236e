"""Two checks beside the run: the finished model's output, and a step that shows reduced precision at any size.

A worst-case bound on a long sum is wider than what bfloat16 or TF32 inputs do to it. On rows with one non-zero
entry every product of the first layer stands alone, its bound is a few roundings, and inputs cut to 8 or 11
bits show at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from samestep.backends.interface import Backend, State, Trace

from ..record.proof import Cause, Diagnosis, Judgement
from .doctor.outside import of_prediction
from .judge import judge, share
from .reference.arithmetic import Arithmetic, narrow
from .reference.bounds import Bounds
from .reference.drift import distance
from .reference.step import Magnitudes, Reference
from .workload import Host, Workload

MOST_PREDICTED = 1_000_000  # numbers of x


def check_output(
    backend: Backend, state: State, workload: Workload, params: dict[str, Host]
) -> tuple[float | None, Diagnosis | None]:
    """The share of its bound that the predictions use, and what is wrong with them, or None.

    All rows of small data; of larger ones a few batches and a partial one.
    """
    rows = len(workload.x) if workload.x.size <= MOST_PREDICTED else 3 * workload.task.batch_size + 1
    x, y = workload.x[:rows], workload.y[:rows]
    output = backend.get(backend.predict(state, backend.put(x.copy())))
    reference = Reference(workload.task)
    wide = reference.widen(params)
    step = reference.step(wide, wide, x, y, 0.0, first=True)
    exact = step.values[-1]
    if (output.dtype, output.shape) != (np.dtype(workload.task.dtype), exact.shape):
        cause: Cause = "dtype" if output.shape == exact.shape else "shape"
        words = f"predict gives {output.dtype} {output.shape}, not {workload.task.dtype} {exact.shape}"
        return None, Diagnosis(cause=cause, sentence=words)
    arithmetic = Arithmetic.of(
        workload.task.dtype, reference.wide, matmul_precision=workload.matmul_precision
    )
    bounds = Bounds(reference, arithmetic, step, Magnitudes(step, wide, arithmetic.tiny))
    error = bounds.forward()[0].error
    if not np.isfinite(output).all() and bounds.overflows:
        return None, None
    used = float(share(abs(narrow(output.astype(reference.wide) - exact)), error).max())
    return used, of_prediction(workload, params, output, x, used) if used > 1 else None


def probe(backend: Backend, workload: Workload) -> tuple[Judgement, ...]:
    """A step from drawn parameters on rows with one non-zero entry, judged: by its two halves and by `step`."""
    rows = min(workload.task.batch_size, len(workload.x))
    probed = single_entries(replace(workload, x=workload.x[:rows], y=workload.y[:rows]))
    probed = replace(probed, orders=(np.arange(rows),), learning_rates=workload.learning_rates[:1, :1])
    batch, rate = (
        (backend.put(probed.x.copy()), backend.put(probed.y.copy())),
        float(workload.learning_rates[0, 0]),
    )

    def judged(state: State, loss: Host, gradients: dict[str, Host]) -> Judgement:
        tables = (
            {k: v[None] for k, v in t.items()}
            for t in (backend.params(state), backend.buffers(state), gradients)
        )
        return judge(probed, Trace(np.asarray(loss)[None], *tables))

    state = begin(backend, probed)
    loss, native = backend.forward_backward(state, batch)
    gradients, loss = backend.gradients(native), backend.get(loss)
    halves = judged(backend.update(state, native, rate), loss, gradients)
    state, loss = backend.step(begin(backend, probed), batch, rate)
    return halves, judged(state, backend.get(loss), gradients)


def probe_program(backend: Backend, workload: Workload) -> Judgement | None:
    """The first epoch on such rows by a program of more than one step, traced, and as it is timed; else None."""
    kind = type(backend)
    if all(getattr(kind, verb) is getattr(Backend, verb) for verb in ("steps", "epoch", "trace")):
        return None
    probed = replace(
        single_entries(workload), orders=workload.orders[:1], learning_rates=workload.learning_rates[:1]
    )
    data, size = (backend.put(probed.x.copy()), backend.put(probed.y.copy())), workload.task.batch_size
    order, learning_rates = probed.orders[0], probed.learning_rates[0]
    state, trace = backend.trace(begin(backend, probed), data, order.copy(), size, learning_rates.copy())
    judgement = judge(probed, trace)
    if judgement.status != "pass":
        return judgement
    state, _ = backend.epoch(begin(backend, probed), data, order.copy(), size, learning_rates.copy())
    ended = backend.params(state)
    far = distance(*({k: v.astype(np.longdouble) for k, v in end.items()} for end in (ended, last(trace))))
    if far <= (judgement.allowance or 0.0):
        return judgement
    words = f"the timed program ends {far:.2g} from the traced run, {judgement.allowance:.2g} allowed"
    found = Diagnosis(cause="timed program", sentence=words)
    return judgement.model_copy(update={"status": "fail", "reason": words, "diagnosis": found})


def single_entries(workload: Workload) -> Workload:
    """The work with one non-zero entry in every row, and drawn parameters."""
    rng = np.random.default_rng(0)
    rows, features = workload.x.shape
    x = np.zeros_like(workload.x)
    x[np.arange(rows), np.arange(rows) % features] = rng.uniform(1, 2, rows)
    params = {
        name: rng.normal(size=value.shape).astype(value.dtype) for name, value in workload.start.items()
    }
    return replace(workload, x=x, start=params)


def begin(backend: Backend, workload: Workload) -> State:
    return backend.init(workload.task, params={name: value.copy() for name, value in workload.start.items()})


def last(trace: Trace) -> dict[str, Host]:
    return {name: values[-1] for name, values in trace.params.items()}
