"""The certificate: every lane gets one, it holds what it says, and nothing passes by default."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError

from samestep import backends
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, Loss, ReLU
from samestep.benchmarks.parity import Certificate, Judgement, Rows, certify, final_distance
from tests.helpers.lanes import COMPILED, LANES, refuses
from tests.helpers.parity_trainer import certified, make, rows

pytestmark = pytest.mark.slow

CHAIN = (Linear(in_features=3, out_features=4), ReLU(), Linear(in_features=4, out_features=1))


@cache
def chain_certificate(lane):
    """A lane's certificate on its task; compiled lanes take seconds for it."""
    backend = backends.load(lane)
    return certify(backend, task_for(lane), rows(), lane=lane, run_steps=run_steps(backend))


@cache
def line_certificate(lane):
    """A lane's certificate on one layer under MSE without momentum."""
    return certify(backends.load(lane), make(epochs=2), rows(), lane=lane)


@cache
def task_for(lane):
    """A chain under Nesterov's momentum and decay; one layer without for a lane that refuses them."""
    task = make(optimizer=SGD(momentum=0.9, nesterov=True, weight_decay=0.01), layers=CHAIN, epochs=2)
    return make(epochs=2) if refuses(backends.load(lane), task) else task


def run_steps(backend):
    """A shorter timed run for documented lanes; elsewhere it would be another program to compile."""
    return 3 if backend.tier == "documented" else None


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_is_certified(lane):
    certificate, few = chain_certificate(lane), run_steps(backends.load(lane))
    assert certificate.status == "pass", certificate.reason
    assert [piece.judgement.dtype for piece in certificate.evidence] == ["float64", "float32"]
    assert (certificate.lane, certificate.device) == (lane, "cpu")
    for piece in certificate.evidence:
        assert piece.judgement.steps == 8
        buffers = ["buffers"] if task_for(lane).optimizer.momentum else []
        assert {"loss", *buffers, "params"} <= set(piece.judgement.quantities)
        assert piece.output <= 1
        assert piece.probe <= 1
    timed = certificate.evidence[-1].untraced
    assert [run.steps for run in timed] == ([3, 8] if few else [8])
    exact = all(run.equal for run in timed)
    assert len(certificate.evidence[0].untraced) == (0 if exact else len(timed))
    assert Certificate.model_validate_json(certificate.model_dump_json()) == certificate


def assert_agreement(first, second):
    """Two lanes did the same work from the same start, and end within what rounding allows two runs."""
    assert first.data == second.data
    assert first.order == second.order
    assert [piece.start for piece in first.evidence] == [piece.start for piece in second.evidence]
    assert final_distance(first, second) <= first.evidence[-1].judgement.allowance


@pytest.mark.parametrize("lane", LANES)
def test_lanes_agree_within_what_two_runs_may_be_apart(lane):
    numpy = chain_certificate("numpy")
    if task_for(lane) != task_for("numpy"):
        assert task_for(lane) == make(epochs=2)
        numpy = line_certificate("numpy")
    assert_agreement(numpy, chain_certificate(lane))


@pytest.mark.parametrize(
    "lane", [lane for lane in LANES if lane.startswith(("numpy", "torch")) and lane not in COMPILED]
)
def test_lanes_agree_where_the_allowance_contracts(lane):
    """One Linear layer under MSE without momentum: the allowance follows from the step's own contraction."""
    first, second = line_certificate("numpy"), line_certificate(lane)
    assert first.evidence[-1].judgement.contraction
    assert_agreement(first, second)


@pytest.mark.parametrize("lane", sorted(COMPILED & set(LANES)))
def test_wide_rows_have_a_program_of_their_own_and_it_is_certified(lane):
    from samestep.backends.torch_programs import NARROW

    features = NARROW + 1
    layers, optimizer = (Linear(in_features=features, out_features=1),), SGD(learning_rate=0.005)
    task = make("float64", layers=layers, optimizer=optimizer, epochs=1)  # the tightest bound, one program
    certificate = certify(backends.load(lane), task, rows(features=features), lane=lane)
    assert certificate.status == "pass", certificate.reason


def test_a_run_that_diverges_is_no_failure():
    certificate = certified(NumpyBackend, optimizer=SGD(learning_rate=1e6), epochs=3)
    assert certificate.status == "diverged"
    assert certificate.reason.startswith("float32: diverged: ")  # float64 has the range for it
    assert [piece.judgement.status for piece in certificate.evidence] == ["pass", "diverged"]


def test_final_parameters_are_kept_where_they_are_few():
    small = certified(NumpyBackend)
    assert set(small.final) == {"0.weight", "0.bias"}
    assert len(small.final["0.weight"]) == 3
    assert small.evidence[-1].final == small.evidence[-1].untraced[-1].final
    big = make(
        layers=(Linear(in_features=3, out_features=2600), ReLU(), Linear(in_features=2600, out_features=1)),
        epochs=1,
    )
    certificate = certify(NumpyBackend(), big, rows())
    assert certificate.status == "pass"
    assert certificate.final is None
    assert final_distance(certificate, small) is None


def test_run_steps_lie_within_the_first_epoch():
    with pytest.raises(ValueError, match="run_steps is 5; the first epoch has 4 steps"):
        certify(NumpyBackend(), make(), rows(), run_steps=5)


def test_nothing_passes_by_default():
    assert Judgement(dtype="float32", reference="").status == "not run"
    with pytest.raises(ValidationError):
        certified(NumpyBackend).status = "fail"


def test_integer_classes_are_certified():
    rng = np.random.default_rng(0)
    task = make(layers=(Linear(in_features=3, out_features=4),), loss=Loss(name="cross_entropy"))
    data = Rows(rng.normal(size=(30, 3)), rng.integers(0, 4, 30))
    assert certify(NumpyBackend(), task, data).status == "pass"
