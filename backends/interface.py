"""The interface of every backend: few nouns, few verbs. Standard library and NumPy only.

A *lane* is a backend in one form (`torch`, `torch:tuned`, `torch:fused`): a small class that overrides what
differs. The verbs below have default forms wherever one is right for every framework: `step` is
`forward_backward` then `update`, `epoch` is a loop over `batches` and `step`. Backends never time themselves
and never wait for the device inside a step.

Conventions, stated once:
- x is (n, k); y is floating (n, m) or integer classes (n,). Parameters carry torch Sequential's names
  ("0.weight") and one orientation: weights (in, out), biases (out,).
- A row order is the int64 rows of one epoch, any length; the last batch may be partial.
- State is opaque to callers and typed inside a backend, as in `Backend[TorchState]`. The state passed to
  `update`, `step`, `epoch` or `trace` is consumed: rebind it.
- A learning rate is a number that the task's dtype represents exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from .spec import Task

Array: TypeAlias = Any  # the framework's own array: numpy.ndarray, torch.Tensor, jax.Array
State: TypeAlias = Any  # to callers
StateT = TypeVar("StateT", default=Any)  # inside a backend
Gradients: TypeAlias = Any
Host: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Host]  # by parameter name
LossResult: TypeAlias = tuple[Host, dict[str, Host]]  # value, gradients by input name
Batch: TypeAlias = tuple[Array, Array]
RowOrder: TypeAlias = NDArray[np.int64]
Tier: TypeAlias = Literal["documented", "tuned", "fused"]
MatmulPrecision: TypeAlias = Literal["full", "tf32"]


class Unavailable(RuntimeError):
    """A lane or device that cannot run here. The message says why, and how to fix it."""


@dataclass(frozen=True)
class Device:
    """One device: its kind (cpu, cuda, mps, tpu) and its number among the devices of that kind."""

    kind: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "cuda" or "cuda:1"; "cuda:0" is "cuda".

        Raises:
            ValueError: the text is not a kind, alone or with a number after a colon.
        """
        kind, colon, number = text.partition(":")
        if not kind.isidentifier() or (colon and not (number.isascii() and number.isdecimal())):
            raise ValueError(f"{text!r} is not a device: give a kind, or a kind and a number, as in cuda:1")
        return cls(kind, int(number or 0))

    @classmethod
    def names(cls, kind: str, count: int) -> tuple[str, ...]:
        """The names of `count` devices of a kind."""
        return tuple(str(cls(kind, index)) for index in range(count))

    def __str__(self) -> str:
        return f"{self.kind}:{self.index}" if self.index else self.kind


@dataclass(frozen=True)
class LaneName:
    """The parts of a lane's name: "torch:compile" is the framework "torch" in the form "compile".

    The documented form is "". An environment follows an "@" ("torch:compile@old"); "" is this one. A lane that is
    not registered is named by an import path, "package.module:Class": the module stands in `framework`, the class
    in `form`.
    """

    framework: str
    form: str = ""
    environment: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split a name into its parts; `str` puts them together again.

        Raises:
            ValueError: nothing stands before a separator, or nothing after it.
        """
        lane, at, environment = text.partition("@")
        framework, colon, form = lane.partition(":")
        if not framework or (colon and not form) or (at and not environment):
            raise ValueError(f"{text!r} is not a lane's name: give framework, framework:form or module:Class")
        return cls(framework, form, environment)

    @property
    def is_import_path(self) -> bool:
        """Whether it can be "module:Class": a class's name does not begin with a small letter, a form's does."""
        module = all(part.isidentifier() for part in self.framework.split("."))
        return module and self.form.isidentifier() and not self.form[0].islower() and not self.environment

    def __str__(self) -> str:
        form = f":{self.form}" if self.form else ""
        return f"{self.framework}{form}" + (f"@{self.environment}" if self.environment else "")


@dataclass(frozen=True)
class Traits:
    """What differs between lanes, in the words of the comparison table.

    `matmul_precision`: the bits that a product in float32 takes of its inputs: all 24 ("full"), or 11 ("tf32").
    """

    gradient: Literal["by hand", "autodiff"]
    buffers: Literal["fresh", "reused", "donated"]
    compiled: str = "no"
    matmul_precision: MatmulPrecision = "full"


@dataclass
class Trace:
    """Everything one run did, step by step: for proof, never timed. T steps, parameters by name.

    losses (T,); params, buffers and gradients {name: (T, ...)} as they were after (gradients: during) each
    step; buffers is empty where the optimizer keeps none.
    """

    losses: Host
    params: dict[str, Host]
    buffers: dict[str, Host] = field(default_factory=dict)
    gradients: dict[str, Host] = field(default_factory=dict)

    @classmethod
    def of(cls, losses: Sequence[Host], snapshots: Iterable[tuple[dict[str, Host], ...]]) -> Self:
        """The loss of each step, and (params, buffers, gradients) of each, stacked."""
        quantities = zip(*snapshots, strict=True)
        stacked = ({name: np.stack([row[name] for row in rows]) for name in rows[0]} for rows in quantities)
        return cls(np.stack(losses), *stacked)


class Backend(ABC, Generic[StateT]):
    """One framework in one form."""

    framework: ClassVar[str]
    tier: ClassVar[Tier]
    traits: ClassVar[Traits]

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @classmethod
    def missing(cls) -> str | None:
        """Why this lane cannot run here, in one line; None when it can."""
        return None

    @classmethod
    def unsupported(cls, task: Task) -> str | None:
        """Why this lane cannot do this task, in one line; None when it can. `init` raises ValueError with it.

        Asked once, before a run is planned: the lane is then listed with the reason, and stays out of that task.
        """
        return None

    @classmethod
    @abstractmethod
    def devices(cls) -> tuple[str, ...]:
        """The devices this lane can use here, the default first, by the names that --device takes.

        Of several of a kind the first goes by the kind's name, and the others by number: cuda, cuda:1, cuda:2.
        """

    @classmethod
    @abstractmethod
    def versions(cls) -> dict[str, str]:
        """Version of every package that does this lane's work."""

    @abstractmethod
    def precision(self, dtype: str) -> AbstractContextManager[Any]:
        """A context for all work in `dtype`: float64 stays float64, and no TF32 but where `traits` say so."""

    # --- data

    @abstractmethod
    def put(self, array: Host) -> Array:
        """Host to device. The dtype is kept; a device that would narrow it raises TypeError.

        Integers whose every value fits in 32 bits may become int32, which loses nothing.
        """

    @abstractmethod
    def get(self, value: Array) -> Host:
        """Device to host, always a copy of its own."""

    @abstractmethod
    def batches(self, data: Batch, row_order: RowOrder, batch_size: int) -> Iterator[Batch]:
        """The framework's own iteration over the rows; a batch is valid until the next is drawn."""

    @abstractmethod
    def shuffled(self, data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
        """One epoch in the order of the framework's own shuffler; equal seeds do not agree between frameworks."""

    # --- model and initialization

    @abstractmethod
    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> StateT:
        """A State from given values (copied), or from the framework's own initializer seeded by the task."""

    @abstractmethod
    def predict(self, state: StateT, x: Array) -> Array:
        """Model output (n, m) for x (n, k)."""

    @abstractmethod
    def params(self, state: StateT) -> dict[str, Host]:
        """Parameters by name, copied to the host, weights (in, out)."""

    @abstractmethod
    def buffers(self, state: StateT) -> dict[str, Host]:
        """Momentum buffers by parameter name; zeros before the first step; {} without momentum."""

    @abstractmethod
    def gradients(self, gradients: Gradients) -> dict[str, Host]:
        """The gradients of `forward_backward` by parameter name, weights (in, out)."""

    @abstractmethod
    def native(self, state: StateT) -> dict[str, tuple[int, ...]]:
        """The framework's own names and shapes of the parameters."""

    # --- loss

    @abstractmethod
    def loss_and_gradient(self, name: str, arrays: Sequence[Host], options: Mapping[str, Any]) -> LossResult:
        """A loss alone: its value and its gradient with respect to every floating input, by input name.

        With reduction "none" the gradient is that of the sum. Raises ValueError for undeclared shapes,
        dtypes, ranges or options.
        """

    # --- training step

    @abstractmethod
    def forward_backward(self, state: StateT, batch: Batch) -> tuple[Array, Gradients]:
        """Loss and gradients of one batch; the state is left as it was."""

    @abstractmethod
    def update(self, state: StateT, gradients: Gradients, learning_rate: float) -> StateT:
        """One optimizer step."""

    def step(self, state: StateT, batch: Batch, learning_rate: float) -> tuple[StateT, Array]:
        """One training step: forward, backward, update."""
        loss, gradients = self.forward_backward(state, batch)
        return self.update(state, gradients, learning_rate), loss

    def steps(
        self, state: StateT, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[StateT, Array]]:
        """A step for every batch of the row order: the State and the loss after each, still on the device."""
        batches = self.batches(data, row_order, batch_size)
        for batch, learning_rate in zip(batches, learning_rates.tolist(), strict=True):
            state, loss = self.step(state, batch, learning_rate)
            yield state, loss

    def epoch(
        self, state: StateT, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[StateT, Sequence[Array] | Array]:
        """All steps of the row order: the State after the last and the loss of each. This is what is timed."""
        losses = []
        for after, loss in self.steps(state, data, row_order, batch_size, learning_rates):
            state = after
            losses.append(loss)
        return state, losses

    def trace(
        self, state: StateT, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[StateT, Trace]:
        """The same steps with everything they did: for proof, never timed."""
        losses, snapshots = [], []
        steps = self.steps(state, data, row_order, batch_size, learning_rates)
        for batch in self.batches(data, row_order, batch_size):
            gradients = self.gradients(self.forward_backward(state, batch)[1])
            state, loss = next(steps)
            losses.append(self.get(loss))
            snapshots.append((self.params(state), self.buffers(state), gradients))
        return state, Trace.of(losses, snapshots)

    @abstractmethod
    def sync(self, value: Any) -> None:
        """Block until everything in `value` (a State, arrays, containers of them) is computed."""


def check_rates(row_order: RowOrder, batch_size: int, learning_rates: Host) -> None:
    """Raise ValueError unless there is one learning rate for every batch of the row order."""
    if len(learning_rates) != -(-len(row_order) // batch_size):
        counts = f"{len(learning_rates)} learning rates for {len(row_order)} rows"
        raise ValueError(f"{counts} in batches of {batch_size}: one for each batch is needed")
