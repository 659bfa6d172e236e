"""PyTorch, faster: the best known eager step, the step compiled, and many steps in one compiled call.

All three keep parameters and momentum buffers as plain lists of tensors, in nn.Sequential's own orientation,
and change them in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from . import spec, torch_losses
from .interface import Batch, Host, RowOrder, Tier, Trace, Traits
from .spec import Task
from .torch_backend import TorchBackend, module


@dataclass
class State:
    """model and loss hold no values of their own: `params` are the model's parameters in order."""

    model: nn.Sequential
    loss: nn.Module
    options: spec.SGD
    names: tuple[str, ...]
    params: list[Tensor]
    buffers: list[Tensor | None]


class TorchTuned(TorchBackend):
    """Eager: rows gathered by index_select(out=), autograd.grad, and the functional form of torch.optim.SGD."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="reused")

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        x, y = data
        size = min(batch_size, len(order))
        x_rows, y_rows = x.new_empty((size, *x.shape[1:])), y.new_empty((size, *y.shape[1:]))
        for rows in self.put(order).split(batch_size):
            n = len(rows)
            yield (
                torch.index_select(x, 0, rows, out=x_rows[:n]),
                torch.index_select(y, 0, rows, out=y_rows[:n]),
            )

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        built = super().init(task, params, buffers)
        kept = built.optimizer.state
        return State(
            built.model,
            built.loss,
            task.optimizer,
            tuple(name for name, _ in built.model.named_parameters()),
            list(built.model.parameters()),
            [kept[p]["momentum_buffer"] if p in kept else None for p in built.model.parameters()],
        )

    def params(self, state: Any) -> dict[str, Host]:
        return {name: self.get(p.t()) for name, p in zip(state.names, state.params, strict=True)}

    def buffers(self, state: Any) -> dict[str, Host]:
        if not state.options.momentum:
            return {}
        pairs = zip(state.params, state.buffers, strict=True)
        tensors = [torch.zeros_like(p) if b is None else b for p, b in pairs]
        return {name: self.get(b.t()) for name, b in zip(state.names, tensors, strict=True)}

    def forward_backward(self, state: Any, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        loss = state.loss(state.model(x), y)
        return loss.detach(), dict(zip(state.names, torch.autograd.grad(loss, state.params), strict=True))

    def update(self, state: Any, gradients: Mapping[str, Tensor], learning_rate: float) -> Any:
        apply(state, list(gradients.values()), learning_rate)
        return state

    def step(self, state: Any, batch: Batch, learning_rate: float) -> tuple[Any, Tensor]:
        x, y = batch
        loss = state.loss(state.model(x), y)
        apply(state, list(torch.autograd.grad(loss, state.params)), learning_rate)
        return state, loss.detach()


@torch.no_grad()
def apply(state: State, gradients: list[Tensor], learning_rate: float) -> None:
    """torch.optim.SGD's own function, without the bookkeeping of Optimizer.step."""
    options = state.options
    sgd(
        state.params,
        gradients,
        state.buffers,
        foreach=False,
        lr=learning_rate,
        momentum=options.momentum,
        dampening=options.dampening,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
        maximize=options.maximize,
    )


# --- compiled -------------------------------------------------------------------------------------


@dataclass
class CompiledState(State):
    """Adds the parameters without autograd (the same memory) and the compiled program, plain and telling."""

    values: list[Tensor]
    advance: Callable[..., Any]
    tell: Callable[..., Any]


NARROW = 64  # inputs up to which a call costs more than it saves


def wide(inputs: int) -> bool:
    """Whether the rows are so long that moving them costs more than calling."""
    return inputs > NARROW


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b. One output of few inputs is written as a product and a sum, which the compiler fuses with what
    stands around them; a matrix product is a call of its own, which pays only where rows are long.
    """
    if len(weight) == 1 and not wide(weight.shape[1]):
        return (x * weight).sum(1, keepdim=True) + bias
    return nn.functional.linear(x, weight, bias)


def compiled(task: Task, loss: nn.Module, *, tell: bool) -> Callable[..., Any]:
    """A compiled function of (params, buffers, x, y, batches, rates) that takes a step for each batch of rows.

    A batch that is None is all of x and y. Parameters change in place. Gives the next buffers and the loss of
    each step; with `tell`, also all values after each step. Batches and rates are separate tensors, not rows of
    one: without offsets the unrolled steps share their kernels, and many steps compile as fast as two.
    """
    chain = [
        None if isinstance(layer, spec.Linear) else module(layer, torch.float32, "cpu")
        for layer in task.layers
    ]
    sgd = task.optimizer
    momentum, dampening, nesterov = sgd.momentum, sgd.dampening, sgd.nesterov
    weight_decay, maximize = sgd.weight_decay, sgd.maximize

    def objective(params: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        values = iter(params)
        for activation in chain:
            x = linear(x, next(values), next(values)) if activation is None else activation(x)
        value: Tensor = loss(x, y)
        return value

    gradient_and_value = torch.func.grad_and_value(objective)

    def direction(theta: Tensor, g: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor | None]:
        g = -g if maximize else g
        g = g + weight_decay * theta if weight_decay else g
        if not momentum:
            return g, None
        b = g.clone() if b is None else momentum * b + (1 - dampening) * g  # b_1 = g, undampened
        return (g + momentum * b if nesterov else b), b

    def advance(
        params: list[Tensor],
        buffers: list[Tensor | None],
        x: Tensor,
        y: Tensor,
        batches: Sequence[Tensor | None],
        rates: Sequence[Tensor],
    ) -> tuple[list[Tensor | None], Tensor, list[Any]]:
        theta, kept, losses, told = list(params), list(buffers), [], []
        for rows, rate in zip(batches, rates, strict=True):
            batch = (x, y) if rows is None else (x.index_select(0, rows), y.index_select(0, rows))
            gradients, value = gradient_and_value(theta, *batch)
            steps = [direction(*each) for each in zip(theta, gradients, kept, strict=True)]
            theta = [p - rate * d for p, (d, _) in zip(theta, steps, strict=True)]
            kept = [b for _, b in steps]
            losses.append(value)
            if tell:
                told.append((theta, kept, gradients))
        for before, after in zip(params, theta, strict=True):
            before.copy_(after)
        return kept, torch.stack(losses), told

    # Dynamo keeps programs by code object and only a few for each: a copy of its own keeps tasks apart.
    advance.__code__ = advance.__code__.replace()
    # Long rows are gathered one batch at a time: in one fused loop, batches would push each other out of cache.
    inputs, _ = next(iter(task.parameters.values()))  # the first weight is (in, out)
    options: dict[str, Any] = {"cpp.max_horizontal_fusion_size": 1} if wide(inputs) else {}
    return torch.compile(advance, fullgraph=True, dynamic=False, options=options)


class TorchCompile(TorchTuned):
    """torch.compile over gather, torch.func gradients and update: one call for each step.

    A wide batch is gathered before the call, into a reused buffer: a program allocates its own anew each time.
    """

    traits = Traits(gradient="autodiff", buffers="reused", compiled="step")
    chunk = 1

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.programs: dict[tuple[Any, ...], tuple[Callable[..., Any], Callable[..., Any]]] = {}

    @classmethod
    def missing(cls) -> str | None:
        if any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++", "cl") if name):
            return None
        return "torch.compile needs a C++ compiler: install g++ or clang++, or set CXX"

    def init(
        self, task: Task, params: Mapping[str, Host] | None = None, buffers: Mapping[str, Host] | None = None
    ) -> Any:
        plain = super().init(task, params, buffers)
        key = (task.layers, task.loss, task.optimizer, task.dtype)
        if key not in self.programs:
            loss = torch_losses.compilable(plain.loss)
            self.programs[key] = compiled(task, loss, tell=False), compiled(task, loss, tell=True)
        if (
            task.optimizer.momentum and not task.optimizer.dampening
        ):  # undampened, a zero buffer starts as b_1 = g
            pairs = zip(plain.params, plain.buffers, strict=True)
            plain.buffers = [torch.zeros_like(p) if b is None else b for p, b in pairs]
        advance, tell = self.programs[key]
        values = [p.detach() for p in plain.params]
        return CompiledState(**vars(plain), values=values, advance=advance, tell=tell)

    def step(self, state: Any, batch: Batch, learning_rate: float) -> tuple[Any, Tensor]:
        x, y = batch
        rows = torch.arange(len(x), device=self.device)
        rate = torch.tensor(learning_rate, dtype=state.values[0].dtype, device=self.device)
        state.buffers, losses, _ = state.advance(state.values, state.buffers, x, y, [rows], [rate])
        return state, losses[0]

    def epoch(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[Any, list[Tensor]]:
        losses = []
        for part in self.parts(data, order, batch_size, learning_rates, self.chunk):
            state.buffers, values, _ = state.advance(state.values, state.buffers, *part)
            losses.append(values)
        return state, losses

    def trace(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[Any, Trace]:
        losses: list[Host] = []
        told: list[tuple[Any, ...]] = []
        for part in self.parts(data, order, batch_size, learning_rates, chunk=1):
            state.buffers, values, steps = state.tell(state.values, state.buffers, *part)
            losses.append(self.get(values))
            told += [
                tuple([None if t is None else self.get(t.t()) for t in column] for column in s) for s in steps
            ]
        columns = [
            {name: np.stack([step[i][j] for step in told]) for j, name in enumerate(state.names)}
            for i in ((0, 1, 2) if state.options.momentum else (0, 2))
        ]
        params, gradients = columns[0], columns[-1]
        buffers = columns[1] if state.options.momentum else {}
        return state, Trace(np.concatenate(losses), params, buffers, gradients)

    def parts(
        self, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host, chunk: int
    ) -> Iterator[tuple[Tensor, Tensor, Sequence[Tensor | None], Sequence[Tensor]]]:
        """The order in calls of `chunk` batches; the last takes what is left, half a chunk more or less."""
        x, y = data
        rates = self.put(learning_rates).unbind()
        if chunk == 1 and wide(x.shape[1]):
            for (x_rows, y_rows), rate in zip(self.batches(data, order, batch_size), rates, strict=True):
                yield x_rows, y_rows, [None], [rate]
            return
        batches = self.put(order).split(batch_size)
        calls = max(1, round(len(batches) / chunk))
        for call in range(calls):
            end = (call + 1) * chunk if call + 1 < calls else len(batches)
            yield x, y, batches[call * chunk : end], rates[call * chunk : end]


class TorchFused(TorchCompile):
    """Ten unrolled steps in one compiled call: more would save little time and compile for longer."""

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="autodiff", buffers="reused", compiled="10 steps")
    chunk = 10


# --- narrower products ----------------------------------------------------------------------------


class TorchTF32(TorchBackend):
    """The documented loop with the products of float32 matrices in TF32, on NVIDIA's GPUs."""

    traits = Traits(gradient="autodiff", buffers="fresh", products="tf32")

    @classmethod
    def missing(cls) -> str | None:
        return None if cls.devices() else "TF32 is arithmetic of NVIDIA GPUs: torch sees none here"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return tuple(name for name in super().devices() if name.startswith("cuda"))
