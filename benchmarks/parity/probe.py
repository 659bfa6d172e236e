"""Checks beside the run: the finished model's output, and steps on rows with one non-zero entry.

On such rows (`single_entries`) reduced precision shows at any size, and so does a small gradient left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from samestep.backends.interface import Backend, Host, State, Trace

from ..record.proof import Cause, Diagnosis, Judgement
from .doctor.lane_faults import of_prediction
from .judge import judge
from .reference import Arithmetic, Bounds, Magnitudes, Reference, narrow
from .reference.drift import exact_distance
from .single_entries import single_entries
from .step_comparison import bound_ratio
from .workload import Workload

MOST_PREDICTED = 1_000_000  # numbers of x


def check_output(
    backend: Backend, state: State, workload: Workload, params: dict[str, Host]
) -> tuple[float | None, Diagnosis | None]:
    """The bound ratio of the model's predictions, and what is wrong with them, or None.

    All rows of small data; of larger ones a few batches and a partial one.
    """
    task = workload.task
    rows = len(workload.x) if workload.x.size <= MOST_PREDICTED else 3 * task.batch_size + 1
    x, y = workload.x[:rows], workload.y[:rows]
    output = backend.get(backend.predict(state, backend.put(x.copy())))
    reference = Reference(task)
    wide = reference.widen(params)
    step = reference.step(wide, wide, x, y, 0.0, first=True)
    exact = step.values[-1]
    if (output.dtype, output.shape) != (np.dtype(task.dtype), exact.shape):
        cause: Cause = "dtype" if output.shape == exact.shape else "shape"
        sentence = f"predict gives {output.dtype} {output.shape}, not {task.dtype} {exact.shape}"
        return None, Diagnosis(cause=cause, sentence=sentence)
    arithmetic = Arithmetic.of(task.dtype, reference.wide, matmul_precision=workload.matmul_precision)
    bounds = Bounds(reference, arithmetic, step, Magnitudes(step, wide, arithmetic.tiny))
    error = bounds.forward()[0].error
    if not np.isfinite(output).all() and bounds.overflows:
        return None, None
    ratio = float(bound_ratio(abs(narrow(output.astype(reference.wide) - exact)), error).max())
    return ratio, of_prediction(workload, params, output, x, ratio) if ratio > 1 else None


def probe_step(backend: Backend, workload: Workload) -> tuple[Judgement, Judgement]:
    """A step from drawn parameters on rows with one non-zero entry, judged: by its two halves and by `step`."""
    rows = min(workload.task.batch_size, len(workload.x))
    first = replace(workload, orders=(np.arange(rows),), learning_rates=workload.learning_rates[:1, :1])
    probe = single_entries(replace(first, x=workload.x[:rows], y=workload.y[:rows]))
    batch = backend.put(probe.x.copy()), backend.put(probe.y.copy())
    learning_rate = float(workload.learning_rates[0, 0])

    def judged(state: State, loss: Host, gradients: dict[str, Host]) -> Judgement:
        tables = (backend.params(state), backend.buffers(state), gradients)
        stacked = ({name: value[None] for name, value in table.items()} for table in tables)
        return judge(probe, Trace(np.asarray(loss)[None], *stacked))

    state = begin(backend, probe)
    loss, native = backend.forward_backward(state, batch)
    gradients, loss = backend.gradients(native), backend.get(loss)
    halves = judged(backend.update(state, native, learning_rate), loss, gradients)
    state, loss = backend.step(begin(backend, probe), batch, learning_rate)
    return halves, judged(state, backend.get(loss), gradients)


def has_program(backend: Backend) -> bool:
    """Whether many steps are a program of the lane's own."""
    kind = type(backend)
    return any(getattr(kind, verb) is not getattr(Backend, verb) for verb in ("steps", "epoch", "trace"))


def probe_timed_step(backend: Backend, workload: Workload) -> Judgement:
    """The first step of an epoch on such rows by the program that is timed: judged without being traced.

    A trace that is worked out otherwise, and more exactly, says nothing of what is timed; over a whole run the
    distance of two correct ones is too wide for rows of 20 bits to show.
    """
    size = workload.task.batch_size
    probe = replace(single_entries(workload), orders=(workload.orders[0][:size],))
    probe = replace(probe, learning_rates=workload.learning_rates[:1, :1])
    data, rates = (backend.put(probe.x.copy()), backend.put(probe.y.copy())), probe.learning_rates[0].copy()
    state, losses = backend.epoch(begin(backend, probe), data, probe.orders[0].copy(), size, rates)
    parts = losses if isinstance(losses, list | tuple) else [losses]
    loss = np.concatenate([backend.get(part).reshape(-1) for part in parts] or [np.empty(0)])
    tables = (
        {name: value[None] for name, value in table.items()}
        for table in (backend.params(state), backend.buffers(state))
    )
    return judge(probe, Trace(loss, *tables))


def probe_program(backend: Backend, workload: Workload) -> Judgement:
    """The first epoch on such rows by a program of more than one step, traced, and as it is timed."""
    probe = single_entries(workload)
    probe = replace(probe, orders=workload.orders[:1], learning_rates=workload.learning_rates[:1])
    data, size = (backend.put(probe.x.copy()), backend.put(probe.y.copy())), workload.task.batch_size
    order, rates = probe.orders[0], probe.learning_rates[0]
    state, trace = backend.trace(begin(backend, probe), data, order.copy(), size, rates.copy())
    judgement = judge(probe, trace)
    if judgement.status != "pass":
        return judgement
    state, _ = backend.epoch(begin(backend, probe), data, order.copy(), size, rates.copy())
    far, allowed = exact_distance(backend.params(state), params_after(trace, 0)), judgement.allowance or 0.0
    if far <= allowed:
        return judgement
    sentence = f"the timed program ends {far:.2g} from the traced run, {judgement.allowance:.2g} allowed"
    diagnosis = Diagnosis(cause="timed program", sentence=sentence)
    return judgement.model_copy(update={"status": "fail", "reason": sentence, "diagnosis": diagnosis})


def begin(backend: Backend, workload: Workload) -> State:
    """The lane's state at the start, from copies."""
    return backend.init(workload.task, params={name: value.copy() for name, value in workload.start.items()})


def params_after(trace: Trace, steps: int) -> dict[str, Host]:
    """The parameters after so many steps of a trace; after 0, the last ones."""
    return {name: values[steps - 1] for name, values in trace.params.items()}
