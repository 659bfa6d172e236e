"""Time as a line in the work, t = a + b w with a, b >= 0, where times span decades.

What is minimized are the squares of log(t / (a + b w)): relative errors, alike for a factor too slow or too
fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class CostLine(NamedTuple):
    """t = a + b w with standard errors (None at the edge, where a or b is 0), R squared and typical miss."""

    a: float
    b: float
    a_error: float | None
    b_error: float | None
    r_squared: float
    typical: float


def fit_line(work: Sequence[float], seconds: Sequence[float]) -> CostLine:
    """The line with a, b >= 0 that minimizes the squares of log(t / (a + b w)); at least three different works.

    Standard errors are those of nonlinear least squares, sqrt(diag((J'J)^-1) s^2) with s^2 the squares over
    the degrees of freedom and J the derivatives of log(t / (a + b w)). Source: G. A. F. Seber and C. J. Wild,
    "Nonlinear Regression" (1989), chapter 2. R squared is measured against the mean of log t, which is the
    line's own edge b = 0, so that it is never below 0.
    """
    # in units of the geometric means both edges of the quadrant have the closed form 1
    t_unit, w_unit = _geometric_mean(seconds), _geometric_mean(work)
    problem = _LogLeastSquares(np.array(work) / w_unit, np.array(seconds) / t_unit)
    best = problem.minimum()
    free = best > 0  # an edge has one number, and no error of the other
    squares, total = problem.squares(best), problem.squares(np.array([1.0, 0.0]))
    variance = squares / (len(seconds) - int(free.sum()))
    jacobian = problem.derivatives(best)[:, free]
    errors = np.full(2, np.nan)
    errors[free] = np.sqrt(variance * np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    scale = np.array([t_unit, t_unit / w_unit])
    (a, b), (a_error, b_error) = (best * scale).tolist(), (errors * scale).tolist()
    return CostLine(
        a=a,
        b=b,
        a_error=a_error if free[0] else None,
        b_error=b_error if free[1] else None,
        r_squared=1 - squares / total if total else 1.0,
        typical=math.expm1(math.sqrt(variance)),
    )


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(fmean(map(math.log, values)))


class _LogLeastSquares(NamedTuple):
    """The squares of log(t / (a + b w)) as a function of (a, b); w (n,) and t (n,) have geometric mean 1."""

    w: Floats
    t: Floats

    def residuals(self, line: Floats) -> Floats:
        """log(t / (a + b w)) (n,)."""
        return np.asarray(np.log(self.t / (line[0] + line[1] * self.w)))

    def derivatives(self, line: Floats) -> Floats:
        """Of the residuals by a and b (n, 2): -(1, w) / (a + b w)."""
        columns = np.column_stack([np.ones_like(self.w), self.w])
        return np.asarray(-columns / (line[0] + line[1] * self.w)[:, None])

    def squares(self, line: Floats) -> float:
        """The sum of the squared residuals."""
        return float(np.square(self.residuals(line)).sum())

    def minimum(self) -> Floats:
        """The best (a, b) in the quadrant: at an edge, or where one of two starts leads.

        There can be several valleys. Edges have a closed form: b = 0 gives a = 1, and a = 0 gives b = 1, the
        units being geometric means.
        """
        edges = np.array([1.0, 0.0]), np.array([0.0, 1.0])
        relative, scan = self._relative_start(), self._scanned_start()
        inside = self._descend(relative, np.ones(2)), self._descend(scan, scan)
        return min((*edges, *inside), key=self.squares)

    def _descend(self, start: Floats, x_scale: Floats) -> Floats:
        """A local minimum from a start."""
        from scipy.optimize import least_squares  # slow to import

        solution = least_squares(
            self.residuals,
            start,
            jac=self.derivatives,
            bounds=(0, np.inf),
            x_scale=x_scale,
            xtol=1e-12,
            ftol=1e-12,
        )
        return np.asarray(solution.x)

    def _relative_start(self) -> Floats:
        """Where the squares of (a + b w) / t - 1 are least, which is a linear problem."""
        from scipy.optimize import nnls

        design = np.column_stack([1 / self.t, self.w / self.t])
        start, _ = nnls(design, np.ones_like(self.t))
        return np.asarray(start)

    def _scanned_start(self) -> Floats:
        """The best of 400 ratios b / a; for each of them the best scale is a mean of logs."""
        ratios = np.geomspace(1e-4 / self.w.max(), 1e4 / self.w.min(), 400)
        logs = np.log(self.t) - np.log1p(np.outer(ratios, self.w))
        index = int(logs.var(axis=1).argmin())
        return np.asarray(math.exp(logs[index].mean()) * np.array([1.0, ratios[index]]))
