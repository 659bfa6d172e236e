"""The lanes that can run here on the CPU."""

from __future__ import annotations

from functools import cache

import pytest

from samestep import backends

LANES = tuple(
    name
    for name in backends.names()
    if backends.missing(name) is None and "cpu" in backends.lane_class(name).devices()
)
COMPILED = frozenset({"torch:compile", "torch:fused"})  # seconds for each new program: fewer cases
FRAMEWORKS = {backends.lane_class(lane).framework: lane for lane in reversed(LANES)}
NEEDS_TORCH = pytest.mark.skipif(bool(backends.missing("torch")), reason="torch is not here")


@cache
def lane(framework: str) -> backends.Backend:
    """The first lane of a framework; losses are the same in all of them."""
    return backends.load(FRAMEWORKS[framework])
