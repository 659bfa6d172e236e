"""Two checks beside the run: the finished model's output, and a step that shows reduced precision at any size.

A worst-case bound on a long sum is wider than what bfloat16 or TF32 inputs do to it. On rows with one non-zero
entry every product of the first layer stands alone, its bound is a few roundings, and inputs cut to 8 or 11
bits show at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backends.interface import Backend, State, Trace
from benchmarks.parity.bounds import Bounds
from benchmarks.parity.doctor.outside import of_prediction
from benchmarks.parity.judge import judge, share
from benchmarks.parity.reference import Reference
from benchmarks.parity.rounding import Arithmetic, narrow
from benchmarks.parity.sizes import Sizes
from benchmarks.parity.verdicts import Cause, Diagnosis, Judgement
from benchmarks.parity.work import Host, Work

MOST_PREDICTED = 1_000_000  # numbers of x


def check_output(
    backend: Backend, state: State, work: Work, params: dict[str, Host]
) -> tuple[float | None, Diagnosis | None]:
    """The share of its bound that the predictions use, and what is wrong with them, or None.

    All rows of small data; of larger ones a few batches and a partial one.
    """
    rows = len(work.x) if work.x.size <= MOST_PREDICTED else 3 * work.task.batch_size + 1
    x, y = work.x[:rows], work.y[:rows]
    output = backend.get(backend.predict(state, backend.put(x.copy())))
    reference = Reference(work.task)
    wide = reference.widen(params)
    step = reference.step(wide, wide, x, y, 0.0, first=True)
    exact = step.values[-1]
    if (output.dtype, output.shape) != (np.dtype(work.task.dtype), exact.shape):
        cause: Cause = "dtype" if output.shape == exact.shape else "shape"
        words = f"predict gives {output.dtype} {output.shape}, not {work.task.dtype} {exact.shape}"
        return None, Diagnosis(cause=cause, sentence=words)
    arithmetic = Arithmetic.of(work.task.dtype, reference.wide)
    bounds = Bounds(reference, arithmetic, step, Sizes(step, wide, arithmetic.tiny))
    error = bounds.forward()[0].error
    if not np.isfinite(output).all() and bounds.overflows:
        return None, None
    used = float(share(abs(narrow(output.astype(reference.wide) - exact)), error).max())
    return used, of_prediction(work, params, output, x, used) if used > 1 else None


def probe(backend: Backend, work: Work) -> tuple[Judgement, ...]:
    """A step from drawn parameters on rows with one non-zero entry, judged: by its two halves and by `step`."""
    rng = np.random.default_rng(0)
    rows, features = min(work.task.batch_size, len(work.x)), work.x.shape[1]
    x = np.zeros((rows, features), dtype=work.x.dtype)
    x[np.arange(rows), np.arange(rows) % features] = rng.uniform(1, 2, rows)
    params = {name: rng.normal(size=value.shape).astype(value.dtype) for name, value in work.start.items()}
    y, order, rate = work.y[:rows].copy(), np.arange(rows), float(work.rates[0, 0])
    batch = backend.put(x.copy()), backend.put(y.copy())
    probed = replace(work, x=x, y=y, orders=(order,), rates=work.rates[:1, :1], start=params)

    def begin() -> State:
        return backend.init(work.task, params={name: value.copy() for name, value in params.items()})

    def judged(state: State, loss: Host, gradients: dict[str, Host]) -> Judgement:
        tables = (
            {k: v[None] for k, v in t.items()}
            for t in (backend.params(state), backend.buffers(state), gradients)
        )
        return judge(probed, Trace(np.asarray(loss)[None], *tables))

    state = begin()
    loss, native = backend.forward_backward(state, batch)
    gradients, loss = backend.gradients(native), backend.get(loss)
    halves = judged(backend.update(state, native, rate), loss, gradients)
    state, loss = backend.step(begin(), batch, rate)
    return halves, judged(state, backend.get(loss), gradients)
