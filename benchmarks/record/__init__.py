"""What was measured: the models that a run leaves, reading and writing them, and input from strangers."""

from typing import TypeAlias

from .machine import Accelerator, Environment, Pool
from .measurements import (
    Arm,
    Audit,
    Block,
    Calibration,
    Cold,
    Dispatch,
    Failure,
    Kind,
    MeasuredBlock,
    PhaseBreakdown,
    RooflineLimits,
    Slice,
    TimedSlice,
)
from .outcome import Accuracy, Point
from .plan import MOST_STEPS, Comparison, Effort, Facts, Plan, PlannedWork, Threads, Unsupported
from .record import KEY, SCHEMA_VERSION, WHOLE, Certified, Record, Resumption
from .version_1 import Block1, Record1

AnyRecord: TypeAlias = Record | Record1
AnyBlock: TypeAlias = Block | Block1

__all__ = [
    "KEY",
    "MOST_STEPS",
    "SCHEMA_VERSION",
    "WHOLE",
    "Accelerator",
    "Accuracy",
    "AnyBlock",
    "AnyRecord",
    "Arm",
    "Audit",
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
    "MeasuredBlock",
    "PhaseBreakdown",
    "Plan",
    "PlannedWork",
    "Point",
    "Pool",
    "Record",
    "Record1",
    "Resumption",
    "RooflineLimits",
    "Slice",
    "Threads",
    "TimedSlice",
    "Unsupported",
]
