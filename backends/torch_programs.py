"""What the compiled torch lanes compile: the steps of a task as functions of tensors alone, for torch.compile."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from . import spec
from .spec import Task
from .torch_backend import build_layer
from .torch_private import loop_options, while_loop

Buffers: TypeAlias = list[Tensor | None]  # None before the first step
NARROW = 64  # inputs up to which a call costs more than it saves


class TorchPrograms(NamedTuple):
    """The compiled functions of one task, of (params, buffers, x, y, batches, learning_rates).

    All change the parameters in place and give the next buffers and the loss of each step; `trace` also gives
    parameters, buffers and gradients after each. `loop` also takes a count; it is None where unrolled steps are
    faster, or all there is.
    """

    epoch: Callable[..., tuple[Buffers, Tensor, list[Any]]]
    trace: Callable[..., tuple[Buffers, Tensor, list[Any]]]
    loop: Callable[..., tuple[Buffers, Tensor]] | None


def programs(task: Task, loss: nn.Module, device: str) -> TorchPrograms:
    """Everything one task compiles, as functions of tensors alone."""
    gradients_and_loss = torch.func.grad_and_value(objective(task, loss))
    epoch, trace = (train(task.optimizer, gradients_and_loss, traced=traced) for traced in (False, True))
    loop = None
    if has_loop(device) and not is_wide(inputs(task)):
        loop = compiled(task, train_loop(task.optimizer, gradients_and_loss), **loop_options())
    return TorchPrograms(compiled(task, epoch), compiled(task, trace), loop)


def has_loop(device: str) -> bool:
    """Whether a program can hold a loop of steps: on the CPU, where this PyTorch has one."""
    return device == "cpu" and while_loop is not None


def inputs(task: Task) -> int:
    """The columns of x: the first weight is (in, out)."""
    return next(iter(task.parameters.values()))[0]


def objective(task: Task, loss: nn.Module) -> Callable[[list[Tensor], Tensor, Tensor], Tensor]:
    """The loss of (params, x, y), the parameters in the order of the layers."""
    activations = [
        None if isinstance(layer, spec.Linear) else build_layer(layer, torch.float32, "cpu")
        for layer in task.layers
    ]

    def value(params: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        values = iter(params)
        for activation in activations:
            x = linear(x, next(values), next(values)) if activation is None else activation(x)
        result: Tensor = loss(x, y)
        return result

    return value


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b. One output of few inputs is written as a product and a sum, which the compiler fuses with what
    stands around them; a matrix product is a call of its own, which pays only where rows are long.
    """
    if len(weight) == 1 and not is_wide(weight.shape[1]):
        return (x * weight).sum(1, keepdim=True) + bias
    return nn.functional.linear(x, weight, bias)


def is_wide(inputs: int) -> bool:
    """Whether the rows are so long that moving them costs more than calling."""
    return inputs > NARROW


def sgd_direction(options: spec.SGD) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """The direction of `spec.SGD` and the next momentum buffer, from (theta, gradient, buffer)."""
    momentum, dampening, nesterov = options.momentum, options.dampening, options.nesterov
    weight_decay, maximize = options.weight_decay, options.maximize

    def direction(theta: Tensor, g: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor | None]:
        g = -g if maximize else g
        g = g + weight_decay * theta if weight_decay else g
        if not momentum:
            return g, None
        b = g.clone() if b is None else momentum * b + (1 - dampening) * g  # b_1 = g, undampened
        return (g + momentum * b if nesterov else b), b

    return direction


def train(
    options: spec.SGD, gradients_and_loss: Callable[..., tuple[list[Tensor], Tensor]], *, traced: bool
) -> Callable[..., tuple[Buffers, Tensor, list[Any]]]:
    """A function that takes a step for each batch of rows; a batch that is None is all of x and y.

    Batches and learning rates are separate tensors, not rows of one: without offsets the unrolled steps share
    their kernels, and many steps compile as fast as two.
    """
    direction = sgd_direction(options)

    def advance(
        params: list[Tensor],
        buffers: Buffers,
        x: Tensor,
        y: Tensor,
        batches: Sequence[Tensor | None],
        learning_rates: Sequence[Tensor],
    ) -> tuple[Buffers, Tensor, list[Any]]:
        theta, losses, snapshots = list(params), [], []
        for rows, learning_rate in zip(batches, learning_rates, strict=True):
            batch = (x, y) if rows is None else (x.index_select(0, rows), y.index_select(0, rows))
            gradients, loss = gradients_and_loss(theta, *batch)
            steps = [direction(*values) for values in zip(theta, gradients, buffers, strict=True)]
            theta = [p - learning_rate * d for p, (d, _) in zip(theta, steps, strict=True)]
            buffers = [b for _, b in steps]
            losses.append(loss)
            if traced:
                snapshots.append((theta, buffers, gradients))
        for before, after in zip(params, theta, strict=True):
            before.copy_(after)
        return buffers, torch.stack(losses), snapshots

    return advance


def train_loop(
    options: spec.SGD, gradients_and_loss: Callable[..., tuple[list[Tensor], Tensor]]
) -> Callable[..., tuple[Buffers, Tensor]]:
    """A function that takes the first `count` steps of those it is given, as one loop.

    Batches are the rows (steps, B) of one tensor, learning rates (steps,); `count` is a tensor, so that one
    program does any number of steps. What the loop carries is new after every step: it changes nothing in place.
    """
    direction = sgd_direction(options)
    assert while_loop is not None
    loop = while_loop

    def advance(
        params: list[Tensor],
        buffers: list[Tensor],
        x: Tensor,
        y: Tensor,
        batches: Tensor,
        learning_rates: Tensor,
        count: Tensor,
    ) -> tuple[Buffers, Tensor]:
        size = len(params)

        def go_on(done: Tensor, losses: Tensor, *values: Tensor) -> Tensor:
            return done < count

        def body(done: Tensor, losses: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
            theta, momenta = list(values[:size]), values[size:] or [None] * size
            at = done.reshape(1)
            rows, learning_rate = batches.index_select(0, at)[0], learning_rates.index_select(0, at)[0]
            gradients, loss = gradients_and_loss(theta, x.index_select(0, rows), y.index_select(0, rows))
            steps = [direction(*each) for each in zip(theta, gradients, momenta, strict=True)]
            theta = [p - learning_rate * d for p, (d, _) in zip(theta, steps, strict=True)]
            after = [b for _, b in steps if b is not None]
            return done + 1, losses.index_copy(0, at, loss.reshape(1)), *theta, *after

        start = torch.zeros((), dtype=torch.int64), torch.zeros_like(learning_rates)
        carried = (value.clone() for value in (*params, *buffers))
        _, losses, *values = loop(go_on, body, (*start, *carried))
        for before, after in zip(params, values[:size], strict=True):
            before.copy_(after)
        return list(values[size:]), losses

    return advance


def compiled(task: Task, function: Callable[..., Any], **given: Any) -> Callable[..., Any]:
    """The function through torch.compile, as one graph with fixed shapes; `given`: further options of it."""
    options: dict[str, Any] = {"cpp_wrapper": False, "guard_filter_fn": argument_guards(function), **given}
    # Long rows are gathered one batch at a time: in one fused loop, batches would push each other out of cache.
    if is_wide(inputs(task)):
        options["cpp.max_horizontal_fusion_size"] = 1
    return torch.compile(own_code(function), fullgraph=True, dynamic=False, options=options)


def argument_guards(function: Callable[..., Any]) -> Callable[[Sequence[Any]], list[bool]]:
    """Which guards a call of the program checks: those of its arguments, and of settings such as the grad mode.

    The others ask whether our own functions, their closures and torch's modules are still what they were. They
    always are, and to ask takes a third of a call. Nothing calls a program from within a transform of torch.func.
    """
    arguments = set(inspect.signature(function).parameters)

    def needed(guard: Any) -> bool:
        root = re.split(r"[.\[]", guard.name, maxsplit=1)[0]
        return root in arguments or (not root and guard.guard_type != "FUNCTORCH_STACK_MATCH")

    return lambda guards: [needed(guard) for guard in guards]


def own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a code object of its own.

    Dynamo keeps compiled programs by code object, and only a few for each: closures made by one `def` share
    theirs, so that one task's programs would push out another's.
    """
    assert isinstance(function, FunctionType)
    function.__code__ = function.__code__.replace()  # an equal copy
    return function
