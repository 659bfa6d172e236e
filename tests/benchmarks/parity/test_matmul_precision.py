"""Products of TF32 inputs: allowed where a lane declares them, within their own bound, and nowhere else.

No GPU is needed: a NumPy lane rounds the inputs of its matrix products to so many bits.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep import backends
from samestep.backends import numpy_backend
from samestep.backends.interface import Traits
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Loss, ReLU, Tanh
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.parity import Rows, Workload, certify, judge
from samestep.benchmarks.parity.reference import Arithmetic, Bounds, Magnitudes, Reference
from samestep.benchmarks.parity.reference.arithmetic import TF32
from samestep.benchmarks.report.tables import record_document
from samestep.benchmarks.report.text_table import plain
from samestep.benchmarks.verify.certificates import RemadeWork, disagreements
from tests.helpers.lanes import LANES
from tests.helpers.parity_trainer import Trainer, cut, make, rounded, rows
from tests.helpers.records import record

CHAIN = (
    Linear(in_features=3, out_features=4),
    ReLU(),
    Linear(in_features=4, out_features=4),
    Tanh(),
    Linear(in_features=4, out_features=1),
)
TASKS = {
    "linear": make(),
    "momentum": make(optimizer=SGD(momentum=0.9, nesterov=True, weight_decay=0.01)),
    "chain": make(layers=CHAIN, optimizer=SGD(learning_rate=0.01)),
    "huber": make(loss=Loss(name="huber", options=(("delta", 0.4),))),
}


class Coarse(numpy_backend.LinearLayer):
    """The three products of a layer take inputs of so many bits; sums and the bias are as ever."""

    bits = 11

    def short(self, a: Any) -> Any:
        return rounded(a, self.bits) if a.dtype == np.float32 else a

    def forward(self, x: Any) -> Any:
        self.x = x
        return self.short(x) @ self.short(self.params["weight"]) + self.params["bias"]

    def backward(self, dz: Any, *, need_dx: bool) -> Any:
        self.grads = {"weight": self.short(self.x.T) @ self.short(dz), "bias": dz.sum(axis=0)}
        return self.short(dz) @ self.short(self.params["weight"].T) if need_dx else dz


class Declared(NumpyBackend):
    """Rounds the inputs of its products to TF32, and says so."""

    traits = Traits(gradient="by hand", buffers="fresh", matmul_precision="tf32")
    linear: type[numpy_backend.LinearLayer] = Coarse

    def layer(self, index: int, layer: Any, values: Any) -> Any:
        if isinstance(layer, Linear):
            return self.linear(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)


class Silent(Declared):
    """Does the same and does not say so."""

    traits = NumpyBackend.traits


class Bfloat16(Declared):
    """Says TF32 and takes eight bits."""

    linear = type("Eight", (Coarse,), {"bits": 8})


class Exact(Declared):
    """Says TF32 and takes all bits, as a small product may."""

    linear = numpy_backend.LinearLayer


class UpdateToo(Declared):
    """Rounds the new parameters besides, which are no product."""

    def update(self, state: Any, gradients: Any, learning_rate: float) -> Any:
        state = super().update(state, gradients, learning_rate)
        for value in state.model.params.values():
            if value.dtype == np.float32:
                value[...] = rounded(value, Coarse.bits)
        return state


class RateOff(Declared):
    """Is wrong in float32 by more than the rounding of any product."""

    def update(self, state: Any, gradients: Any, learning_rate: float) -> Any:
        single = next(iter(gradients.values())).dtype == np.float32
        return super().update(state, gradients, learning_rate * (1.1 if single else 1.0))


@pytest.mark.parametrize("name", TASKS)
def test_a_lane_that_declares_tf32_is_proven_within_its_bound(name: str) -> None:
    certificate = certify(Declared(), TASKS[name], rows(), run_steps=3)
    assert certificate.status == "pass", certificate.reason
    assert certificate.products == "tf32"
    double, single = certificate.evidence
    assert "float32 with products of TF32 inputs, using at most" in single.judgement.reason
    assert "TF32" not in double.judgement.reason  # float64 has no such form, and is judged by its own bound
    used = {quantity: worst.share for quantity, worst in single.judgement.quantities.items()}
    assert used["gradients"] > 0.05  # the bound is near enough to what is done to mean something
    assert single.probe is not None
    assert single.probe > 1 / 8  # the eight times coarser bfloat16 has no room in it


@pytest.mark.parametrize("name", TASKS)
def test_a_lane_that_does_not_declare_it_fails(name: str) -> None:
    certificate = certify(Silent(), TASKS[name], rows())
    assert certificate.status == "fail"
    assert certificate.products == "full"
    judgement = certificate.evidence[-1].judgement
    assert judgement.dtype == "float32"
    assert judgement.diagnosis is not None
    assert (judgement.diagnosis.cause, "TF32" in judgement.diagnosis.sentence) == ("precision", True)


@pytest.mark.parametrize("name", TASKS)
def test_a_lane_that_declares_tf32_and_takes_fewer_bits_fails(name: str) -> None:
    certificate = certify(Bfloat16(), TASKS[name], rows())
    assert certificate.status == "fail"
    assert certificate.products == "tf32"
    diagnosis = certificate.evidence[-1].judgement.diagnosis
    assert diagnosis is not None
    assert (diagnosis.cause, "bfloat16" in diagnosis.sentence) == ("precision", True)


@pytest.mark.parametrize("wrong", [UpdateToo, RateOff])
def test_declaring_tf32_excuses_nothing_else(wrong: type[Declared]) -> None:
    certificate = certify(wrong(), TASKS["linear"], rows())
    assert certificate.status == "fail", certificate.reason
    assert certificate.evidence[-1].judgement.dtype == "float32"


def test_full_products_are_within_the_wider_bound() -> None:
    assert certify(Exact(), TASKS["chain"], rows()).status == "pass"


def test_classes_are_proven_too() -> None:
    rng = np.random.default_rng(0)
    task = make(layers=(Linear(in_features=3, out_features=4),), loss=Loss(name="cross_entropy"))
    data = Rows(rng.normal(size=(30, 3)), rng.integers(0, 4, 30))
    assert certify(Declared(), task, data).status == "pass"
    assert certify(Silent(), task, data).status == "fail"


# --- the bound ------------------------------------------------------------------------------------------------


def test_the_bound_adds_two_roundings_to_every_product_and_to_nothing_else() -> None:
    """z = x w + b with residual e and the mean of one: what is added to z, to 2 e x and to 2 e."""
    task = make(layers=(Linear(in_features=1, out_features=1),))
    reference = Reference(task)
    params = {"0.weight": np.array([[3.0]], "float32"), "0.bias": np.array([5.0], "float32")}
    wide = reference.widen(params)
    x, y = np.array([[2.0]], "float32"), np.array([[4.0]], "float32")
    step = reference.step(wide, {}, x, y, 0.125, first=True)
    plain, coarse = (
        Bounds(reference, arithmetic, step, Magnitudes(step, wide, arithmetic.tiny)).errors(
            {}, 0.125, first=True
        )
        for arithmetic in (
            Arithmetic.of("float32", np.float64, matmul_precision=each) for each in ("full", "tf32")
        )
    )
    added = {name: float((coarse.gradients[name] - plain.gradients[name]).item()) for name in params}
    c, e = 2 * TF32 + TF32**2, 2 * 3 + 5 - 4
    prediction = float((coarse.prediction - plain.prediction).item())
    assert prediction == pytest.approx(c * 2 * 3, rel=1e-5)  # not of the bias
    assert added["0.bias"] == pytest.approx(2 * prediction, rel=1e-5)  # through the residual alone
    assert added["0.weight"] == pytest.approx(2 * 2 * prediction * (1 + c) + c * 2 * 2 * e, rel=1e-5)


def test_float64_has_no_tf32() -> None:
    wide = np.longdouble
    assert Arithmetic.of("float64", wide, matmul_precision="tf32") == Arithmetic.of("float64", wide)
    assert Arithmetic.of("float32", np.float64, matmul_precision="tf32").input_error == pytest.approx(
        2.0**-10, rel=1e-3
    )


@given(st.sampled_from(sorted(TASKS)), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_correct_products_of_tf32_inputs_are_never_outside(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 3, size=3)
    data = Rows(rng.normal(size=(30, 3)) * scale, rng.normal(size=(30, 1)) * 10.0 ** rng.uniform(-3, 3))
    task = TASKS[name].model_copy(update={"optimizer": SGD(learning_rate=2.0**-30, momentum=0.9)})
    workload = Workload.of(task, data, "tf32")
    trainer = Trainer(task, matmul=cut(11))
    judgement = judge(workload, without_bias_products(trainer, task).run(workload))
    assert judgement.status == "pass", judgement.reason


def without_bias_products(trainer: Trainer, task: Any) -> Trainer:
    """The trainer sums its bias gradients by a product with ones: those are sums, and stay in full."""
    coarse = trainer.matmul

    def matmul(a: Any, b: Any) -> Any:
        return a @ b if len(a) == 1 and (a == 1).all() else coarse(a, b)

    trainer.matmul = matmul
    return trainer


# --- what is written down, and by whom ------------------------------------------------------------------------


def test_a_certificate_is_worked_out_again_with_the_products_that_it_declares() -> None:
    task, data = TASKS["momentum"], rows()
    certificate = certify(Declared(), task, data, run_steps=3)
    again = RemadeWork(task, data)
    assert list(disagreements(certificate, again, 3)) == []
    hidden = certificate.model_copy(update={"products": "full"})
    assert any("outside its bound" in line for line in disagreements(hidden, again, 3))
    plain = certify(NumpyBackend(), task, data, run_steps=3)
    claimed = plain.model_copy(update={"products": "tf32"})
    assert any("of its bounds, not" in line for line in disagreements(claimed, again, 3))


def test_the_table_says_so() -> None:
    made = record({"jax": [0.5] * 6})
    coarse = tuple(
        certified.model_copy(
            update={"certificate": certified.certificate.model_copy(update={"products": "tf32"})}
            if certified.lane == "jax"
            else {}
        )
        for certified in made.certified
    )
    analysis = RecordAnalysis(made.model_copy(update={"certified": coarse}))
    shown = " ".join(plain(record_document(analysis)).split())
    assert "jax: matrix products of TF32 inputs (11 bits)" in shown
    assert shown.count("TF32") == 1


@pytest.mark.parametrize("lane", ["torch:tf32", "jax:tf32"])
def test_the_lanes_are_registered_and_need_a_gpu(lane: str) -> None:
    if lane.partition(":")[0] not in LANES:
        pytest.skip(f"{lane.partition(':')[0]} is not here")
    kind = backends.lane_class(lane)
    assert kind.traits.matmul_precision == "tf32"
    assert all(name.startswith("cuda") for name in kind.devices())
    assert bool(kind.devices()) == (backends.missing(lane) is None)
    if not kind.devices():
        with pytest.raises(backends.Unavailable, match="TF32 is arithmetic of NVIDIA GPUs"):
            backends.load(lane, "cuda")


def test_precision_lets_tf32_in_only_where_it_is_declared() -> None:
    """The settings of the frameworks, inside and after; on the CPU they change nothing."""
    if "torch" in LANES:
        import torch

        gpu = torch.backends.cuda.matmul
        cpu = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
        torch.set_float32_matmul_precision("medium")  # bfloat16, where a machine has it
        try:
            before = gpu.fp32_precision, cpu.fp32_precision
            for lane, words in (("torch", "ieee"), ("torch:tf32", "tf32")):
                with warnings.catch_warnings(), backends.lane_class(lane)("cpu").precision("float32"):
                    warnings.simplefilter("error")
                    assert (gpu.fp32_precision, cpu.fp32_precision) == (words, "ieee")
                assert (gpu.fp32_precision, cpu.fp32_precision) == before
            assert before[1] == "bf16"
        finally:
            torch.set_float32_matmul_precision("highest")
    if "jax" in LANES:
        import jax

        config: Any = jax.config
        for lane, words in (("jax", "highest"), ("jax:tf32", "tensorfloat32")):
            with backends.lane_class(lane)("cpu").precision("float32"):
                assert config.jax_default_matmul_precision == words
            assert config.jax_default_matmul_precision is None
