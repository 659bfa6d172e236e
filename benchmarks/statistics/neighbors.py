"""How long each arm takes, from slices that follow one another on a machine whose speed changes.

A host changes its speed by tens of percent, at once and for longer than a slice takes. A slice of arm i took
log t = a_i + s, and s is nearly that of the slice before it, unless the host changed in between. So

    log t_k - log t_(k-1) = a_i(k) - a_i(k-1) + e_k

with an error e that is small, or large and rare: first differences between neighbors (Besag and Kempton, 1986),
fitted by least absolute deviations, which few large errors do not move. The slices of other arms count, too: they
tell what the host did between two slices of an arm.

What arm i does to the slice after it, say c_i, is not seen: half of c_i is taken for a shorter time of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

A = TypeVar("A", bound=Hashable)
SMOOTH = 0.001  # of a log time: below it errors count by their squares, so that there is one solution
PRECISION = 1e-15


def arm_effects(arms: Sequence[A], logs: Sequence[float]) -> dict[A, float]:
    """{arm: a_i}, the log time of each arm over that of the first, from the log times of slices in their order.

    Minimizes sum_k sqrt(1 + (error_k / SMOOTH)^2), the smooth approximation of least absolute deviations.
    """
    from scipy.optimize import least_squares  # slow to import

    places = {arm: place for place, arm in enumerate(dict.fromkeys(arms))}
    if len(places) < 2:
        return dict.fromkeys(places, 0.0)
    took = np.eye(len(places))[[places[arm] for arm in arms], 1:]  # the first arm is 0
    design, changes = np.diff(took, axis=0), np.diff(logs)
    start = np.linalg.lstsq(design, changes)[0]
    fitted = least_squares(
        lambda effects: design @ effects - changes,
        start,
        jac=lambda effects: design,
        loss="soft_l1",
        f_scale=SMOOTH,
        xtol=PRECISION,
        ftol=PRECISION,
        gtol=PRECISION,
    )
    return dict(zip(places, (0.0, *fitted.x.tolist()), strict=True))
