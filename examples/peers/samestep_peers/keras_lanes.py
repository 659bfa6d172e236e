"""The lanes `keras:torch` and `keras:jax`: Sequential, compile and fit of Keras 3, as its guide calls them.

What is timed is model.fit over NumPy arrays, one epoch for every run. Keras takes its backend from a variable
while it is imported, for the life of a process: the two lanes need a process each, and the suite gives them one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from samestep.backends.interface import Arrays, Batch, Host, RowOrder, Trace, Traits, check_rates
from samestep.backends.spec import Task

from .fit_lane import FitLane, more_than_plain, one_rate, start_of
from .keras_parts import (
    LAST,
    OPTIONS,
    Function,
    after_steps,
    build_layer,
    keras_on,
    last_loss,
    loss_function,
    other_backend,
)

# --- training -------------------------------------------------------------------------------------


class Program(NamedTuple):
    """A compiled model, its loss, and where the losses of a fit gather, step by step."""

    model: Any
    loss: Function
    losses: list[Any]


@dataclass
class KerasState:
    """Parameters on the host; a fit puts them into its program's model, and fetches them afterwards."""

    program: Program
    values: dict[str, Host]


class KerasLane(FitLane[KerasState]):
    """Keras 3 on one of its backends; one model for each task, since each one compiles its own step."""

    framework = "keras"
    keras_backend: ClassVar[str]

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.keras = keras_on(self.keras_backend)
        self.programs: dict[tuple[Any, ...], Program] = {}

    @classmethod
    def missing(cls) -> str | None:
        return super().missing() or other_backend(cls.keras_backend)

    @classmethod
    def unsupported(cls, task: Task) -> str | None:
        loss = task.loss
        if loss.name not in OPTIONS or loss.reduction != "mean":
            return f"no {loss.name} with reduction {loss.reduction} in Keras here"
        if others := sorted({name for name, _ in loss.options}.difference(OPTIONS[loss.name])):
            return f"no {loss.name} with {' and '.join(others)} in Keras here"
        return more_than_plain(task.optimizer, "Keras")

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        config = self.keras.config
        before = config.floatx(), config.dtype_policy()
        config.set_floatx(dtype)  # of arrays and learning rates
        config.set_dtype_policy(dtype)  # of layers, losses and metrics
        try:
            with self.keras.device("cpu"), self.arithmetic(dtype):
                yield
        finally:
            config.set_floatx(before[0])
            config.set_dtype_policy(before[1])

    @abstractmethod
    def arithmetic(self, dtype: str) -> AbstractContextManager[Any]:
        """A context in which the backend computes in `dtype`."""

    @abstractmethod
    def host(self, value: Any) -> Host:
        """A copy of the backend's own array."""

    @abstractmethod
    def losses_kept(self, loss: Function, losses: list[Any]) -> dict[str, Any]:
        """The loss as arguments of model.compile, so that the loss of each step can be kept."""

    @abstractmethod
    def callbacks(self, losses: list[Any]) -> list[Any]:
        """What a fit needs for that."""

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> KerasState:
        if reason := self.unsupported(task):
            raise ValueError(reason)
        key = (task.layers, task.loss, task.dtype)
        if key not in self.programs:
            self.programs[key] = self.build(task)
        return KerasState(self.programs[key], start_of(task, params))

    def build(self, task: Task) -> Program:
        """A keras.Sequential of the task's layers, compiled with its loss and plain SGD."""
        keras, loss, losses = self.keras, loss_function(self.keras, task.loss), list[Any]()
        inputs = keras.Input((next(iter(task.parameters.values()))[0],))
        model = keras.Sequential([inputs, *(build_layer(keras, layer) for layer in task.layers)])
        optimizer = keras.optimizers.SGD(learning_rate=task.optimizer.learning_rate)
        model.compile(optimizer=optimizer, **self.losses_kept(loss, losses))
        return Program(model, loss, losses)

    def predict(self, state: KerasState, x: Host) -> Host:
        self.give(state)
        return self.host(state.program.model(x))

    def params(self, state: KerasState) -> dict[str, Host]:
        return {name: value.copy() for name, value in state.values.items()}

    def native(self, state: KerasState) -> dict[str, tuple[int, ...]]:
        return {v.path: tuple(v.shape) for v in state.program.model.trainable_variables}

    def give(self, state: KerasState) -> None:
        """Put a state's parameters into its model."""
        variables = state.program.model.trainable_variables
        for variable, value in zip(variables, state.values.values(), strict=True):
            variable.assign(value)

    def fetch(self, state: KerasState) -> dict[str, Host]:
        """The parameters of its model."""
        variables = state.program.model.trainable_variables
        return {name: self.host(v.value) for name, v in zip(state.values, variables, strict=True)}

    def gradients(self, gradients: dict[str, Any]) -> dict[str, Host]:
        return {name: self.host(value) for name, value in gradients.items()}

    def forward_backward(self, state: KerasState, batch: Batch) -> tuple[Any, dict[str, Any]]:
        """The first half of the training loop that Keras's guide writes from scratch; a fit shows none."""
        self.give(state)
        x, y = (self.keras.ops.convert_to_tensor(array) for array in batch)
        loss, gradients = self.differentiate(state.program, x, y)
        return loss, dict(zip(state.values, gradients, strict=True))

    @abstractmethod
    def differentiate(self, program: Program, x: Any, y: Any) -> tuple[Any, Sequence[Any]]:
        """The loss of a batch, and its gradient for each variable of the model."""

    def update(self, state: KerasState, gradients: dict[str, Any], learning_rate: float) -> KerasState:
        """The second half."""
        self.give(state)
        model = state.program.model
        model.optimizer.learning_rate = learning_rate
        with self.no_gradient():
            model.optimizer.apply(list(gradients.values()), model.trainable_variables)
        state.values = self.fetch(state)
        return state

    def no_gradient(self) -> AbstractContextManager[Any]:
        """A context in which variables may be changed."""
        return nullcontext()

    def step(self, state: KerasState, batch: Batch, learning_rate: float) -> tuple[KerasState, Any]:
        """A fit of one batch."""
        rows, rates = len(batch[0]), np.array([learning_rate], batch[0].dtype)
        state, losses = self.epoch(state, batch, np.arange(rows), rows, rates)
        return state, losses[0]

    def epoch(
        self,
        state: KerasState,
        data: Batch,
        row_order: RowOrder,
        batch_size: int,
        learning_rates: Host,
        watchers: Sequence[Any] = (),
    ) -> tuple[KerasState, Any]:
        """model.fit over the rows in their order; `watchers`: more callbacks."""
        check_rates(row_order, batch_size, learning_rates)
        (x, y), (model, _, losses) = data, state.program
        self.give(state)
        model.optimizer.learning_rate = one_rate(learning_rates)
        losses.clear()
        callbacks = [*self.callbacks(losses), *watchers]
        about = {
            "batch_size": batch_size,
            "epochs": 1,
            "shuffle": False,
            "verbose": 0,
            "callbacks": callbacks,
        }
        model.fit(x[row_order], y[row_order], **about)
        state.values = self.fetch(state)
        return state, self.kept(losses[-len(learning_rates) :], x.dtype)  # a first fit also tries the loss

    def kept(self, losses: list[Any], dtype: Any) -> Any:
        """The losses of a fit as they were kept, as arrays."""
        return losses

    def trace(
        self, state: KerasState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[KerasState, Trace]:
        """The same fit, with a callback that fetches the parameters after every step."""
        after: list[dict[str, Host]] = []
        watcher = after_steps(self.keras, lambda logs: after.append(self.fetch(state)))
        state, losses = self.epoch(state, data, row_order, batch_size, learning_rates, (watcher,))
        return state, Trace.of([self.get(loss) for loss in losses], [(params, {}, {}) for params in after])


class KerasTorch(KerasLane):
    """Keras 3 on PyTorch, run eagerly, which is its default there."""

    traits = Traits(gradient="autodiff", buffers="fresh")
    packages = ("keras", "torch")
    keras_backend = "torch"

    def arithmetic(self, dtype: str) -> AbstractContextManager[Any]:
        return nullcontext()  # torch keeps the dtypes that it is given

    def host(self, value: Any) -> Host:
        return np.array(value.detach().numpy())

    def put(self, array: Host) -> Host:
        """Raises TypeError for float64 where it is to stay so: keras.ops.matmul rounds it to float32 here."""
        if array.dtype == np.float64 and self.keras.config.floatx() == "float64":
            raise TypeError("Keras on PyTorch multiplies matrices of float64 in float32")
        return super().put(array)

    def get(self, value: Any) -> Host:
        return np.array(value) if isinstance(value, np.ndarray) else self.host(value)

    def differentiate(self, program: Program, x: Any, y: Any) -> tuple[Any, Sequence[Any]]:
        program.model.zero_grad()
        loss = program.loss(y, program.model(x, training=True))
        loss.backward()
        return loss.detach(), [variable.value.grad for variable in program.model.trainable_variables]

    def no_gradient(self) -> AbstractContextManager[Any]:
        import torch

        return torch.no_grad()

    def losses_kept(self, loss: Function, losses: list[Any]) -> dict[str, Any]:
        """The function is called in every step, so it can keep what it returns."""

        def keeping(target: Any, prediction: Any) -> Any:
            value = loss(target, prediction)
            losses.append(value.detach())
            return value

        return {"loss": keeping}

    def callbacks(self, losses: list[Any]) -> list[Any]:
        return []


class KerasJax(KerasLane):
    """Keras 3 on JAX, a step compiled, which is its default there."""

    traits = Traits(gradient="autodiff", buffers="donated", compiled="step")
    packages = ("keras", "jax")
    keras_backend = "jax"

    @contextmanager
    def arithmetic(self, dtype: str) -> Iterator[None]:
        import jax

        with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
            yield

    def host(self, value: Any) -> Host:
        return np.array(value)

    def losses_kept(self, loss: Function, losses: list[Any]) -> dict[str, Any]:
        """The function is called when the step is compiled: a metric hands its values out."""
        return {"loss": loss, "metrics": [last_loss(self.keras, loss)]}

    def kept(self, losses: list[Any], dtype: Any) -> Host:
        return np.array(losses, dtype)  # Keras has made numbers of Python of them

    def differentiate(self, program: Program, x: Any, y: Any) -> tuple[Any, Sequence[Any]]:
        import jax

        def objective(values: list[Any]) -> Any:
            prediction, _ = program.model.stateless_call(values, [], x)
            return program.loss(y, prediction)

        loss, gradients = jax.value_and_grad(objective)([v.value for v in program.model.trainable_variables])
        return loss, gradients

    def callbacks(self, losses: list[Any]) -> list[Any]:
        return [after_steps(self.keras, lambda logs: losses.append(logs[LAST]))]

    def fetch(self, state: KerasState) -> dict[str, Host]:
        state.program.model.jax_state_sync()  # in the middle of a fit the model is not up to date
        return super().fetch(state)
