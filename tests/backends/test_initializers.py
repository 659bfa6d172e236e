"""Each framework's native draws against the analytic law: support, Kolmogorov-Smirnov, variance.

The weight is (200, 100), so that fan_in, fan_out and their mean differ. Draws are seeded: a test that passes
passes always; thresholds are those at which a right law would fail once in a million seeds.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from samestep import backends
from samestep.backends.spec import (
    Constant,
    Default,
    Initialization,
    Initializer,
    Kaiming,
    Linear,
    Normal,
    Synthetic,
    Task,
    TruncatedNormal,
    Uniform,
    Xavier,
)
from tests.helpers.lanes import LANES

IN, OUT = 200, 100
RARE = 1e-6
DATA = Synthetic(rows=4, held_out=1, features=IN)


def uniform(low: float, high: float) -> stats.rv_continuous:
    return stats.uniform(low, high - low)


def scaled(law: str, std: float) -> stats.rv_continuous:
    return stats.norm(0, std) if law == "normal" else uniform(-std * math.sqrt(3), std * math.sqrt(3))


LAWS: dict[str, tuple[Initializer, stats.rv_continuous]] = {
    "normal": (Normal(mean=0.3, std=0.02), stats.norm(0.3, 0.02)),
    "uniform": (Uniform(low=-0.1, high=0.4), uniform(-0.1, 0.4)),
    "truncated normal": (
        TruncatedNormal(mean=0.1, std=0.5, low=-0.4, high=0.9),
        stats.truncnorm(-1.0, 1.6, loc=0.1, scale=0.5),
    ),
}
for law in ("uniform", "normal"):
    LAWS[f"xavier {law}"] = (
        Xavier(distribution=law, gain=5 / 3),
        scaled(law, 5 / 3 * math.sqrt(2 / (IN + OUT))),
    )
    for mode, fan in (("fan_in", IN), ("fan_out", OUT)):
        LAWS[f"kaiming {law} {mode}"] = (
            Kaiming(distribution=law, mode=mode, gain=1.7),
            scaled(law, 1.7 / math.sqrt(fan)),
        )


def drawn(lane: str, init: Initialization, out: int = OUT, dtype: str = "float32") -> dict[str, np.ndarray]:
    task = Task(
        name="draw",
        dataset=DATA,
        layers=(Linear(in_features=IN, out_features=out),),
        init=init,
        seed=7,
        dtype=dtype,
    )
    backend = backends.load(lane)
    with backend.precision(dtype):
        return backend.params(backend.init(task))


def follows(values: np.ndarray, law: stats.rv_continuous) -> None:
    flat, (low, high) = values.ravel().astype(np.float64), law.support()
    slack = np.finfo(np.float32).eps * max([1.0, *(abs(end) for end in (low, high) if math.isfinite(end))])
    assert flat.min() >= low - slack
    assert flat.max() <= high + slack
    assert stats.kstest(flat, law.cdf).pvalue > RARE
    # the sample variance has standard error var sqrt((kurtosis + 2) / n)
    mean, var, _, kurtosis = law.stats("mvsk")
    error = float(var) * math.sqrt((float(kurtosis) + 2) / flat.size)
    assert abs(flat.var() - float(var)) < 5 * error
    assert abs(flat.mean() - float(mean)) < 5 * math.sqrt(float(var) / flat.size)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("lane", LANES)
def test_native_draws_follow_the_law(lane: str, name: str) -> None:
    how, law = LAWS[name]
    follows(drawn(lane, Initialization(weight=how))["0.weight"], law)


@pytest.mark.parametrize("lane", LANES)
def test_a_bias_is_drawn_by_its_own_initializer(lane: str) -> None:
    init = Initialization(weight=Constant(value=1.5), bias=Uniform(low=0.2, high=0.3))
    values = drawn(lane, init, out=5000)
    assert (values["0.weight"] == 1.5).all()
    follows(values["0.bias"], uniform(0.2, 0.3))


@pytest.mark.parametrize("lane", LANES)
def test_the_default_is_the_frameworks_own(lane: str) -> None:
    """torch, and NumPy, which has none of its own: U(+-1/sqrt(in)); flax: LeCun normal and zero bias."""
    values = drawn(lane, Initialization(weight=Default(), bias=Default()), out=5000)
    if backends.lane_class(lane).framework == "jax":
        std = math.sqrt(1 / IN) / 0.87962566103423978  # so that the truncated law has variance 1 / in
        follows(values["0.weight"], stats.truncnorm(-2, 2, scale=std))
        assert not values["0.bias"].any()
    else:
        bound = 1 / math.sqrt(IN)
        follows(values["0.weight"], uniform(-bound, bound))
        follows(values["0.bias"], uniform(-bound, bound))


@pytest.mark.parametrize("lane", LANES)
def test_float64_draws_are_not_float32_in_disguise(lane: str) -> None:
    values = drawn(lane, Initialization(weight=Normal()), dtype="float64")["0.weight"]
    assert values.dtype == np.float64
    assert (values != values.astype(np.float32)).mean() > 0.9
