"""A lane leaves nothing on another device than its own: seen on this machine without an accelerator.

JAX lanes are given the second of two CPU devices, one after another in a process of their own, and every live
array is looked at.
Torch lanes are given the meta device, on which nothing is computed, and every tensor that an operation makes is
looked at. Values cannot be fetched from there, so `get`, `params`, `buffers`, `gradients` and `trace` are left
out; the compiled programs run uncompiled.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import SGD, Linear, Loss, ReLU, Synthetic, Task
from tests.helpers.lanes import LANES
from tests.helpers.paths import ROOT

ROWS, FEATURES, BATCH = 11, 3, 4  # two full batches and a partial one
WEIGHT = (1.0, 2.0)  # a loss that holds an array of its own
REGRESSION = Task(
    name="regression",
    dataset=Synthetic(rows=ROWS, held_out=1, features=FEATURES),
    layers=(Linear(in_features=FEATURES, out_features=2), ReLU(), Linear(in_features=2, out_features=1)),
    optimizer=SGD(momentum=0.9, dampening=0.3, weight_decay=0.01),
    batch_size=BATCH,
)
CLASSES = Task(
    name="classes",
    dataset=Synthetic(rows=ROWS, held_out=1, features=FEATURES),
    layers=(Linear(in_features=FEATURES, out_features=2),),
    loss=Loss(name="cross_entropy", options=(("label_smoothing", 0.1), ("weight", WEIGHT))),
    batch_size=BATCH,
)
TASKS = {task.name: task for task in (REGRESSION, CLASSES)}


def stages(backend: Any, task: Task, *, fetch: bool) -> Iterator[tuple[str, Any]]:
    """Every verb in turn, and what it gave; `fetch`: also the verbs that bring values to the host."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype(task.dtype)
    y = rng.normal(size=(ROWS, 1)).astype(task.dtype) if task is REGRESSION else rng.integers(0, 2, ROWS)
    start = {name: rng.normal(size=shape).astype(task.dtype) for name, shape in task.parameters.items()}
    order, rates = task.row_order(ROWS, 0), task.learning_rates(ROWS)[0]
    rate = float(rates[0])
    data = backend.put(x), backend.put(y)
    yield "put", data
    batch = next(backend.batches(data, order, BATCH))
    yield "batches", batch
    yield "shuffled", next(backend.shuffled(data, BATCH, seed=1))
    yield "init", backend.init(task)
    state = backend.init(task, params=start, buffers=start if task.optimizer.momentum else None)
    yield "init from values", state
    yield "predict", backend.predict(state, data[0])
    loss, gradients = backend.forward_backward(state, batch)
    yield "forward_backward", (loss, gradients)
    state = backend.update(state, gradients, rate)
    yield "update", state
    state, loss = backend.step(state, batch, rate)
    yield "step", (state, loss)
    state, losses = backend.epoch(state, data, order, BATCH, rates)
    yield "epoch", (state, losses)
    if fetch:
        state, _ = backend.trace(state, data, order, BATCH, rates)
        yield "trace", state
        backend.sync(state)
        yield "params and buffers", (backend.params(state), backend.buffers(state))


# --- JAX: two CPU devices -------------------------------------------------------------------------------------


JAX = [lane for lane in LANES if lane.startswith("jax")]


@pytest.fixture(scope="module")
def placed() -> subprocess.CompletedProcess[str]:
    """What the JAX lanes said of their arrays, in a process with two devices."""
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.backends.test_placement", *JAX]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize("lane", JAX)
def test_a_jax_lane_leaves_nothing_on_the_first_device(
    lane: str, placed: subprocess.CompletedProcess[str]
) -> None:
    assert placed.returncode == 0, placed.stdout + placed.stderr
    told = [line for line in placed.stdout.splitlines() if line.startswith(f"{lane}: ")]
    assert len(told) == 2 * 12  # tasks and stages


def on_the_second_device(lane: str) -> None:
    """Print where all live arrays are after each stage; an array elsewhere ends it."""
    import jax

    gc.collect()
    before = len(jax.live_arrays())  # what programs of an earlier lane hold, on the second device too
    backend = backends.load(lane, "cpu:1")
    for task in TASKS.values():
        with backend.precision(task.dtype):
            for stage, _ in stages(backend, task, fetch=True):
                found = [device.id for array in jax.live_arrays() for device in array.devices()]
                print(f"{lane}: {task.name}, {stage}: {found.count(1)} arrays")
                assert set(found) == {1}, f"{lane}: {task.name}, {stage}: devices {sorted(set(found))}"
                assert len(found) > before, f"{lane}: {task.name}, {stage}: no array of its own"


# --- torch: the meta device -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("lane", [lane for lane in LANES if lane.startswith("torch")])
def test_a_torch_lane_makes_no_tensor_on_the_cpu(lane: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    backend, watch = backends.lane_class(lane)("meta"), watching()
    with torch.compiler.set_stance("force_eager"), watch, backend.precision(TASKS[name].dtype):
        for stage, given in stages(backend, TASKS[name], fetch=False):
            assert watch.made, f"{stage} made nothing that was seen"
            assert watch.on_the_host == [], stage
            assert {tensor.device.type for tensor in tensors(given)} == {"meta"}, stage


def watching() -> Any:
    """Looks at every tensor that an operation gives.

    `on_the_host` are those on the CPU, except what is on its way: host memory as a tensor until it is copied to
    the device. The loader's own integers, a seed and row numbers, are no part of the work.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    aten = torch.ops.aten
    copies = (aten._to_copy.default, aten.copy_.default)

    class Watching(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.made, self.on_the_host = 0, list[Any]()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = func(*args, **(kwargs or {}))
            if func in copies and given.is_meta:
                self.on_the_host = [each for each in self.on_the_host if not any(each is arg for arg in args)]
            for tensor in tree_leaves(given):
                if isinstance(tensor, torch.Tensor):
                    self.made += 1
                    loaders = tensor.dtype == torch.int64 and func is not aten.lift_fresh.default
                    self.on_the_host += [tensor] if tensor.is_cpu and not loaders else []
            return given

    return Watching()


def test_the_watch_sees_what_stays_on_the_host() -> None:
    torch = pytest.importorskip("torch")
    with watching() as watch:
        torch.tensor([1.0], device="meta") + 1
        assert watch.on_the_host == []
        torch.ones(2, device="meta") * torch.tensor(0.5)  # torch itself takes a number from another device
    assert len(watch.on_the_host) == 1


def tensors(value: Any) -> list[Any]:
    """Every tensor in a state, a container or a module."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, torch.nn.Module):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, torch.optim.Optimizer):
        return [tensor for kept in value.state.values() for tensor in tensors(kept)]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in tensors(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors(each)]
    return tensors(vars(value)) if hasattr(value, "__dict__") and not callable(value) else []


if __name__ == "__main__":
    for name in sys.argv[1:]:
        on_the_second_device(name)
