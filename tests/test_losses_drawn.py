"""Every loss on drawn inputs against live PyTorch in float64: shapes, targets, weights and edge values.

Numbers are those of half precision, which float32 and float64 share, so that both get the same inputs. Examples
in which a row lies on a jump of the gradient are left to test_losses_edges, as are PyTorch's own departures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from backends import losses
from backends.loss_checks import class_axis
from backends.losses import LossSpec
from tests.loss_bounds import assert_close, kinked
from tests.loss_cases import ELEMENTWISE, SHAPES, torch_reference
from tests.test_losses import FRAMEWORKS, lane

pytest.importorskip("torch")

NUMBERS = st.floats(-8, 8, width=16) | st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e4, -1e4])
# exp overflows beyond 88 in torch's soft_margin; exp of a target of 1e4 overflows in kl_div by its definition
MODEST = st.floats(-8, 8, width=16) | st.sampled_from([0.0, 1.0, -1.0])
PROBABILITIES = st.floats(0, 1, width=16) | st.sampled_from([0.0, 1.0, 0.5])
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "beta": st.sampled_from([0, 0.5, 1.0, 3.0]),
    "delta": st.sampled_from([0.5, 1.0, 3.0]),
    "ignore_index": st.sampled_from([-100, -1, 0, 1]),
    "label_smoothing": st.floats(0, 1, width=16),
    "log_target": st.booleans(),
    "margin": st.floats(-2, 2, width=16),
    "p": st.sampled_from([1, 2]),
}
WEIGHT = st.floats(0.25, 4, width=16)


@st.composite
def calls(draw: st.DrawFn, spec: LossSpec) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrays in float64 and arguments that the loss takes."""
    shape = draw(st.sampled_from(SHAPES.get(spec.name, ELEMENTWISE)[:2]))
    probabilities = spec.target == "class or probabilities" and draw(st.booleans())
    options: dict[str, Any] = {}
    for key in spec.options:
        if draw(st.booleans()) and not (probabilities and key == "ignore_index"):
            options[key] = draw(_weights(spec, shape) if "weight" in key else OPTIONS[key])
    numbers = (
        PROBABILITIES if spec.name == "bce" else MODEST if spec.name in ("soft_margin", "kl_div") else NUMBERS
    )
    floating = [draw(drawn(np.float64, shape, elements=numbers)) for _ in spec.inputs[:-1]]
    target = draw(_targets(spec, shape, options, probabilities))
    reductions = spec.reductions if shape else losses.REDUCTIONS  # batchmean needs a first dimension
    return (*floating, target), {**options, "reduction": draw(st.sampled_from(reductions))}


def _weights(spec: LossSpec, shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    per_class = spec.target not in ("probability", "binary")
    size = shape[class_axis(len(shape)) :][:1] if per_class else shape[-1:]
    return drawn(np.float64, size, elements=WEIGHT)


def _targets(
    spec: LossSpec, shape: tuple[int, ...], options: dict[str, Any], probabilities: bool
) -> st.SearchStrategy[Any]:
    if spec.target == "sign":
        size = shape[:-1] if spec.name == "cosine_embedding" else shape
        return drawn(np.int64, size, elements=st.sampled_from([-1, 1]))
    if spec.target == "binary":
        return drawn(np.int64, shape, elements=st.integers(0, 1))
    if spec.target == "class set":
        return drawn(np.int64, shape, elements=st.integers(-1, shape[-1] - 1))
    if spec.target == "real":
        return drawn(np.float64, shape, elements=NUMBERS)
    if probabilities or spec.target in ("probability", "distribution"):
        elements = MODEST if options.get("log_target") else PROBABILITIES
        return drawn(np.float64, shape, elements=elements)
    axis = class_axis(len(shape))
    classes = st.integers(0, shape[axis] - 1)
    if "ignore_index" in spec.options:
        classes |= st.just(options.get("ignore_index", -100))
    return drawn(np.int64, shape[:axis] + shape[axis + 1 :], elements=classes)


@pytest.mark.filterwarnings(
    "ignore:reduction. 'mean' divides:UserWarning"
)  # torch's advice on its own KLDivLoss
@pytest.mark.parametrize("name", losses.names())
@pytest.mark.parametrize("framework", FRAMEWORKS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_drawn(framework: str, name: str, data: st.DataObject) -> None:
    arrays, arguments = data.draw(calls(losses.get(name)))
    dtype = data.draw(st.sampled_from(["float64", "float32"] if arrays[0].ndim > 1 else ["float64"]))
    assume(not kinked(name, arrays, arguments, dtype))
    inputs = [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays]
    value, gradients = lane(framework).loss_and_gradient(name, inputs, arguments)
    want, want_gradients = torch_reference(name, arrays, arguments)
    if name in (
        "bce",
        "kl_div",
    ):  # at probabilities 0 and 1 PyTorch's gradient of the target is infinite or NaN
        known = np.isfinite(want_gradients["target"])
        event("target at 0 or 1" if not known.all() else "target inside")
        want_gradients["target"] = np.where(known, want_gradients["target"], gradients["target"])
    assert_close((value, gradients), (want, want_gradients), name, arrays, arguments, dtype)
