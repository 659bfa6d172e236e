"""Data of your own as arrays of real numbers, or one line that says which entry is none and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samestep.backends.interface import Host

from ..console.choices import counted
from ..console.errors import InputError
from ..datasets.integers import LARGEST_EXACT, rounded_by_float64
from .array_digest import digest


class Data(Protocol):
    """The part of `benchmarks.datasets.Split` that is needed here; anything with these two methods will do."""

    def rounded(self, dtype: str) -> tuple[Host, Host]:
        """x and y in a dtype."""
        ...

    def digest(self) -> str:
        """SHA-256 of the data."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Data of your own: x (n, k), and y (n, m) floating or (n,) integer classes.

    Both may be NumPy arrays, nested lists, tensors of a framework or data frames; they are kept as arrays.

    Raises:
        InputError: one is no array of finite real numbers, there is no row, or x and y differ in rows.
    """

    x: Host
    y: Host

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            array = as_array(getattr(self, name), name)
            if fault := unusable(array):
                raise InputError(f"{name} {fault}")
            object.__setattr__(self, name, array)
        if fault := rounded_integers(self.x):
            raise InputError(f"x {fault}")
        if len(self.x) != len(self.y):
            raise InputError(
                f"x has {counted(len(self.x), 'row')} and y has {len(self.y)}: give one y for each x"
            )

    def rounded(self, dtype: str) -> tuple[Host, Host]:
        """x and a floating y in a dtype; classes stay as they are.

        Raises:
            InputError: a value lies beyond the largest number of the dtype.
        """
        with np.errstate(over="ignore"):
            x, y = self.x.astype(dtype), self.y.astype(dtype) if self.y.dtype.kind == "f" else self.y.copy()
        for name, values, given in (("x", x, self.x), ("y", y, self.y)):
            wrong = ~np.isfinite(values)
            if wrong.any():
                first = given.flat[int(wrong.argmax())]
                fix = "use smaller numbers" if dtype == "float64" else "use float64 or smaller numbers"
                where = f"{first:g} at {place(wrong)} ({given.dtype})"
                raise InputError(f"{name} has values too large for {dtype}, first {where}; {fix}")
        return x, y

    def digest(self) -> str:
        """SHA-256 of both arrays."""
        return digest({"x": self.x, "y": self.y})


def as_data(data: Data | tuple[Any, Any] | list[Any]) -> Data:
    """A pair (x, y) as rows; other data as they are.

    Raises:
        InputError: they are neither, or `Rows` cannot be made of them.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        return Rows(*data)
    if isinstance(data, tuple | list) or not (hasattr(data, "rounded") and hasattr(data, "digest")):
        raise InputError(
            f"the data are of type {type(data).__name__}: give arrays (x, y), Rows or a data set"
        )
    return data


def as_array(value: Any, name: str) -> Host:
    """The array that a value is: of NumPy, nested lists, a tensor, a data frame, or a list of those.

    Raises:
        InputError: no array can be made of it, or not without a loss.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; leave the masked rows out, and give a plain array")
    if hasattr(value, "toarray"):
        kind = type(value).__name__
        raise InputError(f"{name} is of type {kind}, a sparse array; convert it with its method toarray()")
    if isinstance(value, list | tuple) and value and all(hasattr(part, "__array__") for part in value):
        parts = [as_array(part, f"{name}[{index}]") for index, part in enumerate(value)]
        if len(shapes := {part.shape for part in parts}) > 1:
            raise InputError(f"{name} is a list of arrays of different shapes ({sorted(shapes)[:3]})")
        return np.stack(parts)
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor of torch: its values alone
            value = value.detach().cpu()
        array = np.asarray(value)
    except Exception as error:  # whatever an object of another library raises
        line = (str(error).strip().splitlines() or [""])[0][:200]
        kind, hint = type(error).__name__, "; convert it to float32" if "16" in line else ""
        raise InputError(f"{name} is no array ({kind}: {line}){hint}") from error
    if array.dtype.kind == "O" and not array.ndim:
        raise InputError(f"{name} is of type {type(value).__name__}, not an array of numbers")
    return array


def as_numbers(value: Any, name: str, dtype: str) -> Host:
    """The array of numbers that a value is; those of Python's own are of `dtype` where it holds them exactly.

    Raises:
        InputError: no array of numbers can be made of it.
    """
    array = as_array(value, name)
    if fault := not_numbers(array, "fiuc"):
        raise InputError(f"{name} {fault}; record it as {dtype}")
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, np.generic) or not isinstance(value, int | float):
        return array
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    return rounded if np.array_equal(rounded, array, equal_nan=True) else array


def unusable(array: object) -> str | None:
    """Why something is not an array of finite real numbers with a first axis of rows; None where it is."""
    if not isinstance(array, np.ndarray):
        return f"is of type {type(array).__name__}, not a NumPy array; convert it with numpy.asarray"
    if fault := not_numbers(array):
        return f"{fault}; give float64, or int64 for classes"
    if array.ndim == 0 or not array.size:
        return f"has shape {array.shape}: there is no number in it to train on"
    wrong = ~np.isfinite(array)
    if wrong.any():
        rows = int(wrong.reshape(len(array), -1).any(axis=1).sum())
        where = f"first at {place(wrong)} ({array.dtype})"
        return f"holds NaN or infinity in {rows} of {len(array)} rows, {where}; leave them out"
    return None


def not_numbers(array: Host, kinds: str = "fiu") -> str | None:
    """Why an array holds no numbers of these kinds, or None; in an array of objects, the first that is none."""
    if array.dtype.kind in kinds:
        return None
    if array.dtype.kind == "V" and array.dtype.names is None:  # NumPy files keep bfloat16 as bytes, |V2
        return f"holds {array.dtype}, which NumPy does not compute with (bfloat16 is exact in float32)"
    if array.dtype.kind == "O" and array.ndim:
        for at, entry in np.ndenumerate(array):
            if isinstance(entry, bool) or not isinstance(entry, int | float):
                one = np.zeros(array.shape, bool)
                one[at] = True
                return f"holds object, not real numbers: {place(one)} is of type {type(entry).__name__}"
    return f"holds {array.dtype}, not real numbers"


def rounded_integers(array: Host) -> str | None:
    """Which integer of an array float64 cannot hold, or None."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8:
        return None
    large = (array > LARGEST_EXACT) | (array < -LARGEST_EXACT)
    integers = array[large].tolist()
    rounded = rounded_by_float64(integers)
    if not rounded:
        return None
    wrong = np.zeros(array.shape, bool)
    wrong.flat[np.flatnonzero(large)[rounded]] = True
    where = f"{integers[rounded[0]]} at {place(wrong)} ({array.dtype})"
    return f"holds integers that float64 cannot hold, first {where}; subtract what they have in common"


def place(wrong: NDArray[np.bool_]) -> str:
    """The row, and the column where there are columns, of the first true entry, counted from 0."""
    row, *columns = np.unravel_index(int(wrong.argmax()), wrong.shape)
    column = f", column {', '.join(str(int(at)) for at in columns)}" if columns else ""
    return f"row {int(row)}{column} counted from 0"
