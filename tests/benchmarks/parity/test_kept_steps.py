"""Kept steps: bit for bit, enough of them, few enough bytes, and judged again with the same result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from samestep.backends.spec import SGD
from samestep.benchmarks.parity import Workload, judge
from samestep.benchmarks.parity.judge import judge_kept_steps
from samestep.benchmarks.parity.kept_steps import MOST_BYTES, kept_step_numbers
from samestep.benchmarks.record.arrays import decode, encode
from samestep.benchmarks.record.plan import MOST_STEPS
from samestep.benchmarks.record.proof import Judgement
from tests.helpers.parity_trainer import Trainer, make, rows


@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), hnp.array_shapes(max_dims=2)))
def test_arrays_come_back_bit_for_bit(array):
    again = decode(encode(array), str(array.dtype), array.shape)
    assert again.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "reshape"), ("AAAA", "multiple"), ("not base64!", "base64"), ("AAAAAAAA", "multiple")],
)
def test_what_is_no_array_of_this_shape_is_an_error(text, says):
    with pytest.raises(ValueError, match=says):
        decode(text, "float32", (3,))


def judged(**fields):
    task = make(**fields)
    workload = Workload.of(task, rows())
    return workload, judge(workload, Trainer(task).run(workload))


@pytest.mark.parametrize("optimizer", [SGD(), SGD(momentum=0.9, dampening=0.5, weight_decay=0.1)])
@pytest.mark.parametrize("epochs", [2, 40])
def test_a_kept_step_is_judged_again_with_the_same_shares(epochs, optimizer):
    workload, judgement = judged(epochs=epochs, optimizer=optimizer)
    assert Judgement.model_validate_json(judgement.model_dump_json()) == judgement
    assert len(judgement.kept) == min(workload.steps, MOST_STEPS)
    assert judgement.kept[-1].step == workload.steps
    recorded = {shares.step: shares.shares for shares in judgement.sample}
    again = judge_kept_steps(workload, judgement.kept)
    assert [shares.shares for shares in again] == [recorded[shares.step] for shares in again]


def test_an_edited_step_is_judged_differently():
    workload, judgement = judged()
    step = judgement.kept[3]
    wrong = encode(decode(step.arrays["0.bias"], "float32", (1,)) + np.float32(1e-3))
    edited = step.model_copy(update={"arrays": step.arrays | {"0.bias": wrong}})
    again = judge_kept_steps(workload, (*judgement.kept[:3], edited, *judgement.kept[4:]))
    assert max(again[3].shares.values()) > 1


def test_a_step_that_does_not_say_where_it_began_is_an_error():
    workload, judgement = judged(epochs=40)
    late = judgement.kept[-1]
    arrays = {name: text for name, text in late.arrays.items() if not name.startswith("before/")}
    with pytest.raises(ValueError, match="does not say where it began"):
        judge_kept_steps(workload, (late.model_copy(update={"arrays": arrays}),))


@given(st.integers(1, 5000), st.integers(1, 400), st.sampled_from([0.0, 0.9]))
def test_kept_steps_are_few_bytes(epochs, features, momentum):
    task = make(optimizer=SGD(momentum=momentum), epochs=1)
    task = task.model_copy(
        update={"layers": (task.layers[0].model_copy(update={"in_features": features}),), "epochs": epochs}
    )
    learning_rates = np.ones((epochs, 4))
    workload = Workload(task, np.zeros((30, features)), np.zeros((30, 1)), (), learning_rates, {})
    numbers = kept_step_numbers(workload, None)
    assert max(numbers) == workload.steps
    assert min(numbers) == 1
    step_bytes = 4 * (features + 1) * (5 if momentum else 3)
    assert len(numbers) <= max(4, MOST_BYTES // step_bytes)
