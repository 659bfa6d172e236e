"""How fast: workers in fresh processes, and a relay that interleaves them.

Nothing is imported here until it is asked for, because a worker times what its own lane imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmark_run import BenchmarkRun, measure, resume
    from .lane_certificates import certification, certify_lanes
    from .request import RunRequest

__all__ = ["BenchmarkRun", "RunRequest", "certification", "certify_lanes", "measure", "resume"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import benchmark_run, lane_certificates

    home = lane_certificates if name in ("certification", "certify_lanes") else benchmark_run
    return getattr(home, name)
