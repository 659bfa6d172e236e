"""What is said on stderr before a run: standard output stays clean for pipes."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from .escapes import visible
from .streams import tolerant
from .terminal import terminal_width

HANGING = " " * 12


def tell(lines: Sequence[str]) -> None:
    """Print lines, wrapped, each continued below its beginning; names in them come from files and are escaped."""
    if not lines:
        return
    stream, width = tolerant(sys.stderr), terminal_width()
    for line in lines:
        for piece in textwrap.wrap(visible(line), width, subsequent_indent=HANGING, break_on_hyphens=False):
            print(piece, file=stream)
    stream.flush()
