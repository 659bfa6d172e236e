"""Which devices JAX has here, and why it has none where the environment names platforms that are not there."""

from __future__ import annotations

import os
from functools import cache

import jax

from .interface import Unavailable


@cache
def cached_platform() -> str | Exception:
    """The platform that JAX takes by itself, or why it has none; JAX itself fails at its first look alone."""
    try:
        return jax.default_backend()
    except Exception as error:  # also AssertionError, at a second look
        return error


def default_platform() -> str:
    """The platform that JAX takes by itself.

    Raises:
        Unavailable: the environment names one that is not here.
    """
    platform = cached_platform()
    if isinstance(platform, str):
        return platform
    named = os.environ.get("JAX_PLATFORMS", "")
    lead = f"JAX_PLATFORMS={named} names a platform that is not here" if named else "JAX finds no platform"
    message = "".join(f": {line}" for line in str(platform).splitlines()[:1])
    raise Unavailable(f"{lead}{message}") from platform


def device_count(kind: str) -> int:
    """How many devices of a kind there are; none of the CPU where JAX_PLATFORMS names others alone."""
    try:
        return len(jax.devices(kind))
    except RuntimeError:
        return 0
