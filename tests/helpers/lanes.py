"""The lanes that can run here on the CPU."""

from __future__ import annotations

import re
from functools import cache

import pytest

from samestep import backends
from samestep.backends.spec import Task

LANES = tuple(
    name
    for name in backends.names()
    if backends.missing(name) is None and "cpu" in backends.lane_class(name).devices()
)
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


@cache
def lane(framework: str) -> backends.Backend:
    """The first lane of a framework; losses are the same in all of them."""
    return backends.load(FRAMEWORKS[framework])
