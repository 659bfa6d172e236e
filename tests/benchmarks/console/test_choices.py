"""What a user may choose from: one line for a name that nobody knows."""

from __future__ import annotations

import pytest

from samestep.benchmarks.console.choices import by_reason, counted, first_names, nearest, pick
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


def test_of_a_long_list_the_first_names_are_told_and_how_many_more() -> None:
    assert first_names([]) == ""
    assert first_names(["a", "b"]) == "a, b"
    assert first_names(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_names(list("abcdefghijklm")) == "a, b, c, d, e, f, g, h, i, j, k, l and 1 more"


def test_one_is_never_several() -> None:
    assert [counted(number, "row") for number in (0, 1, 2, 1500)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,500 rows",
    ]
    assert [counted(number, "CPU") for number in (0.5, 1.0, 1.5)] == ["0.5 CPUs", "1 CPU", "1.5 CPUs"]
