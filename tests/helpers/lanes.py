"""The lanes that can run here on the CPU: those of this package, and all that are registered."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import Task

REGISTERED = tuple(
    name
    for name in backends.names()
    if backends.missing(name) is None and "cpu" in backends.lane_class(name).devices()
)
LANES = tuple(name for name in REGISTERED if backends.places()[name].module.startswith("samestep."))
COMPILED = frozenset({"torch:compile", "torch:fused"})  # seconds for each new program: fewer cases
# The frameworks that have losses of their own; the compiled loop has NumPy's.
FRAMEWORKS = {backends.lane_class(lane).framework: lane for lane in reversed(LANES) if lane != "numba"}
NEEDS_TORCH = pytest.mark.skipif(bool(backends.missing("torch")), reason="torch is not here")


def refuses(backend: backends.Backend, task: Task) -> bool:
    """Whether a lane says that it cannot do a task; then `init` must refuse it with the same sentence."""
    reason = backend.unsupported(task)
    if reason is None:
        return False
    with pytest.raises(ValueError, match=re.escape(reason)):
        backend.init(task)
    assert reason == " ".join(reason.split())
    return True


def has_float64(backend: backends.Backend) -> bool:
    """Whether a lane computes in float64; one that does not refuses such data with a TypeError."""
    with backend.precision("float64"):
        try:
            backend.put(np.ones(1))
        except TypeError:
            return False
    return True


@cache
def lane(framework: str) -> backends.Backend:
    """The first lane of a framework; losses are the same in all of them."""
    return backends.load(FRAMEWORKS[framework])
