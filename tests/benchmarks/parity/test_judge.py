"""Every correct program passes, in any order of summation; every known mistake fails, and at the right place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from samestep.backends.spec import (
    SGD,
    Cosine,
    Initialization,
    Linear,
    Loss,
    Normal,
    ReLU,
    Synthetic,
    Tanh,
    Task,
)
from samestep.benchmarks.parity import Rows, Workload, judge
from tests.helpers.parity_cases import trainers
from tests.helpers.parity_trainer import SUMS, Trainer, cut
from validation.drawn import cases

SIZE = 4


def regression(rows=50, features=SIZE, outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features))
    return Rows(x, x @ rng.normal(size=(features, outputs)) + 4.2 + 0.01 * rng.normal(size=(rows, outputs)))


def task(dtype="float32", *, layers=None, features=SIZE, rows=50, **fields):
    return Task(
        name="judged",
        dataset=Synthetic(rows=rows, held_out=1, features=features),
        layers=layers or (Linear(in_features=features, out_features=1),),
        dtype=dtype,
        **{"batch_size": 8, "epochs": 2, "init": Initialization(weight=Normal(std=0.3))} | fields,
    )


CHAIN = (Linear(in_features=SIZE, out_features=SIZE), ReLU(), Linear(in_features=SIZE, out_features=1))
HEAVY = SGD(momentum=0.9, dampening=0.5, weight_decay=0.1)


def verdict(declared, *, data=None, **trainer):
    workload = Workload.of(declared, data or regression())
    return judge(workload, Trainer(declared, **trainer).run(workload))


# --- no false alarm -------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_correct_programs_pass(data):
    declared, rows = data.draw(cases())
    trainer = data.draw(trainers(declared))
    workload = Workload.of(declared, rows)
    with np.errstate(all="ignore"):
        trace = trainer.run(workload)
    judgement = judge(workload, trace)
    finite = np.isfinite(trace.losses).all() and all(np.isfinite(v).all() for v in trace.params.values())
    large = (
        max(abs(values).max() for values in trace.params.values()) > np.finfo(declared.dtype).max ** 0.3
    )  # no bound that far out
    assert judgement.status == ("pass" if finite else "diverged") or (
        large and judgement.status == "diverged"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sums", SUMS)
def test_every_order_of_summation_passes_and_uses_a_real_part_of_the_bound(sums, dtype):
    judgement = verdict(task(dtype, optimizer=HEAVY), matmul=SUMS[sums])
    assert judgement.status == "pass"
    assert set(judgement.quantities) == {"loss", "gradients", "buffers", "params"}
    # not so wide that it proves nothing: correct programs use more than a hundredth of the bound
    assert all(0.01 < worst.share <= 1 for worst in judgement.quantities.values())


def test_subnormal_numbers_may_be_flushed():
    tiny = float(np.finfo(np.float32).tiny)
    rng = np.random.default_rng(0)
    data = Rows(rng.normal(size=(20, SIZE)) * tiny, rng.normal(size=(20, 1)) * tiny)
    assert verdict(task(), data=data).status == "pass"
    assert verdict(task(), data=data, matmul=SUMS["flushing"]).status == "pass"


# --- every mistake fails --------------------------------------------------------------------------------------

MISTAKES = {
    "factor one half": {},
    "sum for mean": {},
    "partial batch dropped": {},
    "partial batch by nominal size": {},
    "bias never updated": {},
    "option off": {"loss": Loss(name="huber", options=(("delta", 0.8),))},
    "gradient of the batch before": {},
    "weights transposed": {"layers": CHAIN},
    "other rows": {},
    "labels not shuffled along": {},
    "dampening on the first step": {"optimizer": HEAVY},
    "decay after the learning rate": {"optimizer": HEAVY},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_fail(mistake, dtype):
    declared = task(dtype, **MISTAKES[mistake])
    assert verdict(declared).status == "pass"
    judgement = verdict(declared, mistake=mistake)
    assert judgement.status == "fail"
    assert judgement.failure is not None
    assert judgement.failure.deviation > judgement.failure.bound


def test_a_failure_names_the_first_step_and_tensor():
    dropped = verdict(task(), mistake="partial batch dropped").failure
    assert (dropped.step, dropped.quantity) == (7, "loss")  # 50 rows by 8: the seventh batch has 2
    bias = verdict(task(), mistake="bias never updated").failure
    assert (bias.step, bias.quantity, bias.tensor) == (1, "gradients", "0.bias")
    dampened = verdict(task(optimizer=HEAVY), mistake="dampening on the first step").failure
    assert (dampened.step, dampened.quantity, dampened.tensor) == (1, "buffers", "0.weight")
    stale = verdict(task(), mistake="gradient of the batch before").failure
    assert (stale.step, stale.quantity) == (2, "gradients")
    late = verdict(task(optimizer=SGD(weight_decay=0.1)), mistake="decay after the learning rate").failure
    assert (late.step, late.quantity) == (1, "params")


def test_float64_inside_a_float32_task_shows_in_the_dtypes():
    judgement = verdict(task(), mistake="float64 inside")
    assert (judgement.status, judgement.reason) == ("fail", "the losses are float64 in a float32 task")
    workload = Workload.of(task(), regression())
    trace = Trainer(task()).run(workload)
    trace.params["0.bias"] = trace.params["0.bias"].astype(np.float64)
    assert judge(workload, trace).reason == "params 0.bias are float64 in a float32 task"


@pytest.mark.parametrize("bits", [8, 11])
@pytest.mark.parametrize("layers", [None, CHAIN])
def test_reduced_precision_of_inputs_fails(layers, bits):
    assert verdict(task(layers=layers), matmul=cut(bits)).status == "fail"
    assert verdict(task(layers=layers), matmul=cut(24)).status == "pass"


def test_a_learning_rate_rounded_to_float32_shows_in_float64():
    declared = task("float64", optimizer=SGD(learning_rate=0.03, schedule=Cosine()))
    assert verdict(declared).status == "pass"
    assert verdict(declared, mistake="learning rate rounded to float32").status == "fail"


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_gradient_off_by_a_thousandth_fails(data):
    """Away from saturation and kinks the bound leaves no room for an error that matters."""
    chain, rows = data.draw(cases(names=("mse", "huber", "bce_with_logits"), dtypes=("float64",)))
    ends = {"in_features": chain.layers[0].in_features, "out_features": chain.layers[-1].out_features}
    declared = chain.model_copy(update={"layers": (Linear(**ends),)})  # hidden layers may saturate
    workload = Workload.of(declared, rows)
    with np.errstate(all="ignore"):
        trace = Trainer(declared).run(workload)
    assume(judge(workload, trace).status == "pass")
    name = max(trace.gradients, key=lambda key: abs(trace.gradients[key][0]).max())
    assume(abs(trace.gradients[name][0]).max() > 1e-9)
    trace.gradients[name] = trace.gradients[name] * 1.001
    assert judge(workload, trace).status == "fail"


# --- records that are not what they should be -----------------------------------------------------------------


def test_malformed_records_fail_in_one_line():
    workload = Workload.of(task(), regression())

    def reason(change):
        trace = Trainer(task()).run(workload)
        change(trace)
        judgement = judge(workload, trace)
        assert judgement.status == "fail"
        return judgement.reason

    def short(trace):
        trace.params = {name: values[:-1] for name, values in trace.params.items()}
        trace.gradients, trace.losses = {}, trace.losses[:-1]

    assert reason(short) == "only 13 of 14 steps were recorded"
    assert "are named ['0.bias', 'w']" in reason(lambda t: t.params.update({"w": t.params.pop("0.weight")}))
    assert "have shape (14, 1, 4)" in reason(
        lambda t: t.gradients.update({"0.weight": t.gradients["0.weight"].swapaxes(1, 2)})
    )
    assert "momentum buffers" in reason(lambda t: t.buffers.update(t.gradients))
    assert "one number for each step" in reason(lambda t: setattr(t, "losses", t.losses[:, None]))


def test_a_number_that_is_not_finite_is_a_fault_or_a_divergence():
    workload = Workload.of(task(), regression())
    trace = Trainer(task()).run(workload)
    trace.params["0.weight"][4] = np.nan
    judgement = judge(workload, trace)
    assert (judgement.status, judgement.failure.step, judgement.failure.tensor) == ("fail", 5, "0.weight")
    exploding = task(optimizer=SGD(learning_rate=1e9), epochs=3)
    with np.errstate(all="ignore"):
        judgement = verdict(exploding)
    assert judgement.status == "diverged"
    assert "is not finite" in judgement.reason


def test_unrecorded_quantities_are_named_and_an_unrecorded_buffer_is_followed():
    declared = task(optimizer=SGD(momentum=0.9, nesterov=True))
    workload = Workload.of(declared, regression())
    trace = Trainer(declared).run(workload)
    trace.gradients, trace.buffers, trace.losses = {}, {}, np.empty(0)
    judgement = judge(workload, trace)
    assert (judgement.status, judgement.unrecorded) == ("pass", ("buffers", "gradients", "loss"))
    trace.params["0.weight"][6] *= 1 + 1e-4
    assert judge(workload, trace).failure.step == 7


# --- what is reported -----------------------------------------------------------------------------------------


def test_shares_of_a_long_run_are_a_fixed_sample():
    declared = task(epochs=40)
    judgement = verdict(declared)
    assert judgement.steps == 280
    assert len(judgement.sample) == 60
    assert (judgement.sample[0].step, judgement.sample[-1].step) == (1, 280)
    short = verdict(task())
    assert [entry.step for entry in short.sample] == list(range(1, 15))
    worst = max(entry.shares["params"] for entry in short.sample)
    assert worst == pytest.approx(short.quantities["params"].share, rel=5e-4)  # kept to four digits
    assert short.quantities["params"].share == pytest.approx(1 / short.quantities["params"].slack)


def test_the_overall_figure_is_there_where_it_means_something():
    overall = verdict(task()).overall
    assert overall is not None
    assert overall.share <= 1
    assert overall.distance <= overall.bound
    assert verdict(task(optimizer=SGD(momentum=0.9))).overall is None
    assert verdict(task(layers=CHAIN)).overall is None
    assert verdict(task(loss=Loss(name="l1"))).overall is None
    long_run = verdict(task(optimizer=SGD(learning_rate=0.1), epochs=60)).overall
    assert long_run.to_solution < 0.01
    assert verdict(task(optimizer=SGD(weight_decay=0.1))).overall.to_solution is None


def test_deep_chains_pass_in_both_dtypes():
    chain = []
    for width in range(6):
        chain += [Linear(in_features=SIZE, out_features=SIZE), Tanh() if width % 2 else ReLU()]
    chain.append(Linear(in_features=SIZE, out_features=1))
    for dtype in ("float32", "float64"):
        declared = task(dtype, layers=tuple(chain), init=Initialization(weight=Normal(std=0.7)))
        assert verdict(declared).status == "pass"
        assert verdict(declared, mistake="factor one half").status == "fail"
