"""What a loss declares, and what it refuses in one clear line, the same for every backend.

Standard library and NumPy only. The declarations themselves are in losses.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Reduction: TypeAlias = Literal["none", "mean", "sum", "batchmean"]
Target: TypeAlias = Literal[
    "real", "probability", "distribution", "class", "class or probabilities", "class set", "binary", "sign"
]
REDUCTIONS: tuple[Reduction, ...] = ("none", "mean", "sum")
FLOATS = ("float32", "float64", "bfloat16")
# of bce's divisor and of cosine_embedding's norms: PyTorch keeps 1e-12 as a float32 number in float64 too
EPSILON = float(np.float32(1e-12))

# --- options --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One option of a loss: its default, its meaning in one line, and which values it takes."""

    default: bool | int | float | None
    meaning: str
    takes: str
    valid: Callable[[Any], bool] = field(repr=False)


def number_option(
    default: float, meaning: str, takes: str = "", valid: Callable[[float], bool] = lambda value: True
) -> Option:
    """A finite Python number under a further condition, which `takes` words and `valid` checks."""
    return Option(
        default,
        meaning,
        f"a finite Python number{takes}",
        # a NumPy scalar has a dtype of its own, which would widen float32 results
        lambda value: type(value) in (int, float) and math.isfinite(value) and valid(value),
    )


def weight_option(meaning: str) -> Option:
    """None, or non-negative finite numbers in a tuple, list or array; their shape is checked with the arrays."""
    return Option(None, meaning, "a tuple or array of finite numbers >= 0", _is_weight)


def _is_weight(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, tuple | list | np.ndarray):
        return False
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        return False
    return array.size > 0 and array.dtype.kind in "iuf" and bool(np.all(np.isfinite(array) & (array >= 0)))


# --- the declaration ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossSpec:
    """What a loss takes and means, the same for every backend.

    `dims` are the fewest and most dimensions of the first input (None: any number). `differentiable` names the
    inputs that get a gradient where they are floating. The last input is the target; `target` says what it holds.
    """

    name: str
    torch_name: str
    jax_name: str
    formula: str
    target: Target
    inputs: tuple[str, ...] = ("prediction", "target")
    differentiable: tuple[str, ...] = ("prediction",)
    dims: tuple[int, int | None] = (0, None)
    reductions: tuple[Reduction, ...] = REDUCTIONS
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether it takes (prediction, target) with a prediction (n, m), and so can train a model."""
        return self.inputs == ("prediction", "target") and self.dims[0] <= 2

    @property
    def source(self) -> str:
        """The page that defines it."""
        return f"PyTorch documentation, torch.nn.{self.torch_name}"

    def gradients(self, arrays: Sequence[Array]) -> tuple[str, ...]:
        """Names of the inputs that get a gradient: the differentiable ones that are not integer classes."""
        floating = {name for name, array in zip(self.inputs, arrays, strict=True) if not is_classes(array)}
        return tuple(name for name in self.differentiable if name in floating)

    def check_options(self, arguments: Mapping[str, Any]) -> None:
        """Check the reduction (default mean) and every option.

        Raises:
            ValueError: this loss does not take one of them.
        """
        for key, value in arguments.items():
            if key == "reduction":
                if not isinstance(value, str) or value not in self.reductions:
                    raise self._error(f"reduction is one of {', '.join(self.reductions)}, not {value!r}")
            elif key not in self.options:
                options = ", ".join(self.options) or "none"
                raise self._error(f"there is no option {key!r}; the options are: {options}")
            elif not self.options[key].valid(value):
                raise self._error(f"option {key} takes {self.options[key].takes}, not {value!r}")

    def check(self, arrays: Sequence[Array], arguments: Mapping[str, Any]) -> None:
        """Check a whole call.

        Raises:
            ValueError: undeclared options, shapes, dtypes or ranges, or an empty batch.
        """
        self.check_options(arguments)
        if len(arrays) != len(self.inputs):
            given = "1 array was" if len(arrays) == 1 else f"{len(arrays)} arrays were"
            raise self._error(f"takes {', '.join(self.inputs)}; {given} given")
        for name, array in zip(self.inputs, arrays, strict=True):
            if not isinstance(array, np.ndarray):
                raise self._error(f"{name} must be a NumPy array, not {type(array).__name__}")
            if array.size == 0:
                raise self._error(f"{name} is empty, shape {array.shape}; a loss needs an element")
        self._check_dtypes(arrays)
        self._check_shapes(arrays, arguments)
        self._check_ranges(arrays, arguments)

    def _check_dtypes(self, arrays: Sequence[Array]) -> None:
        first, *others = (array.dtype for array in arrays)
        if first.name not in FLOATS or not first.isnative:
            raise self._error(f"{self.inputs[0]} must be one of {', '.join(FLOATS)}, not {first}")
        for name, dtype in zip(self.inputs[1:-1], others[:-1], strict=True):
            if dtype != first:
                raise self._error(f"{name} is {dtype}, {self.inputs[0]} is {first}; make them equal")
        integer, same = is_classes(arrays[-1]), others[-1] == first
        if self.target in ("class", "class set"):
            fits, expected = integer, "integers"
        elif self.target in ("class or probabilities", "binary", "sign"):
            fits, expected = integer or same, f"integers or {first}"
        else:
            fits, expected = same, f"{first}, as {self.inputs[0]}"
        if not fits:
            raise self._error(f"{self.inputs[-1]} must be {expected}, not {others[-1]}")

    def _target_shape(self, arrays: Sequence[Array]) -> tuple[int, ...]:
        """The shape that the last input must have: the first one's, but for classes and pairs of vectors."""
        shape = arrays[0].shape
        if self.name == "cosine_embedding":
            return shape[:-1]
        if self.target == "class" or (self.target == "class or probabilities" and is_classes(arrays[-1])):
            axis = class_axis(len(shape))
            return shape[:axis] + shape[axis + 1 :]
        return shape

    def _check_shapes(self, arrays: Sequence[Array], arguments: Mapping[str, Any]) -> None:
        shape, (fewest, most) = arrays[0].shape, self.dims
        if len(shape) < fewest or (most is not None and len(shape) > most):
            last = " or more" if most is None else "" if fewest == most else f" to {most}"
            raise self._error(f"{self.inputs[0]} must have {fewest}{last} dimensions, not shape {shape}")
        shapes = [shape] * (len(arrays) - 1) + [self._target_shape(arrays)]
        for name, array, needed in zip(self.inputs, arrays, shapes, strict=True):
            if array.shape != needed:
                raise self._error(
                    f"{name} has shape {array.shape}, but {self.inputs[0]} of shape {shape} needs "
                    f"{needed}; nothing is broadcast"
                )
        if arguments.get("reduction") == "batchmean" and not shape:
            raise self._error("batchmean divides by the first dimension, and shape () has none")
        for key in ("weight", "pos_weight"):
            if arguments.get(key) is not None:
                self._check_weight(key, np.shape(arguments[key]), shape)

    def _check_weight(self, key: str, weight_shape: tuple[int, ...], shape: tuple[int, ...]) -> None:
        """One weight per class; or, for losses of single elements, per column (the last axis) or per element."""
        allowed: tuple[tuple[int, ...], ...] = (shape[-1:],)
        if self.target in ("class", "class or probabilities"):
            axis = class_axis(len(shape))
            allowed = (shape[axis : axis + 1],)
        elif self.target != "binary":
            allowed = (shape[-1:], shape)
        if weight_shape not in allowed:
            expected = " or ".join(str(size) for size in dict.fromkeys(allowed))
            raise self._error(f"option {key} has shape {weight_shape}; the inputs need {expected}")

    def _check_ranges(self, arrays: Sequence[Array], arguments: Mapping[str, Any]) -> None:
        """The values that the target may hold, and bce's prediction, which is a probability too."""
        target, size = arrays[-1], arrays[0].shape
        ignores, ignore_index = "ignore_index" in self.options, arguments.get("ignore_index", -100)
        if self.name == "bce":
            self._require(self.inputs[0], "probabilities in [0, 1]", (arrays[0] >= 0) & (arrays[0] <= 1))
        match self.target:
            case "sign":
                expected, valid = "-1 or 1", (target == -1) | (target == 1)
            case "binary":
                expected, valid = "0 or 1", (target == 0) | (target == 1)
            case "class set":
                expected, valid = f"classes 0 to {size[-1] - 1}, or -1", (target >= -1) & (target < size[-1])
            case "distribution" if not arguments.get("log_target", False):
                expected, valid = "probabilities >= 0", target >= 0
            case "class" | "class or probabilities" if is_classes(target):
                classes = size[class_axis(len(size))]
                expected = f"classes 0 to {classes - 1}{' or ignore_index' if ignores else ''}"
                valid = (target >= 0) & (target < classes) | (target == ignore_index if ignores else False)
            case "probability" | "class or probabilities":
                expected, valid = "probabilities in [0, 1]", (target >= 0) & (target <= 1)
                if ignores and ignore_index >= 0:
                    raise self._error("ignore_index needs classes as targets, not probabilities")
            case _:
                return
        self._require(self.inputs[-1], expected, valid)

    def _require(self, name: str, expected: str, valid: Any) -> None:
        if not np.all(valid):
            where = tuple(int(i) for i in np.argwhere(~np.asarray(valid))[0])
            raise self._error(f"{name} must hold {expected}; element {where} does not")

    def _error(self, message: str) -> ValueError:
        return ValueError(f"{self.name}: {message}")


def class_axis(dims: int) -> int:
    """The axis of the classes: 0 for (C,), 1 for (N, C) and (N, C, d1, ...)."""
    return min(1, dims - 1)


def is_classes(array: Array) -> bool:
    """Whether a target holds integer classes."""
    return array.dtype.kind in "iu"
