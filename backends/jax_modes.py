"""JAX, faster: a plain pytree through jax.jit, one call for each step; and a whole epoch in one lax.scan.

Read side by side with numpy_modes.py and torch_modes.py: the same sections in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .interface import Arrays, Batch, Device, Host, RowOrder, Tier, Trace, Traits
from .jax_backend import JaxBackend, JaxLane, draw, sgd
from .jax_programs import JaxPrograms, Params, Values, programs
from .spec import Task

# --- tuned ----------------------------------------------------------------------------------------


class JaxTunedState(NamedTuple):
    """A pytree: what training changes, and what does it."""

    values: Values
    programs: JaxPrograms


class JaxTuned(JaxLane[JaxTunedState]):
    """A plain pytree through jax.jit with donated buffers; the batch is gathered inside the step."""

    tier: ClassVar[Tier] = "tuned"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="step")

    def init(self, task: Task, params: Arrays | None = None, buffers: Arrays | None = None) -> JaxTunedState:
        key = (task.layers, task.loss, task.optimizer)
        if key not in self.programs:
            self.programs[key] = programs(task)
        theta = {name: self.put(params[name]) for name in task.parameters} if params else draw(task)
        state = sgd(task.optimizer).init(theta)
        if buffers:
            state = optax.tree_utils.tree_set(state, trace={name: self.put(b) for name, b in buffers.items()})
            if task.optimizer.dampening:
                state = optax.tree_utils.tree_set(state, started=jnp.ones((), bool))
        return JaxTunedState(jax.device_put(Values(theta, state), self.jax_device), self.programs[key])

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
        return state._replace(values=state.programs.update(state.values, gradients, learning_rate))

    def step(
        self, state: JaxTunedState, batch: Batch, learning_rate: float
    ) -> tuple[JaxTunedState, jax.Array]:
        values, loss = state.programs.step(state.values, *batch, learning_rate)
        return state._replace(values=values), loss

    def steps(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> Iterator[tuple[JaxTunedState, jax.Array]]:
        values, advance = state.values, state.programs.gathered_step
        rows, rates, at = (
            self.put(row_order.astype(np.int32)),
            self.put(learning_rates),
            self.put(np.zeros((), np.int32)),
        )
        full, rest = divmod(len(row_order), batch_size)
        for count in [batch_size] * full + ([rest] if rest else []):
            values, loss, at = advance(values, at, *data, rows, rates, size=batch_size, rows=count)
            yield state._replace(values=values), loss


def in_order(params: Params) -> list[tuple[str, jax.Array]]:
    """By layer, the weight before the bias: JAX hands dictionaries back in alphabetical order."""
    return sorted(params.items(), key=lambda item: (int(item[0].partition(".")[0]), "bias" in item[0]))


# --- fused ----------------------------------------------------------------------------------------


class JaxFused(JaxTuned):
    """A whole epoch as one compiled lax.scan; rows are gathered inside it."""

    tier: ClassVar[Tier] = "fused"
    traits = Traits(gradient="autodiff", buffers="donated", compiled="epoch")

    def epoch(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[JaxTunedState, jax.Array]:
        rows, rates = self.put(row_order.astype(np.int32)), self.put(learning_rates)
        values, losses = state.programs.epoch(state.values, *data, rows, rates, size=batch_size)
        return state._replace(values=values), losses

    def trace(
        self, state: JaxTunedState, data: Batch, row_order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[JaxTunedState, Trace]:
        rows, rates = self.put(row_order.astype(np.int32)), self.put(learning_rates)
        values, steps = state.programs.trace(state.values, *data, rows, rates, size=batch_size)
        losses, values_after, gradients = steps
        after = state._replace(values=values_after)
        trace = Trace(self.get(losses), self.params(after), self.buffers(after), self.gradients(gradients))
        return state._replace(values=values), trace


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
