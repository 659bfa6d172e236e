"""The shared start: every law as declared, one draw for all dtypes, digests that tell arrays apart."""

from __future__ import annotations

import numpy as np
import pytest

from samestep.backends.spec import Initialization, Kaiming, Linear, Normal, TruncatedNormal, Xavier
from samestep.benchmarks.parity import digest, initial_parameters
from tests.helpers.parity_trainer import make


@pytest.mark.parametrize(
    ("law", "low", "high", "sd"),
    [
        (Xavier(), -np.sqrt(6 / 500), np.sqrt(6 / 500), np.sqrt(2 / 500)),
        (Kaiming(mode="fan_out", gain=1.0), -np.sqrt(3 / 200), np.sqrt(3 / 200), np.sqrt(1 / 200)),
        (Kaiming(distribution="normal", gain=2.0), -np.inf, np.inf, 2 / np.sqrt(300)),
        (TruncatedNormal(std=1.0, low=-2.0, high=2.0), -2, 2, 0.87962566),
        (Normal(mean=0.0, std=0.01), -np.inf, np.inf, 0.01),
    ],
    ids=lambda v: getattr(v, "kind", ""),
)
def test_the_start_follows_its_law(law, low, high, sd):
    task = make(layers=(Linear(in_features=300, out_features=200),), init=Initialization(weight=law))
    weight = initial_parameters(task)["0.weight"].astype(float)
    assert weight.shape == (300, 200)
    assert (weight >= low * 1.0001).all()
    assert (weight <= high * 1.0001).all()
    assert abs(weight.mean()) < 6 * sd / np.sqrt(weight.size)
    assert weight.std() == pytest.approx(sd, rel=6 / np.sqrt(2 * weight.size))


def test_the_start_is_one_draw_rounded():
    single, double = initial_parameters(make("float32")), initial_parameters(make("float64"))
    assert {value.dtype for value in single.values()} == {np.dtype("float32")}
    assert digest(single) == digest({name: value.astype("float32") for name, value in double.items()})
    assert digest(initial_parameters(make(seed=1))) != digest(single) != digest(double)
    bias = initial_parameters(make(init=Initialization.model_validate({"bias": {"kind": "default"}})))[
        "0.bias"
    ]
    assert 0 < abs(bias.item()) <= 1 / np.sqrt(3)


def test_digests_tell_names_shapes_dtypes_and_bits_apart():
    array = np.arange(6.0)
    digests = {
        digest({"a": array}),
        digest({"b": array}),
        digest({"a": array.reshape(2, 3)}),
        digest({"a": array.astype("float32")}),
        digest({"a": np.nextafter(array, 9)}),
    }
    assert len(digests) == 5
