"""Intervals, tests and power from one log ratio per block; every distribution is SciPy's, from `scipy.special`:
`scipy.stats` says the same and takes half a second to import.

With K blocks, mean d and standard error se = s / sqrt(K), (d - truth) / se follows Student's t on K - 1
degrees of freedom. se has a floor, the clock's own resolution, so that exact ties stay finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev
from typing import NamedTuple

from scipy import special

from samestep.backends.spec import Number, Spec

MARGIN = math.log(1.02)
ALPHA = 0.05
POWER = 0.80
FEWEST_BLOCKS = 4  # for an interval: of fewer, Student's t says more than the lane does
TOO_FEW_BLOCKS = "too few blocks"  # what stands in the place of such an interval
LARGEST_LOG = 700.0
RESOLUTION = 1e-6  # of a log time: tens of nanoseconds over a slice of tens of milliseconds


class Interval(Spec):
    """An estimate and the ends of its interval, in the estimate's own units; unknown ends are 0 and infinity."""

    value: Number
    low: Number
    high: Number


class Sample(NamedTuple):
    """Mean, standard error and degrees of freedom of at least two values, or of a difference of such means."""

    mean: float
    error: float
    df: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """The sample of at least two values; its standard error is at least the resolution of a log ratio."""
        error = stdev(values) / math.sqrt(len(values))
        return cls(fmean(values), max(error, RESOLUTION), len(values) - 1)

    def less(self, other: Sample) -> Sample:
        """The difference of two independent means whose variances may differ, with Welch's degrees of freedom."""
        variance, other_variance = self.error**2, other.error**2
        total = variance + other_variance
        df = total**2 / (variance**2 / self.df + other_variance**2 / other.df)
        return Sample(self.mean - other.mean, math.sqrt(total), df)

    def ends(self, level: float) -> tuple[float, float]:
        """The t interval of the mean."""
        reach = self.error * float(special.stdtrit(self.df, (1 + level) / 2))
        return self.mean - reach, self.mean + reach


class Claims(NamedTuple):
    """p of each claim: the ratio lies below -margin, above +margin, or between."""

    faster: float
    slower: float
    equivalent: float


def interval(logs: Sequence[float], *, level: float = 0.95, scale: float = 1.0) -> Interval:
    """Geometric mean of exp(logs) times `scale` with its t interval, for one value of each block.

    Of fewer than FEWEST_BLOCKS values it is their median without ends: 0 and infinity.
    """
    if len(logs) < FEWEST_BLOCKS:
        return Interval(value=scale * math.exp(median(logs)), low=0.0, high=math.inf)
    return t_interval(logs, level=level, scale=scale)


def t_interval(logs: Sequence[float], *, level: float = 0.95, scale: float = 1.0) -> Interval:
    """Geometric mean of exp(logs) times `scale` with its t interval, for two values or more."""
    sample = Sample.of(logs)
    low, high = sample.ends(level)
    return Interval(value=scale * _exp(sample.mean), low=scale * _exp(low), high=scale * _exp(high))


def _exp(log: float) -> float:
    """The number of a logarithm; infinity above all numbers."""
    return math.exp(log) if log < LARGEST_LOG else math.inf


def claims(sample: Sample, *, margin: float = MARGIN) -> Claims:
    """Shifted t tests. The two of a difference are doubled, since either side could have been claimed.

    Equivalence is two one-sided tests (Schuirmann, 1987): the larger p counts.
    """
    below = float(special.stdtr(sample.df, (sample.mean + margin) / sample.error))
    above = float(special.stdtr(sample.df, (margin - sample.mean) / sample.error))
    return Claims(min(1.0, 2 * below), min(1.0, 2 * above), max(1 - below, 1 - above))


def holm(p: Sequence[float], *, family: int) -> list[float]:
    """Adjusted p of some members of a family: p_(i) (family - i), made monotone (Holm, 1979).

    Members that were never tested count in `family` alone, as if their p were 1.
    """
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, p[index] * (family - rank)))
        adjusted[index] = largest
    return adjusted


def detectable(sample: Sample, *, level: float) -> float:
    """The smallest ratio above 1 that a test of this level would have found with 80% power at this error.

    Under a true log ratio theta, (d - margin) / se follows the noncentral t with parameter (theta - margin) / se.
    Infinity where SciPy has no numbers for so small a level, as at an early look.
    """
    from scipy.optimize import brentq  # slow to import

    critical = -float(special.stdtrit(sample.df, level / 2))
    try:
        # the power passes 1/2 near nc = critical; the bracket is wide enough for one degree of freedom
        shift = brentq(lambda nc: 1 - special.nctdtr(sample.df, nc, critical) - POWER, 0.0, 4 * critical + 10)
    except ValueError:
        return math.inf
    return _exp(MARGIN + float(shift) * sample.error)


def drift(values: Sequence[float], *, level: float = 0.99) -> float:
    """How far the second half lies from the first at least: the nearer end of the interval of the difference.

    0 where the interval holds 0, or where a half is too short to have a variance. Welch's interval, since the
    noise may change as well.
    """
    half = len(values) // 2
    if half < 2:
        return 0.0
    first, second = values[:half], values[-half:]
    if max(stdev(first), stdev(second)) < RESOLUTION:
        return abs(fmean(second) - fmean(first))
    low, high = Sample.of(second).less(Sample.of(first)).ends(level)
    return max(0.0, low, -high)
