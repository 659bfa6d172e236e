"""Training rows and held-out rows: the split itself, standardizing, and what a `Split` can say of itself.

Everything learned from data (means, scales, which columns are constant) is learned from the training rows
alone; the held-out rows only follow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samestep.backends.spec import Finite, Spec

from ..console.choices import first_names
from ..console.errors import InputError

Float64: TypeAlias = NDArray[np.float64]

MIN_ROWS = 10  # two rows held out, the fewest that have a variance, are a fifth of ten
MOST_FACTORED = 5e11  # n k min(n, k): 8e10 of 2,000 x 20,000 take about a minute on one core
LARGEST = float(
    np.sqrt(np.finfo(np.float32).max)
)  # 1.8e19: its square, a squared error, is finite in float32


class Transform(Spec):
    """How the stored columns come from the original ones: (original - mean) / scale.

    One mean and scale per feature kept, in the order of `Split.features`; scale is the population standard
    deviation (divisor n) of the training rows. Mean 0 and scale 1 leave a column as it was.
    """

    feature_mean: tuple[Finite, ...]
    feature_scale: tuple[Finite, ...]
    target_mean: Finite = 0.0
    target_scale: Finite = 1.0

    @classmethod
    def identity(cls, features: int) -> Transform:
        """The transform that changes nothing."""
        return cls(feature_mean=(0.0,) * features, feature_scale=(1.0,) * features)


@dataclass(frozen=True, eq=False)
class Split:
    """Data ready to train on, read-only: n training rows of k features, and rows held out.

    x and x_test are float64 (n, k). y and y_test are float64 (n, 1), or int64 classes (n,). `classes` is the
    number of classes, None for regression; two classes may come as 0.0 and 1.0 of shape (n, 1). `dropped`
    names the columns that were constant. `truth` is the (w (k, 1), b) that made synthetic data.
    `skipped_rows` counts rows left out because they had gaps. `understood` says in a few lines how a file was
    read.
    """

    x: Float64
    y: NDArray[Any]
    x_test: Float64
    y_test: NDArray[Any]
    features: tuple[str, ...]
    target: str
    transform: Transform
    source: str
    dropped: tuple[str, ...] = ()
    classes: int | None = None
    truth: tuple[Float64, float] | None = None
    skipped_rows: int = 0
    understood: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("x", "y", "x_test", "y_test"):
            view = getattr(self, name).view()  # the caller's own array stays writable
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @cached_property
    def rank(self) -> int | None:
        """Rank of the training x; worked out when first asked for, from the small factor of x or x^T = QR.

        None where that takes too long.
        """
        if not is_solvable(self.x):
            return None
        tall = self.x if self.x.shape[0] >= self.x.shape[1] else self.x.T
        tolerance = max(self.x.shape) * np.finfo(np.float64).eps
        return int(np.linalg.matrix_rank(np.linalg.qr(tall, mode="r"), rtol=tolerance))

    def digest(self) -> str:
        """SHA-256 over shapes, dtypes and bytes of the four arrays: equal digests mean equal data."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256()
        for array in (self.x, self.y, self.x_test, self.y_test):
            sha.update(f"{array.shape}{array.dtype.str}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def rounded(self, dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """The training rows (x, y) rounded to a dtype: fresh, writable, C-contiguous; classes stay int64.

        Raises:
            InputError: a value lies beyond the largest number of the dtype.
        """
        with np.errstate(over="ignore"):
            x = self.x.astype(dtype, order="C")
            y = self.y.astype(self.y.dtype if self.y.dtype.kind == "i" else dtype, order="C")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InputError(f"{self.source}: values too large for {dtype}; use float64 or smaller numbers")
        return x, y


def is_solvable(x: Float64) -> bool:
    """Whether x (n, k) is factored within minutes: it takes a few times n k min(n, k) operations.

    The factor has min(n, k)^2 entries, and so is never larger than x.
    """
    return bool(x.size * min(x.shape) <= MOST_FACTORED)


class CompleteRows(NamedTuple):
    """Rows without gaps, before they are split: x (n, k); y (n,), a regression target unless `classes` is given.

    Two classes may come as 0.0 and 1.0 of shape (n, 1). `skipped_rows` counts rows left out for their gaps.
    """

    x: Float64
    y: NDArray[Any]
    features: tuple[str, ...]
    target: str
    source: str
    classes: int | None = None
    skipped_rows: int = 0


def split(rows: CompleteRows, *, seed: int) -> Split:
    """Hold a fifth of the rows out, standardize on the rest, drop constant columns. Rows keep their order.

    Raises:
        InputError: too few rows, a constant target, nothing but constant features, or a held-out value so far
            out that float32 could not hold its square.
    """
    held_out = held_out_rows(len(rows.x), seed, rows.source)
    x, x_test = rows.x[~held_out], rows.x[held_out]
    y, y_test = rows.y[~held_out], rows.y[held_out]
    _check_target(y, rows)
    varies = _varying(x, rows)
    features, dropped = (tuple(compress(rows.features, chosen)) for chosen in (varies, ~varies))
    # Rows first, then columns: the memory layout decides the order of the sums, and so the last digit of a mean.
    x, x_test = x[:, varies], x_test[:, varies]
    mean, scale = _standardize(x, x_test, features, rows.source)
    transform = Transform(feature_mean=tuple(mean.tolist()), feature_scale=tuple(scale.tolist()))
    if rows.classes is None:
        y, y_test = y[:, None], y_test[:, None]
        mean, scale = _standardize(y, y_test, (rows.target,), rows.source)
        target = {"target_mean": float(mean[0]), "target_scale": float(scale[0])}
        transform = transform.model_copy(update=target)
    return Split(
        x=x,
        y=y,
        x_test=x_test,
        y_test=y_test,
        features=features,
        target=rows.target,
        transform=transform,
        source=rows.source,
        dropped=dropped,
        classes=rows.classes,
        skipped_rows=rows.skipped_rows,
    )


def check_count(count: int, source: str) -> None:
    """Raise InputError for fewer rows than can be trained on and held out."""
    if count < MIN_ROWS:
        size = {0: "no rows", 1: "one row"}.get(count, f"{count} rows")
        raise InputError(
            f"{source}: {size}; at least {MIN_ROWS} are needed, to train on 80% and hold out 20%"
        )


def held_out_rows(count: int, seed: int, source: str) -> NDArray[np.bool_]:
    """Which fifth of the rows is held out, (count,)."""
    check_count(count, source)
    held_out = np.zeros(count, dtype=bool)
    held_out[np.random.default_rng(seed).permutation(count)[: count // 5]] = True
    return held_out


def _check_target(y: NDArray[Any], rows: CompleteRows) -> None:
    if (y == y[0]).all():
        raise InputError(
            f"{rows.source}: target {rows.target!r} is constant ({y.flat[0]:g} in every training row); "
            "there is nothing to learn: choose another target"
        )


def _varying(x: Float64, rows: CompleteRows) -> NDArray[np.bool_]:
    """Which features vary in the training rows, (k,)."""
    varies: NDArray[np.bool_] = (x != x[0]).any(axis=0)
    if not varies.any():
        names = first_names(rows.features)
        raise InputError(f"{rows.source}: every feature is constant ({names}): choose other features")
    return varies


def _standardize(
    train: Float64, test: Float64, names: tuple[str, ...], source: str
) -> tuple[Float64, Float64]:
    """Make (value - mean) / scale of both, in their own memory; gives (mean, scale).

    No column of train is constant.

    Columns are first scaled by the power of two that brings the largest training value to between 1/2 and 1.
    That is exact, and neither a sum nor a square can then overflow or vanish.
    """
    exponent = np.frexp(np.abs(train).max(axis=0))[1]
    with np.errstate(over="ignore"):
        for part in (train, test):
            np.ldexp(part, -exponent, out=part)
    mean = train.mean(axis=0)
    train -= mean
    scale = np.sqrt(np.square(train).mean(axis=0))
    train /= scale
    test -= mean
    test /= scale
    far = np.abs(test).max(axis=0) > LARGEST
    if far.any():
        raise InputError(
            f"{source}: column {names[int(far.argmax())]!r} has a held-out value more than {LARGEST:.1g} "
            "standard deviations from the mean of the training rows: remove or fix that row"
        )
    return np.ldexp(mean, exponent), np.ldexp(scale, exponent)
