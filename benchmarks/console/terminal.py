"""The terminal that output goes to, and text that is the same wherever it is made."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

NARROWEST, WIDEST = 40, 120
ELSEWHERE = 100  # where output is no terminal


def terminal_width() -> int:
    """Columns for tables and prose: the terminal's within 40 and 120, and 100 where output is no terminal."""
    return within_limits(terminal_columns())


def terminal_columns() -> int:
    """Columns of the terminal that standard output is; 0 where it is none, or one that does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError):  # a stream without a number, as in a notebook, or with that of no terminal
        return 0


def within_limits(columns: int) -> int:
    """A width that tables are laid out for; 0 is unknown."""
    return max(NARROWEST, min(WIDEST, columns)) if columns else ELSEWHERE


def text_console(file: TextIO, width: int) -> Console:
    """A console that writes plain text of a width; no notebook, terminal or variable changes what it writes."""
    return Console(
        file=file,
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
