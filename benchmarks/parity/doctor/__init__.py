"""The doctor: what is likely to have made the first wrong step wrong?

Hypotheses are tested on the recorded numbers themselves: a step is played again with one ingredient changed, or
what was recorded is fitted by the vectors it should be made of. A hypothesis counts when nothing but rounding is
left over at every step of the case. When none does, the answer is "unknown".
"""

from .case import Case, StepSnapshot
from .diagnosis import diagnose

__all__ = ["Case", "StepSnapshot", "diagnose"]
