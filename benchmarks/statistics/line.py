"""Time as a line in the work, t = a + b w with a, b >= 0, where times span decades.

What is minimized are the squares of log(t / (a + b w)): relative errors, alike for a factor too slow or too fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats: TypeAlias = NDArray[np.float64]


class Line(NamedTuple):
    """t = a + b w with standard errors (None at the edge, where a or b is 0), R squared and typical miss."""

    a: float
    b: float
    a_error: float | None
    b_error: float | None
    r_squared: float
    typical: float


def fit_line(work: Sequence[float], seconds: Sequence[float]) -> Line:
    """The line with a, b >= 0 that minimizes the squares of log(t / (a + b w)); at least three different works.

    At the edges it has a closed form: b = 0 gives a = gm(t), and a = 0 gives b = gm(t) / gm(w), gm being the
    geometric mean. The first of them is the mean that R squared is measured against, so that is never below 0.
    """
    units = math.exp(fmean(map(math.log, seconds))), math.exp(fmean(map(math.log, work)))
    t, w = np.array(seconds) / units[0], np.array(work) / units[1]  # either edge is then 1

    def miss(at: Floats) -> Floats:
        return np.asarray(np.log(t / (at[0] + at[1] * w)))

    def slopes(at: Floats) -> Floats:
        return np.asarray(-np.column_stack([np.ones_like(w), w]) / (at[0] + at[1] * w)[:, None])

    # there can be several valleys: begin where the squares of (a + b w) / t - 1 are least, and at the best of
    # many ratios b / a, for each of which the best scale is a mean of logs
    least, _ = optimize.nnls(np.column_stack([1 / t, w / t]), np.ones_like(t))
    ratios = np.geomspace(1e-4 / w.max(), 1e4 / w.min(), 400)
    logs = np.log(t) - np.log1p(np.outer(ratios, w))
    at = int(logs.var(axis=1).argmin())
    likely = math.exp(logs[at].mean()) * np.array([1.0, ratios[at]])
    edges = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    known: dict[str, Any] = {"jac": slopes, "bounds": (0, np.inf), "xtol": 1e-12, "ftol": 1e-12}
    inside = (
        optimize.least_squares(miss, least, **known).x,
        optimize.least_squares(miss, likely, x_scale=likely, **known).x,
    )
    best = min((*edges, *inside), key=lambda at: float(np.square(miss(at)).sum()))
    squares, whole = float(np.square(miss(best)).sum()), float(np.square(miss(edges[0])).sum())
    free = best > 0
    variance, j = squares / (len(t) - int(free.sum())), slopes(best)[:, free]
    errors = np.full(2, np.nan)
    errors[free] = np.sqrt(variance * np.diag(np.linalg.inv(j.T @ j)))
    scale = np.array([units[0], units[0] / units[1]])
    (a, b), (a_error, b_error) = (best * scale).tolist(), (errors * scale).tolist()
    return Line(
        a=a,
        b=b,
        a_error=a_error if free[0] else None,
        b_error=b_error if free[1] else None,
        r_squared=1 - squares / whole if whole else 1.0,
        typical=math.expm1(math.sqrt(variance)),
    )
