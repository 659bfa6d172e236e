"""The terminal that output goes to."""

from __future__ import annotations

import os
import sys


def terminal_width() -> int:
    """Columns for tables: those of the terminal within 80 and 120, and 100 where output is no terminal."""
    return max(80, min(120, os.get_terminal_size().columns)) if sys.stdout.isatty() else 100
