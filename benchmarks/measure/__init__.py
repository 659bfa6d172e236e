"""How fast: workers in fresh processes, a relay that interleaves them, verdicts from the raw samples.

Nothing is imported here until it is asked for, because a worker times what its own lane imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .session import certify, measure, resume

__all__ = ["certify", "measure", "resume"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import session

    return getattr(session, name)
