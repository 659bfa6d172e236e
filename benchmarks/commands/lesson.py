"""`samestep lesson`: walk, with progress on stderr, and print."""

from __future__ import annotations

from collections.abc import Sequence

from ..console.progress import progress
from ..lesson.text import render
from ..lesson.walk import walk


def lesson(lanes: Sequence[str], batch_size: int, *, json: bool) -> int:
    """Print the walk as text or as JSON; 1 when a lane failed in it.

    Raises:
        InputError: as for `walk`.
    """
    with progress() as report:
        walked = walk(lanes, batch_size=batch_size, progress=report)
    print(walked.model_dump_json(indent=2) if json else render(walked))
    return int(any(lane.failed for lane in walked.lanes))
