"""Each framework's native draws against the analytic distribution: support, Kolmogorov-Smirnov, variance.

The weight is (200, 100), so that fan_in, fan_out and their mean differ. Draws are seeded: a test that passes
passes always; thresholds are those at which a right distribution would fail once in a million seeds.
"""

from __future__ import annotations

import math
from typing import Any, Literal

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


def scaled(distribution: str, std: float) -> stats.rv_continuous:
    return (
        stats.norm(0, std) if distribution == "normal" else uniform(-std * math.sqrt(3), std * math.sqrt(3))
    )


DISTRIBUTIONS: dict[str, tuple[Initializer, stats.rv_continuous]] = {
    "normal": (Normal(mean=0.3, std=0.02), stats.norm(0.3, 0.02)),
    "uniform": (Uniform(low=-0.1, high=0.4), uniform(-0.1, 0.4)),
    "truncated normal": (
        TruncatedNormal(mean=0.1, std=0.5, low=-0.4, high=0.9),
        stats.truncnorm(-1.0, 1.6, loc=0.1, scale=0.5),
    ),
}
for distribution in ("uniform", "normal"):
    DISTRIBUTIONS[f"xavier {distribution}"] = (
        Xavier(distribution=distribution, gain=5 / 3),
        scaled(distribution, 5 / 3 * math.sqrt(2 / (IN + OUT))),
    )
    fans: tuple[tuple[Literal["fan_in", "fan_out"], int], ...] = (("fan_in", IN), ("fan_out", OUT))
    for mode, fan in fans:
        DISTRIBUTIONS[f"kaiming {distribution} {mode}"] = (
            Kaiming(distribution=distribution, mode=mode, gain=1.7),
            scaled(distribution, 1.7 / math.sqrt(fan)),
        )


def drawn(lane: str, init: Initialization, out: int = OUT, dtype: Any = "float32") -> dict[str, np.ndarray]:
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


def follows(values: np.ndarray, distribution: stats.rv_continuous) -> None:
    flat, (low, high) = values.ravel().astype(np.float64), distribution.support()
    slack = np.finfo(np.float32).eps * max([1.0, *(abs(end) for end in (low, high) if math.isfinite(end))])
    assert flat.min() >= low - slack
    assert flat.max() <= high + slack
    assert stats.kstest(flat, distribution.cdf).pvalue > RARE
    # the sample variance has standard error var sqrt((kurtosis + 2) / n)
    mean, var, _, kurtosis = distribution.stats("mvsk")
    error = float(var) * math.sqrt((float(kurtosis) + 2) / flat.size)
    assert abs(flat.var() - float(var)) < 5 * error
    assert abs(flat.mean() - float(mean)) < 5 * math.sqrt(float(var) / flat.size)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("lane", LANES)
def test_native_draws_follow_the_distribution(lane: str, name: str) -> None:
    how, distribution = DISTRIBUTIONS[name]
    follows(drawn(lane, Initialization(weight=how))["0.weight"], distribution)


@pytest.mark.parametrize("lane", LANES)
def test_a_bias_is_drawn_by_its_own_initializer(lane: str) -> None:
    init = Initialization(weight=Constant(value=1.5), bias=Uniform(low=0.2, high=0.3))
    values = drawn(lane, init, out=5000)
    assert (values["0.weight"] == 1.5).all()
    follows(values["0.bias"], uniform(0.2, 0.3))


@pytest.mark.slow
@pytest.mark.parametrize("lane", LANES)
def test_the_default_is_the_frameworks_own(lane: str) -> None:
    """torch, and NumPy, which has none of its own: U(+-1/sqrt(in)); flax: LeCun normal and zero bias."""
    values = drawn(lane, Initialization(weight=Default(), bias=Default()), out=5000)
    if backends.lane_class(lane).framework == "jax":
        std = (
            math.sqrt(1 / IN) / 0.87962566103423978
        )  # so that the truncated distribution has variance 1 / in
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


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("lane", LANES)
def test_all_lanes_of_a_framework_draw_the_same(lane: str, name: str) -> None:
    init = Initialization(weight=DISTRIBUTIONS[name][0], bias=Uniform(low=0.2, high=0.3))
    values, documented = drawn(lane, init), drawn(backends.LaneName.parse(lane).framework, init)
    assert list(values) == list(documented)
    for key, value in values.items():
        np.testing.assert_array_equal(value, documented[key], strict=True)


def test_the_tuned_jax_lane_builds_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    nnx = pytest.importorskip("flax.nnx")
    monkeypatch.delattr(nnx, "Linear")
    assert drawn("jax:tuned", Initialization(weight=Default(), bias=Default()))["0.weight"].any()
    with pytest.raises(AttributeError, match="Linear"):
        drawn("jax", Initialization())
