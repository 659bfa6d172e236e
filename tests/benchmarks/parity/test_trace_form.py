"""What a lane shows of its steps: gradients or none, and the same of every step, in both dtypes and on probes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from samestep.backends.interface import Trace
from samestep.backends.numpy_backend import NumpyBackend
from samestep.backends.spec import SGD, Linear, ReLU
from samestep.benchmarks.parity import Certificate, Workload, judge
from samestep.benchmarks.record.proof import not_shown
from tests.helpers.parity_trainer import Trainer, certified, make, rows

CHAIN = (Linear(in_features=3, out_features=4), ReLU(), Linear(in_features=4, out_features=1))
LED = "gradients not shown: judged by the parameters that they led to"


class ShowsNone(NumpyBackend):
    """A trace without gradients, as of a program that never forms one."""

    def trace(self, *given: Any) -> Any:
        state, trace = super().trace(*given)
        return state, self.shown(trace, *given)

    def shown(self, trace: Trace, *given: Any) -> Trace:
        return replace(trace, gradients={})


def test_a_lane_without_gradients_passes_and_its_certificate_says_so() -> None:
    certificate = certified(ShowsNone)
    assert certificate.status == "pass", certificate.reason
    assert certificate.unrecorded == ("gradients",)
    for piece in certificate.evidence:
        assert set(piece.judgement.quantities) == {"loss", "params"}
        assert LED in piece.judgement.reason
        assert "of a step could be wrong unseen" in piece.judgement.reason
    assert certificate.reason.count(LED) == 2
    whole = certified(NumpyBackend)
    assert "not shown" not in whole.reason
    assert whole.unrecorded == ()


class ShowsNoneAndHasNoFloat64(ShowsNone):
    """As of a program that multiplies float64 in float32."""

    def put(self, array: Any) -> Any:
        if array.dtype == np.float64:
            raise TypeError("no float64 here")
        return super().put(array)


def test_where_float64_was_not_judged_it_is_not_asked_what_it_shows() -> None:
    certificate = certified(ShowsNoneAndHasNoFloat64)
    assert certificate.status == "pass", certificate.reason
    assert [piece.judgement.status for piece in certificate.evidence] == ["not run", "pass"]
    assert LED in certificate.reason


def test_what_is_not_shown_is_said_of_each_quantity() -> None:
    assert not_shown(()) == ""
    assert not_shown(("gradients", "loss")) == f"loss not shown: not judged; {LED}"
    assert not_shown(("buffers", "gradients")).startswith("gradients and buffers not shown: judged by")


def test_with_a_learning_rate_of_zero_nothing_is_proven_of_gradients() -> None:
    workload = Workload.of(make(optimizer=SGD(learning_rate=0.0)), rows())
    trace = replace(Trainer(workload.task).run(workload), gradients={})
    assert f"{LED}, and those prove nothing" in judge(workload, trace).reason


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_part_of_a_step_that_could_be_wrong_unseen_is_what_it_says(dtype: str) -> None:
    """Bounds are of single components, and the figure of all: ten times it shows, and a tenth does not."""
    workload = Workload.of(make(dtype), rows())
    part = judge(workload, Trainer(workload.task).run(workload)).resolution
    assert part is not None

    def status(error: float) -> str:
        class Scaled(Trainer):
            def gradients(self, *given: Any) -> Any:
                loss, table = super().gradients(*given)
                return loss, {name: (g * (1 + error)).astype(dtype) for name, g in table.items()}

        return judge(workload, replace(Scaled(workload.task).run(workload), gradients={})).status

    assert status(10 * part) == "fail"
    assert status(part / 10) == "pass"


# --- no quantity may come and go ------------------------------------------------------------------------------


class ShowsThemInFloat64(ShowsNone):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        return trace if trace.losses.dtype == np.float64 else replace(trace, gradients={})


class ShowsThemInFloat32(ShowsNone):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        return trace if trace.losses.dtype == np.float32 else replace(trace, gradients={})


class ShowsOneEpoch(ShowsNone):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        seen = self.__dict__.setdefault("seen", [])
        seen.append(trace)
        return trace if len(seen) == 1 else replace(trace, gradients={})


class LosesLosses(ShowsOneEpoch):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        changed = super().shown(trace, *given)
        return trace if changed.gradients else replace(trace, losses=np.empty(0))


class LosesBuffers(ShowsOneEpoch):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        changed = super().shown(trace, *given)
        return trace if changed.gradients else replace(trace, buffers={})


class ShowsOneParameter(ShowsNone):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        return replace(trace, gradients={"0.bias": trace.gradients["0.bias"]})


class ShowsOneStep(ShowsNone):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        return replace(trace, gradients={name: g[:1] for name, g in trace.gradients.items()})


class FusedHidesOnProbes(ShowsNone):
    """A program of its own for an epoch, which hides its gradients where most of the data is zero."""

    def epoch(self, *given: Any) -> Any:
        return super().epoch(*given)

    def shown(self, trace: Trace, *given: Any) -> Trace:
        x, _ = given[1]
        return trace if np.count_nonzero(x) > x.size / 2 else replace(trace, gradients={})


class FusedHidesLossesOnProbes(FusedHidesOnProbes):
    def shown(self, trace: Trace, *given: Any) -> Trace:
        changed = super().shown(trace, *given)
        return trace if changed.gradients else replace(trace, losses=np.empty(0))


class StepGivesNoLoss(NumpyBackend):
    """`step` by itself gives an empty array; its epochs are right."""

    def step(self, state: Any, batch: Any, learning_rate: float) -> Any:
        state, loss = super().step(state, batch, learning_rate)
        return state, loss if np.count_nonzero(batch[0]) > batch[0].size / 2 else np.empty(0, loss.dtype)


class HasNoGradients(ShowsNone):
    def gradients(self, gradients: Any) -> dict[str, Any]:
        return {}


PROBE = "float64: on rows with one non-zero entry, "
NEXT = "at some steps and not at others, from step 5 on"


@pytest.mark.parametrize(
    ("lane", "reason"),
    [
        (ShowsThemInFloat64, "float32: gradients shown in float64 and not in float32"),
        (ShowsThemInFloat32, "float32: gradients shown in float32 and not in float64"),
        (ShowsOneEpoch, f"float64: gradients shown {NEXT}"),
        (LosesLosses, f"float64: loss shown {NEXT}"),
        (LosesBuffers, f"float64: buffers shown {NEXT}"),
        (ShowsOneParameter, "float64: the gradients are named ['0.bias'], not ['0.bias', '0.weight'"),
        (ShowsOneStep, "float64: gradients 0.weight have shape (1, 3, 4), not (4, 3, 4): one entry a step"),
        (FusedHidesOnProbes, "float32: on rows with one non-zero entry, gradients not shown"),
        (FusedHidesLossesOnProbes, "float32: on rows with one non-zero entry, loss not shown"),
        (StepGivesNoLoss, f"{PROBE}loss not shown"),
        (HasNoGradients, f"{PROBE}gradients not shown"),
    ],
)
def test_one_that_comes_and_goes_is_a_fault(lane: type[NumpyBackend], reason: str) -> None:
    certificate = certified(lane, layers=CHAIN, optimizer=SGD(momentum=0.9))
    assert certificate.status == "fail"
    assert certificate.reason.startswith(reason)
    assert Certificate.model_validate_json(certificate.model_dump_json()) == certificate
