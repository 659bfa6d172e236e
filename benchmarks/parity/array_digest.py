"""One digest for named arrays: two sets of arrays are the same, bit for bit, where their digests are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from samestep.backends.interface import Host


def digest(arrays: Mapping[str, Host]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes: equal digests mean equal arrays, bit for bit."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}{array.shape}{array.dtype.str}".encode())
        sha.update(array.reshape(-1).view(np.uint8).data)  # as bytes, for bfloat16 has no buffer of its own
    return sha.hexdigest()
