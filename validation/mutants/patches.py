"""Usual ways to make a mutant: one method of a backend replaced, with what differs as a function.

A replacement takes the lane, the method that it replaces (bound), and then the method's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Batch, Host, RowOrder
from samestep.backends.spec import Layer, Task

from .mutant import Method, Methods, replaced


def data(change: Callable[[Any, Any], Batch]) -> Methods:
    """Other x and y in an epoch."""
    return {"batches": lambda lane, batches, data, rows, size: batches(change(*data), rows, size)}


def batch(change: Callable[[Any, Any], Batch]) -> Methods:
    """Other x and y in each batch."""

    def changed(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Iterator[Batch]:
        return (change(x, y) for x, y in batches(data, rows, size))

    return {"batches": changed}


def row_order(change: Callable[[RowOrder], RowOrder]) -> Methods:
    """Other rows in an epoch."""
    return {"batches": lambda lane, batches, data, rows, size: batches(data, change(rows), size)}


def learning_rates(change: Callable[[Host], Host]) -> Methods:
    """Other learning rates in an epoch."""
    return {"steps": lambda lane, steps, *given: steps(*given[:-1], change(given[-1]))}


def after_init(change: Callable[[Any, Any, Task], None]) -> Methods:
    """Something done to the lane or its fresh state."""

    def init(lane: Any, original: Method, task: Task, params: Any = None, buffers: Any = None) -> Any:
        state = original(task, params, buffers)
        change(lane, state, task)
        return state

    return {"init": init}


def initial_params(change: Callable[[Any], Mapping[str, Host]]) -> Methods:
    """Other initial parameters than those given."""
    return {"init": lambda lane, init, task, params, buffers=None: init(task, change(params), buffers)}


def gradient(change: Callable[[Host], Host], *names: str) -> Methods:
    """Other gradients of these parameters, by default of all, beside the right loss."""

    def changed(lane: Any, original: Method, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        loss, gradients = original(state, batch)
        return loss, gradients | {name: change(gradients[name]) for name in names or gradients}

    return {"forward_backward": changed}


def scaled(factor: Callable[[int], float], *, loss: bool = True) -> Methods:
    """The gradient, and the loss unless it is left alone, times a factor of the number of rows."""

    def changed(lane: Any, original: Method, state: Any, batch: Batch) -> tuple[Any, dict[str, Host]]:
        value, gradients = original(state, batch)
        by = factor(len(batch[0]))
        value = (by * value).astype(value.dtype) if loss else value
        return value, {name: (by * g).astype(g.dtype) for name, g in gradients.items()}

    return {"forward_backward": changed}


def update_with(change: Callable[[Any, Any], Any]) -> Methods:
    """Other gradients in the update than those of the step, from the lane and these."""
    return {"update": lambda lane, update, state, g, rate: update(state, change(lane, g), rate)}


def loss(change: Callable[[Any, Any, int], tuple[Any, Any]]) -> Methods:
    """Another NumPy loss: of its value, its derivative and the number of rows."""

    def changed(lane: Any, original: Method, declared: spec.Loss) -> Method:
        right = original(declared)

        def changed_loss(prediction: Any, target: Host) -> tuple[Any, Any]:
            value, derivative = right(prediction, target)
            return change(value, derivative, len(target))

        return changed_loss

    return {"loss": changed}


def loss_options(change: Callable[[spec.Loss], Mapping[str, Any]]) -> Methods:
    """Other options of the loss than those declared."""

    def changed(lane: Any, original: Method, declared: spec.Loss) -> Any:
        return original(declared.model_copy(update={"options": tuple(change(declared).items())}))

    return {"loss": changed}


def params(change: Callable[[Host], Host]) -> Methods:
    """Other values of the parameters than the lane has."""
    return {"params": lambda lane, params, state: {k: change(v) for k, v in params(state).items()}}


def layer(kind: type, **methods: Method) -> Methods:
    """NumPy layers of a kind with methods replaced."""
    changed = replaced(kind, methods)

    def made(lane: Any, original: Method, index: int, declared: Layer, values: Any) -> Any:
        layer = original(index, declared, values)
        if type(layer) is kind:
            layer.__class__ = changed  # same data, other methods
        return layer

    return {"layer": made}


def sgd(**methods: Method) -> Methods:
    """The NumPy optimizer with methods replaced."""
    made = replaced(numpy_backend.SGDOptimizer, methods)
    return {"optimizer": lambda lane, original, *arguments: made(*arguments)}


def options(**update: Any) -> Methods:
    """The NumPy optimizer with other options than the task's."""
    return {"optimizer": lambda lane, make, given, *rest: make(given.model_copy(update=update), *rest)}


def optax_chain(make: Callable[[Any, Any, spec.SGD], Iterable[Any]]) -> Methods:
    """Another Optax chain: of the module optax, the scaling by the learning rate, and the task's options."""

    def change(lane: Any, state: Any, task: Task) -> None:
        import optax
        from flax import nnx

        from samestep.backends.jax_backend import scale_by_given_rate

        chain = optax.chain(*make(optax, scale_by_given_rate(), task.optimizer))
        state.optimizer = nnx.Optimizer(state.model, chain, wrt=nnx.Param)

    return after_init(change)


# --- mistakes of more than one writer; what a lane remembers ends with its run ----------------------


def forget(lane: Any, state: Any, task: Task) -> None:
    lane.memory = None


def first_rows(lane: Any, batches: Method, data: Batch, rows: RowOrder, size: int) -> Any:
    lane.memory = rows if lane.memory is None else lane.memory
    return batches(data, lane.memory, size)


def before(lane: Any, gradients: Any) -> Any:
    due, lane.memory = lane.memory or gradients, gradients
    return due


def dampened_start(sgd: Any, step: Method, *arguments: Any) -> None:
    sgd.started = True
    step(*arguments)


def rate_in_buffer(sgd: Any, step: Method, params: Any, gradients: Any, rate: float) -> None:
    for name, theta in params.items():
        buffer = sgd.buffers[name]
        buffer[...] = sgd.options.momentum * buffer + rate * gradients[name]
        theta -= buffer


FIRST_ROWS: Methods = {"batches": first_rows, **after_init(forget)}
GRADIENTS_BEFORE: Methods = {**update_with(before), **after_init(forget)}
DAMPENED_START = sgd(step=dampened_start)
RATE_IN_BUFFER = sgd(step=rate_in_buffer)
FIRST_RATE = learning_rates(lambda rates: np.full_like(rates, rates[0]))
