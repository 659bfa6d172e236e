"""What does one correct training step compute, and how far from it may correct arithmetic land?

`step` takes one step from the mathematics, wider than the task's dtype; `bounds` bounds the rounding of every
component of it, and `drift` that of a whole run where it can be said.
"""

from .arithmetic import Arithmetic, Array, narrow
from .bounds import Bounds, Errors
from .step import WIDE, Arrays, Magnitudes, Reference, ReferenceStep, StepStart

__all__ = [
    "WIDE",
    "Arithmetic",
    "Array",
    "Arrays",
    "Bounds",
    "Errors",
    "Magnitudes",
    "Reference",
    "ReferenceStep",
    "StepStart",
    "narrow",
]
