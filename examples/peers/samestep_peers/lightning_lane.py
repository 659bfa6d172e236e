"""The lane `lightning`: Trainer.fit over a LightningModule and a DataLoader, as Lightning's guide writes it.

Model, loss and optimizer are those of the lane `torch`; what Lightning brings is the loop around them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from samestep.backends.interface import Arrays, Batch, Host, RowOrder, Trace, Traits, check_rates
from samestep.backends.spec import Task
from samestep.backends.torch_backend import TorchBackend, TorchState

try:
    import lightning
except ImportError as error:
    raise ImportError(f"{error}; pip install lightning") from error

PRECISIONS = {"float32": "32-true", "float64": "64-true"}
OFF = {  # what writes files, prints, or logs
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Regression(lightning.LightningModule):
    """Model, loss and optimizer of a state; `losses` and `learning_rates` are those of one fit."""

    def __init__(self, state: TorchState) -> None:
        super().__init__()
        self.model, self.loss, self.optimizer = state.model, state.loss, state.optimizer
        self.losses: list[Tensor] = []
        self.learning_rates: list[float] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss(self.model(x), y)
        self.losses.append(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """The optimizer, which keeps its buffers from fit to fit; a schedule where the learning rate changes."""
        (group,) = self.optimizer.param_groups
        first, *others = self.learning_rates
        group["lr"] = first
        if all(rate == first for rate in others):
            return self.optimizer
        group["lr"] = group["initial_lr"] = (
            1.0  # LambdaLR multiplies it: rates given as data stay as they are
        )
        rates = [*self.learning_rates, 0.0]  # it looks one step ahead
        schedule = LambdaLR(self.optimizer, rates.__getitem__)
        return {"optimizer": self.optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Recorder(lightning.Callback):
    """Parameters, buffers and gradients of every step of a fit, on the host."""

    def __init__(self, lane: LightningLane, state: LightningState) -> None:
        self.lane, self.state = lane, state
        self.gradients: dict[str, Host] = {}
        self.snapshots: list[tuple[dict[str, Host], ...]] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        named = self.state.model.named_parameters()
        self.gradients = self.lane.gradients({name: p.grad for name, p in named if p.grad is not None})

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        lane, state = self.lane, self.state
        self.snapshots.append((lane.params(state), lane.buffers(state), self.gradients))


@dataclass
class LightningState(TorchState):
    """Adds Lightning's own objects, which hold the same model and optimizer."""

    module: Regression
    trainer: lightning.Trainer


class LightningLane(TorchBackend):
    """A fit of one epoch for every run. The Trainer is made before, and goes on where the last fit ended."""

    framework = "lightning"
    traits = Traits(gradient="autodiff", buffers="fresh")

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return ("cpu",)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {"lightning": lightning.__version__, "torch": torch.__version__}

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> LightningState:
        state = super().init(task, params, buffers)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        with quiet():
            trainer = lightning.Trainer(
                accelerator="cpu", devices=1, max_epochs=0, precision=PRECISIONS[task.dtype], **OFF
            )
        return LightningState(**vars(state), module=Regression(state), trainer=trainer)

    def step(
        self, state: LightningState, batch: Batch, learning_rate: float
    ) -> tuple[LightningState, Tensor]:
        rows = len(batch[0])
        state, losses = self.epoch(state, batch, np.arange(rows), rows, np.array([learning_rate]))
        return state, losses[0]

    def epoch(
        self, state: LightningState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[LightningState, list[Tensor]]:
        check_rates(row_order, batch_size, learning_rates)
        module, trainer = state.module, state.trainer
        module.losses, module.learning_rates = [], learning_rates.tolist()
        loader = DataLoader(TensorDataset(*data), batch_size=batch_size, sampler=row_order.tolist())
        trainer.fit_loop.max_epochs += 1
        with quiet():
            trainer.fit(module, loader)
        return state, module.losses

    def trace(
        self, state: LightningState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[LightningState, Trace]:
        recorder = Recorder(self, state)
        state.trainer.callbacks.append(recorder)
        try:
            state, losses = self.epoch(state, data, row_order, batch_size, learning_rates)
        finally:
            state.trainer.callbacks.remove(recorder)
        return state, Trace.of([self.get(loss) for loss in losses], recorder.snapshots)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's advice, and without what newer versions of torch say of its own calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
