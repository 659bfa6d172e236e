"""What the compiled torch lanes compile: the steps of a task as functions of tensors alone, for torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from . import spec
from .spec import Task
from .torch_backend import build_layer

Buffers: TypeAlias = list[Tensor | None]  # None before the first step
NARROW = 64  # inputs up to which a call costs more than it saves


class TorchPrograms(NamedTuple):
    """The compiled functions of one task, of (params, buffers, x, y, batches, learning_rates).

    Both change the parameters in place and give the next buffers and the loss of each step; `trace` also gives
    parameters, buffers and gradients after each.
    """

    epoch: Callable[..., tuple[Buffers, Tensor, list[Any]]]
    trace: Callable[..., tuple[Buffers, Tensor, list[Any]]]


def programs(task: Task, loss: nn.Module) -> TorchPrograms:
    """Everything one task compiles, as functions of tensors alone."""
    gradients_and_loss = torch.func.grad_and_value(objective(task, loss))
    return TorchPrograms(
        *(
            compiled(task, train(task.optimizer, gradients_and_loss, traced=traced))
            for traced in (False, True)
        )
    )


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


def compiled(task: Task, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function through torch.compile, as one graph with fixed shapes."""
    inputs, _ = next(iter(task.parameters.values()))  # the first weight is (in, out)
    # Long rows are gathered one batch at a time: in one fused loop, batches would push each other out of cache.
    options: dict[str, Any] = {"cpp.max_horizontal_fusion_size": 1} if is_wide(inputs) else {}
    return torch.compile(own_code(function), fullgraph=True, dynamic=False, options=options)


def own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a code object of its own.

    Dynamo keeps compiled programs by code object, and only a few for each: closures made by one `def` share
    theirs, so that one task's programs would push out another's.
    """
    assert isinstance(function, FunctionType)
    function.__code__ = function.__code__.replace()  # an equal copy
    return function
