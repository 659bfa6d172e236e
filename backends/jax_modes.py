"""JAX, faster: a plain pytree through jax.jit, one call for each step; and a whole epoch in one lax.scan.

Read side by side with numpy_modes.py and torch_modes.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .interface import Arrays, Batch, Device, Host, RowOrder, Tier, Trace, Traits, check_rates
from .jax_backend import JaxBackend, JaxLane, draw, sgd
from .jax_programs import JaxPrograms, Params, Values, programs
from .spec import Task

# --- tuned ----------------------------------------------------------------------------------------


class JaxTunedState(NamedTuple):
    """A pytree: what training changes, as the leaves of `Values`, and what does it."""

    leaves: list[jax.Array]
    programs: JaxPrograms

    @property
    def values(self) -> Values:
        values: Values = self.programs.tree.unflatten(self.leaves)
        return values


class JaxTuned(JaxLane[JaxTunedState]):
    """A plain pytree through jax.jit with donated buffers; the batch is gathered inside the step."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="step")

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> JaxTunedState:
        key = (task.layers, task.loss, task.optimizer)
        if key not in self.programs:
            self.programs[key] = programs(task, self.jax_device)
        theta = {name: self.put(params[name]) for name in task.parameters} if params else draw(task)
        state = sgd(task.optimizer).init(theta)
        if buffers:
            state = optax.tree_utils.tree_set(state, trace={name: self.put(b) for name, b in buffers.items()})
            if task.optimizer.dampening:
                state = optax.tree_utils.tree_set(state, started=jnp.ones((), bool))
        leaves = jax.tree.leaves(jax.device_put(Values(theta, state), self.jax_device))
        return JaxTunedState(leaves, self.programs[key])

    def predict(self, state: JaxTunedState, x: jax.Array) -> jax.Array:
        prediction: jax.Array = state.programs.predict(state.values.params, x)
        return prediction

    def params(self, state: JaxTunedState) -> dict[str, Host]:
        return {name: self.get(value) for name, value in in_order(state.values.params)}

    def buffers(self, state: JaxTunedState) -> dict[str, Host]:
        trace = optax.tree_utils.tree_get(state.values.optimizer, "trace")
        return {} if trace is None else {name: self.get(value) for name, value in in_order(trace)}

    def gradients(self, gradients: Any) -> dict[str, Host]:
        return {name: self.get(value) for name, value in in_order(gradients)}

    def native(self, state: JaxTunedState) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in in_order(state.values.params)}

    def forward_backward(self, state: JaxTunedState, batch: Batch) -> tuple[jax.Array, Any]:
        loss, gradients = state.programs.forward_backward(state.values.params, *batch)
        return loss, gradients

    def update(self, state: JaxTunedState, gradients: Any, learning_rate: float) -> JaxTunedState:
        leaves = state.programs.update(state.leaves, gradients, learning_rate)
        return JaxTunedState(leaves, state.programs)

    def step(
        self, state: JaxTunedState, batch: Batch, learning_rate: float
    ) -> tuple[JaxTunedState, jax.Array]:
        leaves, loss = state.programs.step(state.leaves, *batch, learning_rate)
        return JaxTunedState(leaves, state.programs), loss

    def steps(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[JaxTunedState, jax.Array]]:
        for leaves, loss in self.advance(state, data, row_order, batch_size, learning_rates):
            yield JaxTunedState(leaves, state.programs), loss

    def epoch(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[JaxTunedState, Sequence[jax.Array] | jax.Array]:
        (leaves, programs), losses = state, list[jax.Array]()
        for after, loss in self.advance(state, data, row_order, batch_size, learning_rates):
            leaves = after
            losses.append(loss)
        return JaxTunedState(leaves, programs), losses

    def advance(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[list[jax.Array], jax.Array]]:
        """One call for every batch: the leaves after it, and its loss. To make a state of them takes time too."""
        (leaves, programs), (x, y) = state, data
        rows, rates, at = programs.begin(*step_inputs(row_order, batch_size, learning_rates))
        full, rest = divmod(len(row_order), batch_size)
        for count in [batch_size] * full + ([rest] if rest else []):
            leaves, loss, at = programs.gathered_step(
                leaves, at, x, y, rows, rates, size=batch_size, rows=count
            )
            yield leaves, loss


def in_order(params: Params) -> list[tuple[str, jax.Array]]:
    """By layer, the weight before the bias: JAX hands dictionaries back in alphabetical order."""
    return sorted(params.items(), key=lambda item: (int(item[0].partition(".")[0]), "bias" in item[0]))


def step_inputs(row_order: RowOrder, batch_size: int, learning_rates: Host) -> tuple[Host, Host]:
    """What a program takes as NumPy arrays: copies of its own, since JAX may read them after the call."""
    check_rates(row_order, batch_size, learning_rates)
    return row_order.astype(np.int32), learning_rates.copy()


# --- fused ----------------------------------------------------------------------------------------


class JaxFused(JaxTuned):
    """A whole epoch as one compiled call: a scan over chunks, each gathered at once, and in it one over steps."""

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="epoch")

    def epoch(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[JaxTunedState, jax.Array]:
        steps = step_inputs(row_order, batch_size, learning_rates)
        leaves, losses = state.programs.epoch(state.leaves, *data, *steps, size=batch_size)
        return JaxTunedState(leaves, state.programs), losses

    def trace(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[JaxTunedState, Trace]:
        steps = step_inputs(row_order, batch_size, learning_rates)
        leaves, (losses, values, gradients) = state.programs.trace(
            state.leaves, *data, *steps, size=batch_size
        )
        after = JaxTunedState(jax.tree.leaves(values), state.programs)
        trace = Trace(self.get(losses), self.params(after), self.buffers(after), self.gradients(gradients))
        return JaxTunedState(leaves, state.programs), trace


# --- TF32 -----------------------------------------------------------------------------------------


class JaxTF32(JaxBackend):
    """The documented loop with the products of float32 matrices in TF32, on NVIDIA's GPUs."""

    traits = Traits(gradient="autodiff", buffers="fresh", compiled="step", matmul_precision="tf32")

    @classmethod
    def missing(cls) -> str | None:
        return None if cls.devices() else "TF32 is arithmetic of NVIDIA GPUs: jax sees none here"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return tuple(name for name in super().devices() if Device.parse(name).kind == "cuda")
