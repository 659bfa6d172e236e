"""torch:fused: every step of every call with its own rows and learning rate, in a loop or without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.interface import Backend, Host
from samestep.backends.spec import SGD, Linear, Synthetic, Task
from samestep.benchmarks import datasets
from samestep.benchmarks.parity.certificate import certify_backend

torch_modes = pytest.importorskip("samestep.backends.torch_modes")

pytestmark = pytest.mark.slow  # they compile

BATCH, FULL, REST = 5, 11, 3  # rows of a batch, full batches, rows of the partial one
DATA = Synthetic(rows=FULL * BATCH + REST, held_out=5, features=2)
OPTIMIZERS = {
    "plain": SGD(learning_rate=0.05),
    "a first step of its own": SGD(learning_rate=0.05, momentum=0.9, dampening=0.3, weight_decay=0.01),
}


def line(optimizer: SGD) -> Task:
    return Task(
        name="line",
        dataset=DATA,
        layers=(Linear(in_features=2, out_features=1),),
        batch_size=BATCH,
        epochs=2,
        dtype="float64",
        optimizer=optimizer,
    )


def ends(lane: Backend, task: Task) -> tuple[dict[str, Host], Host]:
    """Parameters and losses after an epoch in which no two steps have the same learning rate."""
    rng, rows = np.random.default_rng(3), FULL * BATCH + REST
    x, y = rng.normal(size=(rows, 2)), rng.normal(size=(rows, 1))
    start = {name: rng.normal(size=shape) for name, shape in task.parameters.items()}
    order, rates = rng.permutation(rows), np.linspace(0.01, 0.1, FULL + 1)
    with lane.precision("float64"):
        state = lane.init(task, params=start)
        state, losses = lane.epoch(state, (lane.put(x), lane.put(y)), order, BATCH, rates)
        return lane.params(state), np.concatenate([np.ravel(lane.get(loss)) for loss in losses])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_of_several_calls_takes_every_step_with_its_own_rate(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps a call: two or three calls that are full, one that is not, and the partial batch."""
    monkeypatch.setattr(torch_modes.TorchFused, "loop_steps", 4)
    task = line(OPTIMIZERS[name])
    (params, losses), (expected, each) = (
        ends(backends.load(lane), task) for lane in ("torch:fused", "torch")
    )
    # a dozen steps of sums over five rows; the map of a step contracts
    np.testing.assert_allclose(losses, each, rtol=1e4 * np.finfo(float).eps)
    for part, value in expected.items():
        np.testing.assert_allclose(params[part], value, rtol=1e4 * np.finfo(float).eps, err_msg=part)


def test_no_header_of_the_loop_is_read_again_by_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch asks for one to compile beforehand where it may, also when a cache has the program."""
    from torch._inductor import codecache
    from torch._inductor.utils import fresh_cache

    asked, ask = list[str](), codecache._precompile_header

    def note(header: str, *command: Any, **options: Any) -> str:
        asked.append(header)
        return ask(header, *command, **options)

    monkeypatch.setattr(codecache, "_precompile_header", note)
    with fresh_cache():
        ends(backends.load("torch:fused"), line(OPTIMIZERS["plain"]))
    assert asked, "the partial batch has kernels of its own"
    assert not [header for header in asked if "cpp_wrapper" in header]


def test_a_lane_without_the_loop_is_proven_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from samestep.backends import torch_programs

    monkeypatch.setattr(torch_programs, "while_loop", None)
    lane, task = backends.load("torch:fused"), line(OPTIMIZERS["plain"])
    assert lane.traits.compiled == "10 steps"
    certificate = certify_backend(lane, task, datasets.load(task.dataset))
    assert certificate.status == "pass", certificate.reason
