"""Every loss in every framework: value and gradient against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samestep.backends import losses
from tests.helpers.lanes import FRAMEWORKS, lane
from tests.helpers.loss_bounds import assert_close
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


@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), CALLS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_value_and_gradient(framework: str, case: Case, dtype: str) -> None:
    arrays = case.call(dtype_of(dtype))
    if dtype == "bfloat16" and case.name in WITHOUT_BFLOAT16.get(framework, ()):
        with pytest.raises(ValueError, match="bfloat16"):
            lane(framework).loss_and_gradient(case.name, arrays, case.arguments)
        return
    got = lane(framework).loss_and_gradient(case.name, arrays, case.arguments)
    assert_close(got, reference(case), case.name, case.arrays, case.arguments, dtype)


def test_every_loss_option_and_reduction_has_a_case() -> None:
    for name in losses.names():
        spec, made = losses.get(name), [case.arguments for case in cases() if case.name == name]
        assert {arguments["reduction"] for arguments in made} == set(spec.reductions)
        assert set(spec.options) == {key for arguments in made for key in arguments} - {"reduction"}
