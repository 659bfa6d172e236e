"""Every loss in every framework: value and gradient against PyTorch in float64."""

from __future__ import annotations

from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from samestep.backends import losses
from tests.helpers.jax_calls import Call, evaluated
from tests.helpers.lanes import FRAMEWORKS, lane
from tests.helpers.loss_bounds import UNIT_ROUNDOFF, Result, assert_close
from tests.helpers.loss_cases import Case, cases, reference

CALLS = [pytest.param(case, dtype, id=f"{case.id}-{dtype}") for case in cases() for dtype in case.dtypes]
WITHOUT_BFLOAT16 = {
    "numpy": set(losses.names()),
    "torch": {"multi_margin", "multilabel_margin"},  # on the CPU
    "jax": set(),
}


def dtype_of(name: str) -> Any:
    """NumPy has no bfloat16 of its own; ml_dtypes comes with JAX."""
    return pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else np.dtype(name)


def call(case: Case, dtype: str) -> Call:
    return Call(case.name, case.call(dtype_of(dtype)), case.arguments)


@cache
def results_of_jax(name: str, dtype: str) -> dict[str, Result]:
    """By case: what one program gives for all cases of a loss."""
    chosen = [case for case in cases() if case.name == name and dtype in case.dtypes]
    results = evaluated([call(case, dtype) for case in chosen])
    return {case.id: result for case, result in zip(chosen, results, strict=True)}


def assert_right(got: Result, case: Case, dtype: str) -> None:
    assert_close(got, reference(case), case.name, case.arrays, case.arguments, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), CALLS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_value_and_gradient(framework: str, case: Case, dtype: str) -> None:
    if dtype == "bfloat16" and case.name in WITHOUT_BFLOAT16.get(framework, ()):
        with pytest.raises(ValueError, match="bfloat16"):
            lane(framework).loss_and_gradient(*call(case, dtype))
        return
    if framework == "jax":
        assert_right(results_of_jax(case.name, dtype)[case.id], case, dtype)
    else:
        assert_right(lane(framework).loss_and_gradient(*call(case, dtype)), case, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), list(zip(losses.names(), cycle(UNIT_ROUNDOFF), strict=False)))
def test_a_call_of_jax_by_itself(name: str, dtype: str) -> None:
    """Above, JAX's are parts of larger programs; here the lane itself runs a loss with all its options."""
    pytest.importorskip("jax")
    found = [case for case in cases() if case.name == name and case.arguments["reduction"] == "mean"]
    case = max(found, key=lambda case: (len(case.dtypes), len(case.arguments)))
    assert_right(lane("jax").loss_and_gradient(*call(case, dtype)), case, dtype)


def test_every_loss_option_and_reduction_has_a_case() -> None:
    for name in losses.names():
        spec, made = losses.get(name), [case.arguments for case in cases() if case.name == name]
        assert {arguments["reduction"] for arguments in made} == set(spec.reductions)
        assert set(spec.options) == {key for arguments in made for key in arguments} - {"reduction"}
