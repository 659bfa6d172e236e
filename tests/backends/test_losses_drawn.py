"""Every loss on drawn inputs against live PyTorch in float64: shapes, targets, weights and edge values.

Numbers are those of half precision, which float32 and float64 share, so that both get the same inputs. Examples
in which a row lies on a jump of the gradient are left to test_losses_edges. What is drawn with certainty, and not
by chance alone: logits of +-1e4 throughout (probabilities of 0 and 1), and targets in which every row is ignored.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from samestep.backends import losses
from samestep.backends.losses import LossSpec, class_axis
from tests.helpers.jax_calls import Call, evaluated
from tests.helpers.lanes import FRAMEWORKS, lane
from tests.helpers.loss_bounds import Result, assert_close, kinked
from tests.helpers.loss_cases import torch_reference

pytestmark = pytest.mark.slow

pytest.importorskip("torch")

MODEST = st.floats(-8, 8, width=16) | st.sampled_from([0.0, 1.0, -1.0])
EXTREME = st.sampled_from([1e4, -1e4])
NUMBERS = MODEST | EXTREME
ENDS = st.sampled_from([0.0, 1.0])
PROBABILITIES = st.floats(0, 1, width=16) | ENDS | st.just(0.5)
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
LARGEST, EXTRA = 5, 2  # of rows, columns and classes; of dimensions beyond those that a loss needs
IGNORING = [name for name in losses.names() if "ignore_index" in losses.get(name).options]
CALLS = [
    (name, edge)
    for edge in ("", "extreme", "all ignored")
    for name in (IGNORING if edge == "all ignored" else losses.names())
]


@st.composite
def shapes(draw: st.DrawFn, spec: LossSpec, smallest: int) -> tuple[int, ...]:
    """A shape of the first input: as many dimensions as the loss takes, each of at least so many elements.

    With 2 or more it has rows too, where the loss takes any.
    """
    fewest, most = spec.dims
    most = fewest + 1 + EXTRA if most is None else most
    dims = draw(st.integers(min(max(fewest, 2), most) if smallest > 1 else fewest, most))
    return tuple(draw(st.integers(smallest, LARGEST if place < 2 else 3)) for place in range(dims))


@st.composite
def calls(draw: st.DrawFn, spec: LossSpec, edge: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrays in float64 and arguments that the loss takes."""
    shape = draw(shapes(spec, 2 if edge else 1))
    ignored = edge == "all ignored"
    probabilities = not ignored and spec.target == "class or probabilities" and draw(st.booleans())
    options: dict[str, Any] = {}
    for key in spec.options:
        if draw(st.booleans()) and not (probabilities and key == "ignore_index"):
            options[key] = draw(_weights(spec, shape) if "weight" in key else OPTIONS[key])
    first, others = _numbers(spec, edge)
    floating = [
        draw(drawn(np.float64, shape, elements=others if place else first))
        for place in range(len(spec.inputs) - 1)
    ]
    target = draw(_targets(spec, shape, options, others, probabilities=probabilities, ignored=ignored))
    reductions = spec.reductions if shape else losses.REDUCTIONS  # batchmean needs a first dimension
    mean_first = sorted(reductions, key="mean".__ne__)  # what Hypothesis tries first, in every run
    return (*floating, target), {**options, "reduction": draw(st.sampled_from(mean_first))}


def _numbers(spec: LossSpec, edge: str) -> tuple[st.SearchStrategy[float], st.SearchStrategy[float]]:
    """What the first input and the others hold; only one is extreme: two of 1e4 are a tie of many losses."""
    if spec.name == "bce":
        return (ENDS if edge == "extreme" else PROBABILITIES), PROBABILITIES
    return (EXTREME, MODEST) if edge == "extreme" else (NUMBERS, NUMBERS)


def _weights(spec: LossSpec, shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """One weight per class; or per column, or per element."""
    if spec.target == "probability":
        return st.sampled_from([shape[-1:], shape]).flatmap(
            lambda size: drawn(np.float64, size, elements=WEIGHT)
        )
    size = shape[-1:] if spec.target == "binary" else shape[class_axis(len(shape)) :][:1]
    return drawn(np.float64, size, elements=WEIGHT)


def _targets(
    spec: LossSpec,
    shape: tuple[int, ...],
    options: dict[str, Any],
    numbers: st.SearchStrategy[float],
    *,
    probabilities: bool,
    ignored: bool,
) -> st.SearchStrategy[Any]:
    if spec.target == "sign":
        size = shape[:-1] if spec.name == "cosine_embedding" else shape
        return drawn(np.int64, size, elements=st.sampled_from([-1, 1]))
    if spec.target == "binary":
        return drawn(np.int64, shape, elements=st.integers(0, 1))
    if spec.target == "class set":
        return drawn(np.int64, shape, elements=st.integers(-1, shape[-1] - 1))
    if spec.target == "real":
        return drawn(np.float64, shape, elements=numbers)
    if probabilities or spec.target in ("probability", "distribution"):
        # exp of a target of 1e4 overflows in kl_div by its definition
        return drawn(np.float64, shape, elements=MODEST if options.get("log_target") else PROBABILITIES)
    axis = class_axis(len(shape))
    classes, ignore_index = st.integers(0, shape[axis] - 1), st.just(options.get("ignore_index", -100))
    if "ignore_index" in spec.options:
        classes = ignore_index if ignored else classes | ignore_index
    return drawn(np.int64, shape[:axis] + shape[axis + 1 :], elements=classes)


def reference(
    framework: str, name: str, arrays: Sequence[Any], arguments: dict[str, Any], dtype: str
) -> Result:
    """PyTorch in float64; for soft_margin the formula itself, since PyTorch's overflows, as its own is let to."""
    if name != "soft_margin":
        return torch_reference(name, arrays, arguments)
    z, reduction = -arrays[1] * arrays[0], arguments["reduction"]
    value, slope = np.logaddexp(0, z), -arrays[1] * np.exp(-np.logaddexp(0, -z))
    if framework == "torch":
        over = z > np.log(np.finfo(dtype).max)
        event(f"soft_margin of PyTorch overflows: {over.any()}")
        value, slope = np.where(over, np.inf, value), np.where(over, np.nan, slope)
    if reduction == "none":
        return value, {"prediction": slope}
    divisor = value.size if reduction == "mean" else 1
    return value.sum() / divisor, {"prediction": slope / divisor}


class Example(NamedTuple):
    """A drawn call: the loss, its arrays in float64, its arguments, and the dtype to try it in."""

    name: str
    arrays: tuple[Any, ...]
    arguments: dict[str, Any]
    dtype: str

    @property
    def call(self) -> Call:
        inputs = [array.astype(self.dtype) if array.dtype.kind == "f" else array for array in self.arrays]
        return Call(self.name, inputs, self.arguments)


def for_each(framework: str, name: str, edge: str, do: Callable[[Example], Any]) -> None:
    """Draw the examples of a loss, the same ones every time; no gradient jumps where they are taken."""

    @settings(max_examples=count(framework, name, edge), deadline=None, derandomize=True)
    @given(data=st.data())
    def each(data: st.DataObject) -> None:
        arrays, arguments = data.draw(calls(losses.get(name), edge))
        dtype = data.draw(st.sampled_from(["float64", "float32"]))
        assume(not kinked(name, arrays, arguments, dtype))
        do(Example(name, arrays, arguments, dtype))

    each()


def count(framework: str, name: str, edge: str) -> int:
    """How many to draw: more where there are more options; in JAX each has to be compiled."""
    few = {"": 4 + 2 * len(losses.get(name).options), "extreme": 3, "all ignored": 2}[edge]
    return few if framework == "jax" else 3 * few


class JaxResults:
    """What JAX gives for examples that were drawn before, from programs of many.

    Others, to which Hypothesis shrinks one that fails, are programs of their own.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        results = evaluated([example.call for example in examples])
        self.results = {
            pickle.dumps(example): result for example, result in zip(examples, results, strict=True)
        }

    def __call__(self, example: Example) -> Result:
        return self.results.get(pickle.dumps(example)) or in_lane("jax", example)


def in_lane(framework: str, example: Example) -> Result:
    """What a lane gives for an example."""
    return lane(framework).loss_and_gradient(*example.call)


def assert_right(framework: str, edge: str, example: Example, got: Result) -> None:
    """One drawn call, in one dtype, within its bounds."""
    name, arrays, arguments, dtype = example
    want, want_gradients = reference(framework, name, arrays, arguments, dtype)
    if edge == "all ignored":
        assert np.isnan(want) if arguments["reduction"] == "mean" else not want.any()
    if name in ("bce", "kl_div"):
        # at probabilities 0 and 1 PyTorch's gradient of the target is infinite or NaN
        known = np.isfinite(want_gradients["target"])
        event("target at 0 or 1" if not known.all() else "target inside")
        want_gradients["target"] = np.where(known, want_gradients["target"], got[1]["target"])
    assert_close(got, (want, want_gradients), name, arrays, arguments, dtype)


@pytest.mark.filterwarnings(
    "ignore:reduction. 'mean' divides:UserWarning"
)  # torch's advice on its own KLDivLoss
@pytest.mark.parametrize(("name", "edge"), CALLS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_drawn(framework: str, name: str, edge: str) -> None:
    result: Callable[[Example], Result] = partial(in_lane, framework)
    if framework == "jax":
        examples: list[Example] = []
        for_each(framework, name, edge, examples.append)
        result = JaxResults(examples)
    for_each(framework, name, edge, lambda one: assert_right(framework, edge, one, result(one)))
