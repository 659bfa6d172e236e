"""What was measured: the models that a run leaves, reading and writing them, and input from strangers."""

from .machine import Accelerator, Environment, Pool
from .measurements import (
    Arm,
    Block,
    Calibration,
    Cold,
    Dispatch,
    Failure,
    Kind,
    PhaseBreakdown,
    RooflineLimits,
    Slice,
    Unseen,
)
from .outcome import Accuracy, Point
from .plan import MOST_STEPS, Comparison, Effort, Facts, Plan, PlannedWork, Threads
from .record import KEY, SCHEMA_VERSION, WHOLE, Certified, Record, Resumption

__all__ = [
    "KEY",
    "MOST_STEPS",
    "SCHEMA_VERSION",
    "WHOLE",
    "Accelerator",
    "Accuracy",
    "Arm",
    "Block",
    "Calibration",
    "Certified",
    "Cold",
    "Comparison",
    "Dispatch",
    "Effort",
    "Environment",
    "Facts",
    "Failure",
    "Kind",
    "PhaseBreakdown",
    "Plan",
    "PlannedWork",
    "Point",
    "Pool",
    "Record",
    "Resumption",
    "RooflineLimits",
    "Slice",
    "Threads",
    "Unseen",
]
