"""What the parts of the walk share: distances in units in the last place, and each framework's own shapes."""

from __future__ import annotations

import math

import numpy as np

from samestep import backends
from samestep.benchmarks import parity, tasks
from samestep.benchmarks.lesson.training import LessonLane, equality
from tests.helpers.lanes import LANES, refuses
from tests.helpers.lesson import SPLIT


def test_equality_counts_units_in_the_last_place() -> None:
    one = {"a": np.array([1.0, 2.0], np.float32)}
    near = {"a": np.array([1.0, np.nextafter(np.float32(2), np.float32(3))], np.float32)}
    assert equality("l", "r", one, one).bit_for_bit
    assert not equality("l", "r", one, near).bit_for_bit
    assert equality("l", "r", one, near).ulps == 1.0
    assert math.isnan(equality("l", "r", one, {"a": np.array([1.0, np.nan], np.float32)}).ulps)


def test_tensor_values_are_in_the_frameworks_order() -> None:
    task = tasks.get("mlp")
    params = parity.initial_parameters(task)
    for name in LANES:
        if ":" in name and not name.endswith(":tuned"):
            continue  # the fused and compiled lanes keep their parameters as the tuned ones do
        backend = backends.load(name)
        if refuses(backend, task):
            continue
        with backend.precision(task.dtype):
            lane = LessonLane(backend, task, SPLIT, params, (backend.put(SPLIT.x[:1].astype("f4")),) * 2)
            tensors = lane.tensors(backend.init(task, params), params)
        for (_, value), tensor in zip(params.items(), tensors, strict=True):
            oriented = value if tensor.shape == value.shape else value.T
            assert tensor.values == tuple(float(v) for v in oriented.reshape(-1))
