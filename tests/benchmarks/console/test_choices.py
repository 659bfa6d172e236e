"""What a user may choose from: one line for a name that nobody knows."""

from __future__ import annotations

import pytest

from samestep.benchmarks.console.choices import by_reason, nearest, pick
from samestep.benchmarks.console.errors import InputError


def test_a_known_name_is_itself_and_another_gets_the_nearest() -> None:
    assert pick("lane", "torch", ("numpy", "torch")) == "torch"
    with pytest.raises(
        InputError, match=r"^unknown lane 'Torhc': did you mean 'torch'\? choose from numpy, torch$"
    ):
        pick("lane", "Torhc", ("numpy", "torch"))
    with pytest.raises(InputError, match=r"^unknown lane '': choose from numpy, torch$"):
        pick("lane", "", ("numpy", "torch"))
    assert nearest("PRICE", ("a", "Price")) == "Price"


def test_names_with_one_reason_are_told_together() -> None:
    assert by_reason({"a": "no GPU", "b": "no jax", "c": "no GPU"}) == "a, c: no GPU; b: no jax"
