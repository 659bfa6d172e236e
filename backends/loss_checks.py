"""What a loss refuses, in one clear line each, the same for every backend. Standard library and NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .losses import LossSpec

Arrays: TypeAlias = Sequence[NDArray[Any]]
FLOATS = ("float32", "float64", "bfloat16")


def class_axis(dims: int) -> int:
    """The axis of the classes: 0 for (C,), 1 for (N, C) and (N, C, d1, ...)."""
    return min(1, dims - 1)


def check_options(spec: LossSpec, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError unless the reduction and every option are ones that the loss takes."""
    for key, value in arguments.items():
        if key == "reduction":
            if not isinstance(value, str) or value not in spec.reductions:
                raise ValueError(
                    f"{spec.name}: reduction is one of {', '.join(spec.reductions)}, not {value!r}"
                )
        elif key not in spec.options:
            known = ", ".join(spec.options) or "none"
            raise ValueError(f"{spec.name}: there is no option {key!r}; the options are: {known}")
        elif not spec.options[key].valid(value):
            raise ValueError(f"{spec.name}: option {key} takes {spec.options[key].takes}, not {value!r}")


def check_arrays(spec: LossSpec, arrays: Arrays, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError for undeclared shapes, dtypes or ranges and empty batches; the options are checked."""
    if len(arrays) != len(spec.inputs):
        raise ValueError(f"{spec.name}: takes {', '.join(spec.inputs)}; {len(arrays)} arrays were given")
    for name, array in zip(spec.inputs, arrays, strict=True):
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{spec.name}: {name} must be a NumPy array, not {type(array).__name__}")
        if array.size == 0:
            raise ValueError(f"{spec.name}: {name} is empty, shape {array.shape}; a loss needs an element")
    _check_dtypes(spec, arrays)
    _check_shapes(spec, arrays, arguments)
    _check_ranges(spec, arrays, arguments)


def _is_classes(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iu"


def _check_dtypes(spec: LossSpec, arrays: Arrays) -> None:
    first, *others = (array.dtype for array in arrays)
    if first.name not in FLOATS or not first.isnative:
        raise ValueError(f"{spec.name}: {spec.inputs[0]} must be one of {', '.join(FLOATS)}, not {first}")
    for name, dtype in zip(spec.inputs[1:-1], others[:-1], strict=True):
        if dtype != first:
            raise ValueError(f"{spec.name}: {name} is {dtype}, {spec.inputs[0]} is {first}; make them equal")
    integer, same = _is_classes(arrays[-1]), others[-1] == first
    if spec.target in ("class", "class set"):
        fits, wanted = integer, "integers"
    elif spec.target in ("class or probabilities", "binary", "sign"):
        fits, wanted = integer or same, f"integers or {first}"
    else:
        fits, wanted = same, f"{first}, as {spec.inputs[0]}"
    if not fits:
        raise ValueError(f"{spec.name}: {spec.inputs[-1]} must be {wanted}, not {others[-1]}")


def _target_shape(spec: LossSpec, arrays: Arrays) -> tuple[int, ...]:
    """The shape that the last input must have, given the first: equal, but for classes and pairs of vectors."""
    shape = arrays[0].shape
    if spec.name == "cosine_embedding":
        return shape[:-1]
    if spec.target == "class" or (spec.target == "class or probabilities" and _is_classes(arrays[-1])):
        axis = class_axis(len(shape))
        return shape[:axis] + shape[axis + 1 :]
    return shape


def _check_shapes(spec: LossSpec, arrays: Arrays, arguments: Mapping[str, Any]) -> None:
    shape, (fewest, most) = arrays[0].shape, spec.dims
    if len(shape) < fewest or (most is not None and len(shape) > most):
        wanted = (
            f"{fewest} or more" if most is None else f"{fewest}" if fewest == most else f"{fewest} to {most}"
        )
        raise ValueError(f"{spec.name}: {spec.inputs[0]} must have {wanted} dimensions, not shape {shape}")
    expected = [shape] * (len(arrays) - 1) + [_target_shape(spec, arrays)]
    for name, array, needed in zip(spec.inputs, arrays, expected, strict=True):
        if array.shape != needed:
            raise ValueError(
                f"{spec.name}: {name} has shape {array.shape}, but {spec.inputs[0]} of shape {shape} needs "
                f"{needed}; nothing is broadcast"
            )
    if arguments.get("reduction") == "batchmean" and not shape:
        raise ValueError(f"{spec.name}: batchmean divides by the first dimension, and shape () has none")
    for key in ("weight", "pos_weight"):
        if arguments.get(key) is not None:
            _check_weight(spec, key, np.shape(arguments[key]), shape)


def _check_weight(spec: LossSpec, key: str, given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """One weight per class; or, for losses of single elements, per column (the last axis) or per element."""
    allowed: tuple[tuple[int, ...], ...] = (shape[-1:],)
    if spec.target in ("class", "class or probabilities"):
        axis = class_axis(len(shape))
        allowed = (shape[axis : axis + 1],)
    elif spec.target != "binary":
        allowed = (shape[-1:], shape)
    if given not in allowed:
        wanted = " or ".join(str(size) for size in dict.fromkeys(allowed))
        raise ValueError(f"{spec.name}: option {key} has shape {given}; the inputs need {wanted}")


def _check_ranges(spec: LossSpec, arrays: Arrays, arguments: Mapping[str, Any]) -> None:
    """The values that the target may hold, and bce's prediction, which is a probability too."""
    target, size = arrays[-1], arrays[0].shape
    ignores, ignore_index = "ignore_index" in spec.options, arguments.get("ignore_index", -100)
    if spec.name == "bce":
        _require(spec, spec.inputs[0], "probabilities in [0, 1]", (arrays[0] >= 0) & (arrays[0] <= 1))
    match spec.target:
        case "sign":
            wanted, right = "-1 or 1", (target == -1) | (target == 1)
        case "binary":
            wanted, right = "0 or 1", (target == 0) | (target == 1)
        case "class set":
            wanted, right = f"classes 0 to {size[-1] - 1}, or -1", (target >= -1) & (target < size[-1])
        case "distribution" if not arguments.get("log_target", False):
            wanted, right = "probabilities >= 0", target >= 0
        case "class" | "class or probabilities" if _is_classes(target):
            classes = size[class_axis(len(size))]
            wanted = f"classes 0 to {classes - 1}{' or ignore_index' if ignores else ''}"
            right = (target >= 0) & (target < classes) | (target == ignore_index if ignores else False)
        case "probability" | "class or probabilities":
            wanted, right = "probabilities in [0, 1]", (target >= 0) & (target <= 1)
            if ignores and ignore_index >= 0:
                raise ValueError(f"{spec.name}: ignore_index needs classes as targets, not probabilities")
        case _:
            return
    _require(spec, spec.inputs[-1], wanted, right)


def _require(spec: LossSpec, name: str, wanted: str, right: Any) -> None:
    if not np.all(right):
        where = tuple(int(i) for i in np.argwhere(~np.asarray(right))[0])
        raise ValueError(f"{spec.name}: {name} must hold {wanted}; element {where} does not")
