"""`samestep lesson`: walk, with progress on stderr, and print."""

from __future__ import annotations

from collections.abc import Sequence

from ..console.progress import progress
from ..console.terminal import terminal_width
from ..lesson import render, walk
from ..lesson.page import NARROWEST

WIDEST = 100


def lesson(lanes: Sequence[str], batch_size: int, *, json: bool, quiet: bool = False) -> int:
    """Print the walk as text, 80 to 100 columns as the terminal has it, or as JSON; 1 when a lane failed in it.

    Raises:
        InputError: as for `walk`.
    """
    with progress(lines_in_files=False, quiet=quiet) as report:
        walked = walk(lanes, batch_size=batch_size, progress=report)
    width = min(max(terminal_width(), NARROWEST), WIDEST)
    print(walked.model_dump_json(indent=2) if json else render(walked, width=width))
    return int(any(lane.failed for lane in walked.lanes))
