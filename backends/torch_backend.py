"""The PyTorch backend, concise: torch.utils.data, torch.nn and torch.optim do the work.

Read side by side with numpy_backend.py and jax_backend.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, assert_never

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from . import spec, torch_losses
from .interface import Arrays, Backend, Batch, Device, Host, LossResult, RowOrder, StateT, Tier, Traits
from .spec import Task

# --- data -----------------------------------------------------------------------------------------


class TorchLane(Backend[StateT]):
    """What every torch lane shares: the device, the data and the losses alone."""

    framework = "torch"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        cuda = Device.names("cuda", torch.cuda.device_count() if torch.cuda.is_available() else 0)
        mps = ("mps",) if torch.backends.mps.is_available() else ()
        return ("cpu", *cuda, *mps)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {"torch": torch.__version__}

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        """TF32 by its name, on GPUs: set_float32_matmul_precision may also split into bfloat16, on CPUs too."""
        gpu = torch.backends.cuda.matmul
        cpu = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # made by the module's own class
        before = gpu.fp32_precision, cpu.fp32_precision
        gpu.fp32_precision = "tf32" if self.traits.matmul_precision == "tf32" else "ieee"
        cpu.fp32_precision = "ieee"
        try:
            yield
        finally:
            gpu.fp32_precision, cpu.fp32_precision = before

    def put(self, array: Host) -> Tensor:
        return torch.tensor(array, device=self.device)

    def get(self, value: Tensor) -> Host:
        host: Host = value.detach().cpu().numpy().copy()
        return host

    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        yield from DataLoader(TensorDataset(*data), batch_size=batch_size, sampler=row_order.tolist())

    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seed)
        yield from DataLoader(TensorDataset(*data), batch_size=batch_size, shuffle=True, generator=generator)

    def gradients(self, gradients: Mapping[str, Tensor]) -> dict[str, Host]:
        return {name: self.get(tensor.t()) for name, tensor in gradients.items()}

    def loss_and_gradient(self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]) -> LossResult:
        return torch_losses.loss_and_gradient(name, arrays, options, device=self.device)

    def sync(self, value: Any) -> None:
        """The CPU is never asynchronous; an accelerator is waited for as a whole."""
        if self.device != "cpu":
            torch.accelerator.synchronize(self.device)


# --- model ----------------------------------------------------------------------------------------


def build(layers: Sequence[spec.Layer], dtype: torch.dtype, device: str) -> nn.Sequential:
    """The chain of layers; nn.Linear keeps its weight as (out, in)."""
    return nn.Sequential(*(build_layer(layer, dtype, device) for layer in layers))


def build_layer(layer: spec.Layer, dtype: torch.dtype, device: str) -> nn.Module:
    """One layer, by its module of torch.nn."""
    match layer:
        case spec.Linear():
            return nn.Linear(layer.in_features, layer.out_features, dtype=dtype, device=device)
        case spec.ReLU():
            return nn.ReLU()
        case spec.LeakyReLU(negative_slope=slope):
            return nn.LeakyReLU(slope)
        case spec.Sigmoid():
            return nn.Sigmoid()
        case spec.Tanh():
            return nn.Tanh()
        case _:
            assert_never(layer)


# --- initialization -------------------------------------------------------------------------------


def draw(task: Task, model: nn.Module) -> None:
    """Fill every parameter in place by its own initializer."""
    for name, tensor in model.named_parameters():
        draw_one(task.init.weight if name.endswith("weight") else task.init.bias, tensor)


def draw_one(initializer: spec.Initializer, tensor: Tensor) -> None:
    """Fill one parameter in place by a named initializer of torch.nn.init."""
    match initializer:
        case spec.Constant(value=value):
            nn.init.constant_(tensor, value)
        case spec.Normal(mean=mean, std=std):
            nn.init.normal_(tensor, mean, std)
        case spec.Uniform(low=low, high=high):
            nn.init.uniform_(tensor, low, high)
        case spec.TruncatedNormal(mean=mean, std=std, low=low, high=high):
            nn.init.trunc_normal_(tensor, mean, std, low, high)
        case spec.Xavier(distribution="uniform", gain=gain):
            nn.init.xavier_uniform_(tensor, gain)
        case spec.Xavier(gain=gain):
            nn.init.xavier_normal_(tensor, gain)
        case spec.Kaiming(distribution="uniform", mode=mode, gain=gain):
            nn.init.kaiming_uniform_(tensor, mode=mode, nonlinearity="linear")
            tensor.mul_(gain)  # the gain of "linear" is 1
        case spec.Kaiming(mode=mode, gain=gain):
            nn.init.kaiming_normal_(tensor, mode=mode, nonlinearity="linear")
            tensor.mul_(gain)
        case spec.Default():
            pass  # nn.Linear has drawn it
        case _:
            assert_never(initializer)


# --- loss -----------------------------------------------------------------------------------------


def loss_function(declared: spec.Loss, dtype: torch.dtype, device: str) -> nn.Module:
    """The torch.nn module of a loss, from torch_losses."""
    return torch_losses.function(declared.name, declared.arguments, dtype=dtype, device=device)


# --- optimizer ------------------------------------------------------------------------------------


def sgd(options: spec.SGD, params: Sequence[Tensor]) -> torch.optim.SGD:
    """torch.optim.SGD is the definition.

    Its guide drives a schedule by torch.optim.lr_scheduler; here the learning rate is set in `param_groups`
    before every step: the frameworks' schedulers round differently, and one schedule serves them all.
    """
    return torch.optim.SGD(
        params,
        lr=options.learning_rate,
        momentum=options.momentum,
        dampening=options.dampening,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
        maximize=options.maximize,
    )


# --- training step --------------------------------------------------------------------------------


@dataclass
class TorchState:
    """What training changes: the model's parameters and the optimizer's buffers."""

    model: nn.Sequential
    loss: nn.Module
    optimizer: torch.optim.SGD
    momentum: bool


class TorchBackend(TorchLane[TorchState]):
    """PyTorch as its tutorials and the book write it."""

    tier: ClassVar[Tier] = "documented"
    traits = Traits(gradient="autodiff", buffers="fresh")

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> TorchState:
        dtype: torch.dtype = getattr(torch, task.dtype)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(task.seed)
            model = build(task.layers, dtype, self.device)
            if params:
                for name, tensor in model.named_parameters():
                    tensor.copy_(torch.from_numpy(params[name].T))
            else:
                draw(task, model)
        optimizer = sgd(task.optimizer, list(model.parameters()))
        if buffers:
            for name, tensor in model.named_parameters():
                buffer = torch.tensor(buffers[name].T.copy(), device=self.device)
                optimizer.state[tensor]["momentum_buffer"] = buffer
        loss = loss_function(task.loss, dtype, self.device)
        return TorchState(model, loss, optimizer, momentum=task.optimizer.momentum > 0)

    def predict(self, state: TorchState, x: Tensor) -> Tensor:
        with torch.no_grad():
            prediction: Tensor = state.model(x)
        return prediction

    def params(self, state: TorchState) -> dict[str, Host]:
        return {name: self.get(tensor.t()) for name, tensor in state.model.named_parameters()}

    def buffers(self, state: TorchState) -> dict[str, Host]:
        if not state.momentum:
            return {}
        started = state.optimizer.state
        return {
            name: self.get(
                started[tensor]["momentum_buffer"].t() if tensor in started else torch.zeros_like(tensor.t())
            )
            for name, tensor in state.model.named_parameters()
        }

    def native(self, state: TorchState) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in state.model.named_parameters()}

    def forward_backward(self, state: TorchState, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        loss = state.loss(state.model(x), y)
        state.optimizer.zero_grad()
        loss.backward()
        named = state.model.named_parameters()
        return loss.detach(), {name: p.grad for name, p in named if p.grad is not None}

    def update(self, state: TorchState, gradients: Mapping[str, Tensor], learning_rate: float) -> TorchState:
        for name, parameter in state.model.named_parameters():
            parameter.grad = gradients[name]
        state.optimizer.param_groups[0]["lr"] = learning_rate
        state.optimizer.step()
        return state

    def step(self, state: TorchState, batch: Batch, learning_rate: float) -> tuple[TorchState, Tensor]:
        """The loop of the book; gradients stay where torch keeps them."""
        x, y = batch
        loss = state.loss(state.model(x), y)
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.param_groups[0]["lr"] = learning_rate
        state.optimizer.step()
        return state, loss.detach()
