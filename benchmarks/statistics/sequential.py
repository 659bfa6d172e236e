"""Looks at a run before its end: which level a test has at each, so that all together keep the level of one.

A level alpha is spent as O'Brien and Fleming's bounds spend it (Lan and DeMets, 1983): after a part t of all

    spent(t) = 2 Phi(z / sqrt(t)),    z = Phi^-1(alpha / 2)

and a look rejects at what has been spent since the look before it. By Bonferroni's inequality over the looks a
true hypothesis is then rejected with a probability of at most alpha, whatever the looks have in common, whatever
the test, and at whichever look a run ends for whatever reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import special

MOST_LEVEL = 0.25  # up to it a higher level is a higher level at every look: where z^2 > 1
LEAST_P = 1e-300
SLACK = 1e-6  # of a logarithm, for rounding


def spent(alpha: float, part: float) -> float:
    """How much of a level is spent after a part of the blocks."""
    return 2 * float(special.ndtr(special.ndtri(alpha / 2) / math.sqrt(part))) if part else 0.0


class Look(NamedTuple):
    """A look at a part of all blocks, after an earlier one; `ONLY` is that of a run without others."""

    part: float
    before: float = 0.0

    @classmethod
    def at(cls, blocks: int, looks: Sequence[int], planned: int) -> Look:
        """The look at so many of the planned blocks; of `looks` those count that came before."""
        earlier = max((look for look in looks if look < blocks), default=0)
        return cls(min(1.0, blocks / planned), min(1.0, earlier / planned))

    def level(self, alpha: float) -> float:
        """The level at this look of a test that has the level alpha over all looks."""
        if self == ONLY:
            return alpha
        return spent(alpha, self.part) - spent(alpha, self.before)

    def adjusted(self, p: float) -> float:
        """The least level over all looks at which this one rejects with such a p; 1 above MOST_LEVEL."""
        if self == ONLY:
            return p
        if p >= self.level(MOST_LEVEL):
            return 1.0
        from scipy.optimize import brentq  # slow to import

        p = max(p, LEAST_P)
        least = math.log(p) - SLACK  # no look has a higher level than all of them together
        return math.exp(brentq(lambda log: self.level(math.exp(log)) - p, least, math.log(MOST_LEVEL)))


ONLY = Look(1.0)
