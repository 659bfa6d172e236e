"""The library face: a function or a recorded stream is certified in a few lines, and a wrong one is not."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.spec import SGD
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.parity import Workload, certify, export
from tests.helpers.parity_trainer import Trainer
from tests.helpers.small_port import make, rows, step


def test_a_function_is_certified():
    certificate = certify(step, make(), rows(), lane="mine")
    assert certificate.status == "pass", certificate.reason
    assert certificate.lane == "mine"
    assert [piece.judgement.dtype for piece in certificate.evidence] == ["float64", "float32"]
    assert certificate.evidence[0].judgement.unrecorded == ("gradients", "loss")


def test_a_function_with_a_momentum_of_its_own_is_certified():
    def momentum():
        buffers = {}

        def heavy(params, x, y, learning_rate):
            plain = step(params, x, y, 1.0)
            for name in params:
                gradient = params[name] - plain[name]
                buffers[name] = np.float32(0.5) * buffers[name] + gradient if name in buffers else gradient
            return {name: params[name] - learning_rate * buffers[name] for name in params}

        return heavy

    task = make(optimizer=SGD(momentum=0.5), dtype="float64")
    assert certify(momentum(), task, rows()).status == "pass"
    assert certify(step, task, rows()).status == "fail"


def test_a_wrong_function_fails_at_the_step_where_it_is_wrong():
    def nominal(params, x, y, learning_rate):
        return step(params, x, y, learning_rate * len(x) / 6)

    certificate = certify(nominal, make(), rows())
    assert certificate.status == "fail"
    assert certificate.reason.startswith("float64: step 4 of 8: params ")  # the batch of 2


def test_a_function_that_raises_or_gives_something_else_fails_in_one_line():
    def raises(params, x, y, learning_rate):
        raise KeyError("weight")

    def leaves(params, x, y, learning_rate):
        raise SystemExit(3)

    assert certify(raises, make(), rows()).reason == "float64: step 1 raised KeyError: 'weight'"
    assert certify(leaves, make(), rows()).reason == "float64: step 1 raised SystemExit: 3"
    assert "are named ['w']" in certify(lambda *_: {"w": np.zeros(3)}, make(), rows()).reason
    wide = certify(lambda p, x, y, h: step(p, x.astype("float64"), y, h), make(), rows())
    assert wide.reason == "float32: params 0.weight are float64 in a float32 task"


def test_a_port_cannot_change_what_it_is_given():
    def spoils(params, x, y, learning_rate):
        after = step(params, x, y, learning_rate)
        for array in (x, y, *params.values()):
            array[...] = 0
        return after

    assert certify(spoils, make(), rows()).status == "pass"


# --- streams --------------------------------------------------------------------------------------------------


def test_a_stream_is_certified_stacked_or_by_step(tmp_path):
    task = make()
    trace = Trainer(task).run(Workload.of(task, rows()))
    assert certify(trace.params, task, rows()).status == "pass"
    path = tmp_path / "stacked.npz"
    gradients = {f"gradients/{name}": values for name, values in trace.gradients.items()}
    np.savez(path, loss=trace.losses, **trace.params, **gradients)
    certificate = certify(path, task, rows(), lane="fortran")
    assert certificate.status == "pass"
    assert set(certificate.evidence[0].judgement.quantities) == {"loss", "gradients", "params"}
    path = tmp_path / "steps.npz"
    np.savez(
        path, **{f"{t + 1}/{name}": values[t] for name, values in trace.params.items() for t in range(8)}
    )
    assert certify(path, task, rows()).status == "pass"


def test_a_wrong_stream_fails():
    task = make()
    trace = Trainer(task, mistake="bias never updated").run(Workload.of(task, rows()))
    certificate = certify(trace.params, task, rows())
    assert certificate.status == "fail"
    assert certificate.reason.startswith("float32: step 1 of 8: params 0.bias[0]")
    longer = {
        name: np.concatenate([values, values])
        for name, values in Trainer(task).run(Workload.of(task, rows())).params.items()
    }
    reason = "float32: 16 steps were recorded of 8: 2 entries for each step"
    assert certify(longer, task, rows()).reason == reason
    assert certify({k: v[:0] for k, v in longer.items()}, task, rows()).status == "fail"


@pytest.mark.parametrize(
    ("entries", "looks"),
    [
        (lambda values, start: np.concatenate([start[None], values]), "the first entry is the start itself"),
        (lambda values, start: np.concatenate([values[:1], values]), "the first entry is there twice"),
        (lambda values, start: values[1:], "one entry is missing"),
        (lambda values, start: values[3::4], "one entry for each epoch"),
        (lambda values, start: values[:4], "one epoch alone"),
    ],
)
def test_the_entries_of_a_stream_are_counted_first(entries, looks):
    task = make()
    workload = Workload.of(task, rows())
    params = Trainer(task).run(workload).params
    stream = {name: entries(values, workload.start[name]) for name, values in params.items()}
    judgement = certify(stream, task, rows()).evidence[-1].judgement
    assert judgement.diagnosis.cause == "shape"
    assert f"steps were recorded of 8: {looks}" in judgement.reason


def test_a_learning_rate_of_zero_is_said_to_prove_nothing_about_parameters():
    task = make(optimizer=SGD(learning_rate=0.0))
    certificate = certify(lambda params, x, y, learning_rate: params, task, rows())
    assert "the learning rate is 0 at every step, so that parameters prove nothing" in certificate.reason


def test_entries_before_each_step_are_said_to_be_that():
    task = make()
    workload = Workload.of(task, rows())
    params = Trainer(task).run(workload).params
    stream = {name: np.concatenate([workload.start[name][None], v[:-1]]) for name, v in params.items()}
    judgement = certify(stream, task, rows()).evidence[-1].judgement
    assert judgement.status == "fail"
    assert judgement.diagnosis.sentence.startswith(
        "the first entry is the start itself: entries are wanted after"
    )


def test_a_stream_with_a_gap_or_a_strange_name_is_an_input_error():
    task = make()
    trace = Trainer(task).run(Workload.of(task, rows()))
    steps = {f"{t + 1}/{name}": values[t] for name, values in trace.params.items() for t in range(8)}
    assert (
        certify(steps | {f"{t + 1}/loss": trace.losses[t] for t in range(8)}, task, rows()).status == "pass"
    )
    with pytest.raises(InputError, match=r"step 3 of '0\.bias' is missing"):
        certify({k: v for k, v in steps.items() if k != "3/0.bias"}, task, rows())
    with pytest.raises(InputError, match=r"'weights' is none of"):
        certify(steps | {"weights": np.zeros(3)}, task, rows())
    with pytest.raises(InputError, match="different shapes"):
        certify(steps | {"3/0.bias": np.zeros(2)}, task, rows())


def test_two_functions_are_certified_and_a_loss_may_be_a_plain_number():
    def gradient(params, x, y):
        e = x @ params["0.weight"] + params["0.bias"] - y
        slope = 2 / len(x) * e
        return float((e * e).mean()), {"0.weight": x.T @ slope, "0.bias": slope.sum(axis=0)}

    def update(params, gradients, learning_rate):
        return {name: params[name] - learning_rate * gradients[name] for name in params}

    certificate = certify((gradient, update), make(), rows(), lane="halves")
    assert (certificate.status, certificate.lane) == ("pass", "halves"), certificate.reason
    assert set(certificate.evidence[-1].judgement.quantities) == {"loss", "gradients", "params"}
    wrong = certify((gradient, lambda p, g, h: update(p, g, h / 2)), make(), rows())
    assert wrong.evidence[-1].judgement.diagnosis.cause == "learning rate"


def test_what_is_no_program_is_an_input_error():
    with pytest.raises(InputError, match="3 is no program"):
        certify(3, make(), rows())


def test_a_stream_that_cannot_be_read_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"no parameter '0\.weight'"):
        certify({"0.bias": np.zeros((8, 1))}, make(), rows())
    for content in (b"", b"not a zip", b"PK\x03\x04"):
        path = tmp_path / "bad.npz"
        path.write_bytes(content)
        with pytest.raises(InputError, match="not an npz file"):
            certify(path, make(), rows())
    with pytest.raises(InputError, match="not an npz file"):
        certify(tmp_path / "absent.npz", make(), rows())
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="not an npz file"):
        certify(tmp_path / "one.npy", make(), rows())


def test_a_port_in_any_language_can_read_the_work(tmp_path):
    """The whole way: export the work, train from the file alone, record, certify."""
    task = make()
    export(tmp_path / "work.npz", task, rows())
    with np.load(tmp_path / "work.npz") as workload:
        params = {name: workload[f"start/{name}"] for name in ("0.weight", "0.bias")}
        stream, count = {}, 0
        for order, learning_rates in zip(workload["order"], workload["rates"], strict=True):
            for index, rate in enumerate(learning_rates):
                batch = order[index * 6 : index * 6 + 6]
                params, count = step(params, workload["x"][batch], workload["y"][batch], rate), count + 1
                stream |= {f"{count}/{name}": value for name, value in params.items()}
    np.savez(tmp_path / "run.npz", **stream)
    certificate = certify(tmp_path / "run.npz", task, rows())
    assert certificate.status == "pass", certificate.reason
