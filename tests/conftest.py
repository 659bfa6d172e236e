"""What every test module shares: the lanes that can run here, found through the registry."""

from __future__ import annotations

import backends

LANES = tuple(name for name in backends.names() if backends.missing(name) is None)
COMPILED = frozenset({"torch:compile", "torch:fused"})  # seconds for each new program: fewer cases
