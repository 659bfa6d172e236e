"""PyTorch, faster: the best known eager step, the step compiled, and many steps in one compiled call.

These keep parameters and momentum buffers as plain lists of tensors, in nn.Sequential's own orientation, and
change them in place. Read side by side with numpy_modes.py and jax_modes.py: the same sections in the same order.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from . import spec, torch_losses
from .interface import Arrays, Batch, Device, Host, RowOrder, Tier, Trace, Traits, check_rates
from .spec import Task
from .torch_backend import TorchBackend, TorchLane
from .torch_programs import Buffers, TorchPrograms, has_loop, is_wide, programs

# --- tuned ----------------------------------------------------------------------------------------


@dataclass
class TorchTunedState:
    """Parameters and momentum buffers in the order of `names`; model and loss hold no values of their own."""

    model: nn.Sequential
    loss: nn.Module
    options: spec.SGD
    names: tuple[str, ...]
    params: list[Tensor]
    buffers: Buffers


PlainState = TypeVar("PlainState", bound=TorchTunedState)


class PlainLane(TorchLane[PlainState]):
    """What the faster lanes share: rows gathered by index_select(out=), and lists in place of an optimizer."""

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        size = min(batch_size, len(row_order))
        x_rows, y_rows = x.new_empty((size, *x.shape[1:])), y.new_empty((size, *y.shape[1:]))
        for rows in self.put(row_order).split(batch_size):
            if len(rows) < size:  # the last, partial one
                x_rows, y_rows = x_rows[: len(rows)], y_rows[: len(rows)]
            torch.index_select(x, 0, rows, out=x_rows)
            torch.index_select(y, 0, rows, out=y_rows)
            yield x_rows, y_rows

    def plain_state(self, task: Task, params: Arrays | None, buffers: Arrays | None) -> TorchTunedState:
        """The documented lane's state as lists."""
        documented = TorchBackend(self.device).init(task, params, buffers)
        started, named = documented.optimizer.state, dict(documented.model.named_parameters())
        return TorchTunedState(
            documented.model,
            documented.loss,
            task.optimizer,
            tuple(named),
            list(named.values()),
            [started[p]["momentum_buffer"] if p in started else None for p in named.values()],
        )

    def predict(self, state: PlainState, x: Tensor) -> Tensor:
        with torch.no_grad():
            prediction: Tensor = state.model(x)
        return prediction

    def params(self, state: PlainState) -> dict[str, Host]:
        return self.named(state, state.params)

    def buffers(self, state: PlainState) -> dict[str, Host]:
        momentum = state.options.momentum
        return self.named(state, zeros_for_none(state.params, state.buffers)) if momentum else {}

    def named(self, state: PlainState, tensors: Sequence[Tensor | None]) -> dict[str, Host]:
        """By name, on the host; empty for the buffers of a step without momentum."""
        pairs = zip(state.names, tensors, strict=True)
        return {name: self.get(tensor.t()) for name, tensor in pairs if tensor is not None}

    def native(self, state: PlainState) -> dict[str, tuple[int, ...]]:
        return {name: tuple(p.shape) for name, p in zip(state.names, state.params, strict=True)}

    def forward_backward(self, state: PlainState, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        loss = state.loss(state.model(x), y)
        return loss.detach(), dict(zip(state.names, torch.autograd.grad(loss, state.params), strict=True))

    def update(self, state: PlainState, gradients: Mapping[str, Tensor], learning_rate: float) -> PlainState:
        apply_sgd(state, list(gradients.values()), learning_rate)
        return state


class TorchTuned(PlainLane[TorchTunedState]):
    """Eager: functional layers, autograd.grad, and an update in place."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="reused")

    def init(
        self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None
    ) -> TorchTunedState:
        return self.plain_state(task, params, buffers)

    def step(
        self, state: TorchTunedState, batch: Batch, learning_rate: float
    ) -> tuple[TorchTunedState, Tensor]:
        x, y = batch
        # forward, not the module itself: no lane has hooks, and a call looks for them
        loss: Tensor = state.loss.forward(forward(state, x), y)
        apply_sgd(state, torch.autograd.grad(loss, state.params), learning_rate)
        return state, loss.detach()


def forward(state: TorchTunedState, x: Tensor) -> Tensor:
    """The chain of layers, without the calls of nn.Module around it."""
    for layer in state.model:
        x = linear(x, layer.weight, layer.bias) if isinstance(layer, nn.Linear) else layer.forward(x)
    return x


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b; one output of long rows as a product and a sum, which is faster than addmm."""
    if len(weight) == 1 and is_wide(weight.shape[1]):
        return x @ weight.t() + bias
    return nn.functional.linear(x, weight, bias)


def apply_sgd(state: TorchTunedState, gradients: Sequence[Tensor], learning_rate: float) -> None:
    """The update without the bookkeeping of Optimizer.step: torch.optim.SGD's own function, or one add_ each.

    theta := theta - learning_rate g, where there is neither momentum nor decay.
    """
    options = state.options
    with torch.no_grad():
        if not (options.momentum or options.weight_decay):
            alpha = learning_rate if options.maximize else -learning_rate
            for parameter, gradient in zip(state.params, gradients, strict=True):
                parameter.add_(gradient, alpha=alpha)
            return
        sgd(
            state.params,
            list(gradients),
            state.buffers,
            foreach=False,
            lr=learning_rate,
            momentum=options.momentum,
            dampening=options.dampening,
            weight_decay=options.weight_decay,
            nesterov=options.nesterov,
            maximize=options.maximize,
        )


def zeros_for_none(params: Sequence[Tensor], buffers: Buffers) -> list[Tensor]:
    """The momentum buffers as they read before the first step: zeros."""
    return [torch.zeros_like(p) if b is None else b for p, b in zip(params, buffers, strict=True)]


# --- compiled -------------------------------------------------------------------------------------


@dataclass
class TorchCompiledState(TorchTunedState):
    """Adds the parameters without autograd (the same memory) and the compiled programs."""

    values: list[Tensor]
    programs: TorchPrograms


class TorchCompile(PlainLane[TorchCompiledState]):
    """torch.compile over gather, torch.func gradients and update: one call for each step.

    A wide batch is gathered before the call, into a reused buffer: a program allocates its own anew each time.
    """

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="reused", compiled="step")
    chunk = 1  # steps in one call

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.programs: dict[tuple[Any, ...], TorchPrograms] = {}

    @classmethod
    def missing(cls) -> str | None:
        for folder in (str(Path(torch.__file__).parent), sysconfig.get_path("include")):
            if " " in folder:  # the compiler's command line would be taken apart there
                return f"torch.compile cannot work from a folder with a space in its path: {folder}"
        if any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++", "cl") if name):
            return None
        return "torch.compile needs a C++ compiler: install g++ or clang++, or set CXX"

    def init(
        self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None
    ) -> TorchCompiledState:
        plain = self.plain_state(task, params, buffers)
        key = (task.layers, task.loss, task.optimizer, task.dtype)
        if key not in self.programs:
            self.programs[key] = programs(task, torch_losses.compilable(plain.loss), self.device)
        if task.optimizer.momentum and not task.optimizer.dampening:
            # undampened, a zero buffer gives b_1 = g, and the first step is no program of its own
            plain.buffers = [*zeros_for_none(plain.params, plain.buffers)]
        values = [p.detach() for p in plain.params]
        return TorchCompiledState(**vars(plain), values=values, programs=self.programs[key])

    def step(
        self, state: TorchCompiledState, batch: Batch, learning_rate: float
    ) -> tuple[TorchCompiledState, Tensor]:
        x, y = batch
        rows = torch.arange(len(x), device=self.device)
        rate = torch.tensor(learning_rate, dtype=state.values[0].dtype, device=self.device)
        state.buffers, losses, _ = state.programs.epoch(state.values, state.buffers, x, y, [rows], [rate])
        return state, losses[0]

    def epoch(
        self,
        state: TorchCompiledState,
        data: Batch,
        row_order: RowOrder,
        batch_size: int,
        learning_rates: Host,
    ) -> tuple[TorchCompiledState, list[Tensor]]:
        losses = []
        for call in self.calls(data, row_order, batch_size, learning_rates, self.chunk):
            state.buffers, values, _ = state.programs.epoch(state.values, state.buffers, *call)
            losses.append(values)
        return state, losses

    def trace(
        self,
        state: TorchCompiledState,
        data: Batch,
        row_order: RowOrder,
        batch_size: int,
        learning_rates: Host,
    ) -> tuple[TorchCompiledState, Trace]:
        losses, rows = [], []
        for call in self.calls(data, row_order, batch_size, learning_rates, chunk=1):
            state.buffers, values, snapshots = state.programs.trace(state.values, state.buffers, *call)
            losses.append(self.get(values[0]))
            rows.append(tuple(self.named(state, tensors) for tensors in snapshots[0]))
        return state, Trace.of(losses, rows)

    def calls(
        self, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host, chunk: int
    ) -> Iterator[tuple[Tensor, Tensor, Sequence[Tensor | None], Sequence[Tensor]]]:
        """The arguments of each call of `chunk` batches; the last takes the rest, half a chunk more or less."""
        check_rates(row_order, batch_size, learning_rates)
        x, y = data
        rates = self.put(learning_rates).unbind()
        if chunk == 1 and is_wide(x.shape[1]):
            gathered = self.batches(data, row_order, batch_size)
            for (x_rows, y_rows), rate in zip(gathered, rates, strict=True):
                yield x_rows, y_rows, [None], [rate]
            return
        batches = self.put(row_order).split(batch_size)
        count = max(1, round(len(batches) / chunk))
        for call in range(count):
            end = (call + 1) * chunk if call + 1 < count else len(batches)
            yield x, y, batches[call * chunk : end], rates[call * chunk : end]


# --- fused ----------------------------------------------------------------------------------------


class TorchFused(TorchCompile):
    """Many steps in one compiled call: a loop of steps on narrow rows, ten unrolled steps on wide ones.

    Up to 64 inputs (`is_wide`) the cost of a step is that of its calls, and a loop in C++ has few. Longer rows
    take the time themselves, and the loop gathers them more slowly than torch's own call. The loop needs the CPU
    and a PyTorch that has it; elsewhere narrow rows take ten unrolled steps too, and the lane's `traits` say so.
    """

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="autodiff", buffers="reused", compiled="loop (wide: 10 steps)")
    compiled_elsewhere: ClassVar[str] = "10 steps"  # where there is no loop
    chunk = 10
    loop_steps = 256  # the most of one call; fewer run in the same program

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        if not has_loop(device):
            self.traits = replace(self.traits, compiled=self.compiled_elsewhere)  # type: ignore[misc]  # of this lane alone

    def epoch(
        self,
        state: TorchCompiledState,
        data: Batch,
        row_order: RowOrder,
        batch_size: int,
        learning_rates: Host,
    ) -> tuple[TorchCompiledState, list[Tensor]]:
        check_rates(row_order, batch_size, learning_rates)
        loop, losses = state.programs.loop, list[Tensor]()
        full = len(row_order) // batch_size
        # with momentum the first step is unlike others
        begin = int(None in state.buffers and bool(state.options.momentum))
        if loop is None or full <= begin:
            return super().epoch(state, data, row_order, batch_size, learning_rates)

        def unrolled(first: int, last: int) -> list[Tensor]:
            rows = row_order[first * batch_size : last * batch_size]
            return super(TorchFused, self).epoch(state, data, rows, batch_size, learning_rates[first:last])[1]

        losses += unrolled(0, begin) if begin else []
        for first in range(begin, full, self.loop_steps):
            count = min(self.loop_steps, full - first)
            rows = row_order[first * batch_size : (first + count) * batch_size]
            call = self.loop_call(rows.reshape(count, batch_size), learning_rates[first : first + count])
            momenta = [b for b in state.buffers if b is not None]
            after, values = loop(state.values, momenta, *data, *call)
            state.buffers = after or state.buffers
            losses.append(values[:count])
        return state, losses + (unrolled(full, full + 1) if full * batch_size < len(row_order) else [])

    def loop_call(self, rows: RowOrder, learning_rates: Host) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (count, B) and learning rates with room for the most steps of a call, and count."""
        count, batch_size = rows.shape
        batches = np.zeros((self.loop_steps, batch_size), rows.dtype)
        batches[:count] = rows
        rates = np.zeros(self.loop_steps, learning_rates.dtype)
        rates[:count] = learning_rates
        return torch.from_numpy(batches), torch.from_numpy(rates), torch.tensor(count)


# --- TF32 -----------------------------------------------------------------------------------------


class TorchTF32(TorchBackend):
    """The documented loop with the products of float32 matrices in TF32, on NVIDIA's GPUs."""

    traits = Traits(gradient="autodiff", buffers="fresh", matmul_precision="tf32")

    @classmethod
    def missing(cls) -> str | None:
        return None if cls.devices() else "TF32 is arithmetic of NVIDIA GPUs: torch sees none here"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return tuple(name for name in super().devices() if Device.parse(name).kind == "cuda")
