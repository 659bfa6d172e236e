"""The compiled loop: plain loops over rows and features, compiled by Numba, an epoch in one call.

It shows what a step costs where nothing but its arithmetic is left: no framework, no dispatch, no arrays between.
It is not for writing models: one linear layer, losses that are the residual squared near zero, and SGD. Data and
losses alone are NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import llvmlite
import numba
import numpy as np

from . import numba_loops, spec
from .interface import Arrays, Batch, Host, RowOrder, Tier, Trace, Traits, check_rates
from .numba_loops import Recording, Settings
from .numpy_backend import NumpyLane, draw
from .spec import Task

LOSSES = ("mse", "huber", "smooth_l1")


@dataclass
class NumbaState:
    """theta and its momentum buffer, both (outputs, features + 1); the buffer is empty without momentum."""

    theta: Host
    buffer: Host
    settings: Settings
    started: bool

    def room(self, steps: int) -> Recording:
        """Where so many steps can be recorded."""
        return Recording(*(np.empty((steps, *self.theta.shape), self.theta.dtype) for _ in Recording._fields))


class NumbaBackend(NumpyLane[NumbaState]):
    """Plain loops compiled by Numba; the rows of a batch are read where they lie."""

    framework = "numba"
    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="by hand", buffers="reused", compiled="epoch")

    @classmethod
    def versions(cls) -> dict[str, str]:
        modules = {"numba": numba, "llvmlite": llvmlite, "numpy": np}
        return {name: module.__version__ for name, module in modules.items()}

    @classmethod
    def unsupported(cls, task: Task) -> str | None:
        if [type(layer) for layer in task.layers] != [spec.Linear]:
            return f"the compiled loop has one linear layer, and {task.name} has {len(task.layers)} layers"
        loss = task.loss
        if loss.name not in LOSSES:
            return f"the compiled loop has the losses {', '.join(LOSSES)}, and {task.name} has {loss.name}"
        if loss.arguments.get("beta") == 0:
            return (
                f"the compiled loop has no loss that is not smooth, and {task.name} has smooth_l1 with beta 0"
            )
        return None

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> NumbaState:
        if reason := self.unsupported(task):
            raise ValueError(reason)
        theta = pack(params or draw(task))
        buffer = np.zeros_like(theta) if task.optimizer.momentum else np.empty((0, 0), theta.dtype)
        if buffers:
            buffer = pack(buffers)
        return NumbaState(theta, buffer, settings_of(task), started=bool(buffers))

    def predict(self, state: NumbaState, x: Host) -> Host:
        return numba_loops.predictions(x, state.theta)

    def params(self, state: NumbaState) -> dict[str, Host]:
        return unpack(state.theta)

    def buffers(self, state: NumbaState) -> dict[str, Host]:
        return unpack(state.buffer) if state.buffer.size else {}

    def gradients(self, gradients: Host) -> dict[str, Host]:  # type: ignore[override]  # opaque to callers
        return unpack(gradients)

    def native(self, state: NumbaState) -> dict[str, tuple[int, ...]]:
        return {"theta": state.theta.shape}

    def forward_backward(self, state: NumbaState, batch: Batch) -> tuple[Host, Host]:
        (x, y), gradient = batch, np.empty_like(state.theta)
        loss = numba_loops.loss_and_gradient(x, y, np.arange(len(x)), state.theta, state.settings, gradient)
        return np.array(loss, x.dtype), gradient

    def update(self, state: NumbaState, gradients: Host, learning_rate: float) -> NumbaState:
        rate = gradients.dtype.type(learning_rate)
        numba_loops.update(state.theta, state.buffer, gradients, rate, state.settings, state.started)
        state.started = True
        return state

    def step(self, state: NumbaState, batch: Batch, learning_rate: float) -> tuple[NumbaState, Host]:
        rows, rates = np.arange(len(batch[0])), np.array([learning_rate])
        state, losses = self.epoch(state, batch, rows, len(rows), rates)
        return state, losses[0]

    def epoch(
        self, state: NumbaState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[NumbaState, Host]:
        return state, run(state, data, row_order, batch_size, learning_rates, state.room(0))

    def trace(
        self, state: NumbaState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[NumbaState, Trace]:
        room = state.room(len(learning_rates))
        losses = run(state, data, row_order, batch_size, learning_rates, room)
        buffers = unpack(room.buffers) if state.buffer.size else {}
        return state, Trace(losses, unpack(room.thetas), buffers, unpack(room.gradients))


def run(
    state: NumbaState,
    data: Batch,
    row_order: RowOrder,
    batch_size: int,
    learning_rates: Host,
    room: Recording,
) -> Host:
    """The losses of a compiled epoch: one program, timed and traced, which records where there is room."""
    check_rates(row_order, batch_size, learning_rates)
    rows = np.array(row_order, np.int64)  # copies: arrays that may not be written to would be of another type
    rates = np.array(learning_rates, state.theta.dtype)
    losses: Host = numba_loops.epoch(
        *data, rows, batch_size, rates, state.theta, state.buffer, state.settings, state.started, room
    )
    state.started = True
    return losses


def settings_of(task: Task) -> Settings:
    """The task's loss and optimizer in the task's dtype."""
    number, options, arguments = np.dtype(task.dtype).type, task.optimizer, task.loss.arguments
    width = {"mse": math.inf, "huber": arguments.get("delta", 1.0), "smooth_l1": arguments.get("beta", 1.0)}
    curvature = {"mse": 2.0, "huber": 1.0, "smooth_l1": 1 / width["smooth_l1"]}
    return Settings(
        width=number(width[task.loss.name]),
        curvature=number(curvature[task.loss.name]),
        mean=task.loss.reduction == "mean",
        momentum=number(options.momentum),
        undampened=number(1 - options.dampening),
        weight_decay=number(options.weight_decay),
        nesterov=options.nesterov,
        maximize=options.maximize,
    )


def pack(named: Mapping[str, Host]) -> Host:
    """Weight (in, out) and bias (out,) as one array (out, in + 1)."""
    return np.ascontiguousarray(np.concatenate([named["0.weight"], named["0.bias"][None]]).T)


def unpack(theta: Host) -> dict[str, Host]:
    """The reverse of `pack`, copied; whatever axes stand before those of theta are kept."""
    turned = theta.swapaxes(-1, -2)
    return {"0.weight": turned[..., :-1, :].copy(), "0.bias": turned[..., -1, :].copy()}
