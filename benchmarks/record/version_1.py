"""The first version of the record: runs from the certified start in the certified order, each reset in between.

Such records stay readable, and are judged by the gates of their own version.
"""

from __future__ import annotations

from typing import Literal

from samestep.backends.spec import Count, Number, Spec

from .machine import Natural
from .measurements import Calibration, Elapsed, MeasuredBlock, Nanoseconds, TimedSlice
from .record import MeasuredRecord


class Slice1(TimedSlice):
    """One timed slice: `repeats` runs of the certified work, each from the certified start.

    cpu_ns and elapsed_ns are of the runs alone; the span is with the resets between them.
    resync_ns: what a second sync and the first fetch of the parameters took right after the last run's clock
        stopped. fetch_ns: what both took once more.
    finals: how many different ends the runs had.
    apart: the largest distance of a run's end from the certified end (the norm over all parameters).
    """

    resync_ns: Nanoseconds
    fetch_ns: Nanoseconds
    finals: Count
    apart: Number


class Unseen(Spec):
    """The certified run of a lane beside as much work that it had never seen: the least of several, nanoseconds.

    CPU time as well, which other programs do not lengthen. `same` counts the unseen runs that ended in the
    certified parameters, which none can honestly do.
    """

    task: str
    lane: str
    known_ns: Elapsed
    unseen_ns: Elapsed
    same: Natural
    known_cpu_ns: Nanoseconds = 0
    unseen_cpu_ns: Nanoseconds = 0


class Block1(MeasuredBlock[Slice1]):
    """A block of timed slices; in some every lane also ran unseen work."""

    unseen: tuple[Unseen, ...] = ()


class Calibration1(Calibration):
    """How long a slice is; reset_ns: nanoseconds of the reset before each run."""

    reset_ns: Elapsed


class Record1(MeasuredRecord[Block1, Calibration1]):
    """One run, whole or interrupted, as version 1 recorded it."""

    schema_version: Literal[1] = 1
