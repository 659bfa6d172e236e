"""The suite tried on itself: does it catch what is wrong, leave what is right alone, and time without bias?

Commands with committed results, too long for the tests: `python -m validation --help`, from a checkout.
"""

from __future__ import annotations

from samestep import backends


def cpu_lanes() -> tuple[str, ...]:
    """The lanes that can run here on a CPU."""
    available = (name for name in backends.names() if backends.missing(name) is None)
    return tuple(name for name in available if "cpu" in backends.lane_class(name).devices())
