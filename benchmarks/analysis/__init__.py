"""A record to figures: samples, gates, verdicts, rows, what changed. No I/O and no formatting."""

from .record_analysis import LaneAnalysis, RecordAnalysis
from .rows import BreakEven, Row
from .verdicts import Verdict

__all__ = ["BreakEven", "LaneAnalysis", "RecordAnalysis", "Row", "Verdict"]
